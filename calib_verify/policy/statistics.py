"""What a criterion compares: a statistic of measured values, with its uncertainty and its limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from calib_verify.measurements import Measurement
from calib_verify.policy.baseline import Usual
from calib_verify.policy.schema import Criterion

__all__ = ["Comparison", "Incomparable", "compare"]

Places = Mapping[tuple[str, str], Measurement]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A statistic, the limits it must keep (inclusive, or ``strict``), and the inner ones beyond which it warns.

    ``uncertainty`` and limits are None where there are none; ``value`` may be NaN or infinite, as a division gives it.
    """

    value: float
    uncertainty: float | None
    unit: str
    low: float | None
    high: float | None
    warn_low: float | None = None
    warn_high: float | None = None
    strict: bool = False
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Incomparable:
    """Why there is nothing to compare; ``applies`` is False where the criterion has nothing to say here."""

    reason: str
    applies: bool = True


def compare(
    criterion: Criterion, places: Places, amplifier: str, usual: Usual | None = None
) -> Comparison | Incomparable:
    """Work out the statistic of a criterion on one amplifier.

    Parameters
    ----------
    places
        Measurements by name and amplifier.
    amplifier
        Empty for what is about a whole detector or exposure.
    usual
        What the baseline says; None where it says nothing.
    """
    if criterion.expected == "baseline" and usual is None:
        return Incomparable("no baseline to compare with", applies=False)
    wanted = [name for name in (criterion.quantity, criterion.reference, criterion.plus) if name]
    absent = next((reason for name in wanted if (reason := _absent(places, name, amplifier))), "")
    if absent:
        return Incomparable(absent)
    found = places[criterion.quantity, amplifier]
    expected = usual if criterion.expected == "baseline" else _fixed(criterion.expected)
    if expected is not None:
        return _against(criterion, found, expected)
    if criterion.reference:
        return _with_reference(criterion, *(places[name, amplifier] for name in wanted))
    return _limited(criterion, _number(found), found.uncertainty, found.unit)


def _absent(places: Places, name: str, amplifier: str) -> str:
    """Say why there is no value; nothing where there is one."""
    found = places.get((name, amplifier))
    if found is None:
        return f"{name} was not measured"
    return found.reason if found.value is None else ""


def _fixed(value: float | None) -> Usual | None:
    return None if value is None else Usual(value, 0.0, 0.0, 1)


def _limited(criterion: Criterion, value: float, uncertainty: float | None, unit: str) -> Comparison:
    return Comparison(value, uncertainty, unit, criterion.low, criterion.high, criterion.warn_low, criterion.warn_high)


def _against(criterion: Criterion, found: Measurement, usual: Usual) -> Comparison:
    """Compare with what is expected: relative to it, or in errors."""
    value, error = _number(found), found.uncertainty or 0.0
    if criterion.statistic == "relative_excess":
        excess = _divided(value - usual.value, usual.value)
        return _limited(criterion, excess, _divided(math.hypot(error, usual.error), abs(usual.value)), "")
    total = math.hypot(error, usual.error, criterion.floor)
    z = _divided(value - usual.value, total)
    probability = math.erfc(abs(z) / math.sqrt(2.0)) if criterion.chance else None
    return Comparison(
        z,
        1.0,
        "",
        criterion.low,
        criterion.high,
        criterion.warn_low,
        criterion.warn_high,
        probability=probability,
    )


def _with_reference(
    criterion: Criterion, found: Measurement, reference: Measurement, plus: Measurement | None = None
) -> Comparison:
    value, against = _number(found), _number(reference)
    if criterion.statistic == "magnitude_below":
        return Comparison(value, found.uncertainty, found.unit, -against, against, strict=True)
    if criterion.statistic == "poisson_bound":
        square = against + (0.0 if plus is None else _number(plus) ** 2)
        return Comparison(value, found.uncertainty, found.unit, None, math.sqrt(square) if square >= 0 else math.nan)
    ratio = _divided(value, against)
    error = _divided(math.hypot(found.uncertainty or 0.0, ratio * (reference.uncertainty or 0.0)), abs(against))
    if criterion.statistic == "relative_excess":
        ratio = _divided(value - against, against)
    return _limited(criterion, ratio, error if math.isfinite(error) else None, "")


def _number(measurement: Measurement) -> float:
    return math.nan if measurement.value is None else measurement.value


def _divided(one: float, by: float) -> float:
    """Divide as numpy does: by zero it gives infinity, or NaN for zero."""
    if by:
        return one / by
    return math.copysign(math.inf, one) if one else math.nan
