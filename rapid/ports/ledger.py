"""What is written down, and how it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from rapid.events import FileArrived, Rejected
from rapid.ports.entries import Arrival, Attempt, Counts, DeadLetter, FeedEvent, Recorded, State
from rapid.ports.exposures import Exposures
from rapid.ports.outbox import Outbox
from rapid.ports.work import JsonValue, Row

__all__ = [
    "Ledger",
]


class Ledger(Outbox, Protocol):
    """What is written down: arrivals, attempts, results, dead letters, the feed, and who was told of it.

    Every method is durable when it returns.
    """

    @property
    def exposures(self) -> Exposures:
        """The exposures as wholes."""
        ...

    async def known(self, files: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Tell of files (key, content) whether an arrival of this content is written down, whatever became of it."""
        ...

    async def gaps(self, camera: str, day_obs: int) -> Sequence[tuple[int, int]]:
        """List the ranges of sequence numbers, first and last, between exposures of a night of which nothing is known."""
        ...

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
        """Write the attempt down and mark the arrival running.

        None when it may not be tried (superseded, done, another service is at it), or not yet: another service is
        still at an older content of the same file.
        """
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

        Their attempts stay counted, and are counted as interruptions. What other services may be at is left to them
        (see `reclaim`).
        """
        ...

    @property
    def lease(self) -> timedelta | None:
        """How long a service that is not heard of is believed to be at its attempts.

        None where no other service can work on this ledger: then nothing has to be renewed.
        """
        ...

    def now(self) -> datetime:
        """Tell the time by the one clock of all services on this ledger."""
        ...

    async def renew(self, held: Sequence[Attempt]) -> Sequence[Attempt]:
        """Hold attempts for another `lease`; return those of them that are held no more: their results are not taken."""
        ...

    async def reclaim(self, held: Sequence[Attempt]) -> int:
        """Let arrivals wait again that a service was at whose lease has ended; return how many.

        Their attempts stay counted, and are counted as interruptions. Attempts `held` by the caller are left alone.
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

        Each has ``camera``, ``day_obs``, ``exposures`` (count), ``done`` and ``failed`` (rows), ``last_seq_num``, ``as_of``
        (feed id).
        """
        ...

    async def night(
        self, camera: str, day_obs: int
    ) -> tuple[int, Mapping[str, Mapping[str, str]], Sequence[Mapping[str, JsonValue]]]:
        """Fetch a night: id of the last feed event it includes, columns, and the table entries in order of seq_num.

        An entry is ``{camera, instrument, obs_id, day_obs, seq_num, detector_name, state, error, revision, arrival_id, cells,
        notes, uncertainties, channels, failures, timings, catalogues}``; the body of an ``exposure`` feed event is one such
        entry.
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
