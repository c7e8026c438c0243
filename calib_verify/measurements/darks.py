"""What only a dark tells: dark current and hot pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from calib_verify.measurements.amplifiers import EXCLUDED, AmplifierView
from calib_verify.measurements.quantities import QUANTITIES
from calib_verify.measurements.values import Measurement, not_measured
from rapid.processing.isr import Calibrations

__all__ = ["HOT", "collected", "dark_current", "hot_pixels"]

HOT: Final = 5.0
"""Dark current from which a pixel is a defect [electron/s], by the camera team."""

_CLEAR: Final = 6.0
"""Standard deviations that a hot pixel must stand out by: in a million pixels chance makes none."""


def collected(view: AmplifierView, calibrations: Calibrations) -> float:
    """Return the mean charge that was collected in the dark [electron], what a calibration took off put back."""
    done = {step.name for step in view.frame.recipe if step.done}
    level = view.statistics.mean_clipped
    if calibrations.dark is None or "dark" not in done:
        return level
    known = calibrations.dark.part(view.amplifier.bbox.slices)
    return level + float(np.nanmean(known, dtype=np.float64)) * view.frame.info.dark_time


def dark_current(view: AmplifierView, charge: float) -> Iterator[Measurement]:
    """Measure the dark current, from the charge that was collected [electron]."""
    seconds, s, box = view.frame.info.dark_time, view.statistics, view.amplifier.bbox
    if not seconds > 0:
        yield _not_measured("dark_current", "the dark time is not known", view)
        return
    error = view.mean_error(s.stdev_clipped, s.n, box.height, box.width)
    yield view.measured("dark_current", charge / seconds, error / seconds, s.n)


def hot_pixels(view: AmplifierView) -> Iterator[Measurement]:
    """Count the hot pixels, where the dark is long enough to tell them from noise."""
    limit = HOT * view.frame.info.dark_time
    least = _CLEAR * view.statistics.stdev_clipped
    if not limit >= least:
        yield _not_measured("hot_pixels", f"too short: a hot pixel collects {limit:.3g} electron of {least:.3g}", view)
        return
    with np.errstate(invalid="ignore"):
        hot = (view.image - view.statistics.median >= limit) & ((view.mask & EXCLUDED) == 0)
    n = int(np.count_nonzero(hot))
    yield view.measured("hot_pixels", n, math.sqrt(n), view.statistics.n)


def _not_measured(name: str, reason: str, view: AmplifierView) -> Measurement:
    return not_measured(QUANTITIES[name], reason, detector=view.frame.info.detector_name, amplifier=view.amplifier.name)
