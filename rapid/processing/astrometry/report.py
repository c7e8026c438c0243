"""The numbers of a solution, each with its standard error."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.astrometry.adjust import Adjusted
from rapid.processing.astrometry.correction import Correction, corrected
from rapid.processing.astrometry.solution import Astrometry
from rapid.processing.astrometry.tangent import deproject, directions, frame_at, places, project
from rapid.processing.wcs import Wcs

__all__ = ["report"]

Values = NDArray[np.float64]

_STEP: Final = 100.0
"""arcsec to the north, to see a rotation by: long enough to keep the digits, short beside the detector."""


def report(
    said: Wcs,
    correction: Correction,
    fitted: Adjusted,
    *,
    chance: float,
    n_detections: int,
    detection: NDArray[np.intp],
    reference: NDArray[np.intp],
) -> Astrometry:
    """Compare the corrected system with the one that was said; see `Astrometry`."""
    true = corrected(said, correction)
    offset, offset_error = _offset(said.centre, correction, fitted)
    pointing, pointing_error = _pointing((said.ra0, said.dec0), correction, fitted)
    rotation = _rotation(said.centre, correction, fitted)
    rms = np.sqrt((fitted.residuals**2).mean(axis=0))
    return Astrometry(
        wcs=true,
        degree=fitted.degree,
        ra=true.centre[0],
        dec=true.centre[1],
        offset_ra=offset[0],
        offset_dec=offset[1],
        offset_error=offset_error,
        pointing_ra=pointing[0],
        pointing_dec=pointing[1],
        pointing_error=pointing_error,
        rotation=rotation,
        rotation_error=float(np.degrees(fitted.similarity.turn_error)),
        scale=true.pixel_scale,
        scale_error=true.pixel_scale * fitted.similarity.turn_error,
        rms_ra=float(rms[0]),
        rms_dec=float(rms[1]),
        n_matches=len(fitted.pairs),
        n_detections=n_detections,
        chance=chance,
        detection=detection,
        reference=reference,
    )


def _offset(centre: tuple[float, float], correction: Correction, fitted: Adjusted) -> tuple[tuple[float, float], float]:
    """How far the middle of the detector is from where it was said to be [arcsec], and the error of that."""
    said = directions(np.array([centre[0]]), np.array([centre[1]]))
    point = project(said @ correction.turn.T, correction.frame)
    true = deproject(correction.plane(point), correction.frame)
    return _apart(true, centre), fitted.plane.error_at((float(point[0, 0]), float(point[0, 1])))


def _pointing(
    boresight: tuple[float, float], correction: Correction, fitted: Adjusted
) -> tuple[tuple[float, float], float]:
    """Likewise for the boresight, by the similarity alone: a polynomial means nothing so far outside of its stars."""
    said = directions(np.array([boresight[0]]), np.array([boresight[1]]))
    point = project(said @ correction.turn.T, correction.frame)
    true = deproject(fitted.similarity(point), correction.frame)
    return _apart(true, boresight), fitted.similarity.error_at((float(point[0, 0]), float(point[0, 1])))


def _rotation(centre: tuple[float, float], correction: Correction, fitted: Adjusted) -> float:
    """Position angle [deg] that north of the place said has at the true place."""
    frame = frame_at(*centre)
    step = deproject(np.array([[0.0, 0.0], [0.0, _STEP]]), frame) @ correction.turn.T
    moved = deproject(fitted.similarity(project(step, correction.frame)), correction.frame)
    ra, dec = places(moved[0])
    east, north = project(moved[1:], frame_at(float(ra), float(dec)))[0]
    return float(np.degrees(np.arctan2(east, north)))


def _apart(true: Values, said: tuple[float, float]) -> tuple[float, float]:
    xi, eta = project(true, frame_at(*said))[0]
    return float(xi), float(eta)
