"""Everything that should not come in, at once, among good exposures, into a running service."""

from __future__ import annotations

import asyncio
import gzip
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rapid.events import FileArrived, name_facts
from rapid.ledger import open_ledger
from tests.support import raws
from tests.support.daemon import Daemon, daemon, rapid

pytestmark = pytest.mark.system

TIMES = ("DATE-BEG", "MJD-BEG", "DATE-OBS", "MJD-OBS")
GOOD = (1, 20, 40)
GZIPPED, SLOW, TWICE, VANISHED = 30, 31, 32, 50
FAULTS = {
    2: (lambda raw: raw[: len(raw) * 6 // 10], r"(?i)truncated|ends|bytes"),
    3: (lambda _: b"hello, this is not FITS" * 1000, r"(?i)not.*FITS"),
    4: (lambda raw: raws.with_hdus(raw, raws.fewer_segments), r"16"),
    5: (lambda raw: raws.edited_header(raw, raws.drop(*TIMES)), r"DATE-BEG|MJD-BEG|DATE-OBS"),
    6: (lambda raw: raws.edited_header(raw, raws.undefine(*TIMES)), r"DATE-BEG|MJD-BEG|DATE-OBS"),
    7: (lambda raw: raws.with_hdus(raw, raws.smaller_segment), r"100"),
    8: (lambda raw: raw.replace(b"INSTRUME= 'LATISS  '", b"INSTRUME= 'KODAK   '"), r"KODAK"),
    9: (lambda _: b"", r"(?i)empty|0 bytes|no bytes"),
    10: (lambda raw: raws.as_exposure(raw, 77), r"000077"),
}
"""Sequence number: how its file is spoilt, and what its error must say besides the file's name."""


class Summit:
    """A directory as the camera fills it."""

    def __init__(self, archive: Path, template: bytes) -> None:
        self.archive = archive
        self.template = template
        self.night = raws.obs_id_of(template).split("_")[2]

    def path(self, seq_num: int, directory: str = "LATISS") -> Path:
        obs_id = f"AT_O_{self.night}_{seq_num:06d}"
        return self.archive / directory / self.night / obs_id / f"{obs_id}_R00_S00.fits"

    def raw(self, seq_num: int) -> bytes:
        return raws.as_exposure(self.template, seq_num)

    def put(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_name("." + path.name)
        whole.write_bytes(content)
        whole.rename(path)

    def put_slowly(self, path: Path, content: bytes, seconds: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        step = len(content) // 20 + 1
        with path.open("wb", buffering=0) as file:
            for begin in range(0, len(content), step):
                file.write(content[begin : begin + step])
                time.sleep(seconds / 20)


@pytest.fixture(scope="module")
def summit(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Summit:
    place = tmp_path_factory.mktemp("bad")
    first = min(night.glob("LATISS/*/*/*.fits"))
    return Summit(place / "raw", first.read_bytes())


@pytest.fixture(scope="module")
def service(summit: Summit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A service that has been given all of it, and has settled."""
    state = tmp_path_factory.mktemp("state")
    summit.archive.mkdir()
    with daemon(summit.archive, state) as running:
        running.state = state  # type: ignore[attr-defined]
        for seq_num in GOOD[:2]:
            summit.put(summit.path(seq_num), summit.raw(seq_num))
        for seq_num, (spoil, _) in FAULTS.items():
            summit.put(summit.path(seq_num), spoil(summit.raw(seq_num)))
        summit.put(summit.path(GZIPPED), gzip.compress(summit.raw(GZIPPED), 1))
        slow = threading.Thread(target=summit.put_slowly, args=(summit.path(SLOW), summit.raw(SLOW), 4.0))
        slow.start()
        summit.put(summit.path(TWICE), summit.raw(TWICE))
        running.wait(lambda it: it.counts()["received"] >= 4)
        other = summit.raw(TWICE).replace(b"OBSERVER", b"OBSERVES") + bytes(2880)
        summit.put(summit.path(TWICE, "copies"), other)
        guider = summit.path(60)
        summit.put(guider.with_name(guider.name.replace("S00", "SG0_guider")), summit.raw(60))
        outside = summit.archive.parent / "outside.fits"
        outside.write_bytes(summit.raw(61))
        link = summit.path(61)
        link.parent.mkdir(parents=True)
        link.symlink_to(outside)
        slow.join()
        for seq_num in GOOD[2:]:
            summit.put(summit.path(seq_num), summit.raw(seq_num))
        expected = len(GOOD) + len(FAULTS) + len(("gzip", "slow", "twice", "copy", "guider"))
        running.wait_settled(expected)
        yield running


def entries(service: Daemon, summit: Summit) -> dict[int, dict[str, object]]:
    rows = service.get(f"api/v1/nights/auxtel/{summit.night}")["rows"]
    return {row["seq_num"]: row for row in rows if row["detector_name"] == "R00_S00"}


def letters(service: Daemon) -> list[dict[str, object]]:
    found: list[dict[str, object]] = service.get("api/v1/dead-letters")["dead_letters"]
    return found


@pytest.mark.parametrize("seq_num", [*GOOD, GZIPPED, SLOW, TWICE])
def test_good_exposures_arrive_undisturbed(service: Daemon, summit: Summit, seq_num: int) -> None:
    row = entries(service, summit)[seq_num]
    assert row["state"] == "done", row["error"]
    assert row["revision"] == 1, "once, not twice"


@pytest.mark.parametrize("seq_num", sorted(FAULTS))
def test_each_fault_is_shown_with_file_and_reason(service: Daemon, summit: Summit, seq_num: int) -> None:
    row = entries(service, summit)[seq_num]
    assert row["state"] == "failed"
    error = str(row["error"])
    assert summit.path(seq_num).name in error
    assert re.search(FAULTS[seq_num][1], error), error
    assert "expected" in error
    assert any(letter["reason"] == error for letter in letters(service)), "kept as a dead letter"


def test_a_second_claim_is_refused_and_names_both_files(service: Daemon, summit: Summit) -> None:
    name = summit.path(TWICE).name
    (letter,) = [letter for letter in letters(service) if str(letter["subject"]).startswith("copies/")]
    assert f"LATISS/{summit.night}" in str(letter["reason"])
    assert str(letter["reason"]).count(name) >= 2


def test_a_guider_file_is_told_apart(service: Daemon) -> None:
    (letter,) = [letter for letter in letters(service) if "guider" in str(letter["subject"])]
    assert "guider" in str(letter["reason"])
    assert "science" in str(letter["reason"])


def test_a_link_that_leads_out_is_refused(service: Daemon) -> None:
    (letter,) = [letter for letter in letters(service) if "000061" in str(letter["subject"])]
    assert letter["kind"] == "message"
    assert "outside" in str(letter["reason"]) or "out of" in str(letter["reason"])


def test_a_file_that_vanishes_is_told_after_three_attempts(summit: Summit, tmp_path: Path) -> None:
    """Its announcement was recorded by a life that was cut; the next one finds no file."""
    archive, state = tmp_path / "raw", tmp_path / "state"
    archive.mkdir()
    (archive / "sidecar.json").touch()  # an empty directory would pass for one that is away as a whole
    key = f"LATISS/{summit.night}/{summit.path(VANISHED).parent.name}/{summit.path(VANISHED).name}"
    now = datetime.now(UTC)
    arrival = FileArrived(key, "1-1", 1, now, now, "directory", True, name_facts(key))
    asyncio.run(_record(state, arrival))
    with daemon(archive, state) as service:
        counts = service.wait_settled(1)
        row = entries(service, summit)[VANISHED]
    assert counts["failed"] == 1
    assert row["state"] == "failed"
    assert key in str(row["error"])
    assert sum("attempt failed" in line for line in service.lines) == 2


async def _record(state: Path, arrival: FileArrived) -> None:
    async with open_ledger(f"sqlite:///{state}/ledger.sqlite") as ledger:
        await ledger.record([arrival])


def test_status_tells_all_of_it_and_exits_with_one(service: Daemon) -> None:
    told = rapid("status", "--state", service.state, check=False)  # type: ignore[attr-defined]
    assert told.returncode == 1
    assert "KODAK" in told.stdout
    listed = rapid("dead-letters", "list", "--state", service.state, "--json")  # type: ignore[attr-defined]
    assert "KODAK" in listed.stdout
