"""The last fit: all detections, all stars, outliers left out, and no more freedom than the stars demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from rapid.processing.astrometry.distortion import (
    PAIRS_FOR_DEGREE,
    PlaneMap,
    Similarity,
    fit_map,
    fit_similarity,
    terms,
)
from rapid.processing.astrometry.pairing import Pairs, pair

__all__ = ["Adjusted", "adjust"]

Values = NDArray[np.float64]

_ROUNDS: Final = 8
_CLIP: Final = 4.0
"""Pairs whose distance is more than this times the scatter of a coordinate are left out: of good ones 0.03 %."""

_LEAST_RADIUS: Final = 0.2
"""A pair this close [arcsec] is never left out of reach: the scatter of a few stars may be small by chance."""

_FLOOR: Final = 0.02
"""Standard error [arcsec] that no detection is better than: the air moves stars by this much in exposures of 15 to 30 seconds
(Heymans et al. 2012, MNRAS 421, 381, Zacharias 1996, PASP 108, 1135)."""

_ILL: Final = 1e7
"""Condition of the normal equations of a parabola: some 1e2 for stars spread evenly, and a field as this has holes."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The fit, the similarity that is nearest to it, its pairs, and their residuals [arcsec] (star minus fit), shape (n, 2)."""

    plane: Similarity | PlaneMap
    similarity: Similarity
    pairs: Pairs
    residuals: Values

    @property
    def degree(self) -> int:
        """Of the polynomial; 0 for a similarity."""
        return self.plane.degree if isinstance(self.plane, PlaneMap) else 0


def adjust(
    detections: Values, references: Values, *, errors: Values | None, reference_errors: Values, radius: float
) -> Adjusted | None:
    """Fit the map from detections to their stars.

    Parameters
    ----------
    detections, references
        In one tangent plane [arcsec], nearly on top of each other already, shapes (n, 2) and (m, 2).
    errors
        Of a coordinate of the detections [arcsec]; all alike when None.
    reference_errors
        Likewise of the stars; NaN counts as none.
    radius
        Within which a detection's star is [arcsec].

    Returns
    -------
    Adjusted or None
        None when fewer than four pairs are left.
    """
    tree = KDTree(references)
    plane: Similarity | PlaneMap | None = None
    pairs = pair(detections, tree, radius)
    for _ in range(_ROUNDS):
        if len(pairs) < 4:
            return None
        source, target = detections[pairs.detection], references[pairs.reference]
        weight = _weights(errors, reference_errors, pairs)
        plane = _simplest(source, target, weight)
        radius = float(np.clip(_CLIP * _scatter(target - plane(source)), _LEAST_RADIUS, radius))
        before, pairs = pairs, pair(plane(detections), tree, radius)
        if np.array_equal(before.detection, pairs.detection) and np.array_equal(before.reference, pairs.reference):
            break
    return _adjusted(detections, references, pairs, _weights(errors, reference_errors, pairs))


def _adjusted(detections: Values, references: Values, pairs: Pairs, weight: Values) -> Adjusted | None:
    if len(pairs) < 4:
        return None
    source, target = detections[pairs.detection], references[pairs.reference]
    plane = _simplest(source, target, weight)
    return Adjusted(plane, fit_similarity(source, target, weight), pairs, target - plane(source))


def _weights(errors: Values | None, reference_errors: Values, pairs: Pairs) -> Values:
    if errors is None:
        return np.ones(len(pairs))
    known = np.nan_to_num(reference_errors[pairs.reference])
    return np.asarray(1.0 / (errors[pairs.detection] ** 2 + known**2 + _FLOOR**2))


def _simplest(source: Values, target: Values, weight: Values) -> Similarity | PlaneMap:
    """Fit the map with the smallest Bayesian information criterion (Schwarz 1978) among those the stars can carry."""
    plane: Similarity | PlaneMap = fit_similarity(source, target, weight)
    best, least = plane, _criterion(plane, source, target, weight, parameters=4)
    for degree, needed in PAIRS_FOR_DEGREE.items():
        if len(source) < needed or _on_a_line(source):
            break
        plane = fit_map(source, target, weight, degree=degree)
        criterion = _criterion(plane, source, target, weight, parameters=2 * plane.coefficients.shape[0])
        if criterion < least:
            best, least = plane, criterion
    return best


def _criterion(
    plane: Similarity | PlaneMap, source: Values, target: Values, weight: Values, *, parameters: int
) -> float:
    n = 2 * len(source)
    misfit = float(weight @ ((target - plane(source)) ** 2).sum(axis=1)) / (n * float(weight.mean()))
    return n * float(np.log(max(misfit, 1e-12))) + parameters * float(np.log(n))


def _on_a_line(source: Values) -> bool:
    """Tell whether places leave a polynomial of the second degree undetermined, or nearly so."""
    points = (source - source.mean(axis=0)) / np.abs(source - source.mean(axis=0)).max()
    rows = terms(points, 2)
    return bool(np.linalg.cond(rows.T @ rows) > _ILL)


def _scatter(residuals: Values) -> float:
    """Robust standard deviation of a coordinate: median distance over that of a Rayleigh distribution."""
    return float(np.median(np.sqrt((residuals**2).sum(axis=1))) / np.sqrt(2.0 * np.log(2.0)))
