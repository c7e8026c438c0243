"""JSON that is the same bytes whenever it says the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["json_bytes"]


def json_bytes(value: object, *, sort: bool = True) -> bytes:
    """Write a value as JSON: names sorted unless told otherwise, no blanks, UTF-8, no NaN.

    Raises
    ------
    ValueError
        If a number in it is NaN or infinite.
    TypeError
        If something in it is no JSON value.
    """
    text = json.dumps(value, sort_keys=sort, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)
    return text.encode()


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return list(value)
    msg = f"{type(value).__name__} is no JSON value: {value!r}"
    raise TypeError(msg)
