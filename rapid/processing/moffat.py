"""Moffat profiles fitted to stars.

I(r) = A (1 + r^2 / alpha^2)^-beta + b (Moffat 1969, A&A 3, 455), with r measured along an ellipse of given shape;
FWHM = 2 alpha sqrt(2^(1/beta) - 1).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["fit_moffats"]

_ITERATIONS: Final = 60
_REACH: Final = 5.0
"""Radius of the fit in standard deviations of the core: a little over two FWHM, where the wings are plain to see."""

_BETAS: Final = (1.1, 30.0)
_SETTLED: Final = 1e-5
_GIVE_UP: Final = 1e8


def fit_moffats(
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    moments: NDArray[np.float64],
    noise: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a Moffat profile to each star, by weighted least squares (Levenberg-Marquardt).

    Parameters
    ----------
    image
        electron, sky subtracted, shape (ny, nx).
    x, y
        Centres [pixel].
    moments
        xx, yy, xy [square pixel] that give the ellipse, shape (stars, 3).
    noise
        Standard deviation of the sky [electron]; the star's own photons are added to it.

    Returns
    -------
    fwhm, error
        Geometric mean of the two axes [pixel] and its standard error, shape (stars,); NaN where the fit failed.
    """
    fwhm, error = np.empty(len(x)), np.empty(len(x))
    _fit_all(image, x, y, np.ascontiguousarray(moments), noise, fwhm, error)
    return fwhm, error


@compiled
def _fit_all(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    moments: NDArray[np.float64],
    noise: float,
    fwhm: NDArray[np.float64],
    error: NDArray[np.float64],
) -> None:
    for i in range(x.size):
        radii, values, n = _pixels(image, x[i], y[i], moments[i])
        fwhm[i], error[i] = _fit(radii[:n], values[:n], noise, math.sqrt(_size(moments[i])))


@compiled
def _size(moments: NDArray[np.float64]) -> float:
    """Square root of the determinant: the variance of the round Gaussian of the same area."""
    return math.sqrt(max(moments[0] * moments[1] - moments[2] ** 2, 1e-6))


@compiled
def _pixels(
    image: NDArray[np.float32], x: float, y: float, moments: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Squared elliptical radii and values of the pixels around a star."""
    area = _size(moments)
    limit = _REACH**2 * area
    reach_x, reach_y = _REACH * math.sqrt(moments[0]), _REACH * math.sqrt(moments[1])
    x0, x1 = max(0, int(x - reach_x)), min(image.shape[1], int(x + reach_x) + 2)
    y0, y1 = max(0, int(y - reach_y)), min(image.shape[0], int(y + reach_y) + 2)
    radii, values = np.empty((x1 - x0) * (y1 - y0)), np.empty((x1 - x0) * (y1 - y0))
    n = 0
    for j in range(y0, y1):
        v = j - y
        for i in range(x0, x1):
            u = i - x
            square = (moments[1] * u * u - 2.0 * moments[2] * u * v + moments[0] * v * v) / area
            if square < limit:
                radii[n], values[n] = square, image[j, i]
                n += 1
    return radii, values, n


@compiled
def _fit(squares: NDArray[np.float64], values: NDArray[np.float64], noise: float, sigma: float) -> tuple[float, float]:
    """Fit amplitude, log FWHM, log beta and pedestal; return FWHM and its error.

    Twice: with equal weights, then with those of the variance that the first fit predicts. Weights from the pixels
    themselves would favour those that came out low.
    """
    width = 2.3548 * sigma
    if squares.size < 12:
        return np.nan, np.nan
    p = np.array([values.max(), math.log(width), math.log(3.0), 0.0])
    weights = np.full(squares.size, 1.0 / (noise * noise))
    p, matrix = _minimise(squares, values, weights, p)
    for i in range(squares.size):
        light = p[0] * (1.0 + squares[i] * _scale(p)) ** -math.exp(p[2])
        weights[i] = 1.0 / (noise * noise + max(light, 0.0))
    p, matrix = _minimise(squares, values, weights, p)
    fwhm = math.exp(p[1])
    if not (p[0] > 0.0 and 0.2 * width < fwhm < 2.0 * width):
        return np.nan, np.nan
    for k in range(4):
        matrix[k, k] *= 1.0 + 1e-9
    return fwhm, fwhm * math.sqrt(max(np.linalg.inv(matrix)[1, 1], 0.0))


@compiled
def _scale(p: NDArray[np.float64]) -> float:
    """1 / alpha^2 of the parameters."""
    return float(4.0 * (2.0 ** math.exp(-p[2]) - 1.0) * math.exp(-2.0 * p[1]))


@compiled
def _minimise(
    squares: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64], p: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run Levenberg-Marquardt from p; return the parameters and the normal matrix there."""
    matrix, vector = np.empty((4, 4)), np.empty(4)
    cost = _normal_equations(squares, values, weights, p, matrix, vector)
    damping = 1e-3
    for _ in range(_ITERATIONS):
        damped = matrix.copy()
        for k in range(4):
            damped[k, k] *= 1.0 + damping
        trial = p + np.linalg.solve(damped, vector)
        trial[2] = min(max(trial[2], math.log(_BETAS[0])), math.log(_BETAS[1]))
        new_matrix, new_vector = np.empty((4, 4)), np.empty(4)
        new_cost = _normal_equations(squares, values, weights, trial, new_matrix, new_vector)
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
def _normal_equations(  # noqa: PLR0917 - compiled functions take their arguments by position
    squares: NDArray[np.float64],
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    p: NDArray[np.float64],
    matrix: NDArray[np.float64],
    vector: NDArray[np.float64],
) -> float:
    """Build J^T W J and J^T W r at the parameters p; return chi squared."""
    amplitude, beta, pedestal, scale = p[0], math.exp(p[2]), p[3], _scale(p)
    power = 2.0 ** (1.0 / beta)
    root_slope = -math.log(2.0) * power / (beta * beta * (power - 1.0))
    matrix[:, :] = 0.0
    vector[:] = 0.0
    cost = 0.0
    slope = np.empty(4)
    for i in range(squares.size):
        base = 1.0 + squares[i] * scale
        shape = base**-beta
        residual = values[i] - amplitude * shape - pedestal
        inner = amplitude * beta * shape / base * squares[i] * scale
        slope[0], slope[1], slope[3] = shape, 2.0 * inner, 1.0
        slope[2] = -beta * (amplitude * shape * math.log(base) + inner * root_slope)
        cost += weights[i] * residual * residual
        for k in range(4):
            vector[k] += weights[i] * slope[k] * residual
            for m in range(4):
                matrix[k, m] += weights[i] * slope[k] * slope[m]
    return cost
