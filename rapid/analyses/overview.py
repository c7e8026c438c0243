"""The whole frame made small enough to be looked at, and the range of values worth seeing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.findings import ImagePanel, Mark
from rapid.processing.frame import AmplifierStatistics, Frame, Mask
from rapid.processing.jit import compiled

__all__ = ["Limits", "binned", "calibration", "dead_amplifiers", "frame_panel", "quantised"]

CALIBRATION_TYPES = frozenset({"bias", "dark", "flat"})
"""Observation types of frames without a sky."""

_SAMPLE = 250_000
"""Pixels that are enough for a percentile: the error of the median is 0.3 % of the noise."""

_LEVELS = 65_000
_FINENESS = 8.0
"""Quantisation steps per standard deviation: the rounding adds 1/(12 x 64), 0.1 %, to the variance."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The values shown black and white, how the range between is stretched, and the noise they were chosen by."""

    low: float
    high: float
    stretch: str
    noise: float


def calibration(observation_type: str) -> bool:
    """Tell whether frames of this type show no sky."""
    return observation_type in CALIBRATION_TYPES


def dead_amplifiers(frame: Frame) -> tuple[AmplifierStatistics, ...]:
    """List the amplifiers that carry no signal."""
    return tuple(amplifier for amplifier in frame.amplifiers if amplifier.dead)


def binned(image: NDArray[np.float32], mask: NDArray[np.uint16], factor: int) -> NDArray[np.float32]:
    """Average blocks of `factor` by `factor` pixels.

    Parameters
    ----------
    image
        Any unit, shape (ny, nx). Pixels that are not finite or are `Mask.BAD` or `Mask.NO_DATA` are left out.
    mask
        `Mask` bits, same shape.

    Returns
    -------
    NDArray
        Means, shape (ceil(ny / factor), ceil(nx / factor)); NaN where a block has no usable pixel.
    """
    return _binned(image, mask, np.uint16(Mask.BAD | Mask.NO_DATA), factor)


def frame_panel(
    frame: Frame, *, title: str, longest_side: int, marks: tuple[Mark, ...] = ()
) -> tuple[ImagePanel, Limits]:
    """Show the whole frame in at most `longest_side` pixels, its dead amplifiers hatched, with `marks` on it."""
    factor = max(1, math.ceil(max(frame.image.shape) / longest_side))
    small = binned(frame.image, frame.mask, factor)
    limits = _limits(small, _dead_blocks(frame, small.shape, factor), sky=not calibration(frame.info.observation_type))
    pixels, offset, step = quantised(small, limits.noise)
    panel = ImagePanel(
        title=title,
        pixels=pixels,
        offset=offset,
        step=step,
        low=limits.low,
        high=limits.high,
        unit="electron",
        x0=(factor - 1) / 2,
        y0=(factor - 1) / 2,
        binning=factor,
        stretch=limits.stretch,
        marks=(*_dead_marks(frame), *marks),
        blank=0,
    )
    return panel, limits


def quantised(values: NDArray[np.floating], noise: float) -> tuple[NDArray[np.uint16], float, float]:
    """Round values to 16 bits in steps finer than their noise.

    Returns
    -------
    tuple
        pixels, offset and step, with value = offset + step * pixel; pixel 0 stands for what is not finite.
    """
    low, high = _extremes(np.ravel(values))
    pixels = np.zeros(values.shape, np.uint16)
    if low > high:
        return pixels, 0.0, 1.0
    step = max(noise / _FINENESS, (high - low) / _LEVELS) or 1.0
    _round(np.ravel(values), low, step, np.ravel(pixels))
    return pixels, low - step, step


