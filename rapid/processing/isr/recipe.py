"""Instrument signature removal: from counts on disk to electrons on the sensor.

`calibrate` is the recipe, in order; each step is recorded in `Frame.recipe` as it went.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import BadLayout
from rapid.processing.exposure import ExposureInfo
from rapid.processing.frame import AmplifierStatistics, Frame, Mask, RawDetector, Step
from rapid.processing.geometry import Amplifier, Detector
from rapid.processing.isr.overscan import LEADING, Levels, parallel_levels, serial_levels
from rapid.processing.jit import compiled
from rapid.processing.statistics import clipped

__all__ = ["EDGE_WIDTH", "calibrate"]

EDGE_WIDTH: Final = 9
"""Pixels along the rim of the sensor where its field bends and images are displaced."""

_ADC_LIMIT: Final = 2**18 - 1
"""Highest value of the converter [adu]: more light cannot be told from it, however low the bias."""

_SILENT_SHARE: Final = 0.25
"""An amplifier with less than this part of its nominal read noise is not connected to its converter: it is dead."""

_DARK_SHARE: Final = 0.05
"""One that shows less than this part of the light of the others is dead too..."""

_DARK_LEVEL: Final = 100.0
"""...when the others show at least so much [electron] that it cannot be an accident of levels."""


@dataclass(frozen=True, slots=True)
class _Readout:
    """One amplifier on its way: its pixels [adu], levels, and what was seen."""

    amplifier: Amplifier
    segment: NDArray[np.int32]
    rows: Levels
    columns: Levels
    noise: float
    bled: int

    @property
    def silent(self) -> bool:
        nominal = self.amplifier.read_noise / self.amplifier.gain
        return not self.noise > _SILENT_SHARE * nominal


def calibrate(raw: RawDetector, info: ExposureInfo, detector: Detector) -> Frame:
    """Run the recipe on one detector.

    The level of each row is the median of its serial overscan, whatever its width; what that leaves along a row is the
    smoothed median of the parallel overscan. Pixels as far above their level as the amplifier's tabulated saturation
    [adu], or at the end of the converter, are masked SATURATED. The gain makes electrons; data are trimmed, turned and
    placed by the tables of the camera (the DETSEC cards are known to be wrong). An amplifier without signal is masked BAD
    and NO_DATA and holds NaN.

    Raises
    ------
    BadLayout
        If the segments are not those of this detector: too few, or too small for its data and some overscan.
    """
    _check(raw, detector)
    readouts = [_read_out(raw.segments[amplifier.hdu - 1], amplifier) for amplifier in detector.amplifiers]
    image = np.empty(detector.shape, np.float32)
    mask = np.zeros(detector.shape, np.uint16)
    saturated = [_place(readout, image, mask) for readout in readouts]
    statistics = _statistics(readouts, saturated, image)
    _mask_dead(detector, statistics, image, mask)
    _mask_edge(mask)
    image.flags.writeable = mask.flags.writeable = False
    return Frame(info, detector, image, mask, statistics, _recipe(readouts, statistics))


def _check(raw: RawDetector, detector: Detector) -> None:
    if len(raw.segments) != len(detector.amplifiers):
        raise BadLayout(
            f"wrong number of segments for {detector.instrument} {detector.name}",
            subject=raw.name,
            expected=str(len(detector.amplifiers)),
            found=str(len(raw.segments)),
        )
    for amplifier in detector.amplifiers:
        height, width = raw.segments[amplifier.hdu - 1].shape
        least_width = amplifier.data.x0 + amplifier.data.width + 2 * LEADING
        least_height = amplifier.data.y0 + amplifier.data.height
        if width < least_width or height < least_height:
            raise BadLayout(
                f"{amplifier.extname} is too small for {detector.instrument} {detector.name}",
                subject=raw.name,
                expected=f"at least {least_width} x {least_height} pixels, data and some overscan",
                found=f"{width} x {height}",
            )


def _read_out(segment: NDArray[np.int32], amplifier: Amplifier) -> _Readout:
    data = amplifier.data
    first = data.x0 + data.width + LEADING
    rows, bled = serial_levels(segment, first)
    noise = clipped(segment[:, first:] - rows[:, None]).sigma
    columns = np.zeros(data.width)
    first_row = data.y0 + data.height + LEADING
    if first_row < segment.shape[0]:
        inside = slice(data.x0, data.x0 + data.width)
        columns = parallel_levels(segment, rows, first_row=first_row, columns=inside)
    return _Readout(amplifier, segment, rows, columns, noise, bled)


def _place(readout: _Readout, image: NDArray[np.float32], mask: NDArray[np.uint16]) -> int:
    """Fill the amplifier's part of the image [electron] and mask; return how many pixels are saturated."""
    amplifier = readout.amplifier
    data = readout.segment[amplifier.data.slices]
    turn = (slice(None, None, -1 if amplifier.flip_y else 1), slice(None, None, -1 if amplifier.flip_x else 1))
    return int(
        _subtract(
            data,
            readout.rows[amplifier.data.slices[0]],
            readout.columns,
            amplifier.gain,
            amplifier.saturation,
            np.uint16(Mask.SATURATED),
            image[amplifier.bbox.slices][turn],
            mask[amplifier.bbox.slices][turn],
        )
    )


