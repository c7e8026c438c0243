"""Words for a picture: one built-in typeface, and text that always fits.

Pillow carries its own scalable face, so a picture does not depend on the fonts of the machine. That face knows ASCII
and a few signs more; everything else is written out or becomes a question mark, never an empty box.
"""

# ruff: noqa: RUF001 - the look-alikes of ASCII are what this module is about

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import lru_cache

from PIL import ImageFont

__all__ = ["fitted", "typeface", "width", "writable"]

LONGEST = 400
"""Characters looked at in any one text: no title or value needs more, and measuring a longer one costs time."""

_SIGNS = frozenset("©«°±´·»‘’“”…‹›⁄™")
_SPELT = {
    "×": "x", "−": "-", "–": "-", "—": "-", "µ": "u", "μ": "u", "²": "^2", "³": "^3", "″": '"', "′": "'",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "Delta", "ε": "epsilon", "λ": "lambda", "σ": "sigma",
    "χ": "chi", "ω": "omega", "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "≤": "<=", "≥": ">=", "→": "->",
}  # fmt: skip


@lru_cache(maxsize=32)
def typeface(size: int) -> ImageFont.FreeTypeFont:
    """Return the face at a size [pixel]."""
    face = ImageFont.load_default(size)
    if not isinstance(face, ImageFont.FreeTypeFont):
        msg = "expected Pillow built with FreeType, found one with bitmap fonts only"
        raise TypeError(msg)
    return face


def writable(text: str) -> str:
    """Return the text on one line, in characters that the face has."""
    composed = unicodedata.normalize("NFC", text[:LONGEST])
    letters = "".join(_letter(character) for character in composed)
    return " ".join(letters.split()) + ("…" if len(text) > LONGEST else "")


def width(text: str, size: int) -> float:
    """Measure a writable text [pixel]."""
    return float(typeface(size).getlength(text))


def fitted(text: str, size: int, limit: float) -> str:
    """Make a text writable and no wider than the limit [pixel], with an ellipsis where it was cut."""
    line = writable(text)
    if width(line, size) <= limit:
        return line
    cuts = range(len(line) + 1)
    fitting = bisect_right(cuts, limit, key=lambda cut: width(line[:cut] + "…", size)) - 1
    return line[:fitting].rstrip() + "…" if fitting >= 0 else ""


@lru_cache(maxsize=4096)
def _letter(character: str) -> str:
    if " " <= character <= "~" or character in _SIGNS:
        return character
    if character in _SPELT:
        return _SPELT[character]
    category = unicodedata.category(character)
    if category in {"Cf", "Mn", "Me"}:  # joiners, direction marks, accents on their own
        return ""
    if character.isspace() or category in {"Cc", "Zs"}:
        return " "
    parts = unicodedata.normalize("NFKD", character)
    plain = "".join(part for part in parts if " " <= part <= "~" or part in _SIGNS)
    return plain or "?"
