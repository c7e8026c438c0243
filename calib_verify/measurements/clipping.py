"""Statistics of pixels exactly as the observatory's software takes them, so that numbers can be compared.

The definition is that of ``Statistics`` in lsst/afw: the first centre is the median, the first half width the number of
standard deviations times 0.741301109252802 of the interquartile range, quartiles linear between the two values next to
them; each pass accepts what is no further from the centre and gives mean and unbiased variance, the centre and width of
the next one. There are always as many passes as asked for, and no correction for what the clipping takes.

The result is exact, and nearly always costs one pass over the pixels (see `one_pass`): what is clipped is decided among the
few that are far out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calib_verify.measurements.one_pass import Gathered, gather, order_statistics
from rapid.processing.jit import compiled

__all__ = ["LsstStatistics", "lsst_statistics", "plain_moments"]

IQR_TO_SIGMA: Final = 0.741301109252802
"""Standard deviation of a Gaussian over its interquartile range."""

_LARGEST: Final = float(np.finfo(np.float64).max)

_NO_MASK: Final = np.zeros((0, 0), np.uint16)

Moments = tuple[int, float, float]
"""Number, mean and unbiased standard deviation."""


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
    bits, mask = np.uint16(excluded), _NO_MASK if mask is None else mask
    gathered = gather(image, mask, bits, clip)
    if gathered is None:
        return _NOTHING
    low, median, high = order_statistics(image, mask, bits, gathered)
    iqr = high - low
    pixels = image, mask, bits
    n, mean, stdev = _within(pixels, gathered, median, _LARGEST)
    centre, half, kept, spread = median, clip * IQR_TO_SIGMA * iqr, n, math.nan
    for _ in range(passes):
        kept, centre, spread = _within(pixels, gathered, centre, half)
        half = clip * spread
    return LsstStatistics(n, mean, stdev, median, iqr, centre, spread, n - kept)


def plain_moments(image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: int) -> Moments:
    """Return number, mean and unbiased standard deviation of all pixels that are finite and have none of the bits."""
    return _moments(image, mask, np.uint16(excluded), 0.0, _LARGEST)


def _within(
    pixels: tuple[NDArray[np.float32], NDArray[np.uint16], np.uint16], gathered: Gathered, centre: float, half: float
) -> Moments:
    """Return the moments of the pixels no further than half a width from a centre.

    Where all of the core is inside, only those outside of it have to be looked at.
    """
    if not half - abs(centre - gathered.centre) > gathered.core:
        return _moments(*pixels, centre, half)
    far = gathered.far[np.abs(gathered.far - centre) <= half] - gathered.centre
    n = gathered.core_n + far.size
    mean = (gathered.core_first + float(far.sum())) / n
    if n < 2:
        return n, gathered.centre + mean, math.nan
    variance = (gathered.core_second + float(far @ far) - n * mean * mean) / (n - 1)
    return n, gathered.centre + mean, math.sqrt(max(variance, 0.0))


@compiled
def _moments(
    image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: np.uint16, centre: float, half: float
) -> Moments:
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
