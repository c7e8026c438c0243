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


def overscans(amplifier: Amplifier, shape: tuple[int, ...], *, parallel: bool) -> Overscans:
    """Say what the core uses of a segment of some shape (ny, nx); `parallel` whether it did that step."""
    data = amplifier.data
    n_serial = shape[1] - (data.x0 + data.width) - LEADING - TRAILING
    n_parallel = max(shape[0] - (data.y0 + data.height) - LEADING, 0) if parallel else 0
    return Overscans(n_serial, n_parallel)
