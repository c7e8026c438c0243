"""What the middle of the house asks of its edges.

Every port has a contract suite in ``tests/contracts``; a fake and the real thing pass the same one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from rapid.events import FileArrived, Rejected

__all__ = [
    "Arrival",
    "Attempt",
    "Batch",
    "Counts",
    "DeadLetter",
    "EncodedPicture",
    "FeedEvent",
    "Gallery",
    "JsonValue",
    "Ledger",
    "Outcome",
    "Recorded",
    "Row",
    "Source",
    "State",
    "Store",
    "StoredObject",
    "Task",
    "Workers",
]

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


# --- the bus -----------------------------------------------------------------------------------------------------


class Batch(Protocol):
    """Some announcements that are settled together."""

    @property
    def items(self) -> Sequence[FileArrived | Rejected]:
        """What came, in the order of arrival."""
        ...

    async def settle(self) -> None:
        """Tell the bus that every item is durably recorded. Called only then; calling it twice does no harm."""
        ...


class Source(Protocol):
    """Somebody who announces files.

    The iterator of `batches` ends when there is nothing more to come (a replay) or when it is closed. What was
    yielded and not settled is announced again by the next life of the source.
    """

    name: str

    def batches(self) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        """Open the source; leaving the context closes it."""
        ...


# --- the stores --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a store: its key, size [bytes], content tag and time of last change (UTC)."""

    key: str
    size: int
    etag: str
    modified: datetime


