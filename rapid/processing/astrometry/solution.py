"""What astrometry hands back: where a detector really looked, or why that is not known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rapid.processing.wcs import Wcs

__all__ = ["Astrometry"]


def _nothing() -> NDArray[np.intp]:
    return np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Astrometry:
    """Where a detector really looked, compared to where the telescope said.

    Offsets are true minus said, along the sky: to the east (with cos dec) and to the north, each with the same standard
    error. When there is no solution `reason` says why, `wcs` is None and the numbers are NaN.

    Attributes
    ----------
    reason
        Empty when there is a solution.
    wcs
        The true one, with its tangent point in the middle of the detector.
    degree
        Of the correction: 0 for a shift, rotation and change of scale alone, else of the polynomial.
    ra, dec
        True place of the middle of the detector [deg, ICRS].
    offset_ra, offset_dec, offset_error
        Of the middle of the detector [arcsec].
    pointing_ra, pointing_dec, pointing_error
        Of the boresight [arcsec]; for a detector at the edge of the camera it is known less well.
    rotation, rotation_error
        True minus said position angle of the middle of the detector, from north through east [deg]. Near a pole an
        offset alone changes it.
    scale, scale_error
        In the middle of the detector [arcsec/pixel].
    rms_ra, rms_dec
        Scatter of the matches about the fit [arcsec].
    n_matches, n_detections
        Stars the fit rests on; detections there were.
    chance
        log10 of the number of solutions as good as this that unrelated places would give; also of one that was not trusted.
    detection, reference
        Indices of the matches: the detection, and its star.
    """

    reason: str = ""
    wcs: Wcs | None = None
    degree: int = 0
    ra: float = math.nan
    dec: float = math.nan
    offset_ra: float = math.nan
    offset_dec: float = math.nan
    offset_error: float = math.nan
    pointing_ra: float = math.nan
    pointing_dec: float = math.nan
    pointing_error: float = math.nan
    rotation: float = math.nan
    rotation_error: float = math.nan
    scale: float = math.nan
    scale_error: float = math.nan
    rms_ra: float = math.nan
    rms_dec: float = math.nan
    n_matches: int = 0
    n_detections: int = 0
    chance: float = math.nan
    detection: NDArray[np.intp] = field(default_factory=_nothing)
    reference: NDArray[np.intp] = field(default_factory=_nothing)

    def __post_init__(self) -> None:
        self.detection.flags.writeable = self.reference.flags.writeable = False

    @property
    def rms(self) -> float:
        """Scatter of the matches about the fit [arcsec], both coordinates in quadrature."""
        return math.hypot(self.rms_ra, self.rms_dec)
