"""Simulated LATISS calibrations as the package reads them, without files; and made-up measurements to be judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calib_verify.measurements import QUANTITIES, FrameMeasurements, MeasuredFrame, Measurement, Subject, measure_raw
from calib_verify.measurements.values import measured
from rapid.processing.frame import RawDetector
from rapid.processing.geometry import Detector, detectors
from rapid.processing.headers import translate
from rapid.processing.isr import Calibrations
from rapid.simulation.single import simulate_detector

__all__ = ["AMPLIFIERS", "LATISS", "Fault", "frame", "observed", "observed_raw", "subject"]

LATISS: Detector = detectors("LATISS")["R00_S00"]
AMPLIFIERS = tuple(each.name for each in LATISS.amplifiers)

Fault = Callable[[list[NDArray[np.int32]]], None]
"""What is done to the segments [adu] of an exposure, in place."""


def observed_raw(kind: str, number: int, *, fault: Fault | None = None, **settings: object) -> RawDetector:
    """Simulate one exposure, and spoil it."""
    raw = simulate_detector("LATISS", "R00_S00", kind=kind, number=number, **settings).raw()
    if fault is None:
        return raw
    segments = [each.copy() for each in raw.segments]
    fault(segments)
    return replace(raw, segments=tuple(segments))


def observed(
    kind: str, number: int, *, fault: Fault | None = None, calibrations: Calibrations | None = None, **settings: object
) -> MeasuredFrame:
    """Simulate, spoil and measure one exposure."""
    raw = observed_raw(kind, number, fault=fault, **settings)
    return measure_raw(raw, translate(raw.header, name=raw.name), calibrations or Calibrations())


def subject(number: int = 1, *, kind: str = "bias", detector: str = "R00_S00", instrument: str = "LATISS") -> Subject:
    """Name an exposure of a night."""
    return Subject(
        instrument=instrument,
        day_obs=20260315,
        exposure_id=2026031500000 + number,
        detector=detector,
        obs_id=f"AT_O_20260315_{number:06d}",
        seq_num=number,
        kind=kind,
        physical_filter="SDSSr_65mm~empty" if kind == "flat" else "",
        exposure_time=0.0,
        dark_time=0.0,
        begin_tai="2026-03-15T22:00:00.000",
    )


GOOD: Mapping[str, Mapping[str, float]] = {
    "bias": {
        "mean": 0.1,
        "mean_clipped": 0.1,
        "noise": 8.2,
        "noise_robust": 8.2,
        "cr_noise": 8.2,
        "predicted_noise": 8.2,
        "read_noise": 8.0,
        "read_noise_lsst": 7.9,
        "nominal_read_noise": 8.0,
        "column_scatter": 0.6,
        "bias_shift_count": 0.0,
    },
    "flat": {
        "mean": 30_000.0,
        "noise": 170.0,
        "read_noise": 8.0,
        "nominal_read_noise": 8.0,
        "nominal_gain": 1.05,
        "saturated_pixels": 0.0,
        "relative_level": 1.0,
    },
}
ERRORS = {"mean": 0.2, "mean_clipped": 0.2, "noise": 0.006, "read_noise": 0.017, "relative_level": 1e-4}


def frame(
    number: int = 1,
    *,
    kind: str = "bias",
    bad: Mapping[str, Mapping[str, float | None]] | None = None,
    detector: str = "R00_S00",
    instrument: str = "LATISS",
    amplifiers: Sequence[str] = AMPLIFIERS,
    **of_detector: float,
) -> FrameMeasurements:
    """Make up the measurements of a healthy frame; `bad` are other values of some amplifiers, None for one not measured."""
    found: list[Measurement] = []
    for amplifier in amplifiers:
        values: dict[str, float | None] = {**GOOD[kind], **(bad or {}).get(amplifier, {})}
        for name, value in values.items():
            found.append(
                measured(
                    QUANTITIES[name],
                    np.nan if value is None else value,
                    ERRORS.get(name),
                    1000,
                    detector=detector,
                    amplifier=amplifier,
                )
            )
    found += [measured(QUANTITIES[name], value, 0.1, 16, detector=detector) for name, value in of_detector.items()]
    named = subject(number, kind=kind, detector=detector, instrument=instrument)
    return FrameMeasurements(named, tuple(amplifiers), tuple(found))
