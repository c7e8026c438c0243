"""What a verdict is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from calib_verify.measurements.values import Level

__all__ = ["Outcome", "Verdict", "worst"]


class Outcome(StrEnum):
    """How something was judged. INCONCLUSIVE could not be told; WAIVED is not good, and somebody answers for it."""

    PASS = "PASS"  # noqa: S105 - no password
    WAIVED = "WAIVED"
    WARN = "WARN"
    INCONCLUSIVE = "INCONCLUSIVE"
    FAIL = "FAIL"


_SEVERITY: Final = {outcome: rank for rank, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One criterion on one thing.

    Attributes
    ----------
    criterion
        Its name in the policy.
    level, detector, amplifier
        What was judged.
    outcome
        After waivers; ``bare`` is what it was without.
    value, low, high
        What was compared, and with what; None where there was no value or there is no limit.
    uncertainty
        Of the value, one standard deviation; None where it is not known.
    unit
        Of all four.
    reason
        Why, in words; empty for what passed.
    probability
        That chance alone gives such a value, two-sided; None where the criterion says nothing about chance.
    waiver
        Owner of the waiver that was applied; empty otherwise.
    counts
        Whether it decides about what it is part of; some criteria only inform.
    """

    criterion: str
    level: Level
    detector: str
    amplifier: str
    outcome: Outcome
    value: float | None = None
    low: float | None = None
    high: float | None = None
    uncertainty: float | None = None
    unit: str = ""
    reason: str = ""
    probability: float | None = None
    bare: Outcome | None = None
    waiver: str = ""
    counts: bool = True

    def __post_init__(self) -> None:
        if self.outcome is not Outcome.PASS and not self.reason:
            msg = f"{self.criterion}: {self.outcome} does not say why"
            raise ValueError(msg)
        if self.outcome is Outcome.PASS and (self.value is None or not math.isfinite(self.value)):
            msg = f"{self.criterion}: nothing passes without a value"
            raise ValueError(msg)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the worst: FAIL before INCONCLUSIVE, WARN, WAIVED and PASS; of nothing at all, INCONCLUSIVE."""
    return max(outcomes, key=_SEVERITY.__getitem__, default=Outcome.INCONCLUSIVE)
