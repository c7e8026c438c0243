"""Solve the astrometry of one detector: which star is which, and where the detector really looked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.astrometry.adjust import adjust
from rapid.processing.astrometry.correction import Correction
from rapid.processing.astrometry.distortion import Similarity
from rapid.processing.astrometry.report import report
from rapid.processing.astrometry.search import FEWEST, Field, Found, search
from rapid.processing.astrometry.solution import Astrometry
from rapid.processing.astrometry.tangent import directions, frame_at, places, project, turn_between
from rapid.processing.refcat import References, separation
from rapid.processing.wcs import Wcs

__all__ = ["MAX_OFFSET", "MAX_ROTATION", "Detections", "search_cone", "solve"]

Values = NDArray[np.float64]

MAX_OFFSET: Final = 180.0
"""How far off the boresight may be, unless said otherwise [arcsec]."""

MAX_ROTATION: Final = 2.0
"""How far off the rotation may be, unless said otherwise [deg]."""

_LARGEST_OFFSET: Final = 1800.0
_LARGEST_ROTATION: Final = 10.0
"""Beyond them votes would take seconds; a field that is lost altogether is for a blind solver."""

_FARTHEST: Final = 10.0
"""No detector is farther from the boresight [deg]; the corners of LSSTCam are 1.9 away."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What was detected: pixel places, fluxes to rank them by, and standard errors of a coordinate [pixel] if known.

    Arrays of shape (n,). Entries with a number that is not finite take no part.
    """

    x: Values
    y: Values
    flux: Values
    error: Values | None = None


def search_cone(
    wcs: Wcs, *, max_offset: float = MAX_OFFSET, max_rotation: float = MAX_ROTATION
) -> tuple[float, float, float]:
    """Return the cone (ra, dec, radius) [deg] with all stars that `solve` may need: the detector, wherever it can be."""
    corners = wcs.footprint
    ra, dec = wcs.centre
    radius = float(separation(corners[:, 0], corners[:, 1], ra, dec).max())
    arm = float(separation(corners[:, 0], corners[:, 1], wcs.ra0, wcs.dec0).max())
    return ra, dec, radius + arm * 2.0 * math.sin(math.radians(max_rotation) / 2.0) + max_offset / 3600.0


def solve(
    detections: Detections,
    stars: References,
    wcs: Wcs,
    *,
    max_offset: float = MAX_OFFSET,
    max_rotation: float = MAX_ROTATION,
) -> Astrometry:
    """Solve the astrometry of one detector.

    Votes of all pairs give the shift and the rotation; the arrangement is trusted only when unrelated places would not give
    the like in a million exposures. Then a similarity, or a polynomial up to the third degree when the stars demand it, is
    fitted robustly.

    Parameters
    ----------
    detections
        Half of them may be spurious, and half of the stars missing.
    stars
        Those of the `search_cone`, at the epoch of the exposure.
    wcs
        Where telescope, rotator and geometry say that the detector looks; its tangent point is the boresight.
    max_offset, max_rotation
        How far off the boresight and the rotation may be [arcsec, deg].

    Returns
    -------
    Astrometry
        Without a solution when there is none that can be trusted; its reason says why.

    Raises
    ------
    InputError
        If the arguments cannot be meant: columns of different lengths, limits or boresight out of range.
    """
    _check(detections, wcs, max_offset, max_rotation)
    kept = _usable(detections)
    if len(kept) < FEWEST:
        return Astrometry(_too_few("sources", len(kept)), n_detections=len(kept))
    said = directions(*wcs.pixel_to_sky(detections.x[kept], detections.y[kept]))
    field, frame = _field(said, stars, wcs, reach=max_offset, turn=math.radians(max_rotation))
    if len(field.references) < FEWEST:
        return Astrometry(_too_few("reference stars", len(field.references)), n_detections=len(kept))
    found = search(field)
    if found.similarity is None or not found.trusted:
        return Astrometry(_not_trusted(found, len(field.references)), n_detections=len(kept), chance=found.chance)
    turn = turn_between(frame, _shift(found.similarity), found.similarity.angle)
    errors = None if detections.error is None else detections.error[kept] * wcs.pixel_scale
    return _solution(said @ turn.T, stars, turn, wcs, kept=kept, errors=errors, found=found)


def _check(detections: Detections, wcs: Wcs, max_offset: float, max_rotation: float) -> None:
    columns = [detections.x, detections.y, detections.flux]
    columns += [] if detections.error is None else [detections.error]
    shapes = {np.shape(column) for column in columns}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise InputError("columns of detections differ", expected="one number each", found=str(sorted(shapes)))
    if not (0.0 < max_offset <= _LARGEST_OFFSET and 0.0 <= max_rotation <= _LARGEST_ROTATION):
        expected = f"up to {_LARGEST_OFFSET:g} arcsec and {_LARGEST_ROTATION:g} deg"
        found = f"{max_offset:g} and {max_rotation:g}"
        raise InputError("the pointing cannot be sought that far", expected=expected, found=found)
    away = float(separation(np.array(wcs.ra0), np.array(wcs.dec0), *wcs.centre))
    if not away < _FARTHEST:
        found = f"{away:g} deg"
        raise InputError("the tangent point is no boresight", expected=f"within {_FARTHEST:g} deg", found=found)


def _usable(detections: Detections) -> NDArray[np.intp]:
    """Return indices of the usable detections, brightest first."""
    usable = np.isfinite(detections.x) & np.isfinite(detections.y) & np.isfinite(detections.flux)
    if detections.error is not None:
        usable &= np.isfinite(detections.error) & (detections.error >= 0.0)
    kept = np.flatnonzero(usable)
    return kept[np.argsort(-detections.flux[kept], kind="stable")]


def _field(said: Values, stars: References, wcs: Wcs, *, reach: float, turn: float) -> tuple[Field, Values]:
    """Put detections and the stars that can belong to them into the plane that touches the middle of the detections."""
    frame = _frame_in_the_middle(said)
    boresight = project(directions(np.array([wcs.ra0]), np.array([wcs.dec0])), frame)[0]
    detections = project(said, frame)
    references = project(directions(stars.ra, stars.dec), frame)[_brightest_first(stars)]
    margin = reach + turn * float(np.hypot(*boresight) + np.hypot(*detections.T).max())
    inside = (references >= detections.min(axis=0) - margin) & (references <= detections.max(axis=0) + margin)
    lever = (-float(boresight[0]), -float(boresight[1]))
    return Field(detections, references[inside.all(axis=1)], lever, reach, turn), frame


def _frame_in_the_middle(vectors: Values) -> Values:
    ra, dec = places(vectors.mean(axis=0))
    return frame_at(float(ra), float(dec))


def _brightest_first(stars: References) -> NDArray[np.intp]:
    magnitude = stars.brightness()
    return np.argsort(np.where(np.isfinite(magnitude), magnitude, np.inf), kind="stable")


def _shift(similarity: Similarity) -> tuple[float, float]:
    """Where the middle of the detections goes [arcsec]."""
    moved = similarity(np.zeros((1, 2)))[0]
    return float(moved[0]), float(moved[1])


def _solution(
    turned: Values,
    stars: References,
    turn: Values,
    wcs: Wcs,
    *,
    kept: NDArray[np.intp],
    errors: Values | None,
    found: Found,
) -> Astrometry:
    """Fit all detections, which are nearly in place now, to all stars."""
    frame = _frame_in_the_middle(turned)
    references = project(directions(stars.ra, stars.dec), frame)
    near = np.flatnonzero(np.isfinite(references).all(axis=1))
    fitted = adjust(
        project(turned, frame),
        references[near],
        errors=errors,
        reference_errors=_star_errors(stars)[near],
        radius=found.radius,
    )
    if fitted is None:
        return Astrometry("the fit to all stars of the field came to nothing", n_detections=len(kept))
    return report(
        wcs,
        Correction(turn, frame, fitted.plane),
        fitted,
        chance=found.chance,
        n_detections=len(kept),
        detection=kept[fitted.pairs.detection],
        reference=near[fitted.pairs.reference],
    )


def _star_errors(stars: References) -> Values:
    """Standard error of a coordinate [arcsec]."""
    return np.hypot(stars.ra_error, stars.dec_error).astype(np.float64) / (math.sqrt(2.0) * 1e3)


def _too_few(which: str, n: int) -> str:
    return f"too few {which} for astrometry: {n}, and {FEWEST} are needed"


def _not_trusted(found: Found, n_stars: int) -> str:
    if not found.n_pairs:
        return f"no arrangement of {found.n_detections} sources fits the {n_stars} reference stars of the field"
    return f"the best arrangement pairs {found.n_pairs} of {found.n_detections} sources with stars, and chance does as well"
