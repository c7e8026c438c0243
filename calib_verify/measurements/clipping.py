"""Statistics of pixels exactly as the observatory's software takes them, so that numbers can be compared.

The definition is that of ``Statistics`` in lsst/afw: the first centre is the median, the first half width the number of
standard deviations times 0.741301109252802 of the interquartile range, quartiles linear between the two values next to
them; each pass accepts what is no further from the centre and gives mean and unbiased variance, the centre and width of
the next one. There are always as many passes as asked for, and no correction for what the clipping takes.

Quartiles are exact and cost two passes: the order of float32 values is that of their bits, with the sign turned, so the
upper and the lower 16 bits are counted one after the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["LsstStatistics", "lsst_statistics", "plain_moments"]

IQR_TO_SIGMA: Final = 0.741301109252802
"""Standard deviation of a Gaussian over its interquartile range."""

_COARSE: Final = 1 << 16
_LARGEST: Final = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True)
class LsstStatistics:
    """Statistics of some pixels in their unit; NaN when there were too few, ``n`` were used, ``n_clipped`` left out.

    ``mean`` and ``stdev`` are of all pixels, ``mean_clipped`` and ``stdev_clipped`` after the last pass.
    """

    n: int
    mean: float
    stdev: float
    median: float
    iqr: float
    mean_clipped: float
    stdev_clipped: float
    n_clipped: int


_NOTHING: Final = LsstStatistics(0, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, 0)


def lsst_statistics(
    image: NDArray[np.float32],
    mask: NDArray[np.uint16] | None = None,
    excluded: int = 0,
    *,
    clip: float = 5.0,
    passes: int = 3,
) -> LsstStatistics:
    """Take the statistics of an image, shape (ny, nx).

    Parameters
    ----------
    mask, excluded
        Pixels with any of the excluded bits in the mask are left out, and so are those that are not finite.
    clip, passes
        Standard deviations, and how often they are clipped at.

    Returns
    -------
    LsstStatistics
        Equal to a straightforward float64 computation to a relative 1e-12.
    """
    if mask is None:
        mask = np.zeros((0, 0), np.uint16)
    median, iqr, n = _quartiles(image.view(np.uint32), mask, np.uint16(excluded))
    if n == 0:
        return _NOTHING
    _, mean, stdev = _moments(image, mask, np.uint16(excluded), median, _LARGEST)
    centre, half, kept, spread = median, clip * IQR_TO_SIGMA * iqr, n, math.nan
    for _ in range(passes):
        kept, centre, spread = _moments(image, mask, np.uint16(excluded), centre, half)
        half = clip * spread
    return LsstStatistics(int(n), mean, stdev, median, iqr, centre, spread, int(n - kept))


def plain_moments(image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: int) -> tuple[int, float, float]:
    """Return number, mean and unbiased standard deviation of all pixels that are finite and have none of the bits."""
    n, mean, spread = _moments(image, mask, np.uint16(excluded), 0.0, _LARGEST)
    return int(n), mean, spread


@compiled
def _place(bits: np.uint32) -> np.uint32:
    """Return bits whose order is that of the float32 values."""
    return bits ^ (np.uint32(0xFFFFFFFF) if bits >> np.uint32(31) else np.uint32(0x80000000))


@compiled
def _value(place: np.uint32, scratch: NDArray[np.uint32]) -> float:
    scratch[0] = place ^ (np.uint32(0x80000000) if place >> np.uint32(31) else np.uint32(0xFFFFFFFF))
    return np.float64(scratch.view(np.float32)[0])


@compiled
def _quartiles(bits: NDArray[np.uint32], mask: NDArray[np.uint16], excluded: np.uint16) -> tuple[float, float, int]:
    """Return median, interquartile range and the number of usable pixels."""
    counts = np.zeros(_COARSE + 1, np.int64)
    _count_coarse(bits, mask, excluded, counts)
    n = 0
    for count in counts[:_COARSE]:
        n += count
    if n == 0:
        return np.nan, np.nan, 0
    ranks = np.empty(6, np.int64)
    shares = np.empty(3, np.float64)
    for i in range(3):
        exact = 0.25 * (i + 1) * (n - 1)
        ranks[2 * i] = np.int64(exact)
        ranks[2 * i + 1] = min(ranks[2 * i] + 1, n - 1)
        shares[i] = exact - ranks[2 * i]
    values = _ordered(bits, mask, excluded, counts, ranks)
    quartiles = np.empty(3, np.float64)
    for i in range(3):
        quartiles[i] = values[2 * i] * (1.0 - shares[i]) + values[2 * i + 1] * shares[i]
    return quartiles[1], quartiles[2] - quartiles[0], n


@compiled
def _usable(bits: np.uint32, mask: NDArray[np.uint16], excluded: np.uint16, y: int, x: int) -> bool:
    finite = (bits & np.uint32(0x7F800000)) != np.uint32(0x7F800000)
    return bool(finite and not (mask.size and (mask[y, x] & excluded)))


@compiled
def _count_coarse(
    bits: NDArray[np.uint32], mask: NDArray[np.uint16], excluded: np.uint16, counts: NDArray[np.int64]
) -> None:
    for y in range(bits.shape[0]):
        for x in range(bits.shape[1]):
            usable = _usable(bits[y, x], mask, excluded, y, x)
            counts[np.int64(_place(bits[y, x]) >> np.uint32(16)) if usable else _COARSE] += 1


@compiled
def _ordered(
    bits: NDArray[np.uint32],
    mask: NDArray[np.uint16],
    excluded: np.uint16,
    counts: NDArray[np.int64],
    ranks: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the values of these ranks."""
    slots = np.full(_COARSE, -1, np.int8)
    where, before = np.empty(ranks.size, np.int64), np.empty(ranks.size, np.int64)
    n_slots, passed, place = 0, 0, 0
    for i in range(ranks.size):
        if passed > ranks[i]:  # of a few values, quartiles share their neighbours
            passed, place = 0, 0
        while passed + counts[place] <= ranks[i]:
            passed += counts[place]
            place += 1
        if slots[place] < 0:
            slots[place] = n_slots
            n_slots += 1
        where[i], before[i] = place, passed
    fine = np.zeros((n_slots, _COARSE), np.int64)
    for y in range(bits.shape[0]):
        for x in range(bits.shape[1]):
            ordered = _place(bits[y, x])
            slot = slots[np.int64(ordered >> np.uint32(16))]
            if slot >= 0 and _usable(bits[y, x], mask, excluded, y, x):
                fine[slot, np.int64(ordered & np.uint32(0xFFFF))] += 1
    values, scratch = np.empty(ranks.size, np.float64), np.empty(1, np.uint32)
    for i in range(ranks.size):
        line, passed, low = fine[slots[where[i]]], before[i], 0
        while passed + line[low] <= ranks[i]:
            passed += line[low]
            low += 1
        values[i] = _value(np.uint32((where[i] << 16) | low), scratch)
    return values


@compiled
def _moments(
    image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: np.uint16, centre: float, half: float
) -> tuple[int, float, float]:
    """Return number, mean and unbiased standard deviation of the pixels no further than half a width from the centre."""
    n, first, second = 0, 0.0, 0.0
    for y in range(image.shape[0]):
        row_n, row_first, row_second = 0, 0.0, 0.0
        for x in range(image.shape[1]):
            offset = np.float64(image[y, x]) - centre
            if abs(offset) <= half and not (mask.size and (mask[y, x] & excluded)):
                row_n += 1
                row_first += offset
                row_second += offset * offset
        n, first, second = n + row_n, first + row_first, second + row_second
    if n == 0:
        return 0, np.nan, np.nan
    mean = first / n
    variance = (second - n * mean * mean) / (n - 1) if n > 1 else np.nan
    return n, centre + mean, math.sqrt(max(variance, 0.0)) if n > 1 else np.nan
