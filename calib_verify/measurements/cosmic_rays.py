"""The noise of an image without what cosmic rays left in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calib_verify.measurements.amplifiers import EXCLUDED, AmplifierView
from calib_verify.measurements.quantities import QUANTITIES
from calib_verify.measurements.values import Measurement, measured, not_measured
from rapid.processing.frame import Frame, Mask
from rapid.processing.geometry import Box
from rapid.processing.isr.cosmic_rays import find_cosmic_rays
from rapid.processing.isr.interpolation import REACH, interpolate

__all__ = ["MOST", "without_cosmic_rays"]

FWHM: Final = 3.0
"""Of the point source that a cosmic ray is sharper than [pixel]: that of the Gaussian that cp_verify compares with."""

MOST: Final = 10_000
"""Pixels of a detector that may be hit: with more the finder of the observatory gives up, and so does this."""

_UNUSABLE: Final = np.uint16(Mask.BAD | Mask.NO_DATA | Mask.SATURATED)


def without_cosmic_rays(frame: Frame, views: Sequence[AmplifierView]) -> Iterator[Measurement]:
    """Measure the scatter of every amplifier with the pixels that were hit filled, and say how many were."""
    detector = frame.info.detector_name
    bad = (frame.mask & _UNUSABLE) != 0
    found = find_cosmic_rays(frame.image, bad, fwhm=FWHM)
    why_not = found.reason
    if why_not:
        yield not_measured(QUANTITIES["cosmic_ray_pixels"], why_not, detector=detector)
    else:
        yield measured(QUANTITIES["cosmic_ray_pixels"], found.n_pixels, detector=detector, n=found.n_events)
        if found.n_pixels > MOST:
            why_not = f"too many cosmic rays: {found.n_pixels} pixels, at most {MOST}"
    if why_not:
        for view in views:
            yield not_measured(QUANTITIES["cr_noise"], why_not, detector=detector, amplifier=view.amplifier.name)
        return
    hits = np.argwhere(found.hit)
    filled = _filled(frame.image, found.hit, bad, hits)
    for view in views:
        spread, n = _spread(view, hits, filled)
        yield view.measured("cr_noise", spread, view.noise_error(spread, n), n)


def _filled(
    image: NDArray[np.float32], hit: NDArray[np.bool_], bad: NDArray[np.bool_], hits: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what the core puts in place of every hit; it looks no further than its reach, so a cutting of that size will do."""
    values = np.empty(len(hits))
    for number, (y, x) in enumerate(hits):
        y0, x0 = max(y - REACH, 0), max(x - REACH, 0)
        part = np.s_[y0 : y + REACH + 1, x0 : x + REACH + 1]
        cutting = image[part].copy()
        interpolate(cutting, hit[part], blank=bad[part])
        values[number] = cutting[y - y0, x - x0]
    return values


def _spread(view: AmplifierView, hits: NDArray[np.int64], filled: NDArray[np.float64]) -> tuple[float, int]:
    """Return the unbiased standard deviation with the hits replaced: sums over all pixels change by these alone."""
    s, box = view.statistics, view.amplifier.bbox
    if s.n < 2:
        return math.nan, s.n
    here = _inside(hits, box)
    y, x = hits[here].T
    counted = (view.frame.mask[y, x] & EXCLUDED) == 0
    before = view.frame.image[y[counted], x[counted]].astype(np.float64) - s.mean
    after = filled[here][counted] - s.mean
    shift = float((after - before).sum()) / s.n
    squares = s.stdev**2 * (s.n - 1) + float(after @ after - before @ before) - s.n * shift**2
    return math.sqrt(max(squares, 0.0) / (s.n - 1)), s.n


def _inside(places: NDArray[np.int64], box: Box) -> NDArray[np.bool_]:
    y, x = places.T
    inside = (y >= box.y0) & (y < box.y0 + box.height) & (x >= box.x0) & (x < box.x0 + box.width)
    return np.asarray(inside, np.bool_)