def _limits(small: NDArray[np.float32], dead: NDArray[np.bool_], *, sky: bool) -> Limits:
    """Choose what is shown black and white, from pixels that are alive.

    Sky: from just below the background up to the brightest thousandth, logarithmic above the noise, and within bounds
    that leave the background a dark grey on an empty frame as on a crowded one. Calibrations:
    linear over all but the outermost half percent, and never so narrow that noise alone becomes black and white.
    """
    step = max(1, math.isqrt(small.size // _SAMPLE))
    sample = small[::step, ::step]
    values = sample[np.isfinite(sample) & ~dead[::step, ::step]]
    if values.size == 0:
        return Limits(0.0, 1.0, "linear", 0.0)
    values.sort()  # in vector registers: six percentiles of what is in order cost half of what they do of anything
    bottom, quarter, middle, three_quarters, top, highest = (
        float(value) for value in np.percentile(values, (0.5, 25, 50, 75, 99.5, 99.9), overwrite_input=True)
    )
    noise = (three_quarters - quarter) / 1.349
    floor = max(noise or 0.5 * (highest - bottom) or 1.0, 1e-6 * abs(middle))
    if sky:
        return Limits(middle - 3 * floor, min(max(highest, middle + 150 * floor), middle + 400 * floor), "asinh", noise)
    return Limits(min(bottom, middle - 4 * floor), max(top, middle + 4 * floor), "linear", noise)


def _dead_blocks(frame: Frame, shape: tuple[int, ...], factor: int) -> NDArray[np.bool_]:
    blocks = np.zeros(shape, dtype=np.bool_)
    names = {amplifier.name for amplifier in dead_amplifiers(frame)}
    for amplifier in frame.detector.amplifiers:
        if amplifier.name in names:
            box = amplifier.bbox
            rows = slice(box.y0 // factor, -(-(box.y0 + box.height) // factor))
            blocks[rows, box.x0 // factor : -(-(box.x0 + box.width) // factor)] = True
    return blocks


def _dead_marks(frame: Frame) -> tuple[Mark, ...]:
    boxes = {amplifier.name: amplifier.bbox for amplifier in frame.detector.amplifiers}
    return tuple(
        Mark(
            "hatch",
            x=box.x0 + (box.width - 1) / 2,
            y=box.y0 + (box.height - 1) / 2,
            size=box.width,
            height=box.height,
            label=f"{name} dead",
        )
        for name, box in ((dead.name, boxes[dead.name]) for dead in dead_amplifiers(frame) if dead.name in boxes)
    )


@compiled
def _binned(
    image: NDArray[np.float32], mask: NDArray[np.uint16], unusable: np.uint16, factor: int
) -> NDArray[np.float32]:
    ny, nx = image.shape
    rows, columns = (ny + factor - 1) // factor, (nx + factor - 1) // factor
    means = np.empty((rows, columns), dtype=np.float32)
    sums = np.empty(columns * factor, dtype=np.float32)
    counts = np.empty(columns * factor, dtype=np.float32)
    for row in range(rows):
        sums[:] = 0.0
        counts[:] = 0.0
        for y in range(row * factor, min((row + 1) * factor, ny)):
            _add_row(image[y], mask[y], unusable, sums, counts)
        if factor == 4:  # what a detector of 4000 pixels has: a number the compiler knows needs no loop
            _average(sums, counts, 4, means[row])
        else:
            _average(sums, counts, factor, means[row])
    return means


@compiled
def _add_row(
    line: NDArray[np.float32],
    bits: NDArray[np.uint16],
    unusable: np.uint16,
    sums: NDArray[np.float32],
    counts: NDArray[np.float32],
) -> None:
    """Add the usable pixels of a row, without a branch, so that the compiler makes vector instructions of it."""
    for x in range(line.size):
        value = line[x]
        usable = (bits[x] & unusable == 0) & (value - value == 0.0)
        sums[x] += value if usable else np.float32(0.0)
        counts[x] += np.float32(1.0) if usable else np.float32(0.0)


@compiled
def _average(sums: NDArray[np.float32], counts: NDArray[np.float32], factor: int, means: NDArray[np.float32]) -> None:
    """Average over `factor` columns each; behind the last column of the image there are none to count."""
    for column in range(means.size):
        total, count = np.float32(0.0), np.float32(0.0)
        for x in range(column * factor, (column + 1) * factor):
            total += sums[x]
            count += counts[x]
        means[column] = total / count if count > 0 else np.nan


@compiled
def _extremes(values: NDArray[np.floating]) -> tuple[float, float]:
    """Lowest and highest of the finite values; infinity and its negative when there are none."""
    low, high = np.inf, -np.inf
    for x in range(values.size):
        value = np.float64(values[x])
        if value - value == 0.0:
            low = value if value < low else low  # noqa: FURB136 - so that it is vectorised
            high = value if value > high else high  # noqa: FURB136
    return low, high


@compiled
def _round(values: NDArray[np.floating], low: float, step: float, pixels: NDArray[np.uint16]) -> None:
    """Number each finite value by its step from the lowest one on, beginning with 1."""
    for x in range(values.size):
        value = np.float64(values[x])
        if value - value == 0.0:
            pixels[x] = np.uint16(np.int32(np.rint((value - low) / step)) + 1)
