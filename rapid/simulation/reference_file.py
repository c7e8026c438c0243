"""Stars from a file: Rubin's reference catalogues, or any table with positions and magnitudes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from rapid.errors import ConfigError
from rapid.simulation.catalogue import Stars, within

__all__ = ["FileCatalogue", "load_catalogue"]

Values = NDArray[np.float64]

_POSITIONS = (("ra", "dec", 1.0), ("coord_ra", "coord_dec", float(np.degrees(1.0))))
_MAGNITUDES = ("mag", "magnitude", "phot_g_mean_mag")
_G_FLUXES = ("phot_g_mean_flux", "monster_SynthLSST_r_flux", "monster_LATISS_r_flux", "r_flux", "flux")
_BAND_FLUXES = ("monster_LATISS_{}_flux", "monster_SynthLSST_{}_flux", "{}_flux")
_AB_ZERO_NANOJANSKY = 31.4
_G_VEGA_MINUS_AB = -0.1136  # Gaia EDR3 zero points: 25.6874 (Vega) and 25.8010 (AB)
_COLOUR_VEGA_MINUS_AB = 0.3406  # likewise BP 25.3385, 25.3540 and RP 24.7479, 25.1040
_DEFAULT_COLOUR = 0.8
_MJD_ZERO = datetime(1858, 11, 17)  # noqa: DTZ001 - catalogue epochs have no zone
_GAIA_EPOCH = 57388.5
_DAYS_PER_YEAR = 365.25
_FORMATS = {".fits": "fits", ".fit": "fits", ".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}


@dataclass(frozen=True, slots=True)
class FileCatalogue:
    """Stars read from a file at its epoch [MJD], with proper motions [deg/yr along ra and dec, on the sky]."""

    stars: Stars
    motion: tuple[Values, Values]
    epoch: float

    def around(self, ra: float, dec: float, radius: float, when: datetime) -> Stars:
        """List the stars within a radius of a place [deg], where they stand at a time (without zone)."""
        years = (when - _MJD_ZERO - timedelta(days=self.epoch)) / timedelta(days=_DAYS_PER_YEAR)
        moved_ra = (self.stars.ra + years * self.motion[0] / np.cos(np.radians(self.stars.dec))) % 360.0
        moved_dec = self.stars.dec + years * self.motion[1]
        moved = Stars(moved_ra, moved_dec, self.stars.magnitude, self.stars.colour, self.stars.bands)
        return within(moved, ra, dec, radius)


def load_catalogue(path: Path) -> FileCatalogue:
    """Read a FITS, CSV or ECSV table of stars.

    Positions are in ``ra``, ``dec`` [deg] or ``coord_ra``, ``coord_dec`` [rad]; brightness is in ``mag`` (or ``magnitude``,
    ``phot_g_mean_mag``) or a flux [nJy] under one of the names of Rubin's reference catalogues, whose fluxes by band, colours
    and proper motions [rad/yr] are used too. ``colour`` or ``bp_rp`` is used if there. Rows without a finite position
    or brightness are left out.

    Raises
    ------
    ConfigError
        If the file cannot be read, has not these columns, or no star is left.
    """
    table = _read_table(path)
    columns = {
        name: _values(table, name)
        for name in table.colnames
        if table[name].dtype.kind in "fiu" and table[name].ndim == 1
    }
    ra, dec = _positions(columns, path)
    magnitude = _magnitudes(columns, path)
    good = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(magnitude)
    if not good.any():
        msg = f"the catalogue {path} has no star with a finite position and brightness (of {len(ra)} rows)"
        raise ConfigError(msg)
    stars = Stars(ra % 360.0, dec, magnitude, _colours(columns, len(ra)), _bands(columns)).chosen(good)
    zero = np.zeros(len(ra))
    motion = [np.nan_to_num(np.degrees(columns.get(name, zero)))[good] for name in ("pm_ra", "pm_dec")]
    return FileCatalogue(stars, (motion[0], motion[1]), _epoch(columns))


def _read_table(path: Path) -> Table:
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        msg = f"the catalogue {path} is of no kind that is known; expected a name that ends in {', '.join(_FORMATS)}"
        raise ConfigError(msg)
    options = {"unit_parse_strict": "silent"} if _FORMATS[suffix] == "fits" else {}
    try:
        return Table.read(path, format=_FORMATS[suffix], **options)
    except (OSError, ValueError, TypeError, IndexError) as error:
        msg = f"the catalogue {path} cannot be read: {error}"
        raise ConfigError(msg) from error


def _values(table: Table, name: str) -> Values:
    column = table[name]
    numbers = np.asarray(column, dtype=np.float64)
    return np.where(column.mask, np.nan, numbers) if hasattr(column, "mask") else numbers


def _positions(columns: dict[str, Values], path: Path) -> tuple[Values, Values]:
    for ra, dec, scale in _POSITIONS:
        if ra in columns and dec in columns:
            return columns[ra] * scale, columns[dec] * scale
    raise _lacking(path, "ra, dec [deg] or coord_ra, coord_dec [rad]", columns)


def _magnitudes(columns: dict[str, Values], path: Path) -> Values:
    for name in _MAGNITUDES:
        if name in columns:
            return columns[name]
    for name in _G_FLUXES:
        if name in columns:
            return _ab_magnitudes(columns[name]) + (_G_VEGA_MINUS_AB if name.startswith("phot_g") else 0.0)
    raise _lacking(path, f"one of {', '.join(_MAGNITUDES + _G_FLUXES)}", columns)


def _colours(columns: dict[str, Values], n: int) -> Values:
    colour = np.full(n, np.nan)
    for name in ("colour", "bp_rp"):
        colour = columns.get(name, colour)
    if {"phot_bp_mean_flux", "phot_rp_mean_flux"} <= columns.keys():
        blue, red = (_ab_magnitudes(columns[f"phot_{which}_mean_flux"]) for which in ("bp", "rp"))
        colour = blue - red + _COLOUR_VEGA_MINUS_AB
    return np.where(np.isfinite(colour), colour, _DEFAULT_COLOUR)


def _bands(columns: dict[str, Values]) -> dict[str, Values]:
    """Read AB magnitudes by band, from the first flux column there is for it."""
    bands = {}
    for band in "ugrizy":
        names = [pattern.format(band) for pattern in _BAND_FLUXES]
        found = next((name for name in names if name in columns), None)
        if found is not None:
            bands[band] = _ab_magnitudes(columns[found])
    return bands


def _epoch(columns: dict[str, Values]) -> float:
    epochs = columns.get("epoch", np.array([np.nan]))
    return float(np.median(epochs[np.isfinite(epochs)])) if np.isfinite(epochs).any() else _GAIA_EPOCH


def _ab_magnitudes(flux: Values) -> Values:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(_AB_ZERO_NANOJANSKY - 2.5 * np.log10(np.where(flux > 0, flux, np.nan)))


def _lacking(path: Path, expected: str, columns: dict[str, Values]) -> ConfigError:
    return ConfigError(
        f"the catalogue {path} lacks columns: expected {expected}; found {', '.join(sorted(columns)[:20])}"
    )
