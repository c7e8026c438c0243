"""Stars kept from a fit to validate it: always the same ones, from exposure to exposure and from process to process.

A star is drawn by where it is on the sky. Before that is known, or where it never is, by where it is on the detector: then
the same image has the same reserved stars, but another exposure of the field has others.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import Sources
from rapid.processing.wcs import Wcs

__all__ = ["RESERVED", "cell_ids", "reserved", "reserved_stars", "sky_ids"]

RESERVED: Final = 0.1
"""Part of the stars that are reserved."""

_CELL: Final = 10.0
"""Side of a cell of the sky [arcsec]: with positions good to 0.1 arcsec 4 % of the stars change cells between exposures,
and few cells have two stars."""


def reserved_stars(sources: Sources, wcs: Wcs | None = None) -> NDArray[np.bool_]:
    """Tell which of the sources are reserved stars; read-only.

    Parameters
    ----------
    wcs
        The solution of the frame, when there is one; else the place on the detector counts.
    """
    x, y = sources.x[sources.star], sources.y[sources.star]  # other sources may be anywhere
    kept = np.zeros(len(sources), np.bool_)
    kept[sources.star] = reserved(cell_ids(x, y) if wcs is None else sky_ids(*wcs.pixel_to_sky(x, y)))
    kept.flags.writeable = False
    return kept


def reserved(ids: NDArray[np.integer], *, fraction: float = RESERVED) -> NDArray[np.bool_]:
    """Tell which ids are reserved: those whose hash is below the fraction.

    Parameters
    ----------
    ids
        Of the stars: of a catalogue where they are matched, else of the cell of the sky (`sky_ids`).
    fraction
        0 to 1. A star reserved for one fraction is so for every larger one.
    """
    return np.asarray(_mixed(np.asarray(ids).astype(np.uint64)) < np.uint64(int(fraction * (2**64 - 1))), np.bool_)


def sky_ids(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the cell of 10 arcsec of each place on the sky [degree, ICRS]: rings of declination cut in right ascension."""
    ring = np.floor((np.asarray(dec) + 90.0) * 3600.0 / _CELL).astype(np.int64)
    middle = np.radians((ring + 0.5) * _CELL / 3600.0 - 90.0)
    cells = np.maximum(np.floor(360.0 * 3600.0 * np.cos(middle) / _CELL), 1.0)
    return np.asarray(ring * 2**32 + np.floor(np.mod(ra, 360.0) / 360.0 * cells).astype(np.int64), np.int64)


def cell_ids(x: NDArray[np.float64], y: NDArray[np.float64], *, side: float = 50.0) -> NDArray[np.int64]:
    """Number the cell of the detector of each place [pixel]: where the sky is not known, the same for the same image."""
    return np.asarray(np.floor(y / side).astype(np.int64) * 2**32 + np.floor(x / side).astype(np.int64), np.int64)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix all bits of each number into all bits (splitmix64: Steele, Lea & Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)
