"""Adaptive moments: the Gaussian that fits a source best.

Bernstein & Jarvis (2002, AJ 123, 583, section 3.1) and Hirata & Seljak (2003): centre, second moments and weight function
are improved together until the moments under the weight are those of the weight itself. Other than isophotal moments they
do not depend on how bright a source is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["adaptive_moments"]

_ITERATIONS: Final = 60
_SETTLED: Final = 1e-4
_REACH: Final = 4.0
_LARGEST: Final = 40.0
"""Standard deviation [pixel] beyond which it is no source: 9 arcsec of FWHM on LATISS."""


def adaptive_moments(
    image: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64], sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Measure sources on a background-subtracted image.

    Parameters
    ----------
    image
        Any unit, shape (ny, nx), sky subtracted, no NaN.
    x, y, sigma
        Where to begin, and with what standard deviation [pixel].

    Returns
    -------
    moments
        Shape (sources, 5): x, y [pixel], xx, yy, xy [square pixel]; NaN where nothing converged within a few pixels of
        the beginning.
    """
    result = np.empty((len(x), 5), np.float64)
    _all_moments(image, x, y, sigma, result)
    return result


@compiled
def _all_moments(
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sigma: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    for i in range(x.size):
        result[i] = _moments(image, x[i], y[i], sigma[i])


@compiled
def _moments(image: NDArray[np.float32], x0: float, y0: float, sigma: float) -> NDArray[np.float64]:
    failed = np.full(5, np.nan)
    width = min(max(sigma, 0.8), _LARGEST)
    x, y, xx, yy, xy = x0, y0, width * width, width * width, 0.0
    for _ in range(_ITERATIONS):
        total, dx, dy, mxx, myy, mxy = _weighted(image, x, y, xx, yy, xy)
        if not total > 0.0:
            return failed
        step_x, step_y = 2.0 * dx / total, 2.0 * dy / total
        new_xx, new_yy, new_xy = 2.0 * mxx / total, 2.0 * myy / total, 2.0 * mxy / total
        x += step_x
        y += step_y
        settled = abs(new_xx - xx) + abs(new_yy - yy) + abs(new_xy - xy) < _SETTLED * (xx + yy) and abs(step_x) + abs(
            step_y
        ) < _SETTLED * np.sqrt(xx + yy)
        xx, yy, xy = new_xx, new_yy, new_xy
        if xx <= 0.0 or yy <= 0.0 or xx * yy - xy * xy <= 0.04 or xx + yy > 2.0 * _LARGEST**2:
            return failed
        if abs(x - x0) > 3.0 + 2.0 * sigma or abs(y - y0) > 3.0 + 2.0 * sigma:
            return failed
        if settled:
            return np.array([x, y, xx, yy, xy])
    return failed


@compiled
def _weighted(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32], x: float, y: float, xx: float, yy: float, xy: float
) -> tuple[float, float, float, float, float, float]:
    """Sum, first and central second moments under a Gaussian weight."""
    determinant = xx * yy - xy * xy
    ixx, iyy, ixy = yy / determinant, xx / determinant, -xy / determinant
    reach_x, reach_y = _REACH * np.sqrt(xx), _REACH * np.sqrt(yy)
    total = dx = dy = mxx = myy = mxy = 0.0
    for j in range(max(0, int(y - reach_y)), min(image.shape[0], int(y + reach_y) + 2)):
        v = j - y
        for i in range(max(0, int(x - reach_x)), min(image.shape[1], int(x + reach_x) + 2)):
            u = i - x
            q = ixx * u * u + 2.0 * ixy * u * v + iyy * v * v
            if q < _REACH * _REACH:
                w = image[j, i] * np.exp(-0.5 * q)
                total += w
                dx += w * u
                dy += w * v
                mxx += w * u * u
                myy += w * v * v
                mxy += w * u * v
    return total, dx, dy, mxx, myy, mxy
