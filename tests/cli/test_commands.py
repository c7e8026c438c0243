"""What the commands say, and how they end."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rapid.errors import NotFits
from rapid.events import Rejected
from rapid.ledger import open_ledger
from rapid.ports import State
from tests.support.daemon import rapid
from tests.support.pipeline import announced, key_of

COMMANDS = ("demo", "simulate", "run", "tv", "replay", "warm", "status", "dead-letters", "bus", "refcat")


def tell(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = rapid(*words, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A ledger with one exposure waiting, one failed, and one message that was refused."""

    async def fill() -> None:
        async with open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger:
            now = datetime.now(UTC)
            await ledger.record([Rejected("directory", "odd\x1b[31mname", "not a usable key", now, b"raw \xff bytes")])
            recorded = await ledger.record([announced(1), announced(2)])
            attempt = await ledger.begin(recorded.new[1])
            assert attempt is not None
            error = str(NotFits("not FITS", subject=key_of(2), expected="SIMPLE", found="hello"))
            await ledger.fail(attempt, error=error, detail="Traceback (most recent call last): ...", retry_at=None)

    asyncio.run(fill())
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command: str) -> None:
    shown = tell(command, "--help").stdout
    assert len(shown.splitlines()) > 8
    if command not in {"dead-letters", "warm"}:
        assert "--" in shown


def test_no_command_shows_the_way() -> None:
    shown = rapid(check=False)
    assert all(command in shown.stdout + shown.stderr for command in COMMANDS)


def test_status_counts_and_says_why(state: Path) -> None:
    shown = tell("status", "--state", state, code=1).stdout
    assert "received 2   waiting 1   running 0   done 0   failed 1" in shown
    assert re.search(r"failed: .*000002.*not FITS; expected SIMPLE; found hello", shown)
    facts = json.loads(tell("status", "--state", state, "--json", code=1).stdout)
    assert facts["counts"]["waiting"] == 1
    assert facts["failed"][0]["key"] == key_of(2)
    assert facts["nights"][0]["camera"] == "auxtel"


def test_status_tells_whether_a_service_is_running(state: Path) -> None:
    """Told by the lock, which the system lets go when the service is killed: not by what the file says."""
    silent = "no service is running on this ledger"
    holder = (
        "import sys; from rapid.ledger import lock; file = open(sys.argv[1], 'a+'); lock(file);"
        "print('held', flush=True); input()"
    )
    place = state / "ledger.lock"
    assert silent in tell("status", "--state", state, code=1).stdout, "there was never one"
    assert not place.exists()
    with subprocess.Popen(
        [sys.executable, "-c", holder, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "held\n"
        assert silent not in tell("status", "--state", state, code=1).stdout
        assert json.loads(tell("status", "--state", state, "--json", code=1).stdout)["service"] is True
        service.kill()
    assert place.read_text(encoding="utf-8") == f"{service.pid}\n"
    assert silent in tell("status", "--state", state, code=1).stdout
    assert json.loads(tell("status", "--state", state, "--json", code=1).stdout)["service"] is False


def test_dead_letters_are_listed_shown_and_retried(state: Path) -> None:
    letters = json.loads(tell("dead-letters", "list", "--state", state, "--json").stdout)
    assert {letter["kind"] for letter in letters} == {"file", "message"}
    listed = tell("dead-letters", "list", "--state", state).stdout
    assert "\x1b" not in listed, "what came from outside does not colour the terminal"
    (file,) = [letter for letter in letters if letter["kind"] == "file"]
    (message,) = [letter for letter in letters if letter["kind"] == "message"]
    assert "Traceback (most recent call last)" in tell("dead-letters", "show", str(file["id"]), "--state", state).stdout
    shown = tell("dead-letters", "show", str(message["id"]), "--state", state).stdout
    assert r"raw \xff bytes" in shown
    assert "\x1b" not in shown
    assert "waits for a worker again" in tell("dead-letters", "retry", str(file["id"]), "--state", state).stdout

    async def waiting() -> int:
        async with open_ledger(f"sqlite:///{state}/ledger.sqlite", read_only=True) as ledger:
            return len(await ledger.arrivals(states=[State.WAITING]))

    assert asyncio.run(waiting()) == 2


def test_all_that_is_buried_is_retried_at_once(state: Path) -> None:
    retried = json.loads(tell("dead-letters", "retry", "--all", "--json", "--state", state).stdout)
    assert [(arrival["key"], arrival["state"]) for arrival in retried] == [(key_of(2), "waiting")]
    (left,) = json.loads(tell("dead-letters", "list", "--state", state, "--json").stdout)
    assert left["kind"] == "message", "what is no file is not tried again"
    assert tell("dead-letters", "retry", "--all", "--state", state).stdout == "no exposure is buried\n"


@pytest.mark.parametrize("words", [(), ("1", "--all")])
def test_retry_wants_ids_or_all(state: Path, words: tuple[str, ...]) -> None:
    assert "ids, or --all" in tell("dead-letters", "retry", *words, "--state", state, code=2).stderr


def test_what_cannot_be_retried_is_told(state: Path) -> None:
    told = tell("dead-letters", "retry", "999", "--state", state, code=1)
    assert "999" in told.stderr


def test_a_ledger_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    told = tell("status", "--state", tmp_path / "none", code=3)
    assert told.stderr.startswith("rapid: ")
    assert str(tmp_path / "none") in told.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "--port", "70000"), "65535"),
        (("simulate", "out", "--night", "nowhere.yaml"), "nowhere.yaml"),
        (("simulate", "out", "--pace", "backwards"), "expected once, real, or a positive number"),
        (("simulate", "out", "--instrument", "HSC"), "for LATISS, not HSC"),
        (("replay", ".", "--pace", "soon"), "expected a duration"),
        (("status", "--config", "nowhere.toml"), "nowhere.toml cannot be read"),
        (("run", "s3://bucket/prefix", "--state", "unused"), "only a directory can be watched"),
    ],
)
def test_a_wrong_word_ends_with_two_and_one_sentence(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    placed = tuple(str(tmp_path / word) if word in {"out", "unused"} else word for word in words)
    told = tell(*placed, code=2)
    assert message in re.sub(r"[\s│]+", " ", told.stderr)


def test_an_archive_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    told = tell("replay", tmp_path / "typo", "--state", tmp_path / "state", code=3)
    assert str(tmp_path / "typo") in told.stderr
    assert not (tmp_path / "typo").exists()


def test_a_display_of_a_misspelt_state_makes_nothing(tmp_path: Path) -> None:
    told = tell("tv", "--state", tmp_path / "typo", code=3)
    assert str(tmp_path / "typo") in told.stderr
    assert not (tmp_path / "typo").exists()


def test_a_state_that_cannot_be_kept_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "file").touch()
    told = tell("run", tmp_path / "raw", "--state", tmp_path / "file" / "state", code=3)
    assert "cannot be kept" in told.stderr


