"""A sheet to draw on: text, hairlines, antialiased strokes and clouds of dots.

Curves are drawn three times too large as a mask of one colour, shrunk, and laid on: smooth without drawing the whole
picture large. Coordinates are pixels of the sheet, y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rapid.tv.drawing import lettering
from rapid.tv.drawing.theme import Color

__all__ = ["Canvas", "Rect"]

Points = NDArray[np.float64]

OVERSAMPLING = 3
_FAR = 8000.0


@dataclass(frozen=True, slots=True)
class Rect:
    """Pixels from (left, top) up to, not including, (right, bottom)."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.bottom - self.top

    def inset(self, left: int, top: int, right: int, bottom: int) -> Rect:
        """Take away a margin on each side."""
        return Rect(self.left + left, self.top + top, self.right - right, self.bottom - bottom)


class Canvas:
    """One picture in the making.

    Parameters
    ----------
    width, height
        Pixels.
    color
        What it is filled with at first.
    """

    def __init__(self, width: int, height: int, color: Color) -> None:
        self.image = Image.new("RGB", (width, height), color)
        self._pen = ImageDraw.Draw(self.image)

    def fill(self, rect: Rect, color: Color) -> None:
        """Fill a rectangle."""
        self._pen.rectangle((rect.left, rect.top, rect.right - 1, rect.bottom - 1), fill=color)

    def frame(self, rect: Rect, color: Color) -> None:
        """Draw a hairline just outside a rectangle."""
        self._pen.rectangle((rect.left - 1, rect.top - 1, rect.right, rect.bottom), outline=color)

    def rule(self, start: tuple[int, int], end: tuple[int, int], color: Color) -> None:
        """Draw an upright or level hairline between two pixels, both included."""
        self._pen.line((*start, *end), fill=color)

    def paste(self, image: Image.Image, rect: Rect) -> None:
        """Lay an image of the right size on the sheet."""
        self.image.paste(image, (rect.left, rect.top))

    def text(
        self, x: float, y: float, text: str, size: int, color: Color, *, anchor: str = "ls", limit: float = math.inf
    ) -> None:
        """Write one line, cut to `limit` pixels; `anchor` as in Pillow: ``ls`` is left on the baseline, ``mm`` the middle."""
        line = lettering.fitted(text, size, limit)
        self._pen.text((round(x), round(y)), line, font=lettering.typeface(size), fill=color, anchor=anchor)

    def curves(
        self, curves: Sequence[Points], clip: Rect, color: Color, *, width: float = 1.6, opacity: float = 1.0
    ) -> None:
        """Draw open curves, each of shape (n, 2), in one colour, cut at `clip`."""
        mask, pen = _mask(clip)
        for curve in curves:
            flat = (_local(curve, clip) * OVERSAMPLING).ravel().tolist()
            pen.line(flat, fill=_level(opacity), width=_stroke(width), joint="curve" if len(curve) > 2 else None)
        self._lay(mask, clip, color)

    def segments(self, segments: NDArray[np.float64], clip: Rect, color: Color, *, width: float = 1.4) -> None:
        """Draw many straight pieces, shape (n, 2, 2), in one colour, cut at `clip`."""
        mask, pen = _mask(clip)
        for piece in (_local(segments, clip) * OVERSAMPLING).reshape(-1, 4).tolist():
            pen.line(piece, fill=255, width=_stroke(width))
        self._lay(mask, clip, color)

    def circle(
        self, center: tuple[float, float], radius: float, clip: Rect, color: Color, *, width: float = 1.6
    ) -> None:
        """Draw a circle, cut at `clip`."""
        angles = np.linspace(0.0, 2.0 * math.pi, 97)
        ring = np.stack([center[0] + radius * np.cos(angles), center[1] + radius * np.sin(angles)], axis=1)
        self.curves([ring], clip, color, width=width)

    def dots(self, points: Points, clip: Rect, color: Color, *, radius: float = 1.7, opacity: float = 0.5) -> None:
        """Draw round dots at points of shape (n, 2); where many fall together the colour grows denser."""
        height, width = clip.height, clip.width
        reach = math.ceil(radius + 0.5)
        local = _local(points, clip) - 0.5
        nearest = np.rint(local).astype(np.int64)
        ink = np.zeros(height * width)
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                column, row = nearest[:, 0] + dx, nearest[:, 1] + dy
                distance = np.hypot(column - local[:, 0], row - local[:, 1])
                cover = np.clip(radius + 0.5 - distance, 0.0, 1.0)
                inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (cover > 0)
                ink += np.bincount((row * width + column)[inside], cover[inside], minlength=height * width)
        level = 255.0 * (1.0 - (1.0 - opacity) ** ink)
        mask = Image.fromarray(np.rint(level).astype(np.uint8).reshape(height, width))
        self.image.paste(color, (clip.left, clip.top), mask)

    def _lay(self, mask: Image.Image, clip: Rect, color: Color) -> None:
        self.image.paste(color, (clip.left, clip.top), mask.reduce(OVERSAMPLING))


def _local(points: NDArray[np.float64], clip: Rect) -> NDArray[np.float64]:
    """Count from the corner of the clip; far outside of it one place is as good as another, and kept drawable."""
    return np.clip(points - (clip.left, clip.top), -_FAR, _FAR)


def _mask(clip: Rect) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    mask = Image.new("L", (clip.width * OVERSAMPLING, clip.height * OVERSAMPLING))
    return mask, ImageDraw.Draw(mask)


def _stroke(width: float) -> int:
    return max(1, round(width * OVERSAMPLING))


def _level(opacity: float) -> int:
    return round(255 * opacity)
