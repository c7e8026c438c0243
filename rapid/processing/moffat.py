"""Moffat profiles fitted to stars.

I(r) = A (1 + r^2 / alpha^2)^-beta + b (Moffat 1969, A&A 3, 455), with r measured along an ellipse of given shape;
FWHM = 2 alpha sqrt(2^(1/beta) - 1). A pixel holds the light that falls on all of it: the profile is integrated over each
pixel, by Gauss-Legendre quadrature with two nodes a side, which from a FWHM of 2 pixels on is exact to a thousandth.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["effective_width", "fit_moffats", "fit_profile", "moffat_over_pixels"]

_ITERATIONS: Final = 60
_REACH: Final = 5.0
"""Radius of the fit in standard deviations of the core: a little over two FWHM, where the wings are plain to see."""

_FINE: Final = 2.5
"""Standard deviation of the core [pixel] from which on not every pixel is needed to know the profile."""

_BROAD: Final = 2.5
"""Standard deviation of the core [pixel] from which on the centre of a pixel stands for all of it, and what the pixel adds
to the width is taken off afterwards."""

_NODE: Final = 0.5 / math.sqrt(3.0)
"""Distance of the nodes of the quadrature from the centre of a pixel."""

_SKY_TRUST: Final = 0.05
"""How far the sky at a star may be from its level, in standard deviations of a pixel: one electron or so."""

_BETAS: Final = (1.1, 30.0)
_SETTLED: Final = 1e-5
_GIVE_UP: Final = 1e8


def fit_moffats(
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    moments: NDArray[np.float64],
    *,
    sky: NDArray[np.float64],
    noise: float,
) -> NDArray[np.float64]:
    """Fit a Moffat profile to each star, by weighted least squares (Levenberg-Marquardt).

    Parameters
    ----------
    image
        electron, shape (ny, nx), with the sky. NaN is left out.
    x, y
        Centres [pixel].
    moments
        xx, yy, xy [square pixel] that give the ellipse, shape (stars, 3), without what the pixels add to them.
    sky, noise
        Level at each star and standard deviation of the sky [electron]; the star's own photons are added to it. The sky
        is fitted too, but held near its level: free, it would take the wings of the star.

    Returns
    -------
    fits
        Shape (stars, 4): FWHM, the geometric mean of the two axes, its standard error, and the effective width (see
        `effective_width`), all in pixels, and beta; NaN where the fit failed. The FWHM is that of the light before the
        pixels, the effective width that of the image, pixels included.
    """
    fits = np.empty((len(x), 4))
    _fit_all(image, x, y, np.ascontiguousarray(moments), sky, noise, fits)
    return fits


def fit_profile(
    radius: NDArray[np.float64], light: NDArray[np.float64], error: NDArray[np.float64], *, width: float
) -> tuple[float, float, float]:
    """Fit a Moffat profile and a constant to a radial profile; NaN where the fit failed.

    Parameters
    ----------
    radius, light, error
        Means over rings: radius [pixel], light of any unit, and its standard error.
    width
        About what the FWHM will be [pixel].

    Returns
    -------
    fwhm, error, beta
        The FWHM [pixel] is that of the light before the pixels.
    """
    top = float(light.max(initial=0.0))
    if len(radius) < 8 or not top > 0:
        return math.nan, math.nan, math.nan
    squares = _ring_nodes(radius)
    begin = np.array([1.0, math.log(width), math.log(3.0), 0.0])
    weights = (top / error) ** 2
    p, matrix = _minimise(squares, light / top, weights, begin, np.array([0.0, 1.0]))
    try:
        variance = float(np.linalg.inv(matrix)[1, 1])
    except np.linalg.LinAlgError:
        return math.nan, math.nan, math.nan
    fwhm = math.exp(p[1])
    if not (p[0] > 0 and 0.2 * width < fwhm < 5 * width and variance > 0):
        return math.nan, math.nan, math.nan
    return fwhm, fwhm * math.sqrt(variance), math.exp(p[2])


def moffat_over_pixels(radius: NDArray[np.float64], alpha: float, beta: float) -> NDArray[np.float64]:
    """Return the mean of a Moffat profile of amplitude 1 over pixels at some radii [pixel], in any direction."""
    return np.asarray(((1 + _ring_nodes(radius) / alpha**2) ** -beta).mean(axis=1), np.float64)


def _ring_nodes(radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squares of the radii of the nodes of pixels on rings, shape (rings, 2), averaged over the direction."""
    return np.column_stack([(radius + _NODE) ** 2 + _NODE**2, (radius - _NODE) ** 2 + _NODE**2])


