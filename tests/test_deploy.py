"""What is deployed: the container file, the units and the settings, held to what the service really does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from datetime import timedelta
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rapid.config import Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
UNITS = ("rapid.service", "rapid-tv.service")


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RAPID_")]:
        monkeypatch.delenv(name)


# --- the linters find what they should ---------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of what is linted, to be broken."""
    for name in ("deploy", "tools", ".ci"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / ".pre-commit-config.yaml", tmp_path)
    return tmp_path


def lint(place: Path) -> subprocess.CompletedProcess[str]:
    command = [place / "tools/lint-deploy", SCRIPTS]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def needs(program: str) -> None:
    if shutil.which(program) is None and not (SCRIPTS / program).exists():
        pytest.skip(f"no {program} on this machine")


def test_what_is_deployed_passes_its_linters(copy: Path) -> None:
    needs("hadolint")
    needs("systemd-analyze")
    done = lint(copy)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("program", "where", "what", "instead", "said"),
    [
        ("hadolint", "deploy/Dockerfile", r"^USER .*$", "USER root", "DL3002"),
        ("hadolint", "deploy/Dockerfile", r"python:\S+", "python:latest", "DL3007"),
        ("systemd-analyze", "deploy/systemd/rapid.service", "ProtectClock=", "ProtectClok=", "ProtectClok"),
        ("systemd-analyze", "deploy/systemd/rapid.service", r"^Type=notify$", "Type=notified", "notified"),
        ("systemd-analyze", "deploy/systemd/rapid-tv.service", r"^(User|Protect\w+|Cap\w+)=.*\n", "", "may do more than it must"),
        ("bash", "tools/make-venv", r"^set -euo pipefail$", "if", "syntax error"),
        ("yamllint", ".pre-commit-config.yaml", "repo: local", "repo: local\n    repo: local", "duplication of key"),
    ],
)  # fmt: skip
def test_the_linters_catch_what_is_wrong(
    copy: Path, program: str, where: str, what: str, instead: str, said: str
) -> None:
    needs(program)
    before = (copy / where).read_text()
    after = re.sub(what, instead, before, flags=re.MULTILINE)
    assert after != before
    (copy / where).write_text(after)
    done = lint(copy)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


# --- the container -----------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """Read the container file: instruction and argument, lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "deploy/Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[start:]


def container_environment() -> dict[str, str]:
    words = " ".join(rest for word, rest in last_stage() if word == "ENV").split()
    return dict(word.split("=", 1) for word in words)


def test_the_container_has_two_stages_and_ends_as_an_ordinary_user() -> None:
    assert next(rest.split()[-1] for word, rest in instructions() if word == "FROM") == "build"
    words = [word for word, _ in last_stage()]
    assert words.count("FROM") == 1
    assert [rest for word, rest in last_stage() if word == "USER"] == ["10001:10001"]
    assert words.index("USER") < words.index("ENTRYPOINT")


def test_what_the_container_copies_is_there_and_not_ignored() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    sources = [
        part for word, rest in instructions() if word == "COPY" and "--from" not in rest for part in rest.split()[:-1]
    ]
    assert set(sources) >= {"constraints.txt", "pyproject.toml", "rapid", "calib_verify"}
    for source in sources:
        assert (ROOT / source).exists(), source
        ignored = False
        for rule in rules:
            if fnmatch(source, rule.lstrip("!")):
                ignored = not rule.startswith("!")
        assert not ignored, source


def test_the_container_installs_nothing_without_its_hash() -> None:
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert installs
    for command in installs:
        assert "--constraints constraints.txt" in command or "--no-deps /dist/" in command, command
        assert not re.search(r"\bpip3? install|-m pip", command.replace("/uv/bin/uv pip install", "")), command


