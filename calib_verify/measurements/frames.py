"""All measurements of one frame: from the file, or from what the core read of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from calib_verify.measurements.amplifiers import (
    AmplifierView,
    corner,
    levels,
    overscan_noise,
    pixels,
    predicted,
    structure,
)
from calib_verify.measurements.bias_shift import find_bias_shifts
from calib_verify.measurements.correlations import correlations, largest
from calib_verify.measurements.cosmic_rays import without_cosmic_rays
from calib_verify.measurements.darks import collected, dark_current, hot_pixels
from calib_verify.measurements.dead import with_dead_amplifiers
from calib_verify.measurements.flats import detector_levels, saturated
from calib_verify.measurements.levels import overscans
from calib_verify.measurements.quantities import QUANTITIES
from calib_verify.measurements.values import FrameMeasurements, Measurement, Subject, measured
from rapid.errors import BadHeader, InputError
from rapid.processing.exposure import ExposureInfo
from rapid.processing.fits import RawSource, open_raw
from rapid.processing.frame import Frame, RawDetector
from rapid.processing.geometry import Detector, detectors
from rapid.processing.headers import translate
from rapid.processing.ids import parse_obs_id
from rapid.processing.isr import Calibrations, calibrate

__all__ = ["KINDS", "MeasuredFrame", "failed_frame", "measure_file", "measure_raw", "subject_of"]

KINDS: Final = ("bias", "dark", "flat")
"""Observation types that are measured."""

_NO_CALIBRATIONS: Final = Calibrations()


@dataclass(frozen=True, slots=True)
class MeasuredFrame:
    """Measurements of a frame; of a flat also the frame, not divided by a flat, to be paired with the next one."""

    measurements: FrameMeasurements
    pairing: Frame | None = None


def measure_file(source: RawSource, *, name: str, calibrations: Calibrations = _NO_CALIBRATIONS) -> MeasuredFrame:
    """Read and measure one raw file.

    A file that cannot be used gives no measurements but a failure that says why.

    Raises
    ------
    NotAvailable
        If the file is not there.
    """
    info: ExposureInfo | None = None
    try:
        stored = open_raw(source, name=name)
        info = translate(stored.header, name=name)
        _check_kind(info, name)
        raw = replace(
            stored, segments=tuple(stored.segments)
        )  # they are looked at twice: by the recipe, and as they are
        return measure_raw(raw, info, calibrations)
    except InputError as error:
        return MeasuredFrame(failed_frame(name, str(error), info))


def measure_raw(raw: RawDetector, info: ExposureInfo, calibrations: Calibrations = _NO_CALIBRATIONS) -> MeasuredFrame:
    """Measure what was read of one detector.

    Raises
    ------
    BadHeader
        If it is no bias, dark or flat.
    BadLayout, BadCalibration, BadFile
        As of `rapid.processing.isr.calibrate`.
    """
    kind = info.observation_type
    _check_kind(info, raw.name)
    detector = detectors(info.instrument)[info.detector_name]
    calibrated = calibrate(raw, info, detector, calibrations, repair=False)
    frame = with_dead_amplifiers(calibrated, raw, calibrations)
    found = FrameMeasurements(
        subject=subject_of(info),
        amplifiers=tuple(amplifier.name for amplifier in detector.amplifiers),
        measurements=(),
        calibrations=tuple(
            (step.name, step.detail) for step in frame.recipe if step.done and _is_calibration(step.name)
        ),
    )
    views = tuple(_views(raw, frame, calibrations))
    if kind == "bias":
        return MeasuredFrame(_bias(found, frame, views))
    if kind == "dark":
        return MeasuredFrame(replace(found, measurements=tuple(_dark(frame, views, calibrations))))
    pairing = _without_flat(raw, info, detector, calibrations, calibrated)
    return MeasuredFrame(replace(found, measurements=tuple(_flat(frame, views))), pairing)


def subject_of(info: ExposureInfo) -> Subject:
    """Say which frame a header is of."""
    return Subject(
        instrument=info.instrument,
        day_obs=info.day_obs,
        exposure_id=info.exposure_id,
        detector=info.detector_name,
        obs_id=info.obs_id,
        seq_num=info.seq_num,
        kind=info.observation_type,
        physical_filter=info.physical_filter,
        exposure_time=_finite(info.exposure_time),
        dark_time=_finite(info.dark_time),
        begin_tai=info.begin_tai,
    )


def failed_frame(name: str, why: str, info: ExposureInfo | None = None) -> FrameMeasurements:
    """Return the measurements of a file that could not be used: none; its name says what is known where its header does not."""
    if info is not None:
        known = detectors(info.instrument)[info.detector_name]
        return FrameMeasurements(subject_of(info), tuple(each.name for each in known.amplifiers), (), failure=why)
    parts = parse_obs_id(name)
    subject = Subject(
        instrument="",
        day_obs=parts.day_obs if parts else 0,
        exposure_id=0,
        detector=name,
        obs_id=parts.obs_id if parts else name,
        seq_num=parts.seq_num if parts else 0,
        kind="",
        physical_filter="",
        exposure_time=None,
        dark_time=None,
        begin_tai="",
    )
    return FrameMeasurements(subject, (), (), failure=why)


def _check_kind(info: ExposureInfo, name: str) -> None:
    if info.observation_type not in KINDS:
        raise BadHeader("not a calibration", subject=name, expected=", ".join(KINDS), found=repr(info.observation_type))


def _views(raw: RawDetector, frame: Frame, calibrations: Calibrations) -> Iterator[AmplifierView]:
    parallel = any(step.name == "parallel overscan" and step.done for step in frame.recipe)
    for index, amplifier in enumerate(frame.detector.amplifiers):
        segment = raw.segments[amplifier.hdu - 1]
        gain = calibrations.gains.get(amplifier.name, amplifier.gain)
        used = overscans(amplifier, segment.shape, parallel=parallel)
        yield AmplifierView.of(frame, index, segment, gain=gain, overscans=used)


def _bias(found: FrameMeasurements, frame: Frame, views: tuple[AmplifierView, ...]) -> FrameMeasurements:
    images = correlations([view.image for view in views])
    overscan = correlations([view.overscan for view in views])
    detector = frame.info.detector_name
    measurements = [
        *(measurement for view in views for measurement in _of_a_bias(view)),
        *without_cosmic_rays(frame, views),
        *(
            measured(QUANTITIES[name], largest(matrix), None, part.size, detector=detector)
            for name, matrix, part in (
                ("image_correlation", images, views[0].image),
                ("overscan_correlation", overscan, views[0].overscan),
            )
        ),
    ]
    return replace(found, measurements=tuple(measurements), image_correlations=images, overscan_correlations=overscan)


def _of_a_bias(view: AmplifierView) -> Iterator[Measurement]:
    yield from pixels(view)
    yield from levels(view)
    yield from overscan_noise(view)
    yield from corner(view)
    yield from structure(view)
    yield from predicted(view, 0.0)
    shifts = find_bias_shifts(np.asarray(view.overscan))
    n = shifts.n_rows
    yield view.measured("bias_shift_count", len(shifts.shifts) if math.isfinite(shifts.noise) else math.nan, n=n)
    yield view.measured("bias_shift_noise", shifts.noise, shifts.noise / math.sqrt(2 * n), n)


def _dark(frame: Frame, views: tuple[AmplifierView, ...], calibrations: Calibrations) -> Iterator[Measurement]:
    for view in views:
        charge = collected(view, calibrations)
        yield from pixels(view)
        yield from levels(view)
        yield from overscan_noise(view)
        yield from structure(view)
        yield from predicted(view, charge)
        yield from dark_current(view, charge)
        yield from hot_pixels(view)
    yield from without_cosmic_rays(frame, views)


def _flat(frame: Frame, views: tuple[AmplifierView, ...]) -> Iterator[Measurement]:
    means = []
    for view in views:
        found = tuple(pixels(view))
        means.append(found[0])
        yield from found
        yield from levels(view)
        yield from overscan_noise(view)
    yield from detector_levels(means)
    yield from saturated(frame)


def _without_flat(
    raw: RawDetector, info: ExposureInfo, detector: Detector, calibrations: Calibrations, frame: Frame
) -> Frame:
    """Return the frame as it was before it was divided by a flat."""
    if not any(step.name == "flat" and step.done for step in frame.recipe):
        return frame
    return calibrate(raw, info, detector, replace(calibrations, flat=None), repair=False)


def _is_calibration(step: str) -> bool:
    return step in {"bias", "dark", "flat", "defects", "crosstalk", "linearity", "charge transfer"}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
