"""What one frame adds to the sky of its night."""

from __future__ import annotations

import math

from rapid.processing.frame import Study
from rapid.processing.skymap.night import Contribution
from rapid.processing.wcs import Wcs, boresight_wcs

__all__ = ["contribution_of"]


def contribution_of(study: Study, *, revision: int = 0) -> Contribution | None:
    """Return what a frame adds to the sky of its night; None when it was not of the sky, or nobody knows of which part.

    Its place is that of the stars where they were recognised, else where the telescope said it pointed. The width of what is
    out of focus or dispersed is no seeing.

    Parameters
    ----------
    revision
        Raised when a frame is measured again, so that the later measurement counts.
    """
    info, wcs = study.frame.info, _wcs(study)
    if not info.on_sky or info.can_see_sky is False or wcs is None or not info.exposure_time > 0:
        return None
    photometry = study.comparison.photometry if study.comparison else None
    return Contribution(
        exposure_id=info.exposure_id,
        detector=info.detector,
        band=info.band,
        seconds=info.exposure_time,
        footprint=wcs.footprint,
        effective_time=photometry.effective_time.time.value if photometry else math.nan,
        seeing=study.psf.fwhm * wcs.pixel_scale if study.psf and not study.psf.doubt else math.nan,
        revision=revision,
    )


def _wcs(study: Study) -> Wcs | None:
    if study.comparison and study.comparison.astrometry.wcs:
        return study.comparison.astrometry.wcs
    info = study.frame.info
    if info.ra is None or info.dec is None or info.rotator_angle is None:
        return None
    return boresight_wcs(study.frame.detector, info.ra, info.dec, info.rotator_angle)
