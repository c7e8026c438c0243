"""Small maps of a plane onto itself: a similarity, or polynomials, fitted robustly to pairs of places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["PAIRS_FOR_DEGREE", "PlaneMap", "Similarity", "fit_map", "fit_similarity", "terms"]

Values = NDArray[np.float64]

PAIRS_FOR_DEGREE: Final = {1: 8, 2: 20, 3: 40}
"""Pairs needed for a polynomial of each degree: three to four for each pair of its coefficients."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """Shift, rotation and magnification of a plane about a point.

    Attributes
    ----------
    centre
        The point [arcsec], where the four numbers are least correlated.
    shift
        arcsec, added to all.
    angle
        rad, counter-clockwise, small.
    magnification
        The result's scale over the original's, minus one.
    shift_error, turn_error
        Standard errors: of either coordinate of the shift [arcsec], and of the angle [rad], which is that of the
        magnification too.
    """

    centre: tuple[float, float]
    shift: tuple[float, float]
    angle: float
    magnification: float
    shift_error: float
    turn_error: float

    def __call__(self, plane: Values) -> Values:
        """Map points [arcsec], shape (n, 2)."""
        x, y = (plane - self.centre).T
        grown = 1.0 + self.magnification
        cos, sin = grown * np.cos(self.angle), grown * np.sin(self.angle)
        return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1) + self.centre + self.shift

    def error_at(self, point: tuple[float, float]) -> float:
        """Return the standard error [arcsec] of either coordinate of a mapped point."""
        return float(np.hypot(self.shift_error, self.turn_error * np.hypot(*(np.subtract(point, self.centre)))))


@dataclass(frozen=True, slots=True)
class PlaneMap:
    """A polynomial that is added to the places of a plane.

    Attributes
    ----------
    degree
        Of the polynomial.
    centre, radius
        Points are taken relative to them, so that terms are of order one [arcsec].
    coefficients
        arcsec, shape (n_terms, 2), in the order of `terms`.
    covariance
        Of the coefficients of either coordinate, arcsec^2, shape (n_terms, n_terms).
    """

    degree: int
    centre: tuple[float, float]
    radius: float
    coefficients: Values
    covariance: Values

    def __call__(self, plane: Values) -> Values:
        """Map points [arcsec], shape (n, 2)."""
        return np.asarray(plane + self._terms(plane) @ self.coefficients)

    def error_at(self, point: tuple[float, float]) -> float:
        """Return the standard error [arcsec] of either coordinate of a mapped point."""
        row = self._terms(np.array([point]))[0]
        return float(np.sqrt(row @ self.covariance @ row))

    def _terms(self, plane: Values) -> Values:
        return terms((plane - self.centre) / self.radius, self.degree)


def terms(points: Values, degree: int) -> Values:
    """Return 1, x, y, x^2, xy, y^2 ... of points (n, 2) up to a degree, shape (n, n_terms)."""
    x, y = points.T
    return np.stack([x ** (order - j) * y**j for order in range(degree + 1) for j in range(order + 1)], axis=-1)


def fit_similarity(source: Values, target: Values, weight: Values) -> Similarity:
    """Fit target = shift + magnified rotation of source by weighted least squares; in closed form.

    Errors are those the scatter of the residuals gives, with 2 n - 4 degrees of freedom; infinite for two pairs.
    """
    total = weight.sum()
    centre = weight @ source / total
    x, y = (source - centre).T
    shift = weight @ (target - source) / total
    u, v = (target - centre - shift).T
    spread = weight @ (x**2 + y**2)
    cos, sin = weight @ (x * u + y * v) / spread, weight @ (x * v - y * u) / spread
    residuals = np.stack([u - cos * x + sin * y, v - sin * x - cos * y], axis=-1)
    freedom = 2 * len(source) - 4
    variance = float(weight @ (residuals**2).sum(axis=1)) / freedom if freedom > 0 else np.inf
    grown = float(np.hypot(cos, sin))
    return Similarity(
        centre=(float(centre[0]), float(centre[1])),
        shift=(float(shift[0]), float(shift[1])),
        angle=float(np.arctan2(sin, cos)),
        magnification=grown - 1.0,
        shift_error=float(np.sqrt(variance / total)),
        turn_error=float(np.sqrt(variance / spread)),
    )


def fit_map(source: Values, target: Values, weight: Values, *, degree: int) -> PlaneMap:
    """Fit target - source by a polynomial of x and y, by weighted least squares.

    Points are scaled to order one, so that the normal equations keep ten digits of double precision.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the places do not determine it: stars on a line, or too few.
    """
    centre = source.mean(axis=0)
    radius = float(np.abs(source - centre).max())
    rows = terms((source - centre) / radius, degree)
    normal = rows.T @ (weight[:, None] * rows)
    inverse = np.asarray(np.linalg.inv(normal), dtype=np.float64)
    coefficients = np.asarray(inverse @ (rows.T @ (weight[:, None] * (target - source))), dtype=np.float64)
    residuals = target - source - rows @ coefficients
    freedom = 2 * (len(source) - rows.shape[1])
    variance = float(weight @ (residuals**2).sum(axis=1)) / freedom if freedom > 0 else np.inf
    return PlaneMap(degree, (float(centre[0]), float(centre[1])), radius, coefficients, np.asarray(variance * inverse))