@pytest.mark.system
def test_a_night_that_has_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    told = tell(
        "replay", tmp_path / "raw", "--night", "20240624", "--state", tmp_path / "state", "--workers", "1", code=1
    )
    assert "no raw file of that night" in told.stdout


@pytest.mark.system
def test_what_is_left_of_another_archive_is_not_given_up(tmp_path: Path) -> None:
    """Its files would not be found in the new one, and be buried."""
    from rapid.ports import State

    for name in ("one", "two"):
        (tmp_path / name).mkdir()

    async def left(state: Path) -> int:
        async with open_ledger(f"sqlite:///{state}/ledger.sqlite") as ledger:
            await ledger.record([announced(1)])
            return len(await ledger.arrivals(states=[State.WAITING]))

    state = tmp_path / "state"
    tell("replay", tmp_path / "one", "--state", state, "--workers", "1", code=1)
    assert asyncio.run(left(state)) == 1
    told = tell("replay", tmp_path / "two", "--state", state, "--workers", "1", code=2)
    assert "1 exposures of file://" in told.stderr
    assert "one" in told.stderr


@pytest.mark.system
def test_a_second_service_on_the_same_state_is_refused(tmp_path: Path) -> None:
    from tests.support.daemon import daemon

    (tmp_path / "raw").mkdir()
    with daemon(tmp_path / "raw", tmp_path / "state", "--workers", "1") as first:
        told = tell("replay", tmp_path / "raw", "--state", tmp_path / "state", code=2)
        assert f"process {first.process.pid}" in told.stderr
        assert first.terminate() == 0
    assert "another rapid" not in tell("replay", tmp_path / "raw", "--state", tmp_path / "state", code=1).stderr


@pytest.mark.system
def test_a_page_that_cannot_listen_ends_with_two(tmp_path: Path) -> None:
    import socket

    (tmp_path / "raw").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = tell("run", tmp_path / "raw", "--state", tmp_path / "state", "--port", port, "--workers", "1", code=2)
    assert f"cannot listen on 127.0.0.1:{port}" in told.stderr


def test_simulate_as_json_names_every_file(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    from rapid.simulation.plan import builtin_plan

    assert len(builtin_plan("short").exposures()) > 5
    plan.write_text("instrument: LATISS\nsequences: 3\n", encoding="utf-8")
    told = tell("simulate", tmp_path / "out", "--night", plan, code=2)
    assert "sequences" in told.stderr
