"""Pair detections with reference stars one to one, and say how likely it is that strangers would pair as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.stats import binom

__all__ = ["Pairs", "chance_of_strangers", "pair", "stranger_density"]

Values = NDArray[np.float64]

_SURROUNDINGS = 15.0
"""Radius [arcsec] in which the stars around a detection are counted: the crowding that strangers would see."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Index of a detection and of its reference star, pair by pair; nobody occurs twice."""

    detection: NDArray[np.intp]
    reference: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.detection)

    def chosen(self, which: NDArray[np.bool_]) -> Pairs:
        """Keep some of the pairs."""
        return Pairs(self.detection[which], self.reference[which])


def pair(detections: Values, references: KDTree, radius: float) -> Pairs:
    """Pair every detection with the nearest star that has no nearer detection, within a radius [arcsec].

    Places are in one plane [arcsec], shape (n, 2).
    """
    distance, nearest = references.query(detections, distance_upper_bound=radius)
    mine = np.flatnonzero(np.isfinite(distance))
    mine = mine[np.argsort(distance[mine], kind="stable")]
    _, first = np.unique(nearest[mine], return_index=True)
    kept = np.sort(mine[first])
    return Pairs(kept, nearest[kept].astype(np.intp))


def stranger_density(detections: Values, references: KDTree, radius: float, *, overall: float) -> float:
    """Return the density of stars [1/arcsec^2] that a stranger meets at the places of the detections.

    Stars beyond `radius` and within 15 arcsec are counted, so that neither the partners themselves count, nor is a cluster
    taken for an even field; it is never less than the `overall` density.
    """
    outer = references.query_ball_point(detections, _SURROUNDINGS, return_length=True)
    inner = references.query_ball_point(detections, radius, return_length=True)
    ring = np.pi * (_SURROUNDINGS**2 - radius**2)
    return max(overall, float(np.mean(outer - inner)) / ring)


def chance_of_strangers(n_pairs: int, n_detections: int, *, density: float, radius: float, trials: float) -> float:
    """Return log10 of the number of places tried at which strangers would give as many pairs.

    Detections that have nothing to do with the stars pair each with probability p = 1 - exp(-density pi radius^2), so the
    number of pairs is binomial; the chance of one place is multiplied by the number of places tried.
    """
    p = -np.expm1(-density * np.pi * radius**2)
    return float(np.log10(trials) + binom.logsf(n_pairs - 1, n_detections, p) / np.log(10.0))
