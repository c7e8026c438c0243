"""The level of an amplifier without light, from the pixels that never saw any.

The serial overscan follows the level row by row; the parallel overscan, read after the last row of the sensor, what the
serial one leaves along a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from rapid.processing.isr.medians import column_medians, row_medians

__all__ = ["LEADING", "TRAILING", "Levels", "ParallelLevels", "parallel_levels", "serial_levels"]

LEADING: Final = 3
"""Overscan pixels next to the data that are not used: they hold the charge the transfer left behind."""

TRAILING: Final = 3
"""Last overscan columns, which are not used either, as the observatory does: the clocks of the next row begin there."""

_NEIGHBOURS: Final = 31
"""Rows or columns over which a level is compared or smoothed: wider than any bleed trail of a single star."""

_LONG: Final = 301
"""Rows over which a level is compared a second time: the trail of the brightest stars is up to 140 rows wide."""

_OUTLIER: Final = 10.0
"""A row whose level differs from its neighbours' by so many of its standard errors was bled into."""

_EVERY: Final = 64
"""Rows of which one is looked at for the signal of the data: a few per cent are more than enough to tell it from none."""

_SPILLED_SHARE: Final = 0.5
_SPILLED_LEVEL: Final = 10_000.0
"""Parallel overscan that shows more than half of the data's signal, when that is above 10 000 adu, is full of charge that
spilled over the last row: it says nothing about the level."""

Levels = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ParallelLevels:
    """What the serial levels leave at each column [adu], from ``n_rows`` rows, smoothed over ``smoothing`` columns.

    All zero, of no rows, when the step was ``skipped``: the words say why.
    """

    levels: Levels
    n_rows: int
    smoothing: int
    skipped: str = ""


def serial_levels(segment: NDArray[np.int32], first: int, stop: int | None = None) -> tuple[Levels, int]:
    """Measure the level of every row.

    Parameters
    ----------
    segment
        Amplifier image [adu], shape (ny, nx).
    first, stop
        First overscan column that is used, and the one behind the last; up to the end of the row when left out.

    Returns
    -------
    levels, replaced
        Median of each row's overscan [adu], shape (ny,), as of grouped data, so that whole numbers of adu do not show;
        rows that something bled into have their neighbours' level, `replaced` counts them.
    """
    levels = np.empty(segment.shape[0], np.float64)
    row_medians(segment[:, first:stop], levels)
    bled = _differs(levels, _NEIGHBOURS) | _wide_bleeds(levels)
    if not bled.any():
        return levels, 0
    kept = np.flatnonzero(~bled)
    around = median_filter(levels[kept], size=_NEIGHBOURS, mode="nearest")
    return np.where(bled, np.interp(np.arange(levels.size), kept, around), levels), int(bled.sum())


def parallel_levels(segment: NDArray[np.int32], levels: Levels, *, first_row: int, columns: slice) -> ParallelLevels:
    """Measure what the serial levels leave along a row.

    Medians of the columns over the rows from `first_row`, smoothed by a running median, since a column has only some
    forty pixels to offer and a trail only some columns. Skipped where there are no such rows, or where they are full of
    charge spilled over from the data.

    Parameters
    ----------
    segment
        Amplifier image [adu], shape (ny, nx).
    levels
        Its serial levels [adu], shape (ny,).
    first_row, columns
        First overscan row that is used, and the columns of the data.
    """
    nothing = np.zeros(columns.stop - columns.start)
    if first_row >= segment.shape[0]:
        return ParallelLevels(nothing, 0, 1, "no rows of overscan")
    medians = column_medians(segment[first_row:, columns], levels[first_row:])
    found = float(np.median(medians))
    if found > _SPILLED_SHARE * _SPILLED_LEVEL:
        signal = float(np.median(segment[:first_row:_EVERY, columns] - levels[:first_row:_EVERY, None]))
        if signal > _SPILLED_LEVEL and found > _SPILLED_SHARE * signal:
            return ParallelLevels(nothing, 0, 1, f"spilled over: {found:.0f} adu where the data have {signal:.0f}")
    smooth = median_filter(medians, size=_NEIGHBOURS, mode="nearest")
    return ParallelLevels(np.asarray(smooth, np.float64), segment.shape[0] - first_row, _NEIGHBOURS)


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
