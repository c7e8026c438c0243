"""The noise of an image without what cosmic rays left in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from calib_verify.measurements.amplifiers import EXCLUDED
from calib_verify.measurements.clipping import plain_moments
from calib_verify.measurements.quantities import QUANTITIES
from calib_verify.measurements.values import Measurement, measured, not_measured
from rapid.processing.frame import Frame, Mask
from rapid.processing.isr.cosmic_rays import find_cosmic_rays
from rapid.processing.isr.interpolation import interpolate

__all__ = ["without_cosmic_rays"]

FWHM: Final = 3.0
"""Of the point source that a cosmic ray is sharper than [pixel]: that of the Gaussian that cp_verify compares with."""

_UNUSABLE: Final = np.uint16(Mask.BAD | Mask.NO_DATA | Mask.SATURATED)


def without_cosmic_rays(frame: Frame) -> Iterator[Measurement]:
    """Measure the scatter of every amplifier with the pixels that were hit filled, and say how many were."""
    detector = frame.info.detector_name
    image = frame.image.copy()
    bad = (frame.mask & _UNUSABLE) != 0
    found = find_cosmic_rays(image, bad, fwhm=FWHM)
    if found.reason:
        yield not_measured(QUANTITIES["cosmic_ray_pixels"], found.reason, detector=detector)
    else:
        interpolate(image, found.hit, blank=bad)
        yield measured(QUANTITIES["cosmic_ray_pixels"], found.n_pixels, detector=detector, n=found.n_events)
    for amplifier in frame.detector.amplifiers:
        part = amplifier.bbox.slices
        n, _, spread = plain_moments(image[part], frame.mask[part], EXCLUDED)
        error = spread / np.sqrt(2.0 * (n - 1)) if n > 1 else None
        yield measured(QUANTITIES["cr_noise"], spread, error, n, detector=detector, amplifier=amplifier.name)
