"""Files that nobody announced, put into the archive while the service was away: a bucket and a directory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rapid.consumers.reconcile import current_nights
from rapid.simulation.night import simulate
from rapid.simulation.plan import NightPlan
from tests.support.daemon import Daemon, daemon, rapid
from tests.support.s3 import S3Server

pytestmark = pytest.mark.system

SETTINGS = """
[archive]
url = "{url}"
watch = false
[archive.options]
{options}

[kafka]
servers = ["127.0.0.1:1"]
topics = ["lsst.s3.raw.latiss"]

[reconcile]
every = "1s"
settle = "1ms"
"""

Put = Callable[[Path, str], None]


@pytest.fixture(scope="module")
def tonight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Three exposures of this night: where they are, and their keys in order. They are in no archive yet."""
    out = tmp_path_factory.mktemp("tonight")
    plan = NightPlan.model_validate(
        {"name": "biases", "begins": "2026-01-01T00:00:00", "sequences": [{"kind": "bias", "count": 3}]}
    )
    now = datetime.now(UTC)
    begin = now - timedelta(minutes=20)
    if current_nights(begin) != current_nights(now):
        begin = now
    simulate(plan, out, seed=1, start=begin)
    return out, sorted(path.relative_to(out).as_posix() for path in out.rglob("*.fits"))


@pytest.fixture(params=["directory", "bucket"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Put]:
    """An archive that announces nothing: its settings, and how a file gets into it."""
    config = tmp_path / "rapid.toml"
    if request.param == "directory":
        root = tmp_path / "raw"
        root.mkdir()
        config.write_text(SETTINGS.format(url=root, options=""))

        def copy(source: Path, key: str) -> None:
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / key, root / key)

        return config, copy
    server: S3Server = request.getfixturevalue("s3")
    bucket = server.bucket()
    options = "\n".join(f"{name} = {json.dumps(value)}" for name, value in server.options.items())
    config.write_text(SETTINGS.format(url=f"s3://{bucket}", options=options))

    def upload(source: Path, key: str) -> None:
        server.client().put_object(Bucket=bucket, Key=key, Body=(source / key).read_bytes())  # type: ignore[attr-defined]

    return config, upload


def gaps(service: Daemon) -> list[list[int]]:
    (night,) = service.get("api/v1/nights")["nights"]
    found: list[list[int]] = service.get(f"api/v1/nights/{night['camera']}/{night['day_obs']}")["gaps"]
    return found


def test_what_came_while_we_were_away_is_caught_up(
    tonight: tuple[Path, list[str]], archive: tuple[Path, Put], tmp_path: Path
) -> None:
    (source, keys), (config, put) = tonight, archive
    words = ("--config", str(config), "--state", str(tmp_path / "state"))
    put(source, keys[0])
    by_hand = rapid("reconcile", *words, "--json")
    assert json.loads(by_hand.stdout) == {"files": 1, "entered": [keys[0]], "rejected": 0, "gaps": []}
    assert json.loads(rapid("reconcile", *words, "--json").stdout)["entered"] == []
    put(source, keys[2])
    with daemon(_place(config), tmp_path / "state", "--config", str(config), "--workers", "1") as service:
        assert service.wait_settled(2)["done"] == 2
        assert gaps(service) == [[2, 2]]
        told = rapid("status", *words, check=False).stdout
        assert "nothing of seq 2" in told
        put(source, keys[1])
        service.wait_settled(3)
        assert gaps(service) == []
        counts = service.counts()
        assert (counts["done"], counts["failed"], counts["superseded"]) == (3, 0, 0)
        assert service.terminate() == 0
    assert "nothing of seq" not in rapid("status", *words, check=False).stdout


def test_an_archive_of_another_ledger_is_refused(tonight: tuple[Path, list[str]], tmp_path: Path) -> None:
    (source, _), state, other = tonight, tmp_path / "state", tmp_path / "other"
    other.mkdir()
    first = rapid("reconcile", str(source), "--state", str(state))
    assert "of 3 files entered" in first.stdout
    refused = rapid("reconcile", str(other), "--state", str(state), check=False)
    assert refused.returncode == 2
    assert "this ledger is of the archive" in refused.stderr


def _place(config: Path) -> str:
    return json.loads(config.read_text().split("url = ")[1].splitlines()[0])  # type: ignore[no-any-return]