@compiled
def effective_width(alpha: float, beta: float) -> float:
    """FWHM of the Gaussian that covers as much noise: sqrt(2 ln 2 / pi) sqrt(n_eff), n_eff = (sum I)^2 / sum I^2.

    It is what limits the depth of an image, and what SDSS (psf_width) and the LSST (FWHM_eff) call the seeing.
    """
    n_eff = math.pi * alpha * alpha * (2.0 * beta - 1.0) / (beta - 1.0) ** 2
    return 2.0 * math.sqrt(math.log(2.0) * n_eff / (2.0 * math.pi))


@compiled
def _fit_all(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    moments: NDArray[np.float64],
    sky: NDArray[np.float64],
    noise: float,
    fits: NDArray[np.float64],
) -> None:
    for i in range(x.size):
        squares, values, n = _pixels(image, x[i], y[i], moments[i])
        fits[i] = _fit(squares[:n], values[:n], sky[i], noise, math.sqrt(_size(moments[i])))


@compiled
def _size(moments: NDArray[np.float64]) -> float:
    """Square root of the determinant: the variance of the round Gaussian of the same area."""
    return math.sqrt(max(moments[0] * moments[1] - moments[2] ** 2, 1e-6))


@compiled
def _pixels(
    image: NDArray[np.float32], x: float, y: float, moments: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Squared elliptical radii, shape (pixels, nodes), and values of the pixels around a star."""
    area = _size(moments)
    limit = _REACH**2 * area
    reach_x, reach_y = _REACH * math.sqrt(moments[0]), _REACH * math.sqrt(moments[1])
    x0, x1 = max(0, int(x - reach_x)), min(image.shape[1], int(x + reach_x) + 2)
    y0, y1 = max(0, int(y - reach_y)), min(image.shape[0], int(y + reach_y) + 2)
    step = max(1, int(math.sqrt(area) / _FINE))
    nodes = 2 if area < _BROAD**2 else 1
    size = max(x1 - x0, 0) * max(y1 - y0, 0)
    squares, values = np.empty((size, nodes * nodes)), np.empty(size)
    n = 0
    for j in range(y0, y1):
        for i in range(x0 + j % step, x1, step):
            if _square(i - x, j - y, moments, area) < limit and np.isfinite(image[j, i]):
                values[n] = image[j, i]
                for k in range(nodes * nodes):
                    u = i - x + (2 * (k // 2) - 1) * (nodes - 1) * _NODE
                    v = j - y + (2 * (k % 2) - 1) * (nodes - 1) * _NODE
                    squares[n, k] = _square(u, v, moments, area)
                n += 1
    return squares, values, n


@compiled
def _square(u: float, v: float, moments: NDArray[np.float64], area: float) -> float:
    """Square of the elliptical radius."""
    return float((moments[1] * u * u - 2.0 * moments[2] * u * v + moments[0] * v * v) / area)


@compiled
def _fit(
    squares: NDArray[np.float64], values: NDArray[np.float64], sky: float, noise: float, sigma: float
) -> NDArray[np.float64]:
    """Fit amplitude, log FWHM, log beta and pedestal; return FWHM, its error, the effective width, and beta.

    Twice: with equal weights, then with those of the variance that the first fit predicts. Weights from the pixels
    themselves would favour those that came out low.
    """
    width = 2.3548 * sigma
    if values.size < 12:
        return np.full(4, np.nan)
    p = np.array([values.max() - sky, math.log(width), math.log(3.0), sky])
    weights = np.full(values.size, 1.0 / (noise * noise))
    prior = np.array([sky, 1.0 / (_SKY_TRUST * noise) ** 2])
    p, matrix = _minimise(squares, values, weights, p, prior)
    for i in range(values.size):
        light = p[0] * (1.0 + squares[i, 0] * _scale(p)) ** -math.exp(p[2])
        weights[i] = 1.0 / (noise * noise + max(light, 0.0))
    p, matrix = _minimise(squares, values, weights, p, prior)
    fwhm = math.exp(p[1])
    variance = np.empty(4)
    unit = np.array([0.0, 1.0, 0.0, 0.0])
    if not (p[0] > 0.0 and 0.2 * width < fwhm < 2.0 * width and _solve(matrix, unit, variance)):
        return np.full(4, np.nan)
    effective = effective_width(1.0 / math.sqrt(_scale(p)), math.exp(p[2]))
    within = 8.0 * math.log(2.0) / 12.0
    if squares.shape[1] == 1:
        fwhm = math.sqrt(fwhm * fwhm - within)
    else:
        effective = math.sqrt(effective * effective + within)
    return np.array([fwhm, fwhm * math.sqrt(variance[1]), effective, math.exp(p[2])])


@compiled
def _scale(p: NDArray[np.float64]) -> float:
    """1 / alpha^2 of the parameters."""
    return float(4.0 * (2.0 ** math.exp(-p[2]) - 1.0) * math.exp(-2.0 * p[1]))


@compiled
def _minimise(
    squares: NDArray[np.float64],
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    p: NDArray[np.float64],
    prior: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run Levenberg-Marquardt from p; return the parameters and the normal matrix there."""
    matrix, vector = np.empty((4, 4)), np.empty(4)
    cost = _normal_equations(squares, values, weights, p, prior, matrix, vector)
    damping = 1e-3
    for _ in range(_ITERATIONS):
        damped = matrix.copy()
        for k in range(4):
            damped[k, k] *= 1.0 + damping
        step = np.zeros(4)
        if not _solve(damped, vector, step):
            break
        trial = p + step
        trial[2] = min(max(trial[2], math.log(_BETAS[0])), math.log(_BETAS[1]))
        new_matrix, new_vector = np.empty((4, 4)), np.empty(4)
        new_cost = _normal_equations(squares, values, weights, trial, prior, new_matrix, new_vector)
        if abs(trial[1] - p[1]) < 1.0 and new_cost <= cost:
            settled = abs(trial[1] - p[1]) < _SETTLED
            p, matrix, vector, cost = trial, new_matrix, new_vector, new_cost
            damping = max(damping * 0.1, 1e-9)
            if settled:
                break
        else:
            damping *= 10.0
            if damping > _GIVE_UP:
                break
    return p, matrix


@compiled
def _solve(matrix: NDArray[np.float64], vector: NDArray[np.float64], solution: NDArray[np.float64]) -> bool:
    """Solve a symmetric positive definite system by Cholesky decomposition; False when it is not one."""
    n = vector.size
    lower = np.zeros((n, n))
    for j in range(n):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= lower[j, k] ** 2
        if not pivot > 1e-14 * matrix[j, j]:
            return False
        lower[j, j] = math.sqrt(pivot)
        for i in range(j + 1, n):
            rest = matrix[i, j]
            for k in range(j):
                rest -= lower[i, k] * lower[j, k]
            lower[i, j] = rest / lower[j, j]
    for i in range(n):
        rest = vector[i]
        for k in range(i):
            rest -= lower[i, k] * solution[k]
        solution[i] = rest / lower[i, i]
    for i in range(n - 1, -1, -1):
        rest = solution[i]
        for k in range(i + 1, n):
            rest -= lower[k, i] * solution[k]
        solution[i] = rest / lower[i, i]
    return True


@compiled
def _normal_equations(  # noqa: PLR0917 - compiled functions take their arguments by position
    squares: NDArray[np.float64],
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    p: NDArray[np.float64],
    prior: NDArray[np.float64],
    matrix: NDArray[np.float64],
    vector: NDArray[np.float64],
) -> float:
    """Build J^T W J and J^T W r at the parameters p; return chi squared.

    `prior` is what the pedestal is held to, and with what weight.
    """
    amplitude, beta, pedestal, scale = p[0], math.exp(p[2]), p[3], _scale(p)
    power = 2.0 ** (1.0 / beta)
    root_slope = -math.log(2.0) * power / (beta * beta * (power - 1.0))
    matrix[:, :] = 0.0
    vector[:] = 0.0
    cost = 0.0
    slope = np.empty(4)
    nodes = squares.shape[1]
    for i in range(values.size):
        slope[:], slope[3] = 0.0, 1.0
        for node in range(nodes):
            base = 1.0 + squares[i, node] * scale
            log_base = math.log(base)
            shape = math.exp(-beta * log_base) / nodes
            inner = amplitude * beta * shape / base * squares[i, node] * scale
            slope[0] += shape
            slope[1] += 2.0 * inner
            slope[2] -= beta * (amplitude * shape * log_base + inner * root_slope)
        residual = values[i] - amplitude * slope[0] - pedestal
        cost += weights[i] * residual * residual
        for k in range(4):
            vector[k] += weights[i] * slope[k] * residual
            for m in range(4):
                matrix[k, m] += weights[i] * slope[k] * slope[m]
    matrix[3, 3] += prior[1]
    vector[3] += prior[1] * (prior[0] - pedestal)
    off = prior[0] - pedestal
    return float(cost + prior[1] * off * off)
