"""Stars, and a synthetic catalogue of them that covers the whole sky."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rapid.simulation.chance import generator
from rapid.simulation.passbands import Passband, magnitudes

__all__ = ["EPOCH_YEAR", "STANDARD_FILTER", "Catalogue", "Stars", "SyntheticCatalogue", "cells_around", "within"]

Values = NDArray[np.float64]

EPOCH_YEAR = 2016.0
"""Julian year of the synthetic catalogue's places: that of Gaia DR3."""

_EPOCH = datetime(2016, 1, 1)  # noqa: DTZ001 - the same, to the day
STANDARD_FILTER = re.compile(r"SDSS|[ugrizy]_\d")
"""Names of filters whose bands are those of catalogues."""
_YEAR = 365.25 * 86400.0


@dataclass(frozen=True, slots=True)
class Stars:
    """Stars with ICRS positions [deg] at a date; one entry a star.

    ``magnitude`` is Gaia G, ``colour`` BP - RP. ``bands`` has AB magnitudes by letter of the band, where they are known
    better than from the colour.
    """

    ra: Values
    dec: Values
    magnitude: Values
    colour: Values
    bands: Mapping[str, Values] = field(default_factory=lambda: MappingProxyType({}))

    def __len__(self) -> int:
        return len(self.ra)

    def chosen(self, which: NDArray[np.bool_]) -> Stars:
        """Keep some of the stars."""
        bands = {band: values[which] for band, values in self.bands.items()}
        return Stars(self.ra[which], self.dec[which], self.magnitude[which], self.colour[which], bands)

    def with_star(self, ra: float, dec: float, magnitude: float, colour: float) -> Stars:
        """Return these stars and one more, in front."""
        mine = (self.ra, self.dec, self.magnitude, self.colour)
        columns = [np.concatenate([[new], old]) for new, old in zip((ra, dec, magnitude, colour), mine, strict=True)]
        bands = {band: np.concatenate([[np.nan], values]) for band, values in self.bands.items()}
        return Stars(columns[0], columns[1], columns[2], columns[3], bands)

    def in_band(self, name: str, passband: Passband) -> Values:
        """Return the magnitudes in the band of a filter; from G and the colour where nothing better is known."""
        from_colour = magnitudes(passband, self.magnitude, self.colour)
        known = self.bands.get(passband.band) if STANDARD_FILTER.match(name) else None
        return from_colour if known is None else np.where(np.isfinite(known), known, from_colour)


class Catalogue(Protocol):
    """Whoever knows the stars of a field."""

    def around(self, ra: float, dec: float, radius: float, when: datetime) -> Stars:
        """List the stars within a radius of a place [deg], where they stand at a time (without zone)."""
        ...


_CELL = 0.25  # degrees, height of the bands of declination that are cut into cells
_CATALOGUE_SEED = 20160101
# Stars per square degree brighter than G, rounded from Gaia DR3 counts at 25 degrees from the galactic plane.
_COUNT_MAGNITUDES = np.array([4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 20.7])
_COUNTS = np.array([0.02, 0.15, 1.2, 9.0, 55.0, 260.0, 950.0, 3000.0, 8000.0, 10500.0])
# The same beyond Gaia, for a camera that sees further: a halo whose counts grow ever more slowly.
_FAINT_MAGNITUDES = np.array([20.7, 22.0, 23.0, 24.0, 25.0, 25.8])
_FAINT_COUNTS = np.array([10500.0, 16000.0, 21500.0, 28000.0, 36000.0, 43000.0])
_GALACTIC_POLE = (np.radians(192.85948), np.radians(27.12825))


@dataclass(frozen=True, slots=True)
class SyntheticCatalogue:
    """A Gaia-like sky made up cell by cell, the same whenever and however often it is asked.

    Number counts grow towards the galactic plane; colours follow a broad main sequence that reddens with magnitude;
    proper motions are those of a thin disc (a few mas a year, larger for brighter stars). It ends at G = 20.7; a ``deep``
    one has the same stars and fainter ones, to 25.8.
    """

    seed: int = _CATALOGUE_SEED
    deep: bool = False

    def around(self, ra: float, dec: float, radius: float, when: datetime) -> Stars:
        """List the stars within a radius of a place [deg], where they stand at a time (without zone)."""
        columns = self.at_epoch(ra, dec, radius)
        years = (when - _EPOCH).total_seconds() / _YEAR
        moved_dec = np.clip(columns[1] + columns[5] * years, -90.0, 90.0)
        moved_ra = columns[0] + columns[4] * years / np.cos(np.radians(columns[1]))
        return within(Stars(moved_ra % 360.0, moved_dec, columns[2], columns[3]), ra, dec, radius)

    def at_epoch(self, ra: float, dec: float, radius: float) -> Values:
        """List the stars of all cells that a circle [deg] touches, as they were at the epoch, 2016.0.

        Returns
        -------
        Right ascension and declination [deg], G, BP - RP, proper motions along both on the sky [deg/yr]; shape (6, n).
        """
        named = cells_around(ra, dec, radius)
        cells = [self._cell(band, sector) for band, sector in named]
        if self.deep:
            cells += [self._faint_cell(band, sector) for band, sector in named]
        return np.concatenate(cells, axis=1)

    def of_cell(self, band: int, sector: int) -> Values:
        """List the stars of one cell, in the columns of `at_epoch`; their order is theirs for ever."""
        bright = self._cell(band, sector)
        return np.concatenate([bright, self._faint_cell(band, sector)], axis=1) if self.deep else bright

    def _cell(self, band: int, sector: int) -> Values:
        """Make one cell, in the columns of `at_epoch`."""
        return _populated(generator(self.seed, band, sector), band, sector, _COUNT_MAGNITUDES, _COUNTS, begin=0.0)

    def _faint_cell(self, band: int, sector: int) -> Values:
        """Make the stars of a cell that are fainter than the catalogue is without them."""
        chance = generator(self.seed, band, sector, 1)
        return _populated(chance, band, sector, _FAINT_MAGNITUDES, _FAINT_COUNTS, begin=_FAINT_COUNTS[0])