@compiled
def _subtract(  # noqa: PLR0917 - compiled functions take their arguments by position
    data: NDArray[np.int32],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    gain: float,
    saturation: float,
    bit: np.uint16,
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
) -> int:
    count = 0
    for y in range(data.shape[0]):
        level = rows[y]
        for x in range(data.shape[1]):
            image[y, x] = np.float32((data[y, x] - level - columns[x]) * gain)
            if data[y, x] - level >= saturation or data[y, x] >= _ADC_LIMIT:
                mask[y, x] |= bit
                count += 1
    return count


def _statistics(
    readouts: list[_Readout], saturated: list[int], image: NDArray[np.float32]
) -> tuple[AmplifierStatistics, ...]:
    bulk = [clipped(image[readout.amplifier.bbox.slices]) for readout in readouts]
    awake = [part.median for readout, part in zip(readouts, bulk, strict=True) if not readout.silent]
    typical = float(np.median(awake)) if awake else 0.0
    return tuple(
        AmplifierStatistics(
            name=readout.amplifier.name,
            bias_level=float(np.median(readout.rows)),
            overscan_noise=readout.noise,
            read_noise=readout.noise * readout.amplifier.gain,
            median=part.median,
            sigma=part.sigma,
            n_saturated=count,
            dead=readout.silent or (typical > _DARK_LEVEL and part.median < _DARK_SHARE * typical),
        )
        for readout, part, count in zip(readouts, bulk, saturated, strict=True)
    )


def _mask_dead(
    detector: Detector,
    statistics: tuple[AmplifierStatistics, ...],
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
) -> None:
    for amplifier, seen in zip(detector.amplifiers, statistics, strict=True):
        if seen.dead:
            image[amplifier.bbox.slices] = np.nan
            mask[amplifier.bbox.slices] |= np.uint16(Mask.BAD | Mask.NO_DATA)


def _mask_edge(mask: NDArray[np.uint16]) -> None:
    bit = np.uint16(Mask.EDGE)
    for rim in (np.s_[:EDGE_WIDTH], np.s_[-EDGE_WIDTH:], np.s_[:, :EDGE_WIDTH], np.s_[:, -EDGE_WIDTH:]):
        mask[rim] |= bit


def _recipe(readouts: list[_Readout], statistics: tuple[AmplifierStatistics, ...]) -> tuple[Step, ...]:
    first = readouts[0]
    overscan = first.segment.shape[1] - first.amplifier.data.x0 - first.amplifier.data.width
    below = first.segment.shape[0] - first.amplifier.data.y0 - first.amplifier.data.height
    bled = sum(readout.bled for readout in readouts)
    dead = ", ".join(seen.name for seen in statistics if seen.dead)
    full = sum(seen.n_saturated for seen in statistics)
    return (
        Step(
            "serial overscan", True, f"row medians of {overscan - LEADING} columns, {bled} rows taken from neighbours"
        ),
        Step("parallel overscan", below > LEADING, f"smoothed column medians of {max(below - LEADING, 0)} rows"),
        Step("saturation", True, f"{full} pixels masked"),
        Step("gain", True, "nominal"),
        Step("assembly", True, "trimmed, turned and placed by the camera's tables"),
        Step("dead amplifiers", True, dead or "none"),
        Step("bias, dark, flat", False, "no calibrations loaded"),
    )
