"""Image panels: pixels to grey levels, marks, and the scale that says what grey means."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rapid.processing.findings import ImagePanel, Mark
from rapid.tv.drawing.axes import TICK_SIZE, Axes, draw_axes
from rapid.tv.drawing.canvas import Canvas, Rect
from rapid.tv.drawing.lettering import width, writable
from rapid.tv.drawing.theme import ACCENT, BACKGROUND, BAD, BLANK, DIM, HAIRLINE, Color

__all__ = ["SCALE_WIDTH", "draw_image", "draw_scale", "grey_levels"]

SCALE_WIDTH = 88
"""Room that the grey scale takes beside an image [pixel]."""

_SOFTENING = 0.02
"""Where the asinh stretch turns from linear to logarithmic, as a fraction of the range shown."""

_HATCH = 14
_SCALE_STEPS = 8


def grey_levels(panel: ImagePanel) -> NDArray[np.uint8]:
    """Return the display level 0 to 255 of every pixel, shape (ny, nx), row 0 at the bottom.

    A range that is empty or not finite gives one mid-grey.
    """
    if panel.stretch == "equalised":
        return panel.pixels.astype(np.uint8)
    pixel = np.arange(np.iinfo(panel.pixels.dtype).max + 1, dtype=np.float64)
    value = panel.offset + panel.step * pixel
    table = np.rint(255.0 * _stretched(value, panel)).astype(np.uint8)
    return table[panel.pixels]


def draw_image(canvas: Canvas, rect: Rect, panel: ImagePanel) -> None:
    """Draw the pixels so that they fill the rectangle, with frame coordinates along two sides, and the marks over them."""
    canvas.paste(_picture(panel, rect), rect)
    axes = _frame_axes(rect, panel)
    draw_axes(canvas, axes, x_label="", grid=False)
    for mark in panel.marks:
        _draw_mark(canvas, axes, mark)


def draw_scale(canvas: Canvas, rect: Rect, panel: ImagePanel) -> None:
    """Draw all greys from black to white, with the values that some of them stand for where there is a range."""
    bar = np.rint(np.linspace(255, 0, rect.height)).astype(np.uint8)
    canvas.paste(Image.fromarray(np.repeat(bar[:, None], rect.width, axis=1)), rect)
    canvas.frame(rect, HAIRLINE)
    if not (math.isfinite(panel.high - panel.low) and panel.high > panel.low):
        return
    fractions = np.linspace(0.0, 1.0, _SCALE_STEPS + 1)
    for fraction, label in zip(fractions, _scale_labels(_unstretched(fractions, panel)), strict=True):
        row = rect.bottom - 1 - round(float(fraction) * (rect.height - 1))
        canvas.rule((rect.right, row), (rect.right + 4, row), HAIRLINE)
        canvas.text(rect.right + 8, row, label, TICK_SIZE, DIM, anchor="lm", limit=SCALE_WIDTH - 34)


def _scale_labels(values: NDArray[np.float64]) -> list[str]:
    """Write values with two digits of the closest step between them."""
    step = float(np.min(np.diff(values)))
    if not (math.isfinite(step) and step > 0) or np.max(np.abs(values)) >= 1e6:
        return [f"{value:.1e}" for value in values]
    decimals = max(0, 1 - math.floor(math.log10(step)))
    return [f"{value:.{decimals}f}" if decimals < 5 else f"{value:.1e}" for value in values]


def _stretched(value: NDArray[np.float64], panel: ImagePanel) -> NDArray[np.float64]:
    span = panel.high - panel.low
    if not (math.isfinite(span) and span > 0):
        return np.full(value.shape, 0.5)
    fraction = np.clip((value - panel.low) / span, 0.0, 1.0)
    if panel.stretch == "asinh":
        return np.arcsinh(fraction / _SOFTENING) / math.asinh(1.0 / _SOFTENING)
    return fraction


def _unstretched(fraction: NDArray[np.float64], panel: ImagePanel) -> NDArray[np.float64]:
    if panel.stretch == "asinh":
        fraction = _SOFTENING * np.sinh(fraction * math.asinh(1.0 / _SOFTENING))
    return panel.low + fraction * (panel.high - panel.low)


def _picture(panel: ImagePanel, rect: Rect) -> Image.Image:
    """Return the panel at the size of the rectangle: whole pixels where it is enlarged, averages where it is reduced."""
    levels = Image.fromarray(np.ascontiguousarray(grey_levels(panel)[::-1])).convert("RGB")
    if panel.blank is not None:
        holes = np.ascontiguousarray((panel.pixels == panel.blank)[::-1])
        levels.paste(BLANK, (0, 0), Image.fromarray(holes.astype(np.uint8) * 255))
    size = (rect.width, rect.height)
    if levels.size == size:
        return levels
    reduced = levels.width > rect.width or levels.height > rect.height
    return levels.resize(size, Image.Resampling.BOX if reduced else Image.Resampling.NEAREST)


def _frame_axes(rect: Rect, panel: ImagePanel) -> Axes:
    ny, nx = panel.pixels.shape
    half = panel.binning / 2
    return Axes(
        rect,
        (panel.x0 - half, panel.x0 - half + nx * panel.binning),
        (panel.y0 - half, panel.y0 - half + ny * panel.binning),
    )


def _draw_mark(canvas: Canvas, axes: Axes, mark: Mark) -> None:
    if not all(math.isfinite(number) for number in (mark.x, mark.y, mark.size)):
        return
    x, y = axes.point(mark.x, mark.y)
    half_width = mark.size / 2 * axes.x_scale
    half_height = (
        half_width if mark.height is None else mark.height / 2 * axes.rect.height / (axes.y_range[1] - axes.y_range[0])
    )
    color = BAD if mark.kind == "hatch" else ACCENT
    match mark.kind:
        case "circle":
            canvas.circle((x, y), half_width, axes.rect, color)
        case "cross":
            canvas.curves(_cross(x, y, half_width), axes.rect, color, width=1.4)
        case "hatch":
            corners = (x - half_width, y - half_height, x + half_width, y + half_height)
            canvas.curves(_hatching(*_within(corners, axes.rect)), axes.rect, color, width=1.0, opacity=0.8)
            canvas.curves([_outline(*corners)], axes.rect, color)
        case _:
            canvas.curves(
                [_outline(x - half_width, y - half_height, x + half_width, y + half_height)], axes.rect, color
            )
    if mark.label:
        _draw_label(canvas, axes.rect, mark, color=color, center=(x, y), half=(half_width, half_height))


def _draw_label(
    canvas: Canvas, rect: Rect, mark: Mark, *, color: Color, center: tuple[float, float], half: tuple[float, float]
) -> None:
    """Write a label on a small plate: in the middle of a hatch wide enough for it, or right above of anything else."""
    long = width(writable(mark.label), TICK_SIZE) + 12
    if mark.kind == "hatch" and long > 2 * half[0]:
        return
    x, y = center if mark.kind == "hatch" else (center[0] + half[0] + long / 2 + 4, center[1] - half[1])
    x = min(max(x, rect.left + long / 2 + 2), rect.right - long / 2 - 2)
    y = min(max(y, rect.top + 14), rect.bottom - 14)
    plate = Rect(round(x - long / 2), round(y) - 11, round(x + long / 2), round(y) + 11)
    canvas.fill(plate, BACKGROUND)
    canvas.text(x, y, mark.label, TICK_SIZE, color, anchor="mm", limit=rect.width)


def _cross(x: float, y: float, half: float) -> list[NDArray[np.float64]]:
    """Return four strokes that leave the middle free, so that the pixel they point at can be seen."""
    gap = half * 0.35
    return [
        np.array([(x + dx * gap, y + dy * gap), (x + dx * half, y + dy * half)])
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]


def _outline(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])


def _within(corners: tuple[float, float, float, float], rect: Rect) -> tuple[float, float, float, float]:
    """Cut a box at a rectangle: what is outside of it is not seen, and could be endless."""
    left, top, right, bottom = corners
    return max(left, rect.left), max(top, rect.top), min(right, rect.right), min(bottom, rect.bottom)


def _hatching(left: float, top: float, right: float, bottom: float) -> list[NDArray[np.float64]]:
    strokes = []
    for start in np.arange(left - (bottom - top), right, _HATCH):
        begin, end = max(start, left), min(start + (bottom - top), right)
        strokes.append(np.array([(begin, bottom - (begin - start)), (end, bottom - (end - start))]))
    return strokes