def test_the_container_s_variables_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in container_environment().items():
        if name.startswith("RAPID_"):
            monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.state == Path("/var/lib/rapid")
    assert settings.archive.url == "/data/raw"
    assert (settings.web.host, settings.web.port) == ("0.0.0.0", 8077)
    assert ("EXPOSE", "8077") in last_stage()


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Serve one status for every page; yield the port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_container_s_health_check_asks_whether_it_is_alive(status: int, *, healthy: bool) -> None:
    (check,) = (rest for word, rest in last_stage() if word == "HEALTHCHECK")
    program, *arguments = json.loads(check.partition("CMD ")[2])
    assert program == "python"
    with answering(status) as port:
        done = subprocess.run(
            [sys.executable, *arguments],
            env={"RAPID_WEB__PORT": str(port)},
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode == 0) == healthy


# --- the units ---------------------------------------------------------------------------------------------------


def unit(name: str) -> dict[str, str]:
    """Read the [Service] section; of a key that is there twice, the last."""
    parser = ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(ROOT / "deploy/systemd" / name)
    return dict(parser["Service"])


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_notifies_is_watched_and_may_write_to_its_own_directories_only(name: str) -> None:
    service = unit(name)
    assert service["Type"] == "notify"
    assert service["WatchdogSec"] == "60s"
    assert service["User"] == "rapid"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["StateDirectory"] == service["CacheDirectory"] == "rapid"
    assert "ReadWritePaths" not in service


def test_a_stop_waits_longer_than_the_daemon_needs_to_drain() -> None:
    service = unit("rapid.service")
    assert service["KillMode"] == "mixed"
    assert timedelta(seconds=int(service["TimeoutStopSec"].removesuffix("s"))) > Settings().pipeline.drain


def test_the_units_do_not_restart_what_no_restart_can_heal() -> None:
    for name in UNITS:
        assert unit(name)["RestartPreventExitStatus"] == "2"
        assert unit(name)["Restart"] == "always"


@pytest.mark.parametrize("name", UNITS)
def test_the_command_of_a_unit_is_one_that_exists(name: str) -> None:
    program, *arguments = unit(name)["ExecStart"].split()
    assert program == "/opt/rapid/bin/rapid"
    arguments[arguments.index("/etc/rapid/rapid.toml")] = str(ROOT / "deploy/rapid.toml")
    command = [SCRIPTS / "rapid", *arguments, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={"NO_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    for option in arguments:
        if option.startswith("--"):
            assert option in done.stdout


# --- the settings ------------------------------------------------------------------------------------------------


def test_the_example_settings_can_be_read_and_fit_the_units() -> None:
    settings = load_settings(ROOT / "deploy/rapid.toml")
    assert settings.state == Path("/var/lib") / unit("rapid.service")["StateDirectory"]
    assert settings.web.host == "127.0.0.1"


def test_what_the_example_says_is_the_default_is_the_default(tmp_path: Path) -> None:
    text = (ROOT / "deploy/rapid.toml").read_text()
    of_kafka = "servers|topics|announced|registry|username|password|password_file|ca_file|certificate_file|key_file"
    of_mqtt = "server"
    of_a_place = f"ledger|url|endpoint|region|count|json_lines|page|{of_kafka}|{of_mqtt}"  # these show a form; what they default to depends
    shown = re.sub(rf"^# (?!(?:{of_a_place}) = )(?=[a-z_]+ = )", "", text, flags=re.MULTILINE)
    assert text.count("\n#") - shown.count("\n#") >= 10
    place = tmp_path / "rapid.toml"
    place.write_text(shown)
    said, defaults = load_settings(place), Settings()
    assert said.pipeline == defaults.pipeline
    assert said.workers.recycle_after == defaults.workers.recycle_after
    assert said.archive.model_copy(update={"url": defaults.archive.url}) == defaults.archive
    assert said.kafka == defaults.kafka
    assert said.mqtt.model_copy(update={"root": None}) == defaults.mqtt
    assert said.results == defaults.results
    assert said.web == defaults.web
    assert said.log == defaults.log


def test_every_setting_is_shown_in_the_example() -> None:
    text = (ROOT / "deploy/rapid.toml").read_text()
    for name, field in Settings.model_fields.items():
        section = field.annotation
        names = section.model_fields if hasattr(section, "model_fields") else [name]
        for each in names:
            assert re.search(rf"^(# )?\[?([a-z]+\.)?{each}\b", text, flags=re.MULTILINE), f"{name}.{each}"
