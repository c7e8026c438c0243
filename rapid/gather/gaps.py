"""Sequence numbers that are missing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

__all__ = ["gaps_between", "gaps_text"]


def gaps_between(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """List the ranges (first and last number) that lie between some numbers and are not among them, in order.

    What may be missing before the first or after the last nobody can tell.
    """
    return [(before + 1, after - 1) for before, after in pairwise(sorted(set(numbers))) if after - before > 1]


def gaps_text(gaps: Iterable[tuple[int, int]]) -> str:
    """Write ranges as ``12-14, 17``."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in gaps)
