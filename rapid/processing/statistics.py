"""Statistics of many pixels, some of which are not what they seem.

`clipped` is the one robust estimator of the core: level and scatter of the bulk of the pixels, whatever stars, cosmic
rays and dead columns do to the rest. It looks at the data once, through a histogram whose bins follow from the data, so
it costs a few nanoseconds a pixel and moves and scales with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Box
from rapid.processing.jit import compiled

__all__ = ["CLIP", "BoxStatistics", "Clipped", "box_statistics", "clipped", "half_sample_mode"]

CLIP: Final = 4.0
"""Pixels further from the median than this many standard deviations are left out: of ten thousand Gaussian pixels less
than one is lost, and a star pixel below it moves the level by next to nothing."""

_SAMPLE: Final = 1024
_BINS: Final = 1024
_REACH: Final = 8.0
"""A bin is 1/64 of a standard deviation: its width adds two hundred-thousandths to the variance."""

_ITERATIONS: Final = 20


@dataclass(frozen=True, slots=True)
class BoxStatistics:
    """Plain mean and population standard deviation of ``n`` pixels."""

    mean: float
    std: float
    n: int


@dataclass(frozen=True, slots=True)
class Clipped:
    """Level and scatter of the bulk of some pixels; NaN when there were none.

    ``sigma`` is corrected for what the clipping takes from a Gaussian; ``n`` pixels were used.
    """

    mean: float
    median: float
    sigma: float
    n: int


def box_statistics(pixels: NDArray[np.generic], box: Box) -> BoxStatistics:
    """Take the plain statistics of a box of an image, as the camera software does (AVERAGE, STDEV, AVGBIAS, STDVBIAS).

    Sums are those of float64 differences from the mean: a relative error of 1e-9 or less on amplifier images.
    """
    values = np.asarray(pixels[box.slices], dtype=np.float64)
    if values.size == 0:
        return BoxStatistics(math.nan, math.nan, 0)
    return BoxStatistics(float(values.mean()), float(values.std()), values.size)


def clipped(values: NDArray[np.generic]) -> Clipped:
    """Find level and scatter of the bulk of the values; NaN and infinite ones are ignored.

    Clipping at `CLIP` standard deviations about the median is repeated until it changes nothing. On Gaussian data the
    mean and sigma are as good as the plain ones within 0.1 %.
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    mean, median, sigma, n = _clipped(flat, np.empty(_SAMPLE, np.float64), np.empty(_BINS, np.int64))
    return Clipped(mean, median, sigma, int(n))


def half_sample_mode(values: NDArray[np.float64]) -> float:
    """Find where values crowd most (Bickel & Fruehwirth 2006): robust against a majority elsewhere; NaN for none."""
    rest = np.sort(values[np.isfinite(values)])
    while rest.size > 3:
        half = -(-rest.size // 2)
        widths = rest[half - 1 :] - rest[: rest.size - half + 1]
        start = int(widths.argmin())
        rest = rest[start : start + half]
    if rest.size == 3:
        rest = rest[:2] if rest[1] - rest[0] < rest[2] - rest[1] else rest[1:]
    return float(rest.mean()) if rest.size else math.nan


@compiled
def _clipped(
    values: NDArray[np.generic], sample: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[float, float, float, int]:
    median, sigma = _first_guess(values, sample)
    if not sigma > 0.0:
        return median, median, sigma, _count_finite(values)
    low = median - _REACH * sigma
    width = 2.0 * _REACH * sigma / counts.size
    _fill(values, low, width, counts)
    return _clip_counts(counts, low, width)


@compiled
def _count_finite(values: NDArray[np.generic]) -> int:
    n = 0
    for value in values:
        if np.isfinite(value):
            n += 1
    return n


@compiled
def _first_guess(values: NDArray[np.generic], sample: NDArray[np.float64]) -> tuple[float, float]:
    """Median and scatter of an even sample; a scatter of 0 only when the values are all alike."""
    step = max(1, -(-values.size // sample.size))
    n = 0
    for i in range(0, values.size, step):
        value = float(values[i])
        if n < sample.size and np.isfinite(value):
            sample[n] = value
            n += 1
    if n == 0:
        return np.nan, np.nan
    chosen = sample[:n]
    chosen.sort()
    median = 0.5 * (chosen[(n - 1) // 2] + chosen[n // 2])
    sigma = (chosen[(n - 1) * 84 // 100] - chosen[n * 16 // 100]) / 2.0
    if sigma > 0.0:
        return median, sigma
    return median, _full_scatter(values, median)


@compiled
def _full_scatter(values: NDArray[np.generic], median: float) -> float:
    total, n = 0.0, 0
    for value in values:
        if np.isfinite(value):
            total += (float(value) - median) ** 2
            n += 1
    return math.sqrt(total / n)


@compiled
def _fill(values: NDArray[np.generic], low: float, width: float, counts: NDArray[np.int64]) -> None:
    counts[:] = 0
    scale = 1.0 / width
    for value in values:
        place = (float(value) - low) * scale
        if 0.0 <= place < counts.size:
            counts[int(place)] += 1


@compiled
def _clip_counts(counts: NDArray[np.int64], low: float, width: float) -> tuple[float, float, float, int]:
    """Clip a histogram until nothing changes; values are taken to lie evenly within their bin."""
    first, last = 0, counts.size
    mean, median, sigma, n = np.nan, np.nan, np.nan, 0
    for _ in range(_ITERATIONS):
        n = 0
        total = 0.0
        for i in range(first, last):
            n += counts[i]
            total += counts[i] * (i + 0.5)
        if n == 0:
            return np.nan, np.nan, np.nan, 0
        mean = total / n
        spread = 0.0
        below = 0
        median = mean
        for i in range(first, last):
            spread += counts[i] * (i + 0.5 - mean) ** 2
            if below * 2 < n <= (below + counts[i]) * 2:
                median = i + (0.5 * n - below) / counts[i]
            below += counts[i]
        sigma = math.sqrt(spread / n) / _KEPT
        new_first = max(0, int(median - CLIP * sigma))
        new_last = min(counts.size, math.ceil(median + CLIP * sigma))
        if new_first <= first and new_last >= last:
            break
        first, last = max(first, new_first), min(last, new_last)
    return low + mean * width, low + median * width, sigma * width, n


def _kept_by_clipping(limit: float) -> float:
    """Standard deviation of a unit Gaussian cut at plus and minus `limit`."""
    density = math.exp(-0.5 * limit**2) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * limit * density / math.erf(limit / math.sqrt(2)))


_KEPT: Final = _kept_by_clipping(CLIP)
