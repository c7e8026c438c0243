"""From counts of one amplifier to electrons at their place on the sensor, in one pass over memory.

Each row is worked on while it is in the first cache: level, gain, turn, bias, dark, flat. What is written is the image and
the mask, each once; what is read is the segment and the calibrations, each once. Sums of a pixel are those of the steps one
by one, to the rounding of float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import Mask
from rapid.processing.isr.calibrations import UNUSABLE, CalibrationImage
from rapid.processing.isr.readout import Readout
from rapid.processing.jit import compiled
from rapid.processing.memory import AHEAD, prefetch_row
from rapid.processing.pixels import HIGHEST_COUNT

__all__ = ["Electronics", "divide_by_flat", "mark_saturated", "place", "subtract_levels"]

_SATURATED: Final = int(Mask.SATURATED)
_BAD: Final = int(Mask.BAD)
_UNUSABLE: Final = UNUSABLE

_ABSENT: Final = np.zeros((0, 0), np.int16)
_ABSENT.flags.writeable = False
"""What the compiled pass gets for a calibration that is not applied; read-only as real ones, which are then no other type."""


_Scaled = tuple[NDArray[np.int16], np.float32, np.float32]
"""Counts of a calibration, their zero and step."""


@dataclass(frozen=True, slots=True)
class Electronics:
    """What the pixels are corrected with: the gain [electron/adu] is that of one amplifier, the rest of the detector.

    A calibration that is None is not applied; ``dark_time`` [s] scales the dark.
    """

    gain: float
    bias: CalibrationImage | None
    dark: CalibrationImage | None
    dark_time: float
    flat: CalibrationImage | None


def mark_saturated(segment: NDArray[np.int32], readout: Readout, saturation: float, mask: NDArray[np.uint16]) -> int:
    """Mark the pixels that are full in the mask of the detector, **in place**; return how many.

    Full is what is `saturation` [adu] or more above the level of its row, or at the end of the converter.
    """
    amplifier = readout.amplifier
    data, box = amplifier.data, amplifier.bbox
    return int(
        _mark(
            segment,
            (data.y0, data.x0),
            readout.rows[data.y0 : data.y0 + data.height],
            saturation,
            mask[box.slices][amplifier.turn],
        )
    )


def place(
    segment: NDArray[np.int32] | NDArray[np.float32],
    readout: Readout,
    electronics: Electronics,
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    *,
    levelled: bool = False,
) -> None:
    """Fill the amplifier's part of the image [electron]; pixels a calibration has no value for become BAD.

    Those pixels keep the value they have without it.

    Parameters
    ----------
    segment
        Pixels [adu] as they were read, shape (ny, nx); the levels are subtracted, unless they are (`levelled`).
    image, mask
        Of the whole detector, C order.
    """
    amplifier = readout.amplifier
    data, box = amplifier.data, amplifier.bbox
    rows = readout.rows[data.y0 : data.y0 + data.height]
    columns = readout.columns
    if levelled:
        rows, columns = np.zeros_like(rows), np.zeros_like(columns)
    _place(
        segment,
        (data.y0, data.x0, box.y0, box.x0),
        (amplifier.flip_y, amplifier.flip_x),
        rows,
        columns,
        electronics.gain,
        _scaled(electronics.bias, 1.0),
        _scaled(electronics.dark, electronics.dark_time),
        _scaled(electronics.flat, 1.0),
        image,
        mask,
    )


def subtract_levels(segment: NDArray[np.int32], readout: Readout, result: NDArray[np.float32]) -> None:
    """Subtract the levels from a whole segment [adu]; outside the columns of the data there are only those of the rows."""
    data = readout.amplifier.data
    columns = np.zeros(segment.shape[1])
    columns[data.x0 : data.x0 + data.width] = readout.columns
    _subtract_levels(segment, readout.rows, columns, result)


def divide_by_flat(image: NDArray[np.float32], mask: NDArray[np.uint16], flat: CalibrationImage) -> None:
    """Divide a whole image by a flat, **in place**; pixels it has no value for become BAD and keep theirs."""
    _divide(image, mask, _scaled(flat, 1.0))


def _scaled(image: CalibrationImage | None, factor: float) -> _Scaled:
    if image is None:
        return _ABSENT, np.float32(0), np.float32(0)
    return image.counts, np.float32(image.zero * factor), np.float32(image.step * factor)


@compiled
def _subtract_levels(
    segment: NDArray[np.int32], rows: NDArray[np.float64], columns: NDArray[np.float64], result: NDArray[np.float32]
) -> None:
    for y in range(segment.shape[0]):
        for x in range(segment.shape[1]):
            result[y, x] = segment[y, x] - rows[y] - columns[x]


@compiled
def _mark(
    segment: NDArray[np.int32],
    corner: tuple[int, int],
    rows: NDArray[np.float64],
    saturation: float,
    mask: NDArray[np.uint16],
) -> int:
    n = np.int64(0)
    for y in range(rows.size):
        full = np.int32(min(np.ceil(rows[y] + saturation), HIGHEST_COUNT))
        line = segment[corner[0] + y, corner[1] : corner[1] + mask.shape[1]]
        found = np.int32(0)
        for x in range(line.size):
            found += np.int32(line[x] >= full)
        if found:
            n += found
            for x in range(line.size):
                if line[x] >= full:
                    mask[y, x] |= np.uint16(_SATURATED)
    return int(n)


@compiled
def _place(  # noqa: PLR0917 - compiled functions take their arguments by position
    segment: NDArray[np.int32] | NDArray[np.float32],
    corners: tuple[int, int, int, int],
    flips: tuple[bool, bool],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    gain: float,
    bias: _Scaled,
    dark: _Scaled,
    flat: _Scaled,
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
) -> None:
    y0, x0, v0, u0 = corners
    height, width = rows.size, columns.size
    counts = np.empty(width, np.float32)
    for y in range(height):
        source = segment[y0 + y, x0 : x0 + width]
        level = rows[y]
        for x in range(width):
            counts[x] = (source[x] - level - columns[x]) * gain
        v = v0 + (height - 1 - y if flips[0] else y)
        ahead = v - AHEAD if flips[0] else v + AHEAD
        prefetch_row(image, ahead, u0, u0 + width)
        for known in (bias[0], dark[0], flat[0]):
            if known.size:
                prefetch_row(known, ahead, u0, u0 + width)
        line, bits = image[v, u0 : u0 + width], mask[v, u0 : u0 + width]
        _turn(counts, line, flips[1])
        if bias[0].size and dark[0].size and flat[0].size:
            biases, darks, flats = (
                bias[0][v, u0 : u0 + width],
                dark[0][v, u0 : u0 + width],
                flat[0][v, u0 : u0 + width],
            )
            if _all_three_usable(biases, darks, flats):
                _correct(line, biases, bias[1], bias[2], darks, dark[1], dark[2], flats, flat[1], flat[2])
                continue
        if bias[0].size:
            _subtract(line, bits, bias[0][v, u0 : u0 + width], bias[1], bias[2])
        if dark[0].size:
            _subtract(line, bits, dark[0][v, u0 : u0 + width], dark[1], dark[2])
        if flat[0].size:
            _divide_row(line, bits, flat[0][v, u0 : u0 + width], flat[1], flat[2])


@compiled
def _turn(counts: NDArray[np.float32], line: NDArray[np.float32], flip: bool) -> None:
    if flip:
        last = counts.size - 1
        for x in range(counts.size):
            line[x] = counts[np.uint64(last - x)]  # unsigned: no index from the end, so that it can be vectorised
    else:
        line[:] = counts


@compiled
def _all_three_usable(biases: NDArray[np.int16], darks: NDArray[np.int16], flats: NDArray[np.int16]) -> bool:
    lost = np.int16(0)
    for x in range(biases.size):
        one, two, three = biases[x] == _UNUSABLE, darks[x] == _UNUSABLE, flats[x] == _UNUSABLE
        lost |= np.int16(one | two | three)
    return bool(lost == 0)


@compiled
def _correct(  # noqa: PLR0917 - as above
    line: NDArray[np.float32],
    biases: NDArray[np.int16],
    bias_zero: np.float32,
    bias_step: np.float32,
    darks: NDArray[np.int16],
    dark_zero: np.float32,
    dark_step: np.float32,
    flats: NDArray[np.int16],
    flat_zero: np.float32,
    flat_step: np.float32,
) -> None:
    """Do the three steps at once where every pixel has all of them, as nearly every row does."""
    for x in range(line.size):
        light = line[x] - (bias_zero + bias_step * np.float32(biases[x]))
        light -= dark_zero + dark_step * np.float32(darks[x])
        line[x] = light / (flat_zero + flat_step * np.float32(flats[x]))


@compiled
def _subtract(
    line: NDArray[np.float32], bits: NDArray[np.uint16], counts: NDArray[np.int16], zero: np.float32, step: np.float32
) -> None:
    if _all_usable(counts):
        for x in range(counts.size):
            line[x] -= zero + step * np.float32(counts[x])
        return
    for x in range(counts.size):
        if counts[x] == _UNUSABLE:
            bits[x] |= np.uint16(_BAD)
        else:
            line[x] -= zero + step * np.float32(counts[x])


@compiled
def _divide_row(
    line: NDArray[np.float32], bits: NDArray[np.uint16], counts: NDArray[np.int16], zero: np.float32, step: np.float32
) -> None:
    if _all_usable(counts):
        for x in range(counts.size):
            line[x] /= zero + step * np.float32(counts[x])
        return
    for x in range(counts.size):
        if counts[x] == _UNUSABLE:
            bits[x] |= np.uint16(_BAD)
        else:
            line[x] /= zero + step * np.float32(counts[x])


@compiled
def _all_usable(counts: NDArray[np.int16]) -> bool:
    lost = np.int16(0)
    for x in range(counts.size):
        lost += np.int16(counts[x] == np.int16(_UNUSABLE))
    return bool(lost == 0)


@compiled
def _divide(image: NDArray[np.float32], mask: NDArray[np.uint16], flat: _Scaled) -> None:
    for v in range(image.shape[0]):
        _divide_row(image[v], mask[v], flat[0][v], flat[1], flat[2])
