"""Adaptive moments: the Gaussian that fits a source best, with the errors of its numbers.

Bernstein & Jarvis (2002, AJ 123, 583, section 3.1) and Hirata & Seljak (2003): centre, second moments and weight function
are improved together until the moments under the weight are those of the weight itself. Other than isophotal moments they
do not depend on how bright a source is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["Moments", "adaptive_moments", "measure_moments"]

_ITERATIONS: Final = 60
_SETTLED: Final = 1e-4
_REACH: Final = 4.0
_LARGEST: Final = 80.0
"""Standard deviation [pixel] beyond which it is no source: 18 arcsec of FWHM on LATISS, a donut of 5 mm of defocus."""

_STRAY: Final = 1.5
"""Pixels beyond the standard deviation it begins with that a centre may move: further, it goes to a brighter neighbour."""

_COLUMNS: Final = 12


@dataclass(frozen=True, slots=True)
class Moments:
    """Adaptive moments of sources; every column has one entry a source, NaN where nothing converged.

    ``x``, ``y`` [pixel] and ``xx``, ``yy``, ``xy`` [square pixel] with their standard errors; ``flux`` [electron] is that
    of the Gaussian, and ``flux_error`` what noise and photons make of it under the weight as it is: their ratio is the signal
    to noise of the source, while the flux itself scatters up to half as much again, since the weight is not known.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    xx: NDArray[np.float64]
    yy: NDArray[np.float64]
    xy: NDArray[np.float64]
    x_error: NDArray[np.float64]
    y_error: NDArray[np.float64]
    xx_error: NDArray[np.float64]
    yy_error: NDArray[np.float64]
    xy_error: NDArray[np.float64]
    flux: NDArray[np.float64]
    flux_error: NDArray[np.float64]

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Which sources have moments at all."""
        return np.isfinite(self.xx)


def measure_moments(
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sigma: NDArray[np.float64],
    *,
    sky: NDArray[np.float64],
    noise: float,
) -> Moments:
    """Measure sources on an image, shape (ny, nx), each above its own level of the sky.

    Errors follow from the noise of the pixels under the weight; what it adds to a weighted sum is amplified since the
    weight follows (for a Gaussian twice: the error of xx is sqrt(8) xx over the signal to noise).

    Parameters
    ----------
    image
        electron; NaN is left out.
    x, y, sigma
        Where to begin, and with what standard deviation [pixel].
    sky
        Level at each source [electron].
    noise
        Standard deviation of the sky [electron]; the photons of the source are added to it.
    """
    table = np.empty((len(x), _COLUMNS), np.float64)
    _all_moments(image, x, y, sigma, np.asarray(sky, np.float64), float(noise), table)
    return Moments(*(np.ascontiguousarray(column) for column in table.T))


def adaptive_moments(
    image: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64], sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Measure sources on a background-subtracted image of any unit, without errors.

    Returns
    -------
    moments
        Shape (sources, 5): x, y [pixel], xx, yy, xy [square pixel]; NaN where nothing converged within a few pixels of
        the beginning.
    """
    found = measure_moments(image, x, y, sigma, sky=np.zeros(len(x)), noise=0.0)
    return np.column_stack([found.x, found.y, found.xx, found.yy, found.xy])


@compiled
def _all_moments(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sigma: NDArray[np.float64],
    sky: NDArray[np.float64],
    noise: float,
    table: NDArray[np.float64],
) -> None:
    for i in range(x.size):
        table[i, :] = np.nan
        _moments(image, x[i], y[i], sigma[i], sky[i], noise, table[i])


@compiled
def _moments(  # noqa: PLR0917 - as above
    image: NDArray[np.float32],
    x0: float,
    y0: float,
    sigma: float,
    sky: float,
    noise: float,
    row: NDArray[np.float64],
) -> None:
    width = min(max(sigma, 0.8), _LARGEST)
    x, y, xx, yy, xy = x0, y0, width * width, width * width, 0.0
    for _ in range(_ITERATIONS):
        total, dx, dy, mxx, myy, mxy = _weighted(image, x, y, xx, yy, xy, sky)
        if not total > 0.0:
            return
        step_x, step_y = 2.0 * dx / total, 2.0 * dy / total
        new_xx, new_yy, new_xy = 2.0 * mxx / total, 2.0 * myy / total, 2.0 * mxy / total
        x += step_x
        y += step_y
        settled = abs(new_xx - xx) + abs(new_yy - yy) + abs(new_xy - xy) < _SETTLED * (xx + yy) and abs(step_x) + abs(
            step_y
        ) < _SETTLED * np.sqrt(xx + yy)
        xx, yy, xy = new_xx, new_yy, new_xy
        if xx <= 0.0 or yy <= 0.0 or xx * yy - xy * xy <= 0.04 or xx + yy > 2.0 * _LARGEST**2:
            return
        if (x - x0) ** 2 + (y - y0) ** 2 > (_STRAY + width) ** 2:
            return
        if settled:
            row[0], row[1], row[2], row[3], row[4] = x, y, xx, yy, xy
            row[10] = 2.0 * total
            _errors(image, sky, noise, row)
            return


