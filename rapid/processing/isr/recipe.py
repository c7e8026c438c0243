"""The recipe as it is run on one detector.

What it consists of, and which product gets which step, is said in `rapid.processing.isr.products`; each step is recorded in
`Frame.recipe` as it went. Where no step needs all amplifiers side by side, each goes from the file to its place on the
sensor on its own: one buffer of one amplifier, one pass over the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import BadLayout
from rapid.processing.buffers import buffer
from rapid.processing.exposure import ExposureInfo
from rapid.processing.frame import AmplifierStatistics, Frame, Mask, RawDetector
from rapid.processing.geometry import Amplifier, Detector
from rapid.processing.isr.calibrations import Calibrations
from rapid.processing.isr.corrections import correct_amplifiers, correct_image, repair_image
from rapid.processing.isr.placement import mark_saturated, place, subtract_levels
from rapid.processing.isr.products import plan
from rapid.processing.isr.readout import Readout, least_shape, read_out
from rapid.processing.isr.record import amplifier_statistics, record
from rapid.processing.isr.variance import NoiseModel
from rapid.processing.isr.workpiece import Workpiece
from rapid.processing.pixels import StoredSegments

__all__ = ["EDGE_WIDTH", "calibrate"]

EDGE_WIDTH: Final = 9
"""Pixels along the rim of the sensor where its field bends and images are displaced."""

_VENDORS: Final = frozenset({"E2V", "ITL"})
"""Whose sensors the cameras have; the numbers of their detectors begin with it."""

_NO_CALIBRATIONS: Final = Calibrations()

_SIDE_BY_SIDE: Final = ("crosstalk", "linearity", "charge transfer")
"""Steps on amplifiers as they were read, all at once or with their overscan."""


def calibrate(
    raw: RawDetector,
    info: ExposureInfo,
    detector: Detector,
    calibrations: Calibrations = _NO_CALIBRATIONS,
    *,
    repair: bool = True,
) -> Frame:
    """Run the recipe on one detector.

    Parameters
    ----------
    raw
        The segments; of a file that was only opened each is read when its turn has come.
    info
        Says which product it is, and the dark time.
    detector
        Data are trimmed, turned and placed by its tables (the DETSEC cards are known to be wrong).
    calibrations
        Those of this detector that exist; a step without its calibration is not done.
    repair
        Whether cosmic rays are looked for, and bad pixels interpolated.

    Returns
    -------
    Frame
        An amplifier without signal, or not to be used, is masked BAD and NO_DATA and holds NaN.

    Raises
    ------
    BadLayout
        If the segments are not those of this detector: of a sensor of another vendor, too few, or too small for its data and
        some overscan.
    BadCalibration
        If a calibration is not of this detector.
    BadFile
        If a segment that is read only now is damaged.
    """
    _check_sensor(raw, info, detector)
    _check(raw, detector)
    calibrations.check(detector)
    image, mask = buffer(detector.shape, np.float32), buffer(detector.shape, np.uint16)
    mask.fill(0)
    piece = Workpiece(raw, info, detector, calibrations, plan(info, calibrations, repair=repair), image, mask)
    if any(piece.does(step) for step in _SIDE_BY_SIDE):
        _side_by_side(piece)
    else:
        _one_by_one(piece)
    correct_image(piece)
    statistics = amplifier_statistics(piece)
    _mask_unused(piece, statistics)
    repair_image(piece)
    image.flags.writeable = mask.flags.writeable = False
    return Frame(info, detector, image, mask, statistics, record(piece, statistics), _noise_model(piece))


def _check_sensor(raw: RawDetector, info: ExposureInfo, detector: Detector) -> None:
    """Refuse a raw of a sensor whose pixels lie elsewhere than the tables say: in 2019 some rafts were in others' places.

    The segments of both vendors are of the same size, so that nothing else would tell; overscan would be taken for data.
    """
    vendor = (info.detector_serial or "").partition("-")[0]
    if vendor in _VENDORS and vendor != detector.vendor:
        raise BadLayout(
            f"this is not the sensor that {detector.instrument} has at {detector.name}",
            subject=raw.name,
            expected=f"one of {detector.vendor}, as {detector.serial}",
            found=str(info.detector_serial),
        )


def _check(raw: RawDetector, detector: Detector) -> None:
    if len(raw.segments) != len(detector.amplifiers):
        raise BadLayout(
            f"wrong number of segments for {detector.instrument} {detector.name}",
            subject=raw.name,
            expected=str(len(detector.amplifiers)),
            found=str(len(raw.segments)),
        )
    first = _shape_of(raw, detector.amplifiers[0])
    for amplifier in detector.amplifiers:
        height, width = _shape_of(raw, amplifier)
        if (height, width) != first:
            raise BadLayout(
                f"{amplifier.extname} has another size than {detector.amplifiers[0].extname}",
                subject=raw.name,
                expected=f"{first[1]} x {first[0]} pixels, all alike",
                found=f"{width} x {height}",
            )
        least_height, least_width = least_shape(amplifier)
        if width < least_width or height < least_height:
            raise BadLayout(
                f"{amplifier.extname} is too small for {detector.instrument} {detector.name}",
                subject=raw.name,
                expected=f"at least {least_width} x {least_height} pixels, data and some overscan",
                found=f"{width} x {height}",
            )


def _shape_of(raw: RawDetector, amplifier: Amplifier) -> tuple[int, ...]:
    index = amplifier.hdu - 1
    return raw.segments.shape_of(index) if isinstance(raw.segments, StoredSegments) else raw.segments[index].shape


def _segments(raw: RawDetector, detector: Detector) -> Iterator[tuple[Amplifier, NDArray[np.int32]]]:
    """Give every amplifier its segment, in one buffer: it is valid until the next one is asked for."""
    buffer = np.empty((0, 0), np.int32)
    for amplifier in detector.amplifiers:
        index, shape = amplifier.hdu - 1, _shape_of(raw, amplifier)
        buffer = buffer if buffer.shape == shape else np.empty(shape, np.int32)
        if isinstance(raw.segments, StoredSegments):
            raw.segments.read_into(index, buffer)
        else:
            buffer[...] = raw.segments[index]
        yield amplifier, buffer


def _one_by_one(piece: Workpiece) -> None:
    """Take each amplifier from its segment to its place."""
    for amplifier, segment in _segments(piece.raw, piece.detector):
        readout = _read(piece, amplifier, segment)
        place(segment, readout, piece.electronics(amplifier), piece.image, piece.mask)


def _side_by_side(piece: Workpiece) -> None:
    """Correct the amplifiers as they were read, then take each to its place."""
    first = piece.detector.amplifiers[0]
    stack = np.empty((len(piece.detector.amplifiers), *_shape_of(piece.raw, first)), np.float32)
    for levelled, (amplifier, segment) in zip(stack, _segments(piece.raw, piece.detector), strict=True):
        subtract_levels(segment, _read(piece, amplifier, segment), levelled)
    correct_amplifiers(stack, piece)
    for levelled, readout in zip(stack, piece.readouts, strict=True):
        electronics = piece.electronics(readout.amplifier)
        place(levelled, readout, electronics, piece.image, piece.mask, levelled=True)


def _read(piece: Workpiece, amplifier: Amplifier, segment: NDArray[np.int32]) -> Readout:
    readout = read_out(segment, amplifier)
    piece.readouts.append(readout)
    piece.saturated.append(mark_saturated(segment, readout, piece.saturation(amplifier), piece.mask))
    return readout


def _mask_unused(piece: Workpiece, statistics: tuple[AmplifierStatistics, ...]) -> None:
    """Mask the rim, and blank the amplifiers that are dead or not to be used."""
    for rim in (np.s_[:EDGE_WIDTH], np.s_[-EDGE_WIDTH:], np.s_[:, :EDGE_WIDTH], np.s_[:, -EDGE_WIDTH:]):
        piece.mask[rim] |= np.uint16(Mask.EDGE)
    for amplifier, seen in zip(piece.detector.amplifiers, statistics, strict=True):
        if seen.dead:
            piece.image[amplifier.bbox.slices] = np.nan
            piece.mask[amplifier.bbox.slices] |= np.uint16(Mask.BAD | Mask.NO_DATA)


def _noise_model(piece: Workpiece) -> NoiseModel:
    electronics = piece.electronics(piece.detector.amplifiers[0])
    flat = piece.calibrations.flat if piece.does("flat") else None
    read = np.array([(r.noise * piece.gain(r.amplifier)) ** 2 * (1 + r.level_variance) for r in piece.readouts])
    for image, factor in ((electronics.bias, 1.0), (electronics.dark, piece.info.dark_time)):
        if image is not None:
            read = read + factor**2 * image.variance
    relative = np.zeros_like(read) if flat is None else flat.variance
    return NoiseModel(read, relative, electronics.dark, piece.info.dark_time, flat)
