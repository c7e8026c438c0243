"""The way from the sky about a detector to its pixels, as polynomials that are quick to evaluate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid.errors import InputError

__all__ = ["LocalPlane", "fit_local_plane"]

Values = NDArray[np.float64]

_GRID: Final = 17
"""Places a side at which the system is asked."""

_HIGHEST: Final = 7
_CLOSE: Final = 0.01
"""Bins: an error that shifts nothing that can be seen."""


@dataclass(frozen=True, slots=True)
class LocalPlane:
    """A tangent plane at the middle of a detector, and polynomials from there to its bins.

    Attributes
    ----------
    axes
        Unit vectors of the plane's s and t and of its normal, shape (3, 3).
    scale
        Tangent of the angle that is 1 in s and t.
    x, y
        Bins, 0-based, as coefficients of s^i t^j, shape (n, n).
    pixel_scale
        Of a bin in the middle [arcsec].
    error
        Largest of the fit [bin].
    """

    axes: Values
    scale: float
    x: Values
    y: Values
    pixel_scale: float
    error: float


def fit_local_plane(
    pixel_to_sky: Callable[[ArrayLike, ArrayLike], tuple[Values, Values]], shape: tuple[int, ...], binning: int
) -> LocalPlane:
    """Fit the way back from the sky to the bins of an image of a shape (ny, nx), of the lowest degree that is close.

    Raises
    ------
    InputError
        If none is: the system is not smooth, or sees no sky in part of the image.
    """
    ny, nx = shape
    x, y = (
        grid.ravel() for grid in np.meshgrid(np.linspace(-0.5, nx - 0.5, _GRID), np.linspace(-0.5, ny - 0.5, _GRID))
    )
    points = _vectors(*pixel_to_sky(x, y))
    if not np.isfinite(points).all():
        raise InputError("part of the image is not on the sky", expected="finite degrees", found="NaN")
    axes = _axes(points)
    depth = points @ axes[2]
    plane = points @ axes[:2].T / depth[:, None]
    scale = float(np.abs(plane).max())
    if depth.min() < 0.5 or scale == 0.0:
        raise InputError("no detector looks so wide", expected="less than 60 degrees", found=f"tangent {scale:.3g}")
    bins = np.stack([(x + 0.5) / binning - 0.5, (y + 0.5) / binning - 0.5], axis=1)
    coefficients, error = _fit(plane / scale, bins)
    per_unit = abs(coefficients[0][1, 0] * coefficients[1][0, 1] - coefficients[0][0, 1] * coefficients[1][1, 0])
    pixel_scale = 3600 * float(np.degrees(scale / np.sqrt(per_unit)))
    return LocalPlane(axes, scale, *coefficients, pixel_scale, error)


def _vectors(ra: Values, dec: Values) -> Values:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def _axes(points: Values) -> Values:
    """Unit vectors of a plane that touches the sphere in the middle of some points."""
    normal = points.mean(0)
    normal /= np.linalg.norm(normal)
    other = np.eye(3)[np.argmin(np.abs(normal))]
    first = np.cross(other, normal)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first), normal])


def _fit(plane: Values, bins: Values) -> tuple[tuple[Values, Values], float]:
    error = np.inf
    for degree in range(1, _HIGHEST + 1):
        powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        design = np.stack([plane[:, 0] ** i * plane[:, 1] ** j for i, j in powers], axis=1)
        solution = np.linalg.lstsq(design, bins, rcond=None)[0]
        error = float(np.abs(design @ solution - bins).max())
        if error < _CLOSE:
            x, y = np.zeros((degree + 1, degree + 1)), np.zeros((degree + 1, degree + 1))
            for (i, j), (in_x, in_y) in zip(powers, solution, strict=True):
                x[i, j], y[i, j] = in_x, in_y
            return (x, y), error
    raise InputError(
        "the sky is no smooth function of the pixels",
        expected=f"polynomials to {_CLOSE} bins",
        found=f"{error:.3g} bins",
    )