class Store(Protocol):
    """A place with keys and bytes: a directory, a bucket, memory.

    A missing key raises `rapid.errors.NotAvailable`, a key that climbs out `rapid.errors.BadName`.
    """

    async def get(self, key: str) -> bytes:
        """Read an object."""
        ...

    async def put(self, key: str, body: bytes, *, media_type: str = "application/octet-stream") -> None:
        """Write an object so that a reader sees all of it or none."""
        ...

    async def head(self, key: str) -> StoredObject:
        """Describe an object."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Go through the objects under a prefix, in no certain order."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...


# --- the work ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """One raw file to be studied. ``archive`` is the URL of the store it is in; ``options`` are the store's own."""

    archive: str
    key: str
    content: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A picture ready to be shown. ``suffix`` is ``png`` or ``jpg``; ``sidecar`` its numbers, or empty."""

    channel: str
    suffix: str
    body: bytes
    width: int
    height: int
    sidecar: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the night table.

    Attributes
    ----------
    camera
        Lower-case name of the page it belongs to: ``auxtel``.
    cells
        Column name to value: finite numbers, words, truth values or None. Types never change within a column.
    notes
        Column name to why its value is missing or suspect.
    uncertainties
        Column name to one standard deviation, in the column's unit.
    channels
        Channel name to the key of its picture in the gallery.
    failures
        Name of an analysis that raised, to its message.
    """

    camera: str
    instrument: str
    obs_id: str
    day_obs: int
    seq_num: int
    detector_name: str
    cells: Mapping[str, JsonValue]
    notes: Mapping[str, str] = field(default_factory=dict)
    uncertainties: Mapping[str, float] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker hands back: the row to be (without picture keys), its pictures, and where the time went.

    ``columns`` describes the columns this row uses: name to {label, unit, description, type, group}.
    ``shutter_closed_at`` is UTC. ``seconds`` is wall time [s] by stage, ``cpu_seconds`` the whole task's.
    """

    row: Row
    columns: Mapping[str, Mapping[str, str]]
    pictures: tuple[EncodedPicture, ...]
    shutter_closed_at: datetime
    seconds: Mapping[str, float]
    cpu_seconds: float


class Workers(Protocol):
    """Whoever does the work, away from the event loop."""

    @property
    def capacity(self) -> int:
        """How many tasks run at once."""
        ...

    async def run(self, task: Task, *, deadline: float) -> Outcome:
        """Do one task; a worker past the deadline [s] is killed and replaced.

        Raises
        ------
        InputError
            As the task raised it.
        TaskError
            If the worker died, was too late, or the task raised anything else.
        """
        ...


# --- the ledger --------------------------------------------------------------------------------------------------


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


class Ledger(Protocol):
    """What is written down: arrivals, attempts, results, dead letters, and the feed. Every method is durable when it returns."""

    async def record(self, items: Sequence[FileArrived | Rejected]) -> Recorded:
        """Write announcements down, each once.

        The same key with its current content is a duplicate. The same key with another content is a new arrival, which
        supersedes the old one and starts with no attempts. A content that was superseded and is announced again, seen
        later than the current one, is back: its arrival is reopened with no attempts, supersedes the current one and
        is among `Recorded.new`; seen no later it is a duplicate. So is reopened, when it is announced again and seen
        later, what was buried as a failure that does not last (see `fail`). Another key for an exposure and detector
        that a key already claims becomes a dead letter (`rapid.errors.ConflictingClaim`).
        """
        ...

    async def waiting(self, *, now: datetime) -> Sequence[Arrival]:
        """List the arrivals that may be tried now."""
        ...

    async def begin(self, arrival: Arrival) -> Attempt | None:
        """Write the attempt down and mark the arrival running. None when it may no longer be tried (superseded, done)."""
        ...

    async def complete(
        self,
        attempt: Attempt,
        row: Row,
        columns: Mapping[str, Mapping[str, str]],
        *,
        timings: Mapping[str, float],
    ) -> FeedEvent | None:
        """In one transaction: the attempt ended well, the row is in the table, and the feed says so.

        None when the arrival was superseded meanwhile: its row is not taken.

        Raises
        ------
        ConflictingClaim
            If another key already is this exposure and detector; nothing is changed.
        """
        ...

    async def fail(
        self, attempt: Attempt, *, error: str, detail: str, retry_at: datetime | None, lasting: bool = True
    ) -> FeedEvent | None:
        """In one transaction: the attempt ended badly. With `retry_at` None the arrival is buried: a dead letter is kept and the
        table shows a failed row. `detail` is the traceback. `lasting` is False for a failure that may be over when the
        file is announced again, as that of a file which was not there.
        """
        ...

    async def recover(self) -> int:
        """Let arrivals that a life which ended left running wait again; return how many.

        Their attempts stay counted, and are counted as interruptions.
        """
        ...

    async def retry(self, dead_letter_id: int) -> Arrival:
        """Give a buried arrival its attempts back."""
        ...

    async def dead_letters(self, *, limit: int = 1000) -> Sequence[DeadLetter]:
        """List dead letters that were not retried, newest first."""
        ...

    async def dead_letter(self, dead_letter_id: int) -> DeadLetter:
        """Fetch one."""
        ...

    async def counts(self) -> Counts:
        """Count arrivals by state."""
        ...

    async def arrivals(self, *, states: Sequence[State], limit: int = 1000) -> Sequence[Arrival]:
        """List arrivals in some states, newest first."""
        ...

    async def nights(self, camera: str | None = None) -> Sequence[Mapping[str, JsonValue]]:
        """List nights with rows, newest first.

        Each has ``camera``, ``day_obs``, ``exposures`` (count), ``failed``, ``last_seq_num``, ``as_of`` (feed id).
        """
        ...

    async def night(
        self, camera: str, day_obs: int
    ) -> tuple[int, Mapping[str, Mapping[str, str]], Sequence[Mapping[str, JsonValue]]]:
        """Fetch a night: id of the last feed event it includes, columns, and the table entries in order of seq_num.

        An entry is ``{camera, instrument, obs_id, day_obs, seq_num, detector_name, state, error, revision, arrival_id,
        cells, notes, uncertainties, channels, failures, timings}``; the body of an ``exposure`` feed event is one such entry.
        """
        ...

    async def unpublished_nights(self) -> Sequence[tuple[str, int, int]]:
        """List nights (camera, day_obs, version) whose table changed since it was last marked published."""
        ...

    async def mark_night_published(self, camera: str, day_obs: int, version: int) -> None:
        """Remember that the table of a night was written out as of this version."""
        ...

    async def feed(self, after: int, *, limit: int = 500) -> Sequence[FeedEvent]:
        """Read the feed after an id, in order."""
        ...

    async def last_feed_id(self) -> int:
        """Newest id of the feed, 0 for an empty one."""
        ...

    async def wait_feed(self, after: int, *, timeout: float) -> bool:
        """Return True as soon as the feed has something after this id, written by this process or another; False on time-out [s]."""
        ...


class Gallery(Protocol):
    """Where results are put on show."""

    async def publish(self, outcome: Outcome) -> Row:
        """Write the pictures and then the row object; return the row with the keys of its pictures."""
        ...

    async def publish_night(
        self,
        camera: str,
        day_obs: int,
        columns: Mapping[str, Mapping[str, str]],
        entries: Sequence[Mapping[str, JsonValue]],
    ) -> None:
        """Write the table of a night in RubinTV's own form."""
        ...
