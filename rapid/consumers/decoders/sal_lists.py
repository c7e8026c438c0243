r"""SAL's lists in one string: values between colons, and ``\:`` for a colon in a value (CAP-572)."""

from __future__ import annotations

import re

__all__ = ["join_list", "split_list"]

_SEPARATOR = re.compile(r"(?<!\\):")


def split_list(text: str) -> tuple[str, ...]:
    r"""Split a list; the empty string is the empty list. A backslash before anything but a colon is itself."""
    return tuple(part.replace(r"\:", ":") for part in _SEPARATOR.split(text)) if text else ()


def join_list(values: tuple[str, ...]) -> str:
    r"""Join values to a list. A value that ends in a backslash cannot be told from an escape and is not written so."""
    return ":".join(value.replace(":", r"\:") for value in values)