@compiled
def _weighted(  # noqa: PLR0917 - as above
    image: NDArray[np.float32], x: float, y: float, xx: float, yy: float, xy: float, sky: float
) -> tuple[float, float, float, float, float, float]:
    """Sum, first and central second moments under a Gaussian weight.

    Along a row the weight is a geometric progression of a geometric progression: two products a pixel, no exponential.
    """
    determinant = xx * yy - xy * xy
    a, b, c = yy / determinant, -xy / determinant, xx / determinant
    ratio, reach_y = np.exp(-a), _REACH * np.sqrt(yy)
    total = dx = dy = mxx = myy = mxy = 0.0
    for j in range(max(0, int(y - reach_y)), min(image.shape[0], int(y + reach_y) + 2)):
        v = j - y
        root = (b * b - a * c) * v * v + a * _REACH * _REACH
        if root <= 0.0:
            continue
        middle, half = x - b / a * v, np.sqrt(root) / a
        begin, end = max(0, int(np.ceil(middle - half))), min(image.shape[1], int(np.floor(middle + half)) + 1)
        u = begin - x
        weight = np.exp(-0.5 * (a * u * u + 2.0 * b * u * v + c * v * v))
        step = np.exp(-(a * (u + 0.5) + b * v))
        s0 = s1 = s2 = 0.0
        for i in range(begin, end):
            value = image[j, i] - sky
            w = weight * value if np.isfinite(value) else 0.0
            s0 += w
            s1 += w * u
            s2 += w * u * u
            weight *= step
            step *= ratio
            u += 1.0
        total += s0
        dx += s1
        dy += v * s0
        mxx += s2
        myy += v * v * s0
        mxy += v * s1
    return total, dx, dy, mxx, myy, mxy


@compiled
def _errors(image: NDArray[np.float32], sky: float, noise: float, row: NDArray[np.float64]) -> None:
    """Fill in what the noise of the pixels under the weight does to every number of the row."""
    x, y, xx, yy, xy, total = row[0], row[1], row[2], row[3], row[4], 0.5 * row[10]
    determinant = xx * yy - xy * xy
    reach_x, reach_y = _REACH * np.sqrt(xx), _REACH * np.sqrt(yy)
    sums, fourth = np.zeros(6), np.zeros(3)
    for j in range(max(0, int(y - reach_y)), min(image.shape[0], int(y + reach_y) + 2)):
        v = j - y
        for i in range(max(0, int(x - reach_x)), min(image.shape[1], int(x + reach_x) + 2)):
            u = i - x
            q = (yy * u * u - 2.0 * xy * u * v + xx * v * v) / determinant
            if q < _REACH * _REACH and np.isfinite(image[j, i]):
                weight, light = np.exp(-0.5 * q), image[j, i] - sky
                power = weight * weight * (noise * noise + max(light, 0.0))
                sums[0] += power * u * u
                sums[1] += power * v * v
                sums[2] += power * (u * u - 0.5 * xx) ** 2
                sums[3] += power * (v * v - 0.5 * yy) ** 2
                sums[4] += power * (u * v - 0.5 * xy) ** 2
                sums[5] += power
                fourth[0] += weight * light * u**4
                fourth[1] += weight * light * v**4
                fourth[2] += weight * light * u * u * v * v
    row[5], row[6] = 2.0 * np.sqrt(sums[0]) / total, 2.0 * np.sqrt(sums[1]) / total
    row[7] = 2.0 * _response((fourth[0] / total - 0.25 * xx * xx) / (xx * xx)) * np.sqrt(sums[2]) / total
    row[8] = 2.0 * _response((fourth[1] / total - 0.25 * yy * yy) / (yy * yy)) * np.sqrt(sums[3]) / total
    row[9] = 2.0 * _response(2.0 * (fourth[2] / total - 0.25 * xy * xy) / (xx * yy)) * np.sqrt(sums[4]) / total
    row[11] = 2.0 * np.sqrt(sums[5])


@compiled
def _response(feedback: float) -> float:
    """How far a moment goes for one part of a push, when the weight that follows gives `feedback` of it back.

    It is 2 for a Gaussian, whose feedback is a half, and more for a profile with wings.
    """
    return 1.0 / (1.0 - min(max(feedback, 0.25), 0.8))
