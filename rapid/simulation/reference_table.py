"""The stars of the simulated sky as a reference catalogue would have them: a table for ``rapid refcat ingest``.

Places and proper motions are those of the catalogue's epoch; magnitudes are true ones, in all bands.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from rapid.errors import ConfigError, NotAvailable
from rapid.processing.geometry import detectors
from rapid.simulation.catalogue import EPOCH_YEAR, STANDARD_FILTER, Catalogue, SyntheticCatalogue, cells_around
from rapid.simulation.instruments import Instrument, instrument
from rapid.simulation.passbands import magnitudes
from rapid.simulation.projection import Projection
from rapid.simulation.schedule import ScheduledExposure

__all__ = ["FAINTEST", "reference_bytes", "reference_table", "write_reference"]

Values = NDArray[np.float64]

FAINTEST = 23.0
"""G of the faintest star in the table: fainter ones cannot be told from noise in a short exposure."""

_MARGIN = 0.1  # degrees around a detector: the pointing may be off
_MAS = 3.6e6
_TARGETS = 1 << 62  # identifiers from here on are of stars that the plan puts somewhere
_FAMILIES = {"LATISS": "latiss", "LSSTCam": "lsst", "LSSTComCam": "lsst"}
_UNITS = {"ra": "deg", "dec": "deg", "pm_ra": "mas/yr", "pm_dec": "mas/yr", "epoch": "yr"}


def reference_table(
    night: Sequence[ScheduledExposure],
    names: Sequence[str],
    *,
    catalogue: SyntheticCatalogue,
    faintest: float = FAINTEST,
) -> Table:
    """List the stars around the detectors of a night's exposures.

    Returns
    -------
    Columns ``id``, ``ra``, ``dec`` [deg, ICRS, at ``epoch``, a Julian year], ``pm_ra`` (with the cosine of the declination) and
    ``pm_dec`` [mas/yr], and ``mag_lsst_r`` or ``mag_latiss_r`` and so on [AB].
    """
    used = instrument(night[0].camera)
    parts = [_stars_of(cell, catalogue, faintest) for cell in _cells(night, names)]
    parts.append(_targets(night))
    ids = np.concatenate([ids for ids, _ in parts])
    columns = np.concatenate([columns for _, columns in parts], axis=1)
    table = Table({"id": ids, **_columns(columns, used)})
    for name in table.colnames[1:]:
        table[name].unit = _UNITS.get(name, "mag")
    return table


def reference_bytes(table: Table) -> bytes:
    """Write the table as FITS."""
    body = io.BytesIO()
    table.write(body, format="fits")
    return body.getvalue()


def write_reference(path: Path, night: Sequence[ScheduledExposure], names: Sequence[str], catalogue: Catalogue) -> None:
    """Write the table of a night to a FITS file.

    Raises
    ------
    ConfigError
        If the stars of the night are not those of the synthetic sky.
    NotAvailable
        If the file cannot be written.
    """
    if not isinstance(catalogue, SyntheticCatalogue):
        msg = "a reference catalogue is written of the synthetic sky only: you have the stars of your own already"
        raise ConfigError(msg)
    body = reference_bytes(reference_table(night, names, catalogue=catalogue))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError as error:
        msg = f"the reference catalogue cannot be written: {error}"
        raise NotAvailable(msg) from error


def _cells(night: Iterable[ScheduledExposure], names: Sequence[str]) -> list[tuple[int, int]]:
    """Name the cells of the sky that a night's detectors see."""
    seen: set[tuple[int, int]] = set()
    done: set[tuple[float, float, float]] = set()
    for schedule in night:
        pointing, target = schedule.at_begin, schedule.plan.target
        if pointing is None or target is None or (pointing.ra, pointing.dec, target.rotator) in done:
            continue
        done.add((pointing.ra, pointing.dec, target.rotator))
        for name in names:
            detector = detectors(schedule.camera)[name]
            projection = Projection(detector, pointing.ra, pointing.dec, target.rotator)
            ra, dec = projection.sky(np.array(0.5 * detector.width), np.array(0.5 * detector.height))
            radius = 0.5 * np.hypot(detector.width, detector.height) * detector.pixel_scale / 3600.0
            seen.update(cells_around(float(ra), float(dec), float(radius) + _MARGIN))
    return sorted(seen)


def _stars_of(
    cell: tuple[int, int], catalogue: SyntheticCatalogue, faintest: float
) -> tuple[NDArray[np.int64], Values]:
    columns = catalogue.of_cell(*cell)
    bright = np.flatnonzero(columns[2] < faintest)
    return (cell[0] << 40 | cell[1] << 24) + bright.astype(np.int64), columns[:, bright]


def _targets(night: Iterable[ScheduledExposure]) -> tuple[NDArray[np.int64], Values]:
    """Return the stars that the plan puts at its targets; they do not move."""
    placed: dict[tuple[float, float], tuple[float, float]] = {}
    for schedule in night:
        target = schedule.plan.target
        if target is not None and target.magnitude is not None and schedule.centre is not None:
            placed[schedule.centre] = (target.magnitude, target.colour)
    rows = [(*place, *light, 0.0, 0.0) for place, light in placed.items()]
    return _TARGETS + np.arange(len(rows), dtype=np.int64), np.array(rows, dtype=np.float64).reshape(-1, 6).T


def _columns(columns: Values, used: Instrument) -> dict[str, Values]:
    ra, dec, brightness, colour, pm_ra, pm_dec = columns
    bands = {one.band: one for name, one in used.passbands.items() if STANDARD_FILTER.match(name)}
    return {
        "ra": ra % 360.0,
        "dec": dec,
        "pm_ra": pm_ra * _MAS,
        "pm_dec": pm_dec * _MAS,
        "epoch": np.full(len(ra), EPOCH_YEAR),
        **{
            f"mag_{_FAMILIES[used.name]}_{band}": magnitudes(passband, brightness, colour)
            for band, passband in sorted(bands.items(), key=lambda item: "ugrizy".index(item[0]))
        },
    }
