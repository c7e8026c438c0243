"""The inner loops of putting an image on the sky."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled
from rapid.processing.skymap.healpix import compact, face_to_vector

__all__ = ["bin_image", "sample"]

Values = NDArray[np.float64]

_SAMPLES: Final = 2
"""Samples a side of a HEALPix pixel, over which it is averaged: the flux of a star as wide as a pixel is then kept to 0.3 %."""

_LEAST: Final = 0.5
"""Part of a pixel, or of the weight of a sample, that must be seen for it to have a value."""

_BLOCK: Final = 6
"""Bits of the number of a pixel within a block of 8 by 8; these share the steps between samples, and the sky per bin."""

_ONE: Final = np.uint64(1)


@compiled
def bin_image(image: NDArray[np.float32], binning: int, binned: NDArray[np.float32]) -> None:
    """Average the good pixels of each bin; NaN where fewer than half are."""
    ny, nx = image.shape
    for row in range(binned.shape[0]):
        y0, y1 = row * binning, min((row + 1) * binning, ny)
        for column in range(binned.shape[1]):
            x0, x1 = column * binning, min((column + 1) * binning, nx)
            total = 0.0
            for y in range(y0, y1):
                line = 0.0
                for x in range(x0, x1):
                    line += image[y, x]
                total += line
            whole = (y1 - y0) * (x1 - x0)
            binned[row, column] = total / whole if np.isfinite(total) else _mean_of_good(image[y0:y1, x0:x1])


@compiled
def _mean_of_good(part: NDArray[np.float32]) -> float:
    total, n = 0.0, 0
    for y in range(part.shape[0]):
        for x in range(part.shape[1]):
            if np.isfinite(part[y, x]):
                total += part[y, x]
                n += 1
    return total / n if n >= _LEAST * part.size else np.nan


@compiled
def sample(  # noqa: PLR0917 - compiled functions take no keywords
    pixels: NDArray[np.int64],
    order: int,
    binned: NDArray[np.float32],
    axes: Values,
    scale: float,
    poly_x: Values,
    poly_y: Values,
    per_bin: float,
    values: NDArray[np.float32],
) -> None:
    """Average the binned image over each HEALPix pixel."""
    nside = 2.0**order
    at, east, north, steps = np.empty(2), np.empty(2), np.empty(2), np.empty(4)
    block, density = -1, 0.0
    for k in range(pixels.size):
        inside = pixels[k] & ((1 << 2 * order) - 1)
        face, i, j = pixels[k] >> 2 * order, compact(inside), compact(inside >> 1)
        cosine = _place(face, (i + 0.5) / nside, (j + 0.5) / nside, axes, scale, at)
        x, y = _evaluate(poly_x, at[0], at[1]), _evaluate(poly_y, at[0], at[1])
        if pixels[k] >> _BLOCK != block:
            block = pixels[k] >> _BLOCK
            density = per_bin * _stretch(poly_x, poly_y, at[0], at[1]) / (scale * scale * cosine**3)
            _place(face, (i + 0.75) / nside, (j + 0.5) / nside, axes, scale, east)
            _place(face, (i + 0.5) / nside, (j + 0.75) / nside, axes, scale, north)
            steps[0] = 4.0 * (_evaluate(poly_x, east[0], east[1]) - x)
            steps[1] = 4.0 * (_evaluate(poly_y, east[0], east[1]) - y)
            steps[2] = 4.0 * (_evaluate(poly_x, north[0], north[1]) - x)
            steps[3] = 4.0 * (_evaluate(poly_y, north[0], north[1]) - y)
        values[k] = density * _mean_about(binned, x, y, steps)


@compiled
def _place(face: int, u: float, v: float, axes: Values, scale: float, at: Values) -> float:  # noqa: PLR0917
    """Put a place of a base pixel into the tangent plane; returns the cosine of its distance from the middle."""
    vx, vy, vz = face_to_vector(face, u, v)
    cosine = vx * axes[2, 0] + vy * axes[2, 1] + vz * axes[2, 2]
    at[0] = (vx * axes[0, 0] + vy * axes[0, 1] + vz * axes[0, 2]) / (cosine * scale)
    at[1] = (vx * axes[1, 0] + vy * axes[1, 1] + vz * axes[1, 2]) / (cosine * scale)
    return float(cosine)


@compiled
def _evaluate(c: Values, s: float, t: float) -> float:
    """Evaluate a polynomial with coefficients c[i, j] of s^i t^j, i + j below their number a side."""
    n = c.shape[0]
    total = 0.0
    for i in range(n - 1, -1, -1):
        row = 0.0
        for j in range(n - 1 - i, -1, -1):
            row = row * t + c[i, j]
        total = total * s + row
    return total


@compiled
def _stretch(poly_x: Values, poly_y: Values, s: float, t: float) -> float:
    """Bins per unit of area of the plane."""
    xs, xt, ys, yt = 0.0, 0.0, 0.0, 0.0
    n = poly_x.shape[0]
    for i in range(n):
        for j in range(n - i):
            by_s = i * s ** max(i - 1, 0) * t**j
            by_t = j * s**i * t ** max(j - 1, 0)
            xs += poly_x[i, j] * by_s
            xt += poly_x[i, j] * by_t
            ys += poly_y[i, j] * by_s
            yt += poly_y[i, j] * by_t
    return abs(xs * yt - xt * ys)


@compiled
def _mean_about(binned: NDArray[np.float32], x: float, y: float, steps: Values) -> float:
    """Average samples of a pixel; NaN when fewer than half of them have a value."""
    total, n = 0.0, 0
    for a in range(_SAMPLES):
        u = (a + 0.5) / _SAMPLES - 0.5
        for b in range(_SAMPLES):
            v = (b + 0.5) / _SAMPLES - 0.5
            value = _between(binned, x + u * steps[0] + v * steps[2], y + u * steps[1] + v * steps[3])
            if not np.isnan(value):
                total += value
                n += 1
    return total / n if n >= _LEAST * _SAMPLES * _SAMPLES else np.nan


@compiled
def _between(binned: NDArray[np.float32], x: float, y: float) -> float:
    """Read the image between the centres of bins; NaN outside, and where less than half of the weight has a value."""
    ny, nx = binned.shape
    if not (0.0 <= x < nx - 1.0 and 0.0 <= y < ny - 1.0):
        if not (-0.5 <= x <= nx - 0.5 and -0.5 <= y <= ny - 0.5):
            return np.nan
        x, y = min(max(x, 0.0), nx - 1.0), min(max(y, 0.0), ny - 1.0)
    # unsigned, so that no index is taken to count from the end
    column, row = min(np.uint64(x), np.uint64(nx - 2)), min(np.uint64(y), np.uint64(ny - 2))
    right, up = x - column, y - row
    below = binned[row, column] + (binned[row, column + _ONE] - binned[row, column]) * right
    above = binned[row + _ONE, column] + (binned[row + _ONE, column + _ONE] - binned[row + _ONE, column]) * right
    value = below + (above - below) * up
    return value if not np.isnan(value) else _between_good(binned[row : row + 2, column : column + 2], right, up)


@compiled
def _between_good(four: NDArray[np.float32], right: float, up: float) -> float:
    total, weights = 0.0, 0.0
    for row in range(2):
        for column in range(2):
            weight = (up if row else 1.0 - up) * (right if column else 1.0 - right)
            if not np.isnan(four[row, column]):
                total += weight * four[row, column]
                weights += weight
    return total / weights if weights >= _LEAST else np.nan
