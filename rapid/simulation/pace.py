"""When things happen: a clock that can be replaced, and the pace of a night."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "Pace", "SystemClock"]


class Clock(Protocol):
    """Somebody who knows the time and can wait."""

    def now(self) -> datetime:
        """Return the time, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clock on the wall."""

    def now(self) -> datetime:
        """Return the time, UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Pace:
    """How the time of the night goes with that of the wall.

    ``factor`` 1 is real time, 10 is ten times faster, None is at once. ``wall`` is when the night's ``begin`` happens.
    """

    factor: float | None
    begin: datetime
    wall: datetime

    def wait(self, moment: datetime, now: datetime) -> float:
        """Return the seconds to wait on the wall until a moment of the night; not positive when it is past."""
        if self.factor is None:
            return 0.0
        due = (moment - self.begin).total_seconds() / self.factor
        return due - (now - self.wall).total_seconds()
