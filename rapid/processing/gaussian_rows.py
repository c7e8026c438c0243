"""An elliptical Gaussian over the pixels of an image, row by row: where it begins and ends, and how it goes on.

What a row needs of exponentials is found for all rows at once, by arithmetic that the processor does several of at a time;
along a row there are products only. Sources are measured some twenty times over until they have settled, on a dozen rows
each, where calls of ``exp`` would take most of the time.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["Ellipse", "Rows", "exponentials", "lay_rows", "new_rows"]

Ellipse = tuple[float, float, float]
"""Second moments xx, yy, xy [square pixel]."""

Rows = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
"""By row: first pixel, the one behind the last, the weight of the first, and what the next one's is of it."""

_LANES: Final = 16
"""Rows are filled up to a multiple of this, so that none is left for one-by-one arithmetic."""

_LOG2E: Final = 1.0 / math.log(2.0)
_LN2_HIGH: Final = 0.693147180369123816490
_LN2_LOW: Final = 1.90821492927058770002e-10
"""The logarithm of 2 in two parts, of which the first times a whole number is exact (Cody & Waite 1980)."""

_FURTHEST: Final = 700.0
"""Exponents beyond are taken for this: its exponential is still an ordinary number."""

_BIAS: Final = 1023
_MANTISSA: Final = 52
"""How IEEE 754 stores a power of 2."""


@compiled
def new_rows(reach: int) -> Rows:
    """Make room for a Gaussian that goes `reach` pixels up and down at most."""
    n = -(-(2 * reach + 3) // _LANES) * _LANES
    return np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n), np.empty(n)


@compiled
def lay_rows(  # noqa: PLR0917 - compiled functions take their arguments by position
    shape: tuple[int, int], x: float, y: float, ellipse: Ellipse, reach: float, rows: Rows
) -> tuple[int, int, float]:
    """Lay a Gaussian of amplitude 1 at (x, y) over an image of this shape, up to `reach` standard deviations.

    Returns
    -------
    first, n, ratio
        Row of the image that ``rows[...][0]`` is of, how many there are, and what the step from a pixel to the next is
        of the step before: weight, weight * step, weight * step * (step * ratio)...
    """
    xx, yy, xy = ellipse
    determinant = xx * yy - xy * xy
    a, b, c = yy / determinant, -xy / determinant, xx / determinant
    reach_y = reach * math.sqrt(yy)
    first, stop = max(0, int(y - reach_y)), min(shape[0], int(y + reach_y) + 2)
    n = max(stop - first, 0)
    filled = -(-n // _LANES) * _LANES
    begins, ends, weights, steps = rows
    for k in range(filled):
        v = first + k - y
        root = (b * b - a * c) * v * v + a * reach * reach
        half = math.sqrt(max(root, 0.0)) / a
        middle = x - b / a * v
        left, right = max(math.ceil(middle - half), 0), min(math.floor(middle + half) + 1, shape[1])
        u = left - x
        begins[k], ends[k] = left, right if root > 0.0 else left
        weights[k] = -0.5 * (a * u * u + 2.0 * b * u * v + c * v * v)
        steps[k] = -(a * (u + 0.5) + b * v)
    exponentials(weights[:filled])
    exponentials(steps[:filled])
    return first, n, math.exp(-a)


@compiled
def exponentials(values: NDArray[np.float64]) -> None:
    """Take the exponential of every value, **in place**: to 1e-15, without a branch."""
    powers = np.empty(values.size, np.int64)
    for k in range(values.size):
        value = values[k]
        value = value if value > -_FURTHEST else -_FURTHEST  # noqa: FURB136 - so that it is vectorised
        value = value if value < _FURTHEST else _FURTHEST  # noqa: FURB136
        twos = math.floor(value * _LOG2E + 0.5)
        powers[k] = (np.int64(twos) + _BIAS) << _MANTISSA
        values[k] = _near_zero((value - twos * _LN2_HIGH) - twos * _LN2_LOW)
    scales = powers.view(np.float64)
    for k in range(values.size):
        values[k] *= scales[k]


@compiled
def _near_zero(t: float) -> float:
    """Exponential of at most half the logarithm of 2: its series, whose fourteenth term is below 1e-16."""
    high = 1 / 3628800 + t * (1 / 39916800 + t * (1 / 479001600 + t * (1 / 6227020800)))
    middle = 1 / 120 + t * (1 / 720 + t * (1 / 5040 + t * (1 / 40320 + t * (1 / 362880 + t * high))))
    return 1.0 + t * (1.0 + t * (0.5 + t * (1 / 6 + t * (1 / 24 + t * middle))))
