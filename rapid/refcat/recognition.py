"""Make reference stars of the columns that others call by other names and give in other units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import BadFile
from rapid.processing.refcat import References, julian_year_of_mjd
from rapid.refcat.tables import StarTable

__all__ = ["recognise"]

Values = NDArray[np.float64]

_MAS: Final = np.degrees(1.0) * 3.6e6
"""Milliarcseconds in a radian."""

_NANOJANSKY: Final = 31.4
"""AB magnitude of 1 nJy, rounded as everywhere in Rubin's software: 8.9 + 22.5 (Oke & Gunn 1983, ApJ 266, 713)."""

_VEGA_TO_AB: Final = {"g": 0.1136, "bp": 0.0155, "rp": 0.3561}
"""To be added to magnitudes of Gaia (E)DR3 to have AB ones: the difference of its two sets of zero points (Riello et al. 2021,
A&A 649, A3, table 4)."""

_POGSON: Final = 2.5 / np.log(10.0)
_J2000: Final = 2000.0


def recognise(table: StarTable, *, epoch: float | None = None) -> References:
    """Make reference stars of a table.

    Three families of columns are known: Rubin's reference catalogues (``coord_ra``, ``coord_dec`` [rad], ``pm_ra`` [rad/yr],
    ``epoch`` [MJD TAI], ``*_flux`` [nJy], as the_monster has them), those of the Gaia archive (``ra``, ``dec`` [deg],
    ``pmra`` [mas/yr], ``ref_epoch``, ``phot_g_mean_mag`` ...), and our own (``ra``, ``dec`` [deg], ``pm_ra`` [mas/yr],
    ``epoch`` [Julian year], ``mag_{band}``, ``mag_error_{band}``, or ``mag``). Proper motions in right ascension have the
    factor cos dec in all of them. Parallax and radial velocity are not used. Rows without a finite place are left out.

    Parameters
    ----------
    epoch
        Julian year of places for which the table has none; where there are no proper motions either it does not matter.

    Raises
    ------
    BadFile
        If the columns are of none of the families, an epoch is needed and not known, units are others than these, or of the
        rows there are none has a place. A table without rows is no fault.
    """
    columns = table.columns
    if {"coord_ra", "coord_dec"} <= columns.keys():
        numbers, bands = _rubin(table)
    elif {"ra", "dec"} <= columns.keys():
        numbers, bands = _gaia(columns) if {"ref_epoch", "pmra"} & columns.keys() else _own(columns)
    else:
        expected = "coord_ra, coord_dec [rad] or ra, dec [deg]"
        found = ", ".join(sorted(columns)[:12]) or "no numbers"
        raise BadFile("not the columns of a star catalogue", subject=table.name, expected=expected, found=found)
    return _references(numbers, bands, table=table, epoch=epoch)


Numbers = dict[str, Any]
Bands = dict[str, tuple[Values, Values]]


def _rubin(table: StarTable) -> tuple[Numbers, Bands]:
    columns = table.columns
    for name in columns:
        unit = table.units.get(name, "nJy")
        if name.endswith("_flux") and unit != "nJy":
            raise BadFile(f"{name} is in another unit", subject=table.name, expected="nJy", found=unit)
    numbers: Numbers = {"id": columns.get("id")}
    factors = {"ra": np.degrees(1.0), "dec": np.degrees(1.0), "pm_ra": _MAS, "pm_dec": _MAS}
    factors |= {"ra_error": _MAS, "dec_error": _MAS}
    theirs = {"ra": "coord_ra", "dec": "coord_dec", "ra_error": "coord_raErr", "dec_error": "coord_decErr"}
    for name, factor in factors.items():
        numbers[name] = _scaled(columns, theirs.get(name, name), factor)
    numbers["epoch"] = julian_year_of_mjd(columns["epoch"]) if "epoch" in columns else None
    return numbers, dict(_fluxes(columns))


def _fluxes(columns: Mapping[str, Values]) -> Iterator[tuple[str, tuple[Values, Values]]]:
    for name, flux in columns.items():
        if not name.endswith("_flux"):
            continue
        band = name.removesuffix("_flux").removeprefix("monster_")
        gaia = re.fullmatch(r"phot_(g|bp|rp)_mean", band)
        band = f"gaia_{gaia[1]}" if gaia else _snake(band.replace("SynthLSST", "lsst"))
        error = columns.get(f"{name}Err", np.full(len(flux), np.nan))
        yield band, _magnitudes(flux, error)


