"""Look for the shift and rotation that bring detections onto reference stars, and trust it only when chance cannot do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from rapid.processing.astrometry.distortion import Similarity, fit_similarity
from rapid.processing.astrometry.pairing import chance_of_strangers, pair, stranger_density
from rapid.processing.astrometry.tangent import rotation
from rapid.processing.astrometry.voting import Candidate, vote

__all__ = ["FEWEST", "Field", "Found", "search"]

Values = NDArray[np.float64]

FEWEST: Final = 4
"""Fewest pairs of a solution: three determine a similarity with two degrees of freedom to spare, and chance does that often."""

_ACCEPTED: Final = -6.0
"""log10 of the chance that is taken: one false solution in a million exposures at most."""

_TRIALS_OF_A_CELL: Final = 1000.0
"""Places tried within a cell one radius wide by adjusting the fit and by choosing among radii and depths. With it the chance is
that which 1500 random skies show: solutions with 10**-3 come about once in a thousand."""

_DEPTHS: Final = ((60, 1.5), (150, 2.5), (300, 4.0))
"""Brightest detections looked at, and reference stars for each of them in the same area. Depths of detections and catalogue
need not agree: a catalogue may lack the brightest stars, and the brightest detections need not be stars."""

_CANDIDATES: Final = 8
_RADII: Final = (6.0, 4.0, 3.0)
"""Radii [arcsec] within which pairs are sought while a candidate is adjusted."""

_TRIED_RADII: Final = (3.0, 1.5, 0.75)
"""Radii [arcsec] at which an adjusted candidate is judged: a wide one for a distortion not known, a narrow one for a crowd."""

_MAX_MAGNIFICATION: Final = 0.02
"""No camera's scale is off by more."""

_LEAST_OFFSET: Final = 5.0
_LEAST_TURN: Final = np.radians(0.05)
"""Telescopes point no better [arcsec], rotators turn no better [rad], so nearer solutions are not likelier."""


@dataclass(frozen=True, slots=True)
class Field:
    """Detections and reference stars in one tangent plane [arcsec], brightest first, shapes (n, 2) and (m, 2).

    The plane touches the sky in the middle of the detections; `lever` is where that is as seen from the boresight.
    `reach` [arcsec] and `turn` [rad] say how far off the boresight and the rotation may be.
    """

    detections: Values
    references: Values
    lever: tuple[float, float]
    reach: float
    turn: float


@dataclass(frozen=True, slots=True)
class Found:
    """The best arrangement: the map of the plane, the pairs it makes of how many, within what radius, and their chance."""

    similarity: Similarity | None
    n_pairs: int
    n_detections: int
    radius: float
    chance: float

    @property
    def trusted(self) -> bool:
        """Whether chance does not give the like."""
        return self.n_pairs >= FEWEST and self.chance <= _ACCEPTED


def search(field: Field) -> Found:
    """Find the best arrangement, from few bright stars to many, until one can be trusted."""
    best = Found(None, 0, len(field.detections), np.nan, np.inf)
    seen = (0, 0)
    for number, ratio in _DEPTHS:
        shallow = _shallow(field, number, ratio)
        size = (len(shallow.detections), len(shallow.references))
        if size == seen:
            break
        seen = size
        best = min(best, _best_of(shallow), key=lambda found: found.chance)
        if best.trusted:
            break
    return best


def _shallow(field: Field, number: int, ratio: float) -> Field:
    """Keep the brightest detections, and the brightest stars so that there are `ratio` times as many in the same area."""
    detections = field.detections[:number]
    area = _box_area(field.detections, 0.0)
    wanted = int(np.ceil(ratio * len(detections) * _box_area(field.references, 0.0) / max(area, 1.0)))
    return Field(detections, field.references[: max(wanted, number)], field.lever, field.reach, field.turn)


def _best_of(field: Field) -> Found:
    tree = KDTree(field.references)
    overall = len(field.references) / max(_box_area(field.references, 0.0), 1.0)
    best = Found(None, 0, len(field.detections), np.nan, np.inf)
    candidates = vote(
        field.detections, field.references, lever=field.lever, reach=field.reach, turn=field.turn, keep=_CANDIDATES
    )
    for candidate in candidates:
        similarity = _adjusted(candidate, field, tree)
        if similarity is not None:
            best = min(best, *_judged(similarity, field, tree, overall), key=lambda found: found.chance)
        if best.trusted:
            break
    return best


def _adjusted(candidate: Candidate, field: Field, tree: KDTree) -> Similarity | None:
    """Fit a candidate to its pairs while the radius shrinks; None when it falls apart."""
    moved = field.detections @ rotation(candidate.angle).T + candidate.shift
    similarity = None
    for radius in _RADII:
        pairs = pair(moved, tree, radius)
        if len(pairs) < FEWEST:
            return None
        ones = np.ones(len(pairs))
        similarity = fit_similarity(field.detections[pairs.detection], field.references[pairs.reference], ones)
        moved = similarity(field.detections)
    return similarity


def _judged(similarity: Similarity, field: Field, tree: KDTree, overall: float) -> list[Found]:
    """Judge an arrangement at each radius, after a last fit to the pairs within it."""
    judged = []
    for radius in _TRIED_RADII:
        pairs = pair(similarity(field.detections), tree, radius)
        if len(pairs) < FEWEST:
            break
        ones = np.ones(len(pairs))
        similarity = fit_similarity(field.detections[pairs.detection], field.references[pairs.reference], ones)
        moved = similarity(field.detections)
        n = len(pair(moved, tree, radius))
        if abs(similarity.magnification) > _MAX_MAGNIFICATION:
            break
        density = stranger_density(moved, tree, radius, overall=overall)
        trials = _trials(similarity, field, radius)
        chance = chance_of_strangers(n, len(moved), density=density, radius=radius, trials=trials)
        judged.append(Found(similarity, n, len(moved), radius, chance))
    return judged or [Found(None, 0, len(field.detections), np.nan, np.inf)]


def _trials(similarity: Similarity, field: Field, radius: float) -> float:
    """Count the places nearer to what the telescope said than this one is, which could as well have been taken.

    Places are in order of their distance, so that a solution near the expected place needs fewer stars to be believed.
    """
    boresight = similarity(-np.array([field.lever]))[0] + field.lever
    offset = min(max(float(np.hypot(*boresight)), _LEAST_OFFSET), field.reach)
    turn = max(abs(similarity.angle), _LEAST_TURN)
    size = float(np.sqrt((field.detections**2).sum(axis=1)).max())
    return float(_TRIALS_OF_A_CELL * max((offset / radius) ** 2, 1.0) * max(2.0 * turn * size / radius, 1.0))


def _box_area(plane: Values, margin: float) -> float:
    """Area [arcsec^2] of the box around points."""
    extent = np.ptp(plane, axis=0) + margin
    return float(extent[0] * extent[1])
