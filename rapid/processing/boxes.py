"""Level and noise of an image in boxes, each found from its good pixels as they lie in memory."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.histogram import BINS, CLIP, REACH, add_line, clip_counts, first_guess, new_tallies
from rapid.processing.jit import compiled
from rapid.processing.memory import AHEAD, prefetch_row

__all__ = ["EVERY", "box_levels"]

EVERY: Final = 8
"""Rows of which one is taken for the noise: a sixteenth of the pixels in pairs, 0.1 % of a whole detector's noise."""

_SAMPLE: Final = 64
"""Pixels of a box that the width of its bins follows from: to 15 %, and they reach twice as far as they must."""

_COARSE: Final = 8.0
"""Bins a standard deviation must have at least: fewer add more than a thousandth to the variance."""

_PIECE: Final = 2048
"""Values that are worked on at a time: they, their bins and the histogram stay in the first cache."""


@compiled
def box_levels(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    mask: NDArray[np.unsignedinteger],
    bits: np.unsignedinteger,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    usable: float,
    result: NDArray[np.float64],
) -> None:
    """Fill ``result[row, column]`` with mean, median, sigma, pixels used, and noise between neighbours.

    Pixels that are not finite, or have one of `bits` in the mask, are left out; a box with less than the part `usable` of
    good ones is left as it is. `rows` and `columns` are the edges of the boxes.
    """
    largest = np.diff(rows).max() * np.diff(columns).max()
    pixels, places = np.empty(largest, np.float32), np.empty(_PIECE, np.uint32)
    for i in range(rows.size - 1):
        for j in range(columns.size - 1):
            ny, nx = rows[i + 1] - rows[i], columns[j + 1] - columns[j]
            n = _gather(image, mask, bits, (rows[i], columns[j]), (ny, nx), pixels)
            if n >= usable * ny * nx:
                values = pixels[: ny * nx]
                levels = _clipped(values, _guess(values, n), places)
                result[i, j, 0], result[i, j, 1], result[i, j, 2], result[i, j, 3] = levels
                pairs = values[: _pair_up(values, ny, nx)]
                noise = _clipped(pairs, (0.0, math.sqrt(2.0) * levels[2]), places)
                result[i, j, 4] = noise[2] / math.sqrt(2.0) if noise[3] > 0 else levels[2]


@compiled
def _gather(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    mask: NDArray[np.unsignedinteger],
    bits: np.unsignedinteger,
    corner: tuple[int, int],
    shape: tuple[int, int],
    pixels: NDArray[np.float32],
) -> int:
    """Bring the pixels of a box together, what is masked as NaN; return how many are numbers."""
    n = 0
    for y in range(shape[0]):
        v, u = corner[0] + y, corner[1]
        prefetch_row(image, v + AHEAD, u, u + shape[1])
        prefetch_row(mask, v + AHEAD, u, u + shape[1])
        line, bad = image[v, u : u + shape[1]], mask[v, u : u + shape[1]]
        kept = pixels[y * shape[1] : (y + 1) * shape[1]]
        good = np.int32(0)
        for x in range(line.size):
            value = np.float32(np.nan) if bad[x] & bits else line[x]
            kept[x] = value
            good += np.int32(value - value == np.float32(0.0))
        n += int(good)
    return n


@compiled
def _guess(values: NDArray[np.float32], n_good: int) -> tuple[float, float]:
    """Guess median and sigma from an even sample of the values that are numbers."""
    sample = np.empty(_SAMPLE, np.float64)
    n = 0
    for i in range(0, values.size, max(1, n_good // _SAMPLE)):
        if n < _SAMPLE and np.isfinite(values[i]):
            sample[n] = values[i]
            n += 1
    return first_guess(sample[:n])


@compiled
def _pair_up(values: NDArray[np.float32], ny: int, nx: int) -> int:
    """Put the differences of neighbours in some rows at the beginning, each pixel in one of them; return how many."""
    n = 0
    for y in range(0, ny, EVERY):
        for x in range(y * nx, y * nx + nx - 1, 2):
            values[n] = values[x + 1] - values[x]
            n += 1
    return n


@compiled
def _clipped(
    values: NDArray[np.float32], guess: tuple[float, float], places: NDArray[np.uint32]
) -> tuple[float, float, float, int]:
    """Clip values whose median and sigma are about known; where the bins turn out too coarse or too few, once more."""
    median, sigma = guess
    if not sigma > 0.0:
        sigma, n = _full_scatter(values, median)
        if not sigma > 0.0:
            return median, median, sigma, n
    found = _clip_once(values, median, sigma, places)
    coarse = found[2] < _COARSE * 2.0 * REACH * sigma / BINS
    few = abs(found[1] - median) + CLIP * found[2] > REACH * sigma
    if found[2] > 0.0 and (coarse or few):
        found = _clip_once(values, found[1], found[2], places)
    return found


@compiled
def _clip_once(
    values: NDArray[np.float32], median: float, sigma: float, places: NDArray[np.uint32]
) -> tuple[float, float, float, int]:
    counts = new_tallies()
    low, width = median - REACH * sigma, 2.0 * REACH * sigma / BINS
    for first in range(0, values.size, _PIECE):
        add_line(values[first : first + _PIECE], low, width, places, counts)
    return clip_counts(counts, low, width)


@compiled
def _full_scatter(values: NDArray[np.float32], median: float) -> tuple[float, int]:
    """Scatter of all values about the median, where most are alike; and how many there are."""
    total, n = 0.0, 0
    for x in range(values.size):
        if np.isfinite(values[x]):
            total += (values[x] - median) ** 2
            n += 1
    return (math.sqrt(total / n) if n else np.nan), n
