"""The level of an amplifier without light, from the pixels that never saw any.

The serial overscan follows the level row by row; the parallel overscan, read after the last row of the sensor, what the
serial one leaves along a row.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from rapid.processing.jit import compiled

__all__ = ["LEADING", "Levels", "parallel_levels", "serial_levels"]

LEADING: Final = 3
"""Overscan pixels next to the data that are not used: they hold the charge the transfer left behind."""

_NEIGHBOURS: Final = 31
"""Rows or columns over which a level is compared or smoothed: wider than any bleed trail of a single star."""

_LONG: Final = 301
"""Rows over which a level is compared a second time: the trail of the brightest stars is up to 140 rows wide."""

_OUTLIER: Final = 10.0
"""A row whose level differs from its neighbours' by so many of its standard errors was bled into."""

Levels = NDArray[np.float64]


def serial_levels(segment: NDArray[np.int32], first: int) -> tuple[Levels, int]:
    """Measure the level of every row.

    Parameters
    ----------
    segment
        Amplifier image [adu], shape (ny, nx).
    first
        First overscan column that is used.

    Returns
    -------
    levels, replaced
        Median of each row's overscan [adu], shape (ny,), as of grouped data, so that whole numbers of adu do not show;
        rows that something bled into have their neighbours' level, `replaced` counts them.
    """
    levels = np.empty(segment.shape[0], np.float64)
    _row_medians(segment, first, levels)
    bled = _differs(levels, _NEIGHBOURS) | _wide_bleeds(levels)
    kept = np.flatnonzero(~bled)
    around = median_filter(levels[kept], size=_NEIGHBOURS, mode="nearest")
    return np.where(bled, np.interp(np.arange(levels.size), kept, around), levels), int(bled.sum())


def parallel_levels(segment: NDArray[np.int32], levels: Levels, *, first_row: int, columns: slice) -> Levels:
    """Measure what the serial levels leave along a row.

    Medians of the columns over the rows from `first_row`, smoothed by a running median, since a column has only some
    forty pixels to offer and a trail only some columns.

    Returns
    -------
    Levels
        One value [adu] for each of `columns`.
    """
    rest = segment[first_row:, columns] - levels[first_row:, None]
    return np.asarray(median_filter(np.median(rest, axis=0), size=_NEIGHBOURS, mode="nearest"), np.float64)


def _differs(levels: Levels, size: int) -> NDArray[np.bool_]:
    differences = levels - median_filter(levels, size=size, mode="nearest")
    return np.asarray(np.abs(differences) > _limit(differences), np.bool_)


def _limit(differences: Levels) -> float:
    """Largest difference [adu] that chance explains."""
    return max(_OUTLIER * 1.4826 * float(np.median(np.abs(differences))), 1.0)


def _wide_bleeds(levels: Levels) -> NDArray[np.bool_]:
    """Find bleeds too wide for their neighbours to tell: charge only adds to a level.

    At the first and last rows a level can drift as far without any charge, but then it does so smoothly; what is there
    counts when it ends in a jump.
    """
    size = min(_LONG, levels.size)
    centres = np.clip(np.arange(levels.size), size // 2, levels.size - 1 - size // 2)
    differences = levels - median_filter(levels, size=size, mode="nearest")[centres]
    limit = _limit(differences)
    bled = differences > limit
    edges = np.flatnonzero(np.diff(bled.astype(np.int8), prepend=0, append=0))
    for first, last in edges.reshape(-1, 2):
        inner = first if first > 0 else last
        at_rim = first == 0 or last == levels.size
        if at_rim and (inner in {0, levels.size} or abs(levels[inner] - levels[inner - 1]) < limit / 2):
            bled[first:last] = False
    return np.asarray(bled, np.bool_)


@compiled
def _row_medians(segment: NDArray[np.int32], first: int, levels: NDArray[np.float64]) -> None:
    for row in range(segment.shape[0]):
        levels[row] = _grouped_median(segment[row, first:])


@compiled
def _grouped_median(values: NDArray[np.int32]) -> float:
    """Find the median by halving the range of values, and its place among equal ones."""
    low, high = np.int64(values[0]), np.int64(values[0])
    for value in values:
        low = min(low, np.int64(value))
        high = max(high, np.int64(value))
    wanted = (values.size + 1) // 2
    while low < high:
        middle = (low + high) >> 1
        below = 0
        for value in values:
            below += value <= middle
        if below >= wanted:
            high = middle
        else:
            low = middle + 1
    below, equal = 0, 0
    for value in values:
        below += value < low
        equal += value == low
    return low - 0.5 + (0.5 * values.size - below) / equal