def _magnitudes(flux: Values, error: Values) -> tuple[Values, Values]:
    """Turn fluxes [nJy] into AB magnitudes and their errors; what is not positive is not measured."""
    positive = np.where(np.isfinite(flux) & (flux > 0.0), flux, np.nan)
    return _NANOJANSKY - 2.5 * np.log10(positive), _POGSON * np.where(error >= 0.0, error, np.nan) / positive


def _gaia(columns: Mapping[str, Values]) -> tuple[Numbers, Bands]:
    theirs = {"id": "source_id", "pm_ra": "pmra", "pm_dec": "pmdec", "epoch": "ref_epoch"}
    numbers: Numbers = {
        name: columns.get(theirs.get(name, name)) for name in (*theirs, "ra", "dec", "ra_error", "dec_error")
    }
    bands = {}
    for band, to_ab in _VEGA_TO_AB.items():
        magnitude = columns.get(f"phot_{band}_mean_mag")
        if magnitude is not None:
            bands[f"gaia_{band}"] = (magnitude + to_ab, _gaia_error(columns, band, len(magnitude)))
    return numbers, bands


def _gaia_error(columns: Mapping[str, Values], band: str, n: int) -> Values:
    ratio = columns.get(f"phot_{band}_mean_flux_over_error")
    flux, error = (columns.get(f"phot_{band}_mean_flux{suffix}") for suffix in ("", "_error"))
    if ratio is None and flux is not None and error is not None:
        ratio = flux / np.where(error > 0.0, error, np.nan)
    return np.full(n, np.nan) if ratio is None else _POGSON / np.where(ratio > 0.0, ratio, np.nan)


def _own(columns: Mapping[str, Values]) -> tuple[Numbers, Bands]:
    names = ("id", "ra", "dec", "epoch", "pm_ra", "pm_dec", "ra_error", "dec_error")
    bands = {}
    for name, magnitude in columns.items():
        band = _own_band(name)
        if band:
            error = columns.get(f"mag_error_{band}", np.full(len(magnitude), np.nan))
            bands[band] = (magnitude, error)
    return {name: columns.get(name) for name in names}, bands


def _own_band(column: str) -> str:
    if column in {"mag", "magnitude"}:
        return "mag"
    if column.startswith("mag_") and not column.startswith("mag_error_"):
        return _snake(column.removeprefix("mag_"))
    return ""


def _references(numbers: Numbers, bands: Bands, *, table: StarTable, epoch: float | None) -> References:
    ra, dec = (np.asarray(numbers[name], dtype=np.float64) for name in ("ra", "dec"))
    nothing = np.full(len(ra), np.nan)
    filled = {name: nothing if values is None else values for name, values in numbers.items() if name != "id"}
    filled |= {"ra": ra % 360.0, "dec": dec, "epoch": _epochs(numbers, table, epoch, len(ra))}
    filled["id"] = np.arange(len(ra)) if numbers["id"] is None else numbers["id"]
    good = np.isfinite(ra) & (np.abs(dec) <= 90.0) & np.isfinite(filled["epoch"])
    if len(good) and not good.any():
        raise BadFile("no star with a place", subject=table.name, expected="finite ra, dec", found=f"{len(ra)} rows")
    return References(
        **{name: values[good] for name, values in filled.items()},
        magnitudes={band: magnitude[good] for band, (magnitude, _) in bands.items()},
        magnitude_errors={band: error[good] for band, (_, error) in bands.items()},
    )


def _epochs(numbers: Numbers, table: StarTable, epoch: float | None, n: int) -> Values:
    """Return the epoch of each star: the table's, or the one that was said."""
    found = np.full(n, np.nan) if numbers["epoch"] is None else np.asarray(numbers["epoch"], dtype=np.float64)
    moving = numbers.get("pm_ra") is not None and bool(np.isfinite(numbers["pm_ra"]).any())
    if epoch is None and moving and not np.isfinite(found).any():
        raise BadFile(
            "stars that move, and no epoch of their places",
            subject=table.name,
            expected="a column epoch, or the epoch said on the command line",
            found="neither",
        )
    return np.where(np.isfinite(found), found, _J2000 if epoch is None else epoch)


def _scaled(columns: Mapping[str, Values], name: str, factor: float) -> Values | None:
    return np.asarray(columns[name] * factor, dtype=np.float64) if name in columns else None


def _snake(name: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", name.lower()))
