"""Files and results for tests of the ledger."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rapid.events import FileArrived, Rejected, name_facts
from rapid.ports import Attempt, Counts, Ledger, Row

DAY_OBS = 20260315
NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)

COLUMNS = {
    "seeing": {"label": "Seeing", "unit": "arcsec", "description": "FWHM", "type": "float", "group": "psf"},
    "filter": {"label": "Filter", "unit": "", "description": "Filter in the beam", "type": "str", "group": "exposure"},
}


Opener = Callable[[], AbstractAsyncContextManager[Ledger]]

NOTHING = Counts(waiting=0, running=0, done=0, failed=0, superseded=0, dead_letters=0)


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def sqlite_url(directory: Path, name: str = "ledger.sqlite") -> str:
    return f"sqlite:///{directory / name}"


def key_of(seq_num: int, *, day_obs: int = DAY_OBS, detector: str = "R00_S00", directory: str = "") -> str:
    obs_id = f"AT_O_{day_obs}_{seq_num:06d}"
    return f"{directory or f'LATISS/{day_obs}/{obs_id}'}/{obs_id}_{detector}.fits"


def arrived(
    key: str | int, content: str = "a", *, size: int = 1000, live: bool = True, source: str = "directory"
) -> FileArrived:
    key = key_of(key) if isinstance(key, int) else key
    return FileArrived(
        key=key,
        content=content,
        size=size,
        written_at=NOON,
        seen_at=NOON + timedelta(seconds=1),
        source=source,
        live=live,
        facts=name_facts(key),
    )


def rejected(subject: str = "message 7", reason: str = "not JSON", body: bytes = b"{") -> Rejected:
    return Rejected("kafka", subject, reason, NOON, body)


def row_of(
    seq_num: int,
    *,
    seeing: float | None = 1.1,
    day_obs: int = DAY_OBS,
    detector_name: str = "R00_S00",
    camera: str = "auxtel",
) -> Row:
    return Row(
        camera=camera,
        instrument="LATISS",
        obs_id=f"AT_O_{day_obs}_{seq_num:06d}",
        day_obs=day_obs,
        seq_num=seq_num,
        detector_name=detector_name,
        cells={"seeing": seeing, "filter": "SDSSr_65mm~empty"},
        notes={} if seeing is not None else {"seeing": "no stars"},
        uncertainties={"seeing": 0.02} if seeing is not None else {},
        channels={"monitor": f"auxtel/{seq_num}.png"},
        catalogues={"sources": f"rapid/{seq_num}.parquet"},
    )


async def begun(ledger: Ledger, key: str | int, content: str = "a") -> Attempt:
    """Record a file and begin its first attempt."""
    arrival = (await ledger.record([arrived(key, content)])).new[0]
    attempt = await ledger.begin(arrival)
    assert attempt is not None
    return attempt


async def done(ledger: Ledger, seq_num: int, content: str = "a", *, seeing: float = 1.1) -> Attempt:
    """Take a file all the way to a row."""
    attempt = await begun(ledger, seq_num, content)
    assert await ledger.complete(attempt, row_of(seq_num, seeing=seeing), COLUMNS, timings={"isr": 0.5}) is not None
    return attempt


async def buried(ledger: Ledger, seq_num: int, content: str = "a", error: str = "broken") -> Attempt:
    """Take a file to its grave."""
    attempt = await begun(ledger, seq_num, content)
    await ledger.fail(attempt, error=error, detail="Traceback ...", retry_at=None)
    return attempt


async def entry_of(ledger: Ledger, seq_num: int) -> dict[str, object]:
    _, _, entries = await ledger.night("auxtel", DAY_OBS)
    (entry,) = [entry for entry in entries if entry["seq_num"] == seq_num]
    return dict(entry)


def seen(
    key: str | int, content: str = "a", *, after: float, live: bool = True, source: str = "directory"
) -> FileArrived:
    """Announce a file that was noticed some seconds after noon."""
    return replace(arrived(key, content, live=live, source=source), seen_at=NOON + timedelta(seconds=after))
