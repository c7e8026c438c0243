"""Medians of the rows and of the columns of an overscan: many of them, of few pixels each."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled
from rapid.processing.memory import AHEAD, prefetch_row

__all__ = ["column_medians", "row_medians"]

_COLUMNS: Final = 64
"""Columns that are put in order at a time: with some fifty rows they stay in the first cache."""


@compiled
def row_medians(overscan: NDArray[np.int32], levels: NDArray[np.float64]) -> None:
    """Find the median of every row of counts [adu], as of grouped data."""
    for row in range(overscan.shape[0]):
        prefetch_row(overscan, row + AHEAD, 0, overscan.shape[1])
        levels[row] = _grouped_median(overscan[row])


@compiled
def _grouped_median(values: NDArray[np.int32]) -> float:
    """Find the median of counts by halving their range, and its place among equal ones; the sum of two counts is an int32."""
    low, high = values[0], values[0]
    for value in values:
        low, high = min(low, value), max(high, value)
    wanted = np.int32((values.size + 1) // 2)
    while low < high:
        middle = np.int32((low + high) >> 1)
        below = np.int32(0)
        for value in values:
            below += np.int32(value <= middle)
        if below >= wanted:
            high = middle
        else:
            low = np.int32(middle + 1)
    less, equal = 0, 0
    for value in values:
        less += value < low
        equal += value == low
    return float(low) - 0.5 + (0.5 * values.size - less) / equal


@compiled
def column_medians(overscan: NDArray[np.int32], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the median of every column [adu] above the level of each row.

    The columns are put in order side by side, with the same comparisons for all (merge exchange: Batcher 1968; Knuth, The
    Art of Computer Programming, 5.2.2M), so that the processor does several at once.
    """
    ny, nx = overscan.shape
    medians = np.empty(nx, np.float64)
    block = np.empty((ny, _COLUMNS), np.float64)
    for first in range(0, nx, _COLUMNS):
        width = min(_COLUMNS, nx - first)
        for y in range(ny):
            for x in range(width):
                block[y, x] = overscan[y, first + x] - levels[y]
        _order_columns(block)
        for x in range(width):
            medians[first + x] = 0.5 * (block[(ny - 1) // 2, x] + block[ny // 2, x])
    return medians


@compiled
def _order_columns(block: NDArray[np.float64]) -> None:
    half = 1
    while 2 * half < block.shape[0]:
        half *= 2
    p = half
    while p > 0:
        q, r, distance = half, 0, p
        while True:
            for i in range(block.shape[0] - distance):
                if i & p == r:
                    _exchange(block[i], block[i + distance])
            if q == p:
                break
            distance, q, r = q - p, q // 2, p
        p //= 2


@compiled
def _exchange(lower: NDArray[np.float64], upper: NDArray[np.float64]) -> None:
    """Put the lesser of each two values into the first row."""
    for x in range(lower.size):
        one, other = lower[x], upper[x]
        lower[x] = one if one < other else other  # noqa: FURB136 - so that it is vectorised
        upper[x] = other if one < other else one  # noqa: FURB136
