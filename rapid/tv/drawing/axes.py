"""A pair of axes: where a value lies on the sheet, and the ticks that say so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.tv.drawing.canvas import Canvas, Rect
from rapid.tv.drawing.theme import DIM, GRID, HAIRLINE
from rapid.tv.drawing.ticks import nice_ticks, tick_labels

__all__ = ["TICK_SIZE", "Axes", "draw_axes", "padded_range"]

TICK_SIZE = 14
_TICK = 5
_LABEL_ROOM = 46


@dataclass(frozen=True, slots=True)
class Axes:
    """Linear axes over a rectangle of the sheet: x to the right, y upwards."""

    rect: Rect
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def place(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return pixels of the sheet, shape (n, 2)."""
        column = self.rect.left + (x - self.x_range[0]) * self.x_scale
        row = self.rect.bottom - (y - self.y_range[0]) * (self.rect.height / (self.y_range[1] - self.y_range[0]))
        return np.stack([column, row], axis=-1)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Place one point."""
        column, row = self.place(np.array([x]), np.array([y]))[0]
        return float(column), float(row)

    @property
    def x_scale(self) -> float:
        """Pixels of the sheet per unit of x."""
        return self.rect.width / (self.x_range[1] - self.x_range[0])


def padded_range(values: NDArray[np.float64], *, padding: float) -> tuple[float, float]:
    """Return the range of the finite values with a fraction of itself added on both sides, never an empty one."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    margin = (high - low) * padding
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        margin = 0.5 * abs(low) or 0.5
    return low - margin, high + margin


def draw_axes(canvas: Canvas, axes: Axes, *, x_label: str, grid: bool) -> None:
    """Draw frame, ticks and their labels around the rectangle, and a grid inside it where wanted."""
    rect = axes.rect
    x_ticks = nice_ticks(*axes.x_range, target=max(2, rect.width // 80))
    y_ticks = nice_ticks(*axes.y_range, target=max(2, rect.height // 70))
    for tick, label in zip(x_ticks, tick_labels(x_ticks), strict=True):
        column = min(round(axes.point(tick, axes.y_range[0])[0]), rect.right - 1)
        if grid:
            canvas.rule((column, rect.top), (column, rect.bottom - 1), GRID)
        canvas.rule((column, rect.bottom), (column, rect.bottom + _TICK), HAIRLINE)
        canvas.text(column, rect.bottom + _TICK + 4, label, TICK_SIZE, DIM, anchor="ma")
    for tick, label in zip(y_ticks, tick_labels(y_ticks), strict=True):
        row = max(round(axes.point(axes.x_range[0], tick)[1]) - 1, rect.top)
        if grid:
            canvas.rule((rect.left, row), (rect.right - 1, row), GRID)
        canvas.rule((rect.left - _TICK, row), (rect.left - 1, row), HAIRLINE)
        canvas.text(rect.left - _TICK - 4, row, label, TICK_SIZE, DIM, anchor="rm", limit=_LABEL_ROOM)
    canvas.frame(rect, HAIRLINE)
    if x_label:
        middle = (rect.left + rect.right) / 2
        canvas.text(middle, rect.bottom + 43, x_label, TICK_SIZE, DIM, anchor="ms", limit=rect.width)
