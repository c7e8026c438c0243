"""How often something is tried, and how long one waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rapid.errors import RapidError
from rapid.pipeline.lanes import LanesPolicy
from rapid.ports import Attempt

__all__ = ["Policy", "longest_wait", "retry_at"]

_MOMENT = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of the pipeline.

    Attributes
    ----------
    attempts
        A frame that failed this often is buried: three tells a passing fault from a lasting one.
    interruptions
        A frame that was in work this often when the whole service died is buried too. Counted apart from
        `attempts`, since the service is usually stopped by somebody else; yet a frame that takes the machine down
        must not do so for ever.
    deadline
        Longest a worker may take over one frame.
    backoff
        Wait before the second attempt; it doubles with each.
    patience
        How long a finished result is kept in memory while the gallery or the ledger is away.
    drain
        How long a stop waits for the frames in work.
    table_pause
        Changes of a night's table are written out together, at most this often.
    """

    attempts: int = 3
    interruptions: int = 10
    deadline: timedelta = timedelta(seconds=120)
    backoff: timedelta = timedelta(seconds=2)
    patience: timedelta = timedelta(minutes=10)
    drain: timedelta = timedelta(seconds=60)
    table_pause: timedelta = timedelta(seconds=0.5)
    lanes: LanesPolicy = field(default_factory=LanesPolicy)


def retry_at(policy: Policy, attempt: Attempt, error: Exception, *, now: datetime) -> datetime | None:
    """Say when an arrival may be tried again after an attempt that ended with this error; None when it is to be buried."""
    if isinstance(error, RapidError) and not error.retriable:
        return None
    failed = attempt.number - attempt.arrival.interruptions
    if failed >= policy.attempts:
        return None
    return now + policy.backoff * (1 << (failed - 1))


def longest_wait(policy: Policy) -> timedelta:
    """Say how long an arrival may have to wait for its next attempt, at most; some seconds do no harm."""
    return max(policy.backoff * (1 << policy.attempts), _MOMENT)
