"""How well the level of an amplifier is known: overscans are short, and everybody who uses one shares its error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from rapid.processing.geometry import Amplifier
from rapid.processing.isr.overscan import LEADING, TRAILING

__all__ = ["Overscans", "overscans"]

_MEDIAN: Final = math.pi / 2
"""Variance of a median of Gaussian values over that of their mean (Kenney & Keeping 1962, 13.13)."""

_SMOOTHED: Final = 31
"""Columns over which the core smooths what the parallel overscan says: neighbours share its error."""


@dataclass(frozen=True, slots=True)
class Overscans:
    """Columns of serial and rows of parallel overscan that were used; no rows where that step was not done."""

    n_serial: int
    n_parallel: int

    def level_variance(self, n_rows: int, n_columns: int) -> float:
        """Variance of the mean level taken from a box of pixels, in units of the variance of a pixel's read noise.

        Rows have medians of ``n_serial`` columns each. What the parallel overscan adds has two parts: noise of its own
        pixels, different from column to column; and the levels of its few rows, whose error all columns have in common.
        The second is by far the largest: it makes the mean of an amplifier uncertain by 0.025 of the read noise.
        """
        rows = _MEDIAN / (self.n_serial * n_rows)
        if not self.n_parallel:
            return rows
        own, common = _MEDIAN / (self.n_parallel * n_columns), _MEDIAN / (self.n_serial * self.n_parallel)
        return rows + own + common

    @property
    def row_variance(self) -> float:
        """Variance of the level of one row, in units of the variance of a pixel's read noise."""
        return _MEDIAN / self.n_serial

    @property
    def column_variance(self) -> float:
        """Variance of what the smoothed parallel overscan adds to one column, beside what all have in common."""
        return _MEDIAN / self.n_parallel * _MEDIAN / _SMOOTHED if self.n_parallel else 0.0

    def scatter_error(self, n: int, n_rows: int, n_columns: int) -> float:
        """Relative standard error of the scatter of n pixels that is read noise.

        The pixels alone give 1 / sqrt(2 n). Levels are part of the scatter, and there are far fewer of them: as many as rows,
        and one for so many columns as are smoothed over.
        """
        if n < 2:
            return math.nan
        rows = self.row_variance**2 / n_rows
        columns = self.column_variance**2 * _SMOOTHED / n_columns
        return math.sqrt(0.5 * (1 / (n - 1) + rows + columns))

    def column_scatter_error(self, spread: float, level: float, n_columns: int) -> float:
        """Standard error of the scatter of the means of the columns, when the noise of a smoothed level is a part of it.

        Parameters
        ----------
        spread, level
            Scatter of the means, and what of it the levels make.
        """
        if n_columns < 2 or not spread > 0:
            return math.nan
        fourth = spread**4 + (_SMOOTHED - 1) * level**4
        return math.sqrt(2 * fourth / (n_columns - 1)) / (2 * spread)


def overscans(amplifier: Amplifier, shape: tuple[int, ...], *, parallel: bool) -> Overscans:
    """Say what the core uses of a segment of some shape (ny, nx); `parallel` whether it did that step."""
    data = amplifier.data
    n_serial = shape[1] - (data.x0 + data.width) - LEADING - TRAILING
    n_parallel = max(shape[0] - (data.y0 + data.height) - LEADING, 0) if parallel else 0
    return Overscans(n_serial, n_parallel)
