"""Level lines of a small map, by marching squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rapid.processing.findings import ContourPanel
from rapid.tv.drawing.axes import Axes, draw_axes
from rapid.tv.drawing.canvas import Canvas, Rect
from rapid.tv.drawing.theme import Color, ramp

__all__ = ["draw_contours", "level_lines"]

_EDGES: tuple[tuple[tuple[int, int], ...], ...] = (
    (), ((3, 0),), ((0, 1),), ((3, 1),), ((1, 2),), ((3, 0), (1, 2)), ((0, 2),), ((3, 2),),
    ((2, 3),), ((2, 0),), ((0, 1), (2, 3)), ((2, 1),), ((1, 3),), ((1, 0),), ((0, 3),), (),
)  # fmt: skip
"""Sides (0 bottom, 1 right, 2 top, 3 left) that a level line crosses, by which corners are above the level
(bit 0 lower left, 1 lower right, 2 upper right, 3 upper left)."""

_OTHER_SADDLE = {5: ((3, 2), (1, 0)), 10: ((0, 3), (2, 1))}
"""How a saddle is crossed when its middle is above the level."""

_CORNERS = ((0, 1), (1, 2), (3, 2), (0, 3))
"""The corners that each side joins, in the direction of growing x or y."""


def level_lines(values: NDArray[np.floating], level: float) -> NDArray[np.float64]:
    """Return the pieces of a level line, shape (n, 2, 2): begin and end, each (x, y) in pixels of the map.

    Places next to a value that is not finite have no line.
    """
    grid = np.asarray(values, dtype=np.float64)
    if min(grid.shape) < 2:
        return np.empty((0, 2, 2))
    corners = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]])
    kind = (
        np.isfinite(corners).all(axis=0) * ((corners > level) * np.array([1, 2, 4, 8])[:, None, None]).sum(axis=0)
    ).astype(np.int64)
    saddle_above = np.where((kind == 5) | (kind == 10), corners.mean(axis=0) > level, False)
    pieces = []
    for case, sides in enumerate(_EDGES):
        for high, pairs in ((False, sides), (True, _OTHER_SADDLE.get(case, sides))):
            row, column = np.nonzero((kind == case) & (saddle_above == high))
            pieces += [_piece(corners[:, row, column], row, column, pair, level) for pair in pairs]
    return np.concatenate(pieces) if pieces else np.empty((0, 2, 2))


def draw_contours(canvas: Canvas, rect: Rect, panel: ContourPanel) -> None:
    """Draw the level lines, low ones cool and high ones warm."""
    ny, nx = panel.values.shape
    axes = Axes(rect, (panel.x0 - 0.5, panel.x0 + nx - 0.5), (panel.y0 - 0.5, panel.y0 + ny - 0.5))
    draw_axes(canvas, axes, x_label="", grid=True)
    for index, level in enumerate(sorted(panel.levels)):
        lines = level_lines(panel.values, level)
        if len(lines):
            places = axes.place(panel.x0 + lines[..., 0], panel.y0 + lines[..., 1])
            canvas.segments(places, rect, _level_color(index, len(panel.levels)))


def _level_color(index: int, count: int) -> Color:
    red, green, blue = ramp(np.array(0.3 + 0.7 * index / max(count - 1, 1)))
    return round(float(red)), round(float(green)), round(float(blue))


def _piece(
    corners: NDArray[np.float64], row: NDArray[np.int64], column: NDArray[np.int64], pair: tuple[int, int], level: float
) -> NDArray[np.float64]:
    return np.stack([_crossing(corners, row, column, side, level) for side in pair], axis=1)


def _crossing(
    corners: NDArray[np.float64], row: NDArray[np.int64], column: NDArray[np.int64], side: int, level: float
) -> NDArray[np.float64]:
    """Interpolate where the level is met along one side of each square."""
    first, second = (corners[corner] for corner in _CORNERS[side])
    rise = second - first
    along = np.divide(level - first, rise, out=np.full_like(rise, 0.5), where=rise != 0)
    x = column + (along if side in (0, 2) else float(side == 1))
    y = row + (along if side in (1, 3) else float(side == 2))
    return np.stack([x, y], axis=1)
