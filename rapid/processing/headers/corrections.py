"""What the observatory has found to be wrong in the headers of single exposures.

The table is package data, made by ``tools/make_corrections.py``; it is read when the first header is translated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

__all__ = ["corrections", "expanded"]


def corrections(obs_id: str) -> Mapping[str, object]:
    """Return the cards that replace those of an exposure's headers; mostly there are none."""
    return _table().get(obs_id, _NONE)


def expanded(table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """List each exposure of a table with the cards that replace those of its headers."""
    for cards, days in table["same"]:
        shared = MappingProxyType(cards)
        for day, runs in days.items():
            for first, last in runs:
                yield from ((f"{day}_{seq_num:06d}", shared) for seq_num in range(first, last + 1))
    for card, days in table["each"].items():
        for day, rows in days.items():
            yield from ((f"{day}_{seq_num:06d}", MappingProxyType({card: value})) for seq_num, value in rows)
    yield from ((obs_id, MappingProxyType(cards)) for obs_id, cards in table["single"].items())


_NONE: Mapping[str, object] = MappingProxyType({})


@cache
def _table() -> Mapping[str, Mapping[str, object]]:
    text = files("rapid.processing").joinpath("data", "corrections.json").read_text(encoding="utf-8")
    return MappingProxyType(dict(expanded(json.loads(text))))
