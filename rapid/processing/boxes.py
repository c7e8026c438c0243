"""Level and noise of an image in boxes, each found from its good pixels as they lie in memory."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.histogram import BINS, REACH, add_line, clip_counts, first_guess, joined
from rapid.processing.jit import compiled

__all__ = ["EVERY", "box_levels"]

EVERY: Final = 8
"""Rows of which one is taken for the noise: a sixteenth of the pixels in pairs, 0.1 % of a whole detector's noise."""

_SAMPLE: Final = 256
"""Pixels of a box that the width of its bins follows from: to 10 %, and they reach twice as far as they must."""


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
    width = np.diff(columns).max()
    line = np.empty(width, np.float32)
    places = np.empty(width, np.uint32)
    counts = np.empty((2, BINS + 2), np.int64)
    sample = np.empty(_SAMPLE, np.float64)
    for i in range(rows.size - 1):
        for j in range(columns.size - 1):
            box = (rows[i], rows[i + 1], columns[j], columns[j + 1])
            n = _count_good(image, mask, bits, box, line)
            if n >= usable * (box[1] - box[0]) * (box[3] - box[2]):
                values = _box(image, mask, bits, box, False, n, sample, line, places, counts)
                result[i, j, 0], result[i, j, 1], result[i, j, 2], result[i, j, 3] = values
                pairs = _box(image, mask, bits, box, True, n // (2 * EVERY), sample, line, places, counts)
                result[i, j, 4] = pairs[2] / math.sqrt(2.0) if pairs[3] > 0 else values[2]


@compiled
def _count_good(
    image: NDArray[np.float32],
    mask: NDArray[np.unsignedinteger],
    bits: np.unsignedinteger,
    box: tuple[int, int, int, int],
    line: NDArray[np.float32],
) -> int:
    n = 0
    for y in range(box[0], box[1]):
        width = _good_line(image[y, box[2] : box[3]], mask[y, box[2] : box[3]], bits, line)
        good = np.int32(0)
        for x in range(width):
            good += np.int32(line[x] - line[x] == np.float32(0.0))
        n += int(good)
    return n


@compiled
def _good_line(
    pixels: NDArray[np.float32], mask: NDArray[np.unsignedinteger], bits: np.unsignedinteger, line: NDArray[np.float32]
) -> int:
    """Copy a row; what is masked becomes NaN."""
    for x in range(pixels.size):
        line[x] = np.float32(np.nan) if mask[x] & bits else pixels[x]
    return pixels.size


@compiled
def _pair_line(
    pixels: NDArray[np.float32], mask: NDArray[np.unsignedinteger], bits: np.unsignedinteger, line: NDArray[np.float32]
) -> int:
    """Take the differences of neighbours, each pixel in one of them at most; NaN where one is masked."""
    n = pixels.size // 2
    for k in range(n):
        bad = (mask[2 * k] | mask[2 * k + 1]) & bits
        line[k] = np.float32(np.nan) if bad else pixels[2 * k + 1] - pixels[2 * k]
    return n


@compiled
def _box(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    mask: NDArray[np.unsignedinteger],
    bits: np.unsignedinteger,
    box: tuple[int, int, int, int],
    pairs: bool,
    n_good: int,
    sample: NDArray[np.float64],
    line: NDArray[np.float32],
    places: NDArray[np.uint32],
    counts: NDArray[np.int64],
) -> tuple[float, float, float, int]:
    """Clip the pixels of a box, or the differences of its neighbours in some rows."""
    every = EVERY if pairs else 1
    step = max(1, n_good // _SAMPLE)
    n, seen = 0, 0
    for y in range(box[0], box[1], every):
        part, bad = image[y, box[2] : box[3]], mask[y, box[2] : box[3]]
        width = _pair_line(part, bad, bits, line) if pairs else _good_line(part, bad, bits, line)
        for x in range((step - seen % step) % step, width, step):
            if n < _SAMPLE and np.isfinite(line[x]):
                sample[n] = line[x]
                n += 1
        seen += width
    median, sigma = first_guess(sample[:n])
    if not sigma > 0.0:
        sigma, n = _full_scatter(image, mask, bits, box, pairs, median, line)
        if not sigma > 0.0:
            return median, median, sigma, n
    low, bin_width = median - REACH * sigma, 2.0 * REACH * sigma / BINS
    counts[:] = 0
    for y in range(box[0], box[1], every):
        part, bad = image[y, box[2] : box[3]], mask[y, box[2] : box[3]]
        width = _pair_line(part, bad, bits, line) if pairs else _good_line(part, bad, bits, line)
        add_line(line[:width], low, bin_width, places, counts)
    return clip_counts(joined(counts), low, bin_width)


@compiled
def _full_scatter(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    mask: NDArray[np.unsignedinteger],
    bits: np.unsignedinteger,
    box: tuple[int, int, int, int],
    pairs: bool,
    median: float,
    line: NDArray[np.float32],
) -> tuple[float, int]:
    """Scatter of all values about the median, where most are alike; and how many there are."""
    total, n = 0.0, 0
    for y in range(box[0], box[1], EVERY if pairs else 1):
        part, bad = image[y, box[2] : box[3]], mask[y, box[2] : box[3]]
        width = _pair_line(part, bad, bits, line) if pairs else _good_line(part, bad, bits, line)
        for x in range(width):
            if np.isfinite(line[x]):
                total += (line[x] - median) ** 2
                n += 1
    return (math.sqrt(total / n) if n else np.nan), n
