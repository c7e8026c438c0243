"""Steps of an amplifier's level from one row to the next, as ip_isr looks for them in the overscan.

A step is what stands out after convolution with an antisymmetric ramp and is flat on either side: a slope that could make
it by itself disqualifies it. The recipe is that of eo_pipe, taken over by the observatory's instrument signature removal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt

__all__ = ["BiasShift", "BiasShifts", "find_bias_shifts"]

WINDOW: Final = 30
"""Rows on either side that a step is taken from."""

SKIPPED: Final = 3
"""First overscan columns, which hold charge that was left behind."""

_STANDS_OUT: Final = 3.0
_ORDER, _CUTOFF = 5, 1.0 / 15.0


@dataclass(frozen=True, slots=True)
class BiasShift:
    """One step: height by the convolution [adu], row, and the rows from first to last that stand out."""

    height: float
    row: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class BiasShifts:
    """The steps of one amplifier and the noise of its rows [adu] after a high-pass; ``n_rows`` were looked at."""

    noise: float
    shifts: tuple[BiasShift, ...]
    n_rows: int


def find_bias_shifts(overscan: NDArray[np.int32]) -> BiasShifts:
    """Look for steps in the serial overscan of an amplifier [adu], shape (ny, nx), as it was read.

    Noise is NaN, and there are no steps, where the rows are fewer than three windows or all alike.
    """
    rows = overscan[:, SKIPPED:].mean(axis=1, dtype=np.float64)
    if rows.size <= 3 * WINDOW or not np.ptp(rows) > 0:
        return BiasShifts(math.nan, (), rows.size)
    noise = float(filtfilt(*_high_pass(), rows).std())
    convolved = np.pad(np.convolve(rows, _ramp(), mode="valid"), WINDOW - 1)
    standing_out = np.abs(convolved) > _STANDS_OUT * noise
    standing_out[:WINDOW] = False
    edges = np.flatnonzero(np.diff(standing_out.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    found = [_highest(convolved, int(first), int(stop)) for first, stop in edges]
    return BiasShifts(noise, tuple(each for each in found if _is_flat(each, rows)), rows.size)


@cache
def _high_pass() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    numerator, denominator = butter(_ORDER, _CUTOFF, btype="high")
    return numerator, denominator


@cache
def _ramp() -> NDArray[np.float64]:
    rise = np.arange(WINDOW, dtype=np.float64)
    return np.asarray(np.concatenate([rise, -rise[:0:-1]]) / rise.sum(), np.float64)


def _highest(convolved: NDArray[np.float64], first: int, stop: int) -> BiasShift:
    row = first + int(np.abs(convolved[first:stop]).argmax())
    return BiasShift(float(convolved[row]), row, first, stop - 1)


def _is_flat(shift: BiasShift, rows: NDArray[np.float64]) -> bool:
    """Tell whether the slopes before and after are too small to have made the step."""
    for first in (shift.row - WINDOW, shift.row):
        part = rows[max(first, 0) : first + WINDOW]
        if part.size < 2:
            return False
        trend = 2.0 * part.size * float(np.polyfit(np.arange(part.size), part, 1)[0])
        if math.copysign(1.0, shift.height) * trend >= abs(shift.height):
            return False
    return True
