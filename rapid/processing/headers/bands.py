"""Which band a physical filter passes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

__all__ = ["band_of"]


def band_of(instrument: str, physical_filter: str) -> str:
    """Return the band of a camera's filter, as ``r`` or ``g~nd``, and ``unknown`` for a filter nobody has told of."""
    return _bands()[instrument].get(physical_filter, "unknown")


@cache
def _bands() -> Mapping[str, Mapping[str, str]]:
    text = files("rapid.processing").joinpath("data", "filters.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, str]] = json.loads(text)
    return table
