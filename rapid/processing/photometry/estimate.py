"""A number with its uncertainty, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Estimate", "unknown"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured or derived number.

    Attributes
    ----------
    value, error
        The number and one standard deviation, in the unit its maker states; both NaN when it could not be had. An error
        alone is NaN where it is not known.
    reason
        Why there is no value; empty when there is one.
    doubt
        Why a value that is there should not be trusted fully; empty when nothing speaks against it.
    """

    value: float
    error: float
    reason: str = ""
    doubt: str = ""

    def __post_init__(self) -> None:
        if math.isfinite(self.value) == bool(self.reason):
            msg = f"an estimate has either a value or a reason: {self.value} with {self.reason!r}"
            raise ValueError(msg)

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not self.reason


def unknown(reason: str) -> Estimate:
    """Say that a number could not be had, and why."""
    return Estimate(math.nan, math.nan, reason)
