"""What is measured on all detectors of an exposure together."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from calib_verify.measurements.quantities import QUANTITIES
from calib_verify.measurements.values import FrameMeasurements, Measurement, measured

__all__ = ["exposure_levels"]


def exposure_levels(frames: Iterable[FrameMeasurements]) -> tuple[Measurement, ...]:
    """Compare the levels of the detectors of one flat; nothing where none was measured.

    The scatter is that of the population, as cp_verify takes it with ``np.std``: 0 for a single detector.
    """
    found = [each for frame in frames for each in frame.measurements if each.name == "detector_mean"]
    values = np.array([each.value for each in found if each.value is not None])
    if not values.size:
        return ()
    error = math.hypot(*(each.uncertainty or 0.0 for each in found)) / values.size
    scatter = float(values.std())
    return (
        measured(QUANTITIES["exposure_mean"], float(values.mean()), error, values.size),
        measured(QUANTITIES["exposure_scatter"], scatter, scatter / math.sqrt(2 * values.size), values.size),
    )
