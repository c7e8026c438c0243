"""Exposures of several detectors in a ledger, made out of little."""

from __future__ import annotations

from datetime import datetime, timedelta

from rapid.events import ExpectedSensors, ExposureName, ExposureSeen, FileArrived, Stage, exposure_name, name_facts
from rapid.ports import Attempt, Ledger, Row
from tests.support.ledgers import NOON

__all__ = ["COLUMNS", "DAY_OBS", "DETECTORS", "bury", "expect", "finish", "key_of", "name_of", "raw", "row_of", "seen"]

DAY_OBS = 20260112
DETECTORS = ("R22_S00", "R22_S01", "R22_S02", "R22_S10", "R22_S11")

COLUMNS = {
    "filter": {"label": "Filter", "unit": "", "description": "In the beam", "type": "word", "group": "exposure"},
    "psf_fwhm": {"label": "PSF FWHM", "unit": "arcsec", "description": "Seeing", "type": "number", "group": "psf"},
    "n_stars": {"label": "Stars", "unit": "", "description": "Stars found", "type": "integer", "group": "psf"},
}


def name_of(seq_num: int = 1, *, camera: str = "MC") -> ExposureName:
    name = exposure_name(f"{camera}_O_{DAY_OBS}_{seq_num:06d}")
    assert name is not None
    return name


def key_of(detector: str, name: ExposureName) -> str:
    return f"{name.instrument}/{name.day_obs}/{name.obs_id}/{name.obs_id}_{detector}.fits"


def raw(detector: str, name: ExposureName, content: str = "a", *, at: datetime = NOON) -> FileArrived:
    key = key_of(detector, name)
    return FileArrived(key, content, 1000, at, at, "kafka", True, name_facts(key))


def row_of(detector: str, name: ExposureName, *, fwhm: float | None = 0.8, stars: int = 10) -> Row:
    return Row(
        camera="lsstcam" if name.instrument == "LSSTCam" else "comcam",
        instrument=name.instrument,
        obs_id=name.obs_id,
        day_obs=name.day_obs,
        seq_num=name.seq_num,
        detector_name=detector,
        cells={"filter": "r_57", "psf_fwhm": fwhm, "n_stars": stars},
        notes={} if fwhm is not None else {"psf_fwhm": "no stars"},
    )


async def finish(ledger: Ledger, detector: str, name: ExposureName, content: str = "a", **cells: float | None) -> None:
    """Take a detector that waits all the way to its row."""
    attempt = await _attempt(ledger, detector, name)
    assert await ledger.complete(attempt, row_of(detector, name, **cells), COLUMNS, timings={}) is not None  # type: ignore[arg-type]


async def bury(ledger: Ledger, detector: str, name: ExposureName, error: str = "not FITS") -> None:
    """Take a detector that waits to its grave."""
    await ledger.fail(await _attempt(ledger, detector, name), error=error, detail="", retry_at=None)


async def _attempt(ledger: Ledger, detector: str, name: ExposureName) -> Attempt:
    waiting = await ledger.waiting(now=datetime.max.replace(tzinfo=NOON.tzinfo))
    (arrival,) = [arrival for arrival in waiting if arrival.key == key_of(detector, name)]
    attempt = await ledger.begin(arrival)
    assert attempt is not None
    return attempt


def expect(name: ExposureName, *detectors: str, origin: str = "imageReadoutParameters") -> ExpectedSensors:
    return ExpectedSensors(name, tuple((detector, "science") for detector in sorted(detectors)), origin, "kafka")


def seen(name: ExposureName, stage: Stage, *, after: float = 0.0, exposure_time: float | None = None) -> ExposureSeen:
    at = NOON + timedelta(seconds=after)
    return ExposureSeen(name, stage, at, at, "kafka", exposure_time=exposure_time)
