"""One amplifier as it was read: its level without light, and how much it scatters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Amplifier
from rapid.processing.isr.overscan import LEADING, TRAILING, Levels, parallel_levels, serial_levels
from rapid.processing.jit import compiled
from rapid.processing.statistics import clipped

__all__ = ["Readout", "least_shape", "read_out"]

_SILENT_SHARE: Final = 0.25
"""An amplifier with less than this part of its nominal read noise is not connected to its converter: it is dead."""

_MEDIAN_LOSS: Final = math.pi / 2
"""Variance of a median of Gaussian values over that of their mean."""

_TRIMMED: Final = 10
"""One row in so many is left out of the level of an amplifier at either end, which makes its error 3 % larger."""


@dataclass(frozen=True, slots=True)
class Readout:
    """Levels and noise of one amplifier [adu].

    Attributes
    ----------
    rows, columns
        Level of each row of the segment, and what that leaves at each column of the data.
    noise
        Read noise of a pixel, with that of the converter's steps.
    level_variance
        Of the level that is taken from a pixel, in units of ``noise**2``.
    n_serial, n_parallel
        Overscan columns and rows that were used; 0 rows when ``skipped`` says why.
    bled
        Rows that something bled into.
    """

    amplifier: Amplifier
    rows: Levels
    columns: Levels
    noise: float
    level_variance: float
    n_serial: int
    n_parallel: int
    bled: int
    skipped: str = ""

    @property
    def silent(self) -> bool:
        """Whether less noise is there than any connected amplifier has."""
        nominal = self.amplifier.read_noise / self.amplifier.gain
        return not self.noise > _SILENT_SHARE * nominal

    @property
    def level(self) -> float:
        """Trimmed mean of `rows` [adu]: their median would stick to half counts, where one row in ten is exactly."""
        left_out = self.rows.size // _TRIMMED
        return float(np.sort(self.rows)[left_out : self.rows.size - left_out].mean())

    @property
    def level_error(self) -> float:
        """Standard error of `level` [adu], by the noise of the pixels alone; each row's own level is a median."""
        return self.noise * math.sqrt(_MEDIAN_LOSS / (self.n_serial * self.rows.size))

    @property
    def noise_error(self) -> float:
        """Standard error of `noise` [adu]."""
        return self.noise / math.sqrt(2 * self.n_serial * self.rows.size)


def least_shape(amplifier: Amplifier) -> tuple[int, int]:
    """Smallest shape (ny, nx) of a segment that has the data and some serial overscan."""
    data = amplifier.data
    return data.y0 + data.height, data.x0 + data.width + LEADING + TRAILING + 1


def read_out(segment: NDArray[np.int32], amplifier: Amplifier) -> Readout:
    """Measure levels and noise of a segment [adu], shape (ny, nx)."""
    data = amplifier.data
    serial = slice(data.x0 + data.width + LEADING, segment.shape[1] - TRAILING)
    n_serial = serial.stop - serial.start
    rows, bled = serial_levels(segment, serial.start, serial.stop)
    parallel = parallel_levels(
        segment, rows, first_row=data.y0 + data.height + LEADING, columns=slice(data.x0, data.x0 + data.width)
    )
    return Readout(
        amplifier,
        rows,
        parallel.levels,
        _noise(segment[:, serial], rows),
        _level_variance(n_serial, parallel.n_rows, parallel.smoothing),
        n_serial,
        parallel.n_rows,
        bled,
        parallel.skipped,
    )


def _noise(overscan: NDArray[np.int32], rows: Levels) -> float:
    """Scatter of the overscan about the medians of its rows, corrected for what those follow of it.

    A median m of n values x has Cov(x, m) = sigma^2 / n, so that Var(x - m) = sigma^2 (1 - (2 - pi / 2) / n).
    """
    rest = np.empty(overscan.shape, np.float32)
    _subtract_rows(overscan, rows, rest)
    return clipped(rest).sigma / math.sqrt(1 - (2 - _MEDIAN_LOSS) / overscan.shape[1])


def _level_variance(n_serial: int, n_parallel: int, smoothing: int) -> float:
    """Variance of the sum of both levels, for a read noise of 1; both are medians, the second one of a smoothed row."""
    rows = _MEDIAN_LOSS / n_serial
    if n_parallel == 0:
        return rows
    columns = _MEDIAN_LOSS / n_parallel
    return rows + columns * (rows + _MEDIAN_LOSS / smoothing)


@compiled
def _subtract_rows(overscan: NDArray[np.int32], rows: NDArray[np.float64], rest: NDArray[np.float32]) -> None:
    for y in range(overscan.shape[0]):
        for x in range(overscan.shape[1]):
            rest[y, x] = overscan[y, x] - rows[y]
