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

from rapid.processing.gaussian_rows import Ellipse, Rows, lay_rows, new_rows
from rapid.processing.jit import compiled
from rapid.processing.memory import prefetch_square

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
    rows = new_rows(int(_REACH * np.sqrt(2.0) * _LARGEST))
    for i in range(x.size):
        if i + 1 < x.size:
            prefetch_square(image, x[i + 1], y[i + 1], _REACH * sigma[i + 1])
        table[i, :] = np.nan
        _moments(image, x[i], y[i], sigma[i], sky[i], noise, rows, table[i])


@compiled
def _moments(  # noqa: PLR0917 - as above
    image: NDArray[np.float32],
    x0: float,
    y0: float,
    sigma: float,
    sky: float,
    noise: float,
    rows: Rows,
    row: NDArray[np.float64],
) -> None:
    width = min(max(sigma, 0.8), _LARGEST)
    x, y, xx, yy, xy = x0, y0, width * width, width * width, 0.0
    for _ in range(_ITERATIONS):
        total, dx, dy, mxx, myy, mxy = _weighted(image, x, y, (xx, yy, xy), sky, rows)
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
            _errors(image, sky, noise, rows, row)
            return


@compiled
def _weighted(  # noqa: PLR0917 - as above
    image: NDArray[np.float32], x: float, y: float, ellipse: Ellipse, sky: float, rows: Rows
) -> tuple[float, float, float, float, float, float]:
    """Sum, first and central second moments under a Gaussian weight.

    Along a row the weight is a geometric progression of a geometric progression: two products a pixel, no exponential.
    """
    first, n, ratio = lay_rows(image.shape, x, y, ellipse, _REACH, rows)
    begins, ends, weights, steps = rows
    total = dx = dy = mxx = myy = mxy = 0.0
    for k in range(n):
        line = image[first + k]
        v = first + k - y
        u, weight, step = begins[k] - x, weights[k], steps[k]
        s0 = s1 = s2 = 0.0
        for i in range(begins[k], ends[k]):
            value = np.float64(line[i]) - sky
            w = weight * value if value - value == 0.0 else 0.0
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
def _errors(image: NDArray[np.float32], sky: float, noise: float, rows: Rows, row: NDArray[np.float64]) -> None:
    """Fill in what the noise of the pixels under the weight does to every number of the row."""
    x, y, xx, yy, xy, total = row[0], row[1], row[2], row[3], row[4], 0.5 * row[10]
    first, n, ratio = lay_rows(image.shape, x, y, (xx, yy, xy), _REACH, rows)
    begins, ends, weights, steps = rows
    px = py = pxx = pyy = pxy = all_power = fxx = fyy = fxy = 0.0
    for k in range(n):
        v = first + k - y
        u, weight, step = begins[k] - x, weights[k], steps[k]
        for i in range(begins[k], ends[k]):
            light = np.float64(image[first + k, i]) - sky
            if light - light == 0.0:
                power = weight * weight * (noise * noise + max(light, 0.0))
                uu, vv, uv, under = u * u, v * v, u * v, weight * light
                px += power * uu
                py += power * vv
                pxx += power * (uu - 0.5 * xx) ** 2
                pyy += power * (vv - 0.5 * yy) ** 2
                pxy += power * (uv - 0.5 * xy) ** 2
                all_power += power
                fxx += under * uu * uu
                fyy += under * vv * vv
                fxy += under * uv * uv
            weight *= step
            step *= ratio
            u += 1.0
    row[5], row[6] = 2.0 * np.sqrt(px) / total, 2.0 * np.sqrt(py) / total
    row[7] = 2.0 * _response((fxx / total - 0.25 * xx * xx) / (xx * xx)) * np.sqrt(pxx) / total
    row[8] = 2.0 * _response((fyy / total - 0.25 * yy * yy) / (yy * yy)) * np.sqrt(pyy) / total
    row[9] = 2.0 * _response(2.0 * (fxy / total - 0.25 * xy * xy) / (xx * yy)) * np.sqrt(pxy) / total
    row[11] = 2.0 * np.sqrt(all_power)


@compiled
def _response(feedback: float) -> float:
    """How far a moment goes for one part of a push, when the weight that follows gives `feedback` of it back.

    It is 2 for a Gaussian, whose feedback is a half, and more for a profile with wings.
    """
    return 1.0 / (1.0 - min(max(feedback, 0.25), 0.8))
