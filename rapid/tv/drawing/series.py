"""Curves and points over one pair of axes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rapid.processing.findings import Line, SeriesPanel
from rapid.tv.drawing.axes import TICK_SIZE, Axes, draw_axes, padded_range
from rapid.tv.drawing.canvas import Canvas, Rect
from rapid.tv.drawing.lettering import fitted, width
from rapid.tv.drawing.theme import ACCENT, DIM, FIT, HAIRLINE, SURFACE, TEXT, Color

__all__ = ["draw_series"]

_DASH = 9.0
_CLOUD = 300
"""Points from which on they are drawn small and faint, so that their density shows."""
_LEGEND_STROKE = 26


def draw_series(canvas: Canvas, rect: Rect, panel: SeriesPanel) -> None:
    """Draw the panel; what is not finite is left out, and a curve is broken there."""
    axes = Axes(rect, _x_range(panel), padded_range(_joined([line.y for line in panel.lines]), padding=0.06))
    draw_axes(canvas, axes, x_label=panel.x_label, grid=True)
    for step, (x, label) in enumerate(panel.x_lines):
        _draw_upright(canvas, axes, x, label, base=rect.bottom - 8 - 19 * step)
    colors = _colors(panel.lines)
    for line, color in sorted(zip(panel.lines, colors, strict=True), key=lambda pair: _depth(pair[0])):
        _draw_line(canvas, axes, line, color, dashed=color == FIT and line is not _first_fit(panel.lines))
    _draw_legend(canvas, rect, panel.lines, colors)


def _depth(line: Line) -> int:
    """A cloud lies under the curves, single points lie over them."""
    return 1 if not line.points else 0 if len(line.x) > _CLOUD else 2


def _x_range(panel: SeriesPanel) -> tuple[float, float]:
    marked = np.array([x for x, _ in panel.x_lines], dtype=np.float64)
    return padded_range(_joined([*(line.x for line in panel.lines), marked]), padding=0.0)


def _joined(columns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(column, dtype=np.float64) for column in columns]) if columns else np.empty(0)


def _colors(lines: tuple[Line, ...]) -> list[Color]:
    """Points, and the first curve of a panel without any, are the measurement; every other curve is a fit to it."""
    measured = [line.points for line in lines]
    if lines and not any(measured):
        measured[0] = True
    return [ACCENT if is_measured else FIT for is_measured in measured]


def _first_fit(lines: tuple[Line, ...]) -> Line | None:
    return next((line for line, color in zip(lines, _colors(lines), strict=True) if color == FIT), None)


def _draw_line(canvas: Canvas, axes: Axes, line: Line, color: Color, *, dashed: bool) -> None:
    finite = np.isfinite(line.x) & np.isfinite(line.y)
    places = axes.place(np.asarray(line.x, dtype=np.float64), np.asarray(line.y, dtype=np.float64))
    if line.points:
        radius, opacity = (1.2, 0.45) if len(line.x) > _CLOUD else (2.6, 1.0)
        canvas.dots(places[finite], axes.rect, color, radius=radius, opacity=opacity)
        return
    pieces = [places[start:stop] for start, stop in _runs(finite) if stop - start > 1]
    if dashed:
        pieces = [dash for piece in pieces for dash in _dashes(piece)]
    canvas.curves(pieces, axes.rect, color, width=1.8)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and stop of every stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _dashes(curve: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Cut a curve into dashes of equal length along itself."""
    length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))))
    if length[-1] > 100 * len(curve) + 1e4:  # far outside of the panel: a dash there is seen by nobody
        return [curve]
    cuts = np.arange(0.0, length[-1], _DASH)
    dashes = []
    for start, stop in list(pairwise([*cuts, length[-1]]))[::2]:
        along = np.concatenate(([start], length[(length > start) & (length < stop)], [stop]))
        dashes.append(np.stack([np.interp(along, length, curve[:, axis]) for axis in (0, 1)], axis=1))
    return dashes


def _draw_upright(canvas: Canvas, axes: Axes, x: float, label: str, *, base: int) -> None:
    """Draw a marked x; each label stands a line above the one before it, so that near ones do not collide."""
    if not axes.x_range[0] <= x <= axes.x_range[1]:
        return
    column = min(round(axes.point(x, axes.y_range[0])[0]), axes.rect.right - 1)
    canvas.rule((column, axes.rect.top), (column, axes.rect.bottom - 1), HAIRLINE)
    room = axes.rect.right - column - 8
    if room > width(label, TICK_SIZE):
        canvas.text(column + 5, base, label, TICK_SIZE, DIM, limit=room)


def _draw_legend(canvas: Canvas, rect: Rect, lines: tuple[Line, ...], colors: list[Color]) -> None:
    """Write the labels in the upper right corner, each behind a short piece of its line."""
    named = [(line, color) for line, color in zip(lines, colors, strict=True) if line.label]
    texts = [fitted(line.label, TICK_SIZE, rect.width * 0.6) for line, _ in named]
    if not named:
        return
    left = rect.right - 12 - round(max(width(text, TICK_SIZE) for text in texts)) - _LEGEND_STROKE - 8
    canvas.fill(Rect(left - 8, rect.top + 6, rect.right - 6, rect.top + 10 + 20 * len(named)), SURFACE)
    for row, ((line, color), text) in enumerate(zip(named, texts, strict=True)):
        middle = rect.top + 18 + 20 * row
        dashed = color == FIT and line is not _first_fit(lines)
        _draw_sample(canvas, rect, (left, middle), line, color=color, dashed=dashed)
        canvas.text(left + _LEGEND_STROKE + 8, middle, text, TICK_SIZE, TEXT, anchor="lm")


def _draw_sample(canvas: Canvas, clip: Rect, place: tuple[int, int], line: Line, *, color: Color, dashed: bool) -> None:
    x, y = place
    if line.points:
        canvas.dots(np.array([[x + _LEGEND_STROKE / 2, y]], dtype=np.float64), clip, color, radius=2.8, opacity=1.0)
        return
    stroke = np.array([[x, y], [x + _LEGEND_STROKE, y]], dtype=np.float64)
    canvas.curves(_dashes(stroke) if dashed else [stroke], clip, color, width=1.8)
