"""The histogram behind the robust statistics: filled in one pass, clipped until nothing changes.

Bins are numbered from 1; 0 takes what is below the first one, and what is no number or is left out; the one behind the last
takes what is above. Four tallies are kept, for every fourth pixel each, so that neighbours of one value need not wait for each other.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["BINS", "CLIP", "REACH", "add_line", "clip_counts", "first_guess", "new_tallies"]

CLIP: Final = 4.0
"""Pixels further from the median than this many standard deviations are left out: of ten thousand Gaussian pixels less
than one is lost, and a star pixel below it moves the level by next to nothing."""

BINS: Final = 1024
REACH: Final = 8.0
"""A bin is 1/64 of a standard deviation: its width adds two hundred-thousandths to the variance."""

_ITERATIONS: Final = 20


@compiled
def first_guess(sample: NDArray[np.float64]) -> tuple[float, float]:
    """Median and half the width of the middle 68 % of some values, which are put in order; NaN for none."""
    n = sample.size
    if n == 0:
        return np.nan, np.nan
    sample.sort()
    median = 0.5 * (sample[(n - 1) // 2] + sample[n // 2])
    return median, (sample[(n - 1) * 84 // 100] - sample[n * 16 // 100]) / 2.0


@compiled
def new_tallies() -> NDArray[np.int32]:
    """Make four empty tallies, shape (4, BINS + 2); each counts to two milliards, which no detector has pixels for."""
    return np.zeros((4, BINS + 2), np.int32)


@compiled
def add_line(
    line: NDArray[np.generic], low: float, width: float, places: NDArray[np.uint32], counts: NDArray[np.int32]
) -> None:
    """Count the values of a line in the tallies `counts`; `places` is scratch of its size at least."""
    _find_bins(line, low, 1.0 / width, float(BINS + 1), places)
    _count(places[: line.size], counts[0], counts[1], counts[2], counts[3])


@compiled
def _find_bins(line: NDArray[np.generic], low: float, scale: float, last: float, places: NDArray[np.uint32]) -> None:
    """Comparisons are written out, not min() and max(): so they are vectorised, and NaN falls into bin 0."""
    for x in range(line.size):
        place: float = (np.float64(line[x]) - low) * scale + 1.0
        place = place if place >= 1.0 else 0.0
        place = place if place < last else last  # noqa: FURB136
        places[x] = np.uint32(np.int32(place))


@compiled
def _count(
    places: NDArray[np.uint32],
    one: NDArray[np.int32],
    two: NDArray[np.int32],
    three: NDArray[np.int32],
    four: NDArray[np.int32],
) -> None:
    rest = places.size % 4
    for x in range(0, places.size - rest, 4):
        one[places[x]] += 1
        two[places[x + 1]] += 1
        three[places[x + 2]] += 1
        four[places[x + 3]] += 1
    for x in range(places.size - rest, places.size):
        one[places[x]] += 1


@compiled
def clip_counts(counts: NDArray[np.int32], low: float, width: float) -> tuple[float, float, float, int]:
    """Clip the histogram of some tallies until nothing changes; return mean, median, sigma and the number of values kept.

    What is outside the bins is left out. Values are taken to lie evenly within their bin; sigma is corrected for what the
    clipping takes from a Gaussian. Sums over a range of bins are differences of sums from the first bin on, in whole
    numbers: they are exact.
    """
    sums = _sums(counts)
    first, last = 0, BINS
    mean, median, sigma, n = np.nan, np.nan, np.nan, 0
    for _ in range(_ITERATIONS):
        n = sums[0, last] - sums[0, first]
        if n == 0:
            return np.nan, np.nan, np.nan, 0
        centre = (sums[1, last] - sums[1, first]) / n
        mean = centre + BINS // 2 + 0.5
        spread = max((sums[2, last] - sums[2, first]) / n - centre**2, 0.0)
        i = _middle(sums[0], first, last)
        median = i + (0.5 * n - (sums[0, i] - sums[0, first])) / (sums[0, i + 1] - sums[0, i])
        sigma = math.sqrt(spread) / _KEPT
        new_first = max(0, int(median - CLIP * sigma))
        new_last = min(BINS, math.ceil(median + CLIP * sigma))
        if new_first <= first and new_last >= last:
            break
        first, last = max(first, new_first), min(last, new_last)
    return low + mean * width, low + median * width, sigma * width, n


@compiled
def _sums(counts: NDArray[np.int32]) -> NDArray[np.int64]:
    """Sum up the counts of all tallies before each bin, these times the number of the bin from the middle, and times its square."""
    sums = np.empty((3, BINS + 1), np.int64)
    sums[:, 0] = 0
    plain = first = second = np.int64(0)  # kept in registers: read again from memory, each would be waited for
    for i in range(BINS):
        n = np.int64(counts[0, i + 1]) + counts[1, i + 1] + counts[2, i + 1] + counts[3, i + 1]
        from_middle = i - BINS // 2
        plain += n
        first += n * from_middle
        second += n * from_middle * from_middle
        sums[0, i + 1], sums[1, i + 1], sums[2, i + 1] = plain, first, second
    return sums


@compiled
def _middle(below: NDArray[np.int64], first: int, last: int) -> int:
    """Find the bin with the middle one of the values in a range of bins, by halving the range."""
    total = below[first] + below[last]
    low, high = first, last - 1
    while low < high:
        i = (low + high) // 2
        if 2 * below[i + 1] >= total:
            high = i
        else:
            low = i + 1
    return low


def _kept_by_clipping(limit: float) -> float:
    """Standard deviation of a unit Gaussian cut at plus and minus `limit`."""
    density = math.exp(-0.5 * limit**2) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * limit * density / math.erf(limit / math.sqrt(2)))


_KEPT: Final = _kept_by_clipping(CLIP)
