"""One card at a time: as a word, as a number; None when it says nothing that can be believed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from rapid.errors import BadHeader

__all__ = ["Cards", "bad_card", "element", "first", "number", "numeral", "whole", "word"]

Cards = Mapping[str, object]

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DIGITS: Final = 18
"""Most digits believed of a whole number: they fit into 64 bits."""


def word(cards: Cards, card: str) -> str | None:
    """Read a card as text without blanks around it; an empty one says nothing."""
    value = cards.get(card)
    return str(value).strip() or None if value is not None else None


def number(cards: Cards, card: str) -> float | None:
    """Read a finite number; truth values and text are none."""
    value = cards.get(card)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if math.isfinite(converted) else None


def numeral(cards: Cards, card: str) -> float | None:
    """Read a finite number that may be written as text, as some broken files do."""
    value = cards.get(card)
    if not isinstance(value, str):
        return number(cards, card)
    try:
        converted = float(value)
    except ValueError:
        return None
    return converted if math.isfinite(converted) else None


def whole(cards: Cards, card: str) -> int | None:
    """Read a whole number that may be written as text, a day also as YYYY-MM-DD."""
    text = word(cards, card) or ""
    digits = text.replace("-", "") if _DAY.fullmatch(text) else text
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS else None


def element(cards: Cards, card: str) -> str:
    """Name what is in a wheel: ``empty`` for its free places, ``unknown`` when nobody says."""
    found = word(cards, card)
    if found is None:
        return "unknown"
    return "empty" if found.lower().startswith("empty") else found


def first(*values: float | None) -> float | None:
    """Return the first that is known."""
    return next((value for value in values if value is not None), None)


def bad_card(name: str, card: str, expected: str, found: object) -> BadHeader:
    """Make the error about a card that cannot be done without."""
    shown = "no such card, or an undefined one" if found is None else repr(found)
    return BadHeader(f"the card {card} cannot be used", subject=name, expected=expected, found=shown)
