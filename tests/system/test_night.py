"""A whole night through the service: live, killed, replayed."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, daemon, rapid, start

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def replayed(night: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The night's results by replay, and what the replay said."""
    state = tmp_path_factory.mktemp("replayed")
    told = rapid("replay", night, "--state", state, "--json", check=False)
    assert told.stdout, told.stderr
    return state, json.loads(told.stdout)


def raws_of(night: Path) -> list[Path]:
    return sorted(night.glob("LATISS/*/*/*.fits"))


def truncated(night: Path) -> set[str]:
    """Exposures that the simulation wrote cut short, by its own account."""
    cut = set()
    for truth in night.glob("truth/LATISS/*/*.json"):
        incidents = json.loads(truth.read_text(encoding="utf-8"))["incidents"]
        if any("truncated" in json.dumps(incident) for incident in incidents):
            cut.add(truth.stem)
    return cut


def gallery_of(state: Path) -> dict[str, bytes]:
    root = state / "gallery"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def rows_of(service: Daemon) -> dict[int, dict[str, object]]:
    (night,) = service.get("api/v1/nights")["nights"]
    rows = service.get(f"api/v1/nights/auxtel/{night['day_obs']}")["rows"]
    return {row["seq_num"]: row for row in rows}


def same(row: dict[str, object]) -> dict[str, object]:
    """What must not depend on when and how often the work was done."""
    return {
        name: row[name]
        for name in (
            "obs_id",
            "state",
            "cells",
            "notes",
            "uncertainties",
            "channels",
            "catalogues",
            "failures",
            "error",
        )
    }


@pytest.fixture(scope="module")
def rows(
    replayed: tuple[Path, dict[str, object]], night: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, dict[str, object]]:
    with daemon(tmp_path_factory.mktemp("empty"), replayed[0]) as service:
        return rows_of(service)


def test_replay_settles_every_exposure(night: Path, replayed: tuple[Path, dict[str, object]]) -> None:
    report = replayed[1]
    cut = truncated(night)
    assert len(cut) == 1
    assert report["announced"] == len(raws_of(night))
    assert report["done"] == len(raws_of(night)) - 1
    assert [key.rpartition("/")[2][:20] for key in report["failed"]] == sorted(cut)  # type: ignore[union-attr]


def test_replaying_again_does_nothing_twice(night: Path, replayed: tuple[Path, dict[str, object]]) -> None:
    before = gallery_of(replayed[0])
    told = rapid("replay", night, "--state", replayed[0], "--json", check=False)
    report = json.loads(told.stdout)
    assert report["known"] == len(raws_of(night))
    assert report["done"] == 0
    assert gallery_of(replayed[0]) == before


def test_a_stopped_replay_says_what_is_left_and_goes_on(night: Path, tmp_path: Path) -> None:
    words = ["replay", str(night), "--state", str(tmp_path), "--workers", "1", "--json"]
    process = start(*words)
    ledger = tmp_path / "gallery" / "rapid"
    end = time.monotonic() + 120
    while not list(ledger.rglob("row.json")) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    report = json.loads(said)
    assert process.returncode == 130
    assert report["left"] > 0
    assert report["done"] + report["left"] + len(report["failed"]) == len(raws_of(night))
    rest = json.loads(rapid(*words, check=False).stdout)
    assert rest["left"] == 0
    assert len(list(ledger.rglob("row.json"))) == len(raws_of(night)) - 1


def test_a_single_file_is_replayed(night: Path, tmp_path: Path) -> None:
    told = rapid("replay", raws_of(night)[0], "--state", tmp_path, "--json")
    assert json.loads(told.stdout)["done"] == 1


def test_rows_are_real_measurements(night: Path, rows: dict[int, dict[str, object]]) -> None:
    """The seeing that was put in comes out, and an exposure of each kind has its row."""
    kinds = {row["cells"]["image_type"] for row in rows.values() if row["state"] == "done"}  # type: ignore[index]
    assert {"bias", "dark", "flat", "science"} <= kinds
    checked = 0
    for truth_file in night.glob("truth/LATISS/*/*.json"):
        truth = json.loads(truth_file.read_text(encoding="utf-8"))
        row = next(row for row in rows.values() if row["obs_id"] == truth_file.stem)
        fwhm = row["cells"].get("psf_fwhm") if row["state"] == "done" else None  # type: ignore[union-attr]
        if fwhm is None or row["cells"]["image_type"] != "science":  # type: ignore[index]
            continue
        assert fwhm == pytest.approx(truth["sky"]["fwhm_arcsec"], rel=0.05), truth_file.stem
        checked += 1
    assert checked >= 2


def test_a_live_night_and_its_replay_are_the_same_to_the_byte(
    night: Path, replayed: tuple[Path, dict[str, object]], rows: dict[int, dict[str, object]], tmp_path: Path
) -> None:
    archive, state = tmp_path / "raw", tmp_path / "state"
    archive.mkdir()
    with daemon(archive, state) as service:
        for raw in reversed(raws_of(night)):
            deliver(raw, night, archive)
        service.wait_settled(len(raws_of(night)))
        live = rows_of(service)
        assert service.terminate() == 0
    assert {seq: same(row) for seq, row in live.items()} == {seq: same(row) for seq, row in rows.items()}
    assert gallery_of(state) == gallery_of(replayed[0])


def deliver(raw: Path, night: Path, archive: Path) -> None:
    """Put a raw in the archive as the camera does: whole, by renaming."""
    place = archive / raw.relative_to(night)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(raw, place.with_name("." + place.name))
    place.with_name("." + place.name).rename(place)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_killed_at_random_moments_nothing_is_lost_and_nothing_is_twice(
    kills: int,
    night: Path,
    replayed: tuple[Path, dict[str, object]],
    rows: dict[int, dict[str, object]],
    tmp_path: Path,
) -> None:
    archive, state = tmp_path / "raw", tmp_path / "state"
    archive.mkdir()
    raws = raws_of(night)
    chance = random.Random(kills)
    lives = iter(killed_lives(archive, state, kills, chance))
    for number, raw in enumerate(raws):
        deliver(raw, night, archive)
        if number < len(raws) - 1:
            for _ in range(kills // len(raws) + 1):
                next(lives, None)
    for _ in lives:
        pass
    with daemon(archive, state) as service:
        service.wait_settled(len(raws))
        final = rows_of(service)
        feed = service.counts()
        assert service.terminate() == 0
    assert {seq: same(row) for seq, row in final.items()} == {seq: same(row) for seq, row in rows.items()}
    assert {row["revision"] for row in final.values() if row["state"] == "done"} == {1}, "published once"
    assert feed["received"] == len(raws)
    assert gallery_of(state) == gallery_of(replayed[0])
    assert interruptions(state) > 0, "some of the kills hit work"


def killed_lives(archive: Path, state: Path, kills: int, chance: random.Random) -> Iterator[None]:
    """Start the service and kill it: some time between its first breath and a few exposures later, and every other time
    while it is at work.
    """
    for life in range(kills):
        at_work = life % 2 == 0
        with daemon(archive, state, ready=at_work) as service:
            if at_work:
                service.wait(lambda it: it.counts()["running"] > 0)
                time.sleep(chance.uniform(0.0, 0.5))
            else:
                time.sleep(chance.uniform(0.2, 8.0))
            service.kill()
        yield


def interruptions(state: Path) -> int:
    """How many attempts were cut off by the end of a life."""
    with closing(sqlite3.connect(state / "ledger.sqlite")) as ledger:
        return int(ledger.execute("SELECT sum(interruptions) FROM arrivals").fetchone()[0])
