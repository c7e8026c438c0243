"""A panel of text: rows of a label and its value."""

from __future__ import annotations

from rapid.processing.findings import TextPanel
from rapid.tv.drawing.canvas import Canvas, Rect
from rapid.tv.drawing.lettering import fitted, width
from rapid.tv.drawing.theme import DIM, GRID, TEXT

__all__ = ["draw_words"]

_LARGEST, _SMALLEST = 15, 9
_TALLEST_ROW = 30


def draw_words(canvas: Canvas, rect: Rect, panel: TextPanel) -> None:
    """Write labels on the left and values on the right, in rows that fill the panel; a row without a label is a sentence."""
    rows = _wrapped(panel.rows, rect.width)
    if not rows:
        return
    step = min(_TALLEST_ROW, max(rect.height / len(rows), _SMALLEST + 3))
    size = int(min(_LARGEST, max(_SMALLEST, step - 6)))
    for index, (label, value) in enumerate(rows[: round(rect.height / step)]):
        base = rect.top + (index + 1) * step - (step - size) / 2 - 1
        if label:
            line = fitted(value, size, rect.width * 0.72)
            canvas.text(rect.right, base, line, size, TEXT, anchor="rs")
            canvas.text(rect.left, base, label, size, DIM, limit=rect.width - width(line, size) - 10)
        else:
            canvas.text(rect.left, base, value, size, TEXT, limit=rect.width)
        below = round(rect.top + (index + 1) * step)
        canvas.rule((rect.left, below), (rect.right - 1, below), GRID)


def _wrapped(rows: tuple[tuple[str, str], ...], limit: int) -> list[tuple[str, str]]:
    """Break sentences (rows without a label) into lines that fit."""
    lines: list[tuple[str, str]] = []
    for label, value in rows:
        lines += [(label, value)] if label else [("", line) for line in _sentence(value, limit)]
    return lines


def _sentence(text: str, limit: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width(longer, _LARGEST) > limit:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
