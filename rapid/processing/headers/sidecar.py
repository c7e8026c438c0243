"""The JSON file that the camera writes beside, and before, each FITS file: the cards of its primary header."""

from __future__ import annotations

import json
import math
from typing import Final, NoReturn

from rapid.errors import BadHeader
from rapid.processing.exposure import ExposureInfo
from rapid.processing.headers.translation import translate

__all__ = ["SIDECAR_LIMIT", "read_sidecar", "translate_sidecar"]

SIDECAR_LIMIT: Final = 2**18
"""Most bytes of one sidecar; the camera writes about 5000."""

_LONGEST_CARD: Final = 80
_HIERARCH: Final = "HIERARCH."
_CONTENT: Final = "__CONTENT__"
_REMARKS: Final = frozenset({"COMMENT", "HISTORY", ""})
"""Cards that may stand more than once, and then are lists."""


def translate_sidecar(content: bytes, *, name: str) -> ExposureInfo:
    """Say what the JSON file beside a raw file says; the same as `translate` of that file's header.

    Parameters
    ----------
    content
        The file as it is stored.
    name
        Its name, or that of the raw file.

    Raises
    ------
    BadHeader
        If it is no flat JSON object of cards, and as `translate` does.
    UnknownInstrument
        As `translate` does.
    """
    return translate(read_sidecar(content, name=name), name=name)


def read_sidecar(content: bytes, *, name: str) -> dict[str, object]:
    """Read the cards of a sidecar: undefined ones (null) are None, ``HIERARCH.A.B`` is the card ``A B``.

    Raises
    ------
    BadHeader
        If the file is too large, is not JSON, or holds anything but a flat object: nested values, a key twice, numbers
        that are none, text that no card can hold.
    """
    if len(content) > SIDECAR_LIMIT:
        raise _refusal(name, f"at most {SIDECAR_LIMIT} bytes", str(len(content)))
    cards: dict[str, object] = {}
    for key, value in _object(content, name):
        card = _card(key)
        if card in cards:
            raise _refusal(name, "each card once", f"{_short(card)} twice")
        cards[card] = _checked(card, value, name)
    kind = cards.pop(_CONTENT, "metadata")
    if kind != "metadata":
        raise _refusal(name, f"{_CONTENT} metadata", _short(kind))
    return {card: value for card, value in cards.items() if card not in _REMARKS}


def _object(content: bytes, name: str) -> list[tuple[str, object]]:
    """Parse the outermost object as its pairs, so that none hides another."""
    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=_Pairs, parse_constant=_no_number)
    except RecursionError as error:
        raise _refusal(name, "a flat object", "values nested in one another") from error
    except ValueError as error:
        raise _refusal(name, "JSON in UTF-8", str(error)) from error
    if not isinstance(found, _Pairs):
        raise _refusal(name, "a JSON object", _kind(found))
    return found


class _Pairs(list[tuple[str, object]]):
    """The members of a JSON object in their order."""


def _no_number(constant: str) -> NoReturn:
    msg = f"{constant} is no number of JSON"
    raise ValueError(msg)


def _card(key: str) -> str:
    return key.removeprefix(_HIERARCH).replace(".", " ") if key.startswith(_HIERARCH) else key


def _checked(card: str, value: object, name: str) -> object:
    if len(card) > _LONGEST_CARD or not (card.isprintable() and card.isascii()):
        raise _refusal(name, f"names of at most {_LONGEST_CARD} ASCII characters", _short(card))
    if isinstance(value, list) and (isinstance(value, _Pairs) or card not in _REMARKS):
        raise _refusal(name, "text, a number, true, false or null for each card", f"{_short(card)} is {_kind(value)}")
    if isinstance(value, str) and not (value.isprintable() and value.isascii()):
        raise _refusal(name, "printable ASCII, as in a FITS header", f"{_short(card)} = {_short(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise _refusal(name, "finite numbers", f"{_short(card)} is beyond them")
    return value


def _kind(value: object) -> str:
    if isinstance(value, _Pairs):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return "null" if value is None else type(value).__name__


def _short(value: object) -> str:
    return ascii(value)[:_LONGEST_CARD]


def _refusal(name: str, expected: str, found: str) -> BadHeader:
    return BadHeader("the sidecar cannot be used", subject=name, expected=expected, found=found)
