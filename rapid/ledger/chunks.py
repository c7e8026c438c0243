"""Long lists, asked for in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["chunks"]

_T = TypeVar("_T")

_LONGEST = 500
"""Values in one IN (...): well under the 999 parameters that the most cautious builds of SQLite take."""


def chunks(values: Iterable[_T]) -> Iterator[list[_T]]:
    """Cut the distinct values into lists of bounded length, in order."""
    rest = iter(dict.fromkeys(values))
    while piece := list(islice(rest, _LONGEST)):
        yield piece
