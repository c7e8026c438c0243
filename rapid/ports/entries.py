"""What a ledger holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rapid.ports.work import JsonValue

__all__ = [
    "Arrival",
    "Attempt",
    "Counts",
    "DeadLetter",
    "FeedEvent",
    "Recorded",
    "State",
]


class State(StrEnum):
    """Where an arrival stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One content of one file, as the ledger has it.

    ``attempts`` counts every attempt begun; ``interruptions`` those of them that were cut off by the end of the
    whole service (see `Ledger.recover`) and so say little about the file.
    """

    id: int
    key: str
    content: str
    size: int
    source: str
    live: bool
    instrument: str | None
    obs_id: str | None
    day_obs: int | None
    seq_num: int | None
    detector_name: str | None
    written_at: datetime
    seen_at: datetime
    recorded_at: datetime
    state: State
    attempts: int
    interruptions: int
    not_before: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `Ledger.record` did: the new arrivals, how many were known already, and how many were kept as dead letters."""

    new: tuple[Arrival, ...]
    duplicates: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one arrival, written down before it starts."""

    id: int
    arrival: Arrival
    number: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What could not be used, kept whole, with the reason.

    ``kind`` is ``file`` (an arrival that was given up; `arrival_id` is set) or ``message``.
    """

    id: int
    kind: str
    source: str
    subject: str
    reason: str
    detail: str
    body: bytes
    at: datetime
    arrival_id: int | None
    retried_at: datetime | None


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One entry of the append-only feed. ``id`` only grows; ``kind`` is ``exposure`` (body: the table entry) or ``night``."""

    id: int
    at: datetime
    kind: str
    camera: str
    day_obs: int
    seq_num: int | None
    body: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many arrivals are in each state, and how many dead letters are kept."""

    waiting: int
    running: int
    done: int
    failed: int
    superseded: int
    dead_letters: int

    @property
    def received(self) -> int:
        """All arrivals ever recorded."""
        return self.waiting + self.running + self.done + self.failed + self.superseded
