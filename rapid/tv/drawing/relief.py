"""A small map as a relief, seen from above one corner."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rapid.processing.findings import SurfacePanel
from rapid.tv.drawing.canvas import Canvas, Rect
from rapid.tv.drawing.theme import SURFACE, ramp

__all__ = ["draw_relief"]

_FINEST = 48
"""Cells along the longer side: finer ones would be smaller than the strokes between them."""

_OVERSAMPLING = 2
_TILT = 0.5
_HIGHEST = 0.66
"""Height of the highest point above the floor, as a fraction of the height of the panel, where it fits."""
_MARGIN = 0.03

_SKIRT_SHADES = (0.34, 0.22)


def draw_relief(canvas: Canvas, rect: Rect, panel: SurfacePanel) -> None:
    """Draw the map; what is not finite lies on the floor."""
    heights = _heights(_coarser(np.asarray(panel.values, dtype=np.float64)))
    sheet = Image.new("RGB", (rect.width * _OVERSAMPLING, rect.height * _OVERSAMPLING), SURFACE)
    pen = ImageDraw.Draw(sheet)
    corners = _projected(heights, sheet.size)
    floor = _projected(np.zeros_like(heights), sheet.size)
    _draw_cells(pen, corners, _cell_colors(heights))
    _draw_skirts(pen, corners, floor)
    canvas.paste(sheet.reduce(_OVERSAMPLING), rect)


def _coarser(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average whole blocks until there are few enough cells; a map of one row or column is made two wide."""
    step = math.ceil(max(values.shape) / (_FINEST + 1))
    ny, nx = (max(size // step, 1) for size in values.shape)
    trimmed = np.where(np.isfinite(values), values, np.nan)[: ny * step, : nx * step]
    blocks = trimmed.reshape(ny, trimmed.shape[0] // ny, nx, trimmed.shape[1] // nx)
    counted = np.isfinite(blocks).sum(axis=(1, 3))
    mean = np.divide(np.nansum(blocks, axis=(1, 3)), counted, out=np.full((ny, nx), np.nan), where=counted > 0)
    return np.repeat(np.repeat(mean, 2 if ny == 1 else 1, axis=0), 2 if nx == 1 else 1, axis=1)


def _heights(values: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros_like(values)
    low, high = values[finite].min(), values[finite].max()
    return np.where(finite, (values - low) / (high - low), 0.0) if high > low else np.zeros_like(values)


def _projected(heights: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Place every grid point on the sheet, shape (ny, nx, 2); row 0 is the nearer left side."""
    ny, nx = heights.shape
    across, along = np.meshgrid(np.linspace(0, 1, nx), np.linspace(0, 1, ny))
    width, height = size
    half = 0.47 * width
    floor = height * (1 - _MARGIN) - (2 - across - along) * min(half * _TILT, 0.24 * height)
    room = np.divide(floor - _MARGIN * height, heights, out=np.full_like(heights, np.inf), where=heights > 0)
    highest = min(_HIGHEST * height, float(room.min()))
    return np.stack([width / 2 + (across - along) * half, floor - heights * highest], axis=-1)


def _cell_colors(heights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Colour by height and shade by slope, as if lit from the left."""
    middle = (heights[:-1, :-1] + heights[:-1, 1:] + heights[1:, :-1] + heights[1:, 1:]) / 4
    slope = (heights[:-1, 1:] + heights[1:, 1:] - heights[:-1, :-1] - heights[1:, :-1]) / 2
    light = np.clip(0.92 + 1.1 * slope, 0.62, 1.12)
    return np.rint(np.clip(ramp(0.12 + 0.88 * middle) * light[..., None], 0, 255)).astype(np.int64)


def _draw_cells(pen: ImageDraw.ImageDraw, corners: NDArray[np.float64], colors: NDArray[np.int64]) -> None:
    """Draw from the farthest cell to the nearest, so that nearer ones cover."""
    quads = np.concatenate([corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]], axis=-1)
    outlines = np.rint(colors * 0.8).astype(np.int64)
    for row in range(quads.shape[0]):
        for quad, color, outline in zip(quads[row].tolist(), colors[row].tolist(), outlines[row].tolist(), strict=True):
            pen.polygon(quad, fill=tuple(color), outline=tuple(outline))


def _draw_skirts(pen: ImageDraw.ImageDraw, corners: NDArray[np.float64], floor: NDArray[np.float64]) -> None:
    """Close the two near sides down to the floor."""
    sides = ((corners[-1], floor[-1]), (corners[:, -1], floor[:, -1]))
    for (top, bottom), shade in zip(sides, _SKIRT_SHADES, strict=True):
        red, green, blue = ramp(np.array(shade)) * 0.8
        outline = np.concatenate([top, bottom[::-1]]).ravel().tolist()
        pen.polygon(outline, fill=(round(float(red)), round(float(green)), round(float(blue))))
