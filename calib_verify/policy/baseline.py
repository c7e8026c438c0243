"""What a camera is usually like: values frozen from runs that were good."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from calib_verify.measurements import FrameMeasurements, Subject
from rapid.errors import InputError

__all__ = ["Baseline", "Usual", "baseline_key"]

_MAD: float = 1.4826
_MEDIAN = math.sqrt(math.pi / 2)

Key = tuple[str, str, str, str, str, str]
"""Instrument, kind, filter (of flats), detector, amplifier, quantity."""


@dataclass(frozen=True, slots=True)
class Usual:
    """A value, its standard error, and the scatter of the ``n`` frames behind it (robust; 0 for one frame)."""

    value: float
    error: float
    scatter: float
    n: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """Usual values by key, frozen under a name that verdicts can cite."""

    identity: str
    values: Mapping[Key, Usual]

    @classmethod
    def from_frames(cls, identity: str, frames: Iterable[FrameMeasurements]) -> Self:
        """Freeze the medians over frames, whose order does not matter.

        The standard error is that of a median of the scatter seen, or of the mean uncertainty where that is larger: a few
        frames may agree by chance.
        """
        found: dict[Key, list[tuple[float, float]]] = defaultdict(list)
        for frame in frames:
            for each in frame.measurements:
                if each.value is not None:
                    key = baseline_key(frame.subject, each.detector, each.amplifier, each.name)
                    found[key].append((each.value, each.uncertainty or 0.0))
        return cls(identity, MappingProxyType({key: _usual(found[key]) for key in sorted(found)}))

    def usual(self, subject: Subject, detector: str, amplifier: str, quantity: str) -> Usual | None:
        """Return what is usual there; None where nobody knows."""
        return self.values.get(baseline_key(subject, detector, amplifier, quantity))

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        rows = [[*key, one.value, one.error, one.scatter, one.n] for key, one in self.values.items()]
        return {"identity": self.identity, "values": rows}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Return what `as_json` gave.

        Raises
        ------
        InputError
            If it is something else.
        """
        try:
            values = dict(_entry(*row) for row in content["values"])
            return cls(str(content["identity"]), MappingProxyType(values))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError("not a baseline", expected="identity and rows of values", found=repr(error)) from error


def baseline_key(subject: Subject, detector: str, amplifier: str, quantity: str) -> Key:
    """Return under what a value is kept: the filter counts for flats only."""
    used = subject.physical_filter if subject.kind == "flat" else ""
    return subject.instrument, subject.kind, used, detector, amplifier, quantity


def _entry(*row: Any) -> tuple[Key, Usual]:
    instrument, kind, physical_filter, detector, amplifier, quantity, value, error, scatter, n = row
    key = (str(instrument), str(kind), str(physical_filter), str(detector), str(amplifier), str(quantity))
    return key, Usual(float(value), float(error), float(scatter), int(n))


def _usual(found: list[tuple[float, float]]) -> Usual:
    values, errors = np.array(sorted(found)).T
    middle = float(np.median(values))
    scatter = _MAD * float(np.median(np.abs(values - middle)))
    single = max(scatter, math.sqrt(float(np.mean(errors**2))))
    n = values.size
    return Usual(middle, single * (_MEDIAN if n > 2 else 1.0) / math.sqrt(n), scatter, n)
