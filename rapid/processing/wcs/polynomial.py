"""Polynomials in two variables: ``c[i, j]`` is the factor of ``u**i * v**j``."""

from __future__ import annotations

from math import comb
from typing import Final

import numpy as np
from numpy.polynomial.polynomial import polyder, polyval2d
from numpy.typing import NDArray

__all__ = ["Coefficients", "Values", "evaluate", "fit_inverse", "shifted", "solve"]

Coefficients = NDArray[np.float64]
Values = NDArray[np.float64]

_STEPS: Final = 30
_CONVERGED: Final = 1e-9
"""Pixel. Beside it a star's position is never known better than 1e-4."""

_GRID: Final = 24
"""Points along each side for fitting an inverse: far more than its coefficients."""


def evaluate(c: Coefficients, u: Values, v: Values) -> Values:
    """Return the polynomial at (u, v), arrays of one shape."""
    return np.asarray(polyval2d(u, v, c), np.float64)


def shifted(c: Coefficients, du: float, dv: float) -> Coefficients:
    """Return the coefficients of ``p(u + du, v + dv)``."""
    return np.asarray(_binomial(len(c), du).T @ c @ _binomial(c.shape[1], dv), np.float64)


def solve(a: Coefficients, b: Coefficients, big_u: Values, big_v: Values) -> tuple[Values, Values]:
    """Solve ``u + a(u, v) = U`` and ``v + b(u, v) = V`` by Newton's method, beginning at (U, V).

    NaN where there is no solution nearby, as beyond the place where a distortion turns back on itself.
    """
    slopes = [np.asarray(polyder(c, axis=axis), np.float64) for c in (a, b) for axis in (0, 1)]
    u, v = big_u.astype(np.float64), big_v.astype(np.float64)
    with np.errstate(all="ignore"):  # what runs away becomes NaN in the end
        for _ in range(_STEPS):
            miss_u, miss_v = u + evaluate(a, u, v) - big_u, v + evaluate(b, u, v) - big_v
            a_u, a_v, b_u, b_v = (evaluate(slope, u, v) for slope in slopes)
            determinant = (1.0 + a_u) * (1.0 + b_v) - a_v * b_u
            u = u - ((1.0 + b_v) * miss_u - a_v * miss_v) / determinant
            v = v - ((1.0 + a_u) * miss_v - b_u * miss_u) / determinant
            left = np.maximum(np.abs(miss_u), np.abs(miss_v))
            if not np.any(left > _CONVERGED):
                break
        left = np.hypot(u + evaluate(a, u, v) - big_u, v + evaluate(b, u, v) - big_v)
        good = left <= _CONVERGED * np.maximum(1.0, 1e-3 * np.hypot(big_u, big_v))
    return np.where(good, u, np.nan), np.where(good, v, np.nan)


def fit_inverse(
    a: Coefficients, b: Coefficients, low: tuple[float, float], high: tuple[float, float]
) -> tuple[Coefficients, Coefficients]:
    """Fit polynomials p, q of the same order with ``u = U + p(U, V)`` and ``v = V + q(U, V)`` over a rectangle in (u, v).

    They are fitted in coordinates about the middle of the rectangle, where powers keep their digits, and shifted then.
    """
    sides = (np.linspace(low[axis], high[axis], _GRID) for axis in (0, 1))
    u, v = (grid.ravel() for grid in np.meshgrid(*sides))
    big_u, big_v = u + evaluate(a, u, v), v + evaluate(b, u, v)
    middle = (float(big_u.mean()), float(big_v.mean()))
    size = max(float(np.ptp(big_u)), float(np.ptp(big_v))) / 2.0
    powers = [(i, j) for i in range(len(a)) for j in range(len(a) - i)]
    scaled_u, scaled_v = (big_u - middle[0]) / size, (big_v - middle[1]) / size
    design = np.stack([scaled_u**i * scaled_v**j for i, j in powers], axis=1)
    wanted = np.stack((u - big_u, v - big_v), axis=1)
    c = np.zeros((2, len(a), len(a)))
    for (i, j), values in zip(powers, np.linalg.lstsq(design, wanted, rcond=None)[0], strict=True):
        c[:, i, j] = values / size ** (i + j)
    return shifted(c[0], -middle[0], -middle[1]), shifted(c[1], -middle[0], -middle[1])


def _binomial(length: int, d: float) -> NDArray[np.float64]:
    """Matrix M with ``(u + d)**i = sum(M[i, k] * u**k)``."""
    return np.array([[comb(i, k) * d ** (i - k) if k <= i else 0.0 for k in range(length)] for i in range(length)])
