"""From where a pixel was said to look to where it does, and the WCS that says so from the beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.astrometry.distortion import PlaneMap, Similarity, terms
from rapid.processing.astrometry.tangent import deproject, directions, frame_at, places, project
from rapid.processing.wcs import Wcs

__all__ = ["Correction", "corrected"]

Values = NDArray[np.float64]

_GRID: Final = 17
"""Points along each side of the detector at which the WCS is made anew: more than twice the highest degree."""

_HIGHEST: Final = 7
_EXACT: Final = 1e-4
"""Pixel: how well the WCS repeats the correction. The best centroids are a hundred times worse."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """A turn of the sphere, then a small map of the tangent plane.

    ``turn`` is a matrix for directions, ``frame`` that of the tangent plane, and ``plane`` the map of it.
    """

    turn: Values
    frame: Values
    plane: Similarity | PlaneMap

    def __call__(self, ra: Values, dec: Values) -> tuple[Values, Values]:
        """Correct places [deg, ICRS], shape (n,); meant for the detector and its surroundings."""
        turned = directions(ra, dec) @ self.turn.T
        return places(deproject(self.plane(project(turned, self.frame)), self.frame))


def corrected(wcs: Wcs, correction: Correction) -> Wcs:
    """Return the system with the correction in it, a TAN one if that will do and TAN-SIP if not.

    The correction is smooth, so the degree is the lowest that repeats it on a grid to 1e-4 pixel; should none do, the highest.
    """
    ny, nx = wcs.shape
    x0, y0 = (nx - 1) / 2.0, (ny - 1) / 2.0
    middle = correction(*wcs.pixel_to_sky(np.array([x0]), np.array([y0])))
    tangent = (float(middle[0][0]), float(middle[1][0]))
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, nx - 1, _GRID), np.linspace(0, ny - 1, _GRID)))
    size = max(x0, y0, 1.0)
    points = np.stack([(x - x0) / size, (y - y0) / size], axis=-1)
    plane = project(directions(*correction(*wcs.pixel_to_sky(x, y))), frame_at(*tangent)) / 3600.0
    coefficients, degree = _expand(points, plane, tolerance=_EXACT * wcs.pixel_scale / 3600.0)
    xi, eta = (_square(column, degree, size) for column in coefficients.T)
    return Wcs.from_polynomials(tangent=tangent, origin=(x0, y0), xi=xi, eta=eta, shape=wcs.shape)


def _expand(points: Values, plane: Values, *, tolerance: float) -> tuple[Values, int]:
    """Fit polynomials of the lowest degree that is good enough; return coefficients (n_terms, 2) and the degree."""
    degree, misfit, coefficients = 0, np.inf, np.empty((0, 2))
    while misfit > tolerance and degree < _HIGHEST:
        degree += 1
        rows = terms(points, degree)
        coefficients = np.asarray(np.linalg.lstsq(rows, plane, rcond=None)[0], dtype=np.float64)
        misfit = float(np.abs(plane - rows @ coefficients).max())
    return coefficients, degree


def _square(column: Values, degree: int, size: float) -> Values:
    """Put coefficients in the order of `terms` into a square, that of x**i y**j at (i, j), for variables in pixels."""
    square = np.zeros((degree + 1, degree + 1))
    exponents = [(order - j, j) for order in range(degree + 1) for j in range(order + 1)]
    for (i, j), value in zip(exponents, column, strict=True):
        square[i, j] = value / size ** (i + j)
    return square
