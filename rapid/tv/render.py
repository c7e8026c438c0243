"""The studio: panels become encoded pictures.

Nothing here knows what an analysis means. The same picture and caption give the same bytes on every machine with the
same libraries: no clock, no fonts of the machine, no metadata.
"""

from __future__ import annotations

import io
import math

from rapid.ports import EncodedPicture
from rapid.processing.findings import ContourPanel, ImagePanel, Panel, Picture, SeriesPanel, SurfacePanel, TextPanel
from rapid.tv.drawing.canvas import Canvas, Rect
from rapid.tv.drawing.contours import draw_contours
from rapid.tv.drawing.images import SCALE_WIDTH, draw_image, draw_scale
from rapid.tv.drawing.lettering import fitted, width
from rapid.tv.drawing.relief import draw_relief
from rapid.tv.drawing.series import draw_series
from rapid.tv.drawing.theme import ACCENT, BACKGROUND, DIM, HAIRLINE, SURFACE, TEXT
from rapid.tv.drawing.words import draw_words

__all__ = ["encode"]

STRIP = 66
"""Height of the strip that carries the caption [pixel]."""

MARGIN, GAP = 20, 16
LEFT, TOP, RIGHT, BOTTOM = 58, 44, 20, 52
"""Room inside a panel for its title, tick labels and axis label [pixel]."""

_CAPTION_SIZE, _TITLE_SIZE, _NOTE_SIZE = 21, 17, 14
_GRID_WIDTH = 1400
_LONGEST_SIDE = 1100
_JPEG_QUALITY = 90
_PNG_LEVEL = 3
_CONTINUOUS = 250_000
"""Pixels of an image from which on a picture of it alone is sent as JPEG: noise does not shrink in a PNG."""


def encode(picture: Picture, *, caption: str) -> EncodedPicture:
    """Draw a picture and encode it.

    Parameters
    ----------
    picture
        Panels in a grid. Any panel may be constant, tiny, or hold values that are not finite.
    caption
        What the picture is of; written in a strip above the panels, never over pixels, and cut where it is too long.

    Returns
    -------
    EncodedPicture
        JPEG for one large image, PNG for anything with lines and letters; without a sidecar.
    """
    single = len(picture.panels) == 1
    canvas = _single(picture.panels[0]) if single else _grid(picture.panels, max(1, picture.columns))
    _draw_strip(canvas, caption, picture.title)
    suffix = "jpg" if single and _is_continuous(picture.panels[0]) else "png"
    return EncodedPicture(picture.channel, suffix, _encoded(canvas, suffix), *canvas.image.size)


def _single(panel: Panel) -> Canvas:
    """Draw one panel as large as it deserves: an image pixel by pixel where it fits."""
    across, down = _natural_size(panel)
    spare = SCALE_WIDTH if isinstance(panel, ImagePanel) and panel.stretch != "equalised" else 0
    card = Rect(MARGIN, STRIP, MARGIN + LEFT + across + spare + RIGHT, STRIP + TOP + down + BOTTOM)
    canvas = Canvas(card.right + MARGIN, card.bottom + MARGIN, BACKGROUND)
    _draw_panel(canvas, card, panel, spare=spare)
    if isinstance(panel, ImagePanel) and spare:
        right = card.left + LEFT + across
        draw_scale(canvas, Rect(right + 18, card.top + TOP, right + 34, card.bottom - BOTTOM), panel)
    return canvas


def _natural_size(panel: Panel) -> tuple[int, int]:
    if not isinstance(panel, ImagePanel):
        return _LONGEST_SIDE, 640
    ny, nx = panel.pixels.shape
    scale = _LONGEST_SIDE / max(ny, nx)
    scale = float(math.floor(scale)) if scale >= 1 else scale
    return max(round(nx * scale), 300), max(round(ny * scale), 60)


def _grid(panels: tuple[Panel, ...], columns: int) -> Canvas:
    """Draw panels row by row in cells whose plots are square and stand in line."""
    rows = math.ceil(len(panels) / columns)
    across = (_GRID_WIDTH - 2 * MARGIN - (columns - 1) * GAP) // columns
    down = max(across - LEFT - RIGHT, 60) + TOP + BOTTOM
    canvas = Canvas(_GRID_WIDTH, STRIP + rows * (down + GAP) - GAP + MARGIN, BACKGROUND)
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        left, top = MARGIN + column * (across + GAP), STRIP + row * (down + GAP)
        _draw_panel(canvas, Rect(left, top, left + across, top + down), panel)
    return canvas


def _draw_panel(canvas: Canvas, card: Rect, panel: Panel, *, spare: int = 0) -> None:
    """Draw a panel on its card; `spare` is room left free on the right for a scale."""
    canvas.fill(card, SURFACE)
    plot = card.inset(LEFT, TOP, RIGHT + spare, BOTTOM)
    match panel:
        case ImagePanel():
            draw_image(canvas, _shaped(plot, panel.pixels.shape), panel)
        case ContourPanel():
            draw_contours(canvas, _shaped(plot, panel.values.shape), panel)
        case SurfacePanel():
            draw_relief(canvas, card.inset(RIGHT, TOP, RIGHT, RIGHT), panel)
        case SeriesPanel():
            draw_series(canvas, plot, panel)
        case TextPanel():
            draw_words(canvas, card.inset(RIGHT, TOP, RIGHT, RIGHT), panel)
    _draw_title(canvas, card, panel)


def _shaped(plot: Rect, shape: tuple[int, ...]) -> Rect:
    """Shrink the plot to the proportions of a map, keeping its lower left corner where the ticks are."""
    ny, nx = shape
    scale = min(plot.width / nx, plot.height / ny)
    across, down = max(round(nx * scale), 2), max(round(ny * scale), 2)
    return Rect(plot.left, plot.bottom - down, plot.left + across, plot.bottom)


def _draw_title(canvas: Canvas, card: Rect, panel: Panel) -> None:
    """Write the title on the left and the unit of what is drawn on the right."""
    left, base = card.left + RIGHT, card.top + 28
    note = panel.y_label if isinstance(panel, SeriesPanel) else getattr(panel, "unit", "")
    note = fitted(note, _NOTE_SIZE, card.width * 0.4)
    canvas.text(card.right - RIGHT, base, note, _NOTE_SIZE, DIM, anchor="rs")
    room = card.width - 2 * RIGHT - width(note, _NOTE_SIZE) - 12
    canvas.text(left, base, panel.title, _TITLE_SIZE, TEXT, limit=room)


def _draw_strip(canvas: Canvas, caption: str, title: str) -> None:
    across = canvas.image.width
    base = 36
    canvas.fill(Rect(MARGIN, 18, MARGIN + 4, 40), ACCENT)
    line = fitted(caption, _CAPTION_SIZE, across - 2 * MARGIN - 16)
    canvas.text(MARGIN + 16, base, line, _CAPTION_SIZE, TEXT)
    room = across - 2 * MARGIN - 16 - width(line, _CAPTION_SIZE) - 30
    if room > 60:
        canvas.text(across - MARGIN, base, title, _TITLE_SIZE, DIM, anchor="rs", limit=room)
    canvas.rule((MARGIN, 52), (across - MARGIN - 1, 52), HAIRLINE)


def _is_continuous(panel: Panel) -> bool:
    return isinstance(panel, ImagePanel) and panel.pixels.size >= _CONTINUOUS


def _encoded(canvas: Canvas, suffix: str) -> bytes:
    body = io.BytesIO()
    if suffix == "jpg":
        canvas.image.save(body, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        canvas.image.save(body, "PNG", compress_level=_PNG_LEVEL)
    return body.getvalue()