def _populated(
    chance: np.random.Generator, band: int, sector: int, magnitudes_of: Values, counts: Values, *, begin: float
) -> Values:
    """Fill a cell with stars drawn from cumulative counts a square degree, of which the first ``begin`` are left out."""
    south, north, west, east = _bounds(band, sector)
    area = (east - west) * np.degrees(np.sin(np.radians(north)) - np.sin(np.radians(south)))
    crowding = _crowding(0.5 * (west + east), 0.5 * (south + north))
    n = int(chance.poisson((counts[-1] - begin) * area * crowding))
    sin_dec = chance.uniform(np.sin(np.radians(south)), np.sin(np.radians(north)), n)
    rank = chance.uniform(counts[0] / counts[-1], 1.0, n) * counts[-1]
    magnitude = np.interp(np.log(rank), np.log(counts), magnitudes_of)
    colour = np.clip(
        0.75 + 0.03 * (magnitude - 14.0) + chance.gamma(2.0, 0.2, n) - 0.4 + chance.normal(0.0, 0.1, n), -0.3, 3.5
    )
    motion = chance.normal(0.0, 1.0, (2, n)) * (5.0 + 30.0 * np.exp(-(magnitude - 8.0) / 4.0)) / 3.6e6
    return np.stack([chance.uniform(west, east, n), np.degrees(np.arcsin(sin_dec)), magnitude, colour, *motion])


def cells_around(ra: float, dec: float, radius: float) -> list[tuple[int, int]]:
    """Name the cells that a circle can touch."""
    cells = []
    lowest, highest = max(dec - radius, -90.0), min(dec + radius, 89.999999)
    for band in range(int((lowest + 90.0) / _CELL), int((highest + 90.0) / _CELL) + 1):
        sectors = _sectors(band)
        reach = radius / max(np.cos(np.radians(max(abs(lowest), abs(highest)))), 1e-6)
        if reach * 2.0 >= 360.0 - 720.0 / sectors:
            cells += [(band, sector) for sector in range(sectors)]
            continue
        first, last = np.floor((ra - reach) / 360.0 * sectors), np.floor((ra + reach) / 360.0 * sectors)
        cells += [(band, sector % sectors) for sector in range(int(first), int(last) + 1)]
    return cells


def _sectors(band: int) -> int:
    middle = (band + 0.5) * _CELL - 90.0
    return max(int(360.0 * np.cos(np.radians(middle)) / _CELL), 4)


def _bounds(band: int, sector: int) -> tuple[float, float, float, float]:
    width = 360.0 / _sectors(band)
    return band * _CELL - 90.0, (band + 1) * _CELL - 90.0, sector * width, (sector + 1) * width


def _crowding(ra: float, dec: float) -> float:
    """Density relative to 25 degrees from the galactic plane: a layer seen at a slant, limited where dust would limit it."""
    pole_ra, pole_dec = _GALACTIC_POLE
    y = np.radians(dec)
    sin_b = np.sin(y) * np.sin(pole_dec) + np.cos(y) * np.cos(pole_dec) * np.cos(np.radians(ra) - pole_ra)
    return float(np.clip(np.sin(np.radians(25.0)) / max(abs(sin_b), 0.01), 0.6, 3.0))


def within(stars: Stars, ra: float, dec: float, radius: float) -> Stars:
    """Keep the stars within a radius of a place [deg]."""
    half_ra, half_dec = np.radians(stars.ra - ra) / 2.0, np.radians(stars.dec - dec) / 2.0
    haversine = np.sin(half_dec) ** 2 + np.cos(np.radians(stars.dec)) * np.cos(np.radians(dec)) * np.sin(half_ra) ** 2
    near = 2.0 * np.degrees(np.arcsin(np.sqrt(np.clip(haversine, 0.0, 1.0)))) <= radius
    return stars.chosen(near)
