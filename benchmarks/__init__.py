"""What is measured, and against whom.

A module of this package with a function ``figures() -> Iterable[Figure]`` is a benchmark; ``python -m benchmarks``
finds it. See README.md beside this file.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["GROUPS", "Figure", "percentile", "seconds_of"]

GROUPS = ("spine", "core", "bus", "verify", "display", "focalplane")
"""First word of every figure's name; what ``ONLY`` may be."""

_NAME = re.compile(r"(?P<group>[a-z]+)\.[a-z0-9_]+(\.[a-z0-9_]+)*")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that was measured.

    Parameters
    ----------
    name
        ``group.what``, the group one of `GROUPS`.
    value, unit
        The number, and its unit as astropy spells it; empty for a count or a ratio.
    n
        How many measurements are behind it.
    peer, ratio
        Somebody who does the same, and our value over theirs: below one is better for seconds.
    """

    name: str
    value: float
    unit: str
    n: int
    peer: str | None = None
    ratio: float | None = None

    def __post_init__(self) -> None:
        matched = _NAME.fullmatch(self.name)
        if matched is None or matched["group"] not in GROUPS:
            raise ValueError(f"{self.name!r}: expected a name like spine.seconds, of one of {', '.join(GROUPS)}")
        if not math.isfinite(self.value):
            raise ValueError(f"{self.name}: expected a finite value, found {self.value}")
        if self.n < 1:
            raise ValueError(f"{self.name}: expected at least one measurement, found n={self.n}")
        if (self.peer is None) != (self.ratio is None):
            raise ValueError(f"{self.name}: a peer and the ratio to it come together")

    @property
    def group(self) -> str:
        """The part of the name before the first dot."""
        return self.name.partition(".")[0]

    def as_json(self) -> dict[str, str | float | int]:
        """Return what one line says; peer and ratio only where there is a peer."""
        line: dict[str, str | float | int] = {"name": self.name, "value": self.value, "unit": self.unit, "n": self.n}
        if self.peer is not None and self.ratio is not None:
            line |= {"peer": self.peer, "ratio": self.ratio}
        return line


def seconds_of(work: Callable[[], object], *, n: int, warm_up: int = 1) -> list[float]:
    """Time something n times [s], after runs that fill caches and are not counted."""
    for _ in range(warm_up):
        work()
    seconds = []
    for _ in range(n):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def percentile(values: list[float], percent: float) -> float:
    """Return a percentile, linear between the two values next to it; 50 is the median."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
