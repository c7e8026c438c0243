"""Round numbers along an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["nice_ticks", "tick_labels"]

_STEPS = (10.0, 5.0, 2.0, 1.0, 0.5)
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k"))
"""A prefix begins to pay at 10 000: four digits are read as quickly as ``1.5k``."""


def nice_ticks(low: float, high: float, target: int = 5) -> list[float]:
    """Return about `target` multiples of 1, 2 or 5 times a power of ten within [low, high], at least two of them.

    None if the range is empty or below the resolution of its own numbers.
    """
    span = high - low
    if not (math.isfinite(span) and span > 1e-11 * max(abs(low), abs(high))):
        return []
    power = 10.0 ** math.floor(math.log10(span / max(target, 1)))
    rows = [_multiples(nice * power, low, high) for nice in _STEPS]
    return min((row for row in rows if len(row) >= 2), key=lambda row: abs(len(row) - target))


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Write ticks with as many decimals as tell them apart, in one common scale (``k``, ``M``, or ``e-7``)."""
    largest = max((abs(tick) for tick in ticks), default=0.0)
    if largest == 0.0:
        return ["0" for _ in ticks]
    step = min((b - a for a, b in pairwise(ticks)), default=largest / 10)
    if largest < 1e-3 or largest >= 1e15:
        return [_scientific(tick, largest, step) for tick in ticks]
    scale, suffix = next(((1e3 if s == "k" else scale, s) for scale, s in _PREFIXES if largest >= scale), (1.0, ""))
    decimals = max(0, -math.floor(math.log10(step / scale) + 1e-9))
    return [f"{tick / scale:.{decimals}f}{suffix}" if abs(tick) > 1e-12 * largest else "0" for tick in ticks]


def _multiples(step: float, low: float, high: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _scientific(value: float, largest: float, step: float) -> str:
    """Write a value with one power of ten for all labels, that of the largest."""
    if value == 0:
        return "0"
    power = math.floor(math.log10(largest) + 1e-9)
    decimals = max(0, power - math.floor(math.log10(step) + 1e-9))
    return f"{value / 10.0**power:.{decimals}f}e{power}"
