"""The port `rapid.ports.Ledger` on a database: which call runs on which thread."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import sqlalchemy as sa

from rapid.errors import LedgerError
from rapid.events import FileArrived, Rejected
from rapid.ledger import attempts, catching_up, inbox, leases, migrate, outbox, reading, table
from rapid.ledger.clock import LedgerClock
from rapid.ledger.databases import open_engines
from rapid.ledger.engines import Engines, translated_errors
from rapid.ledger.exposures import SqlExposures
from rapid.ledger.transaction import Writing
from rapid.ledger.watch import LOOK_OFTEN, LOOK_SELDOM, FeedWatch
from rapid.ports import (
    Arrival,
    Attempt,
    Bulletin,
    Counts,
    DeadLetter,
    FeedEvent,
    JsonValue,
    Ledger,
    Place,
    Recorded,
    Row,
    State,
)

__all__ = ["SqlLedger", "open_ledger"]

_T = TypeVar("_T")

_READERS = 2
"""Threads that read: a long night table does not keep the next status page waiting."""


@asynccontextmanager
async def open_ledger(
    url: str,
    *,
    read_only: bool = False,
    busy_timeout: timedelta = timedelta(seconds=5),
    lease: timedelta = timedelta(seconds=30),
    clock: Callable[[], datetime] | None = None,
) -> AsyncIterator[Ledger]:
    """Open the ledger, making or upgrading its database first.

    Parameters
    ----------
    url
        ``sqlite:////absolute/path/ledger.sqlite`` or ``sqlite:///relative/path`` for one service; directories are made.
        ``postgresql://user@host:port/database`` for several; the database exists.
    read_only
        For a process beside the one that writes: everything that would write raises `LedgerError`.
    busy_timeout
        How long to wait for another process that is writing.
    lease
        How long a service that is not heard of is believed to be at its attempts, where several share the database.
    clock
        Tells the time, with a zone; unless given it is the clock of the database, or of the host of a file.

    Raises
    ------
    ConfigError
        If the URL is not one of a ledger, or a newer release has written the database.
    LedgerError
        If it cannot be opened: locked, corrupt, not a database; or it shall only be read and is not there yet.
    """
    engines = open_engines(url, read_only=read_only, busy_timeout=busy_timeout, readers=_READERS)
    ledger = SqlLedger(engines, lease=lease, clock=clock)
    try:
        await ledger.prepare()
        async with ledger.listening():
            yield ledger
    finally:
        await ledger.close()


class SqlLedger:
    """A ledger in a database.

    All writing happens on one thread, one transaction after the other; reading on a few others. A call that is
    cancelled while its transaction runs leaves the transaction whole: done or not, never half.
    """

    def __init__(self, engines: Engines, *, lease: timedelta, clock: Callable[[], datetime] | None = None) -> None:
        self._engines = engines
        self._lease = lease if engines.shared else None
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        own = LedgerClock(engines.shared.now if engines.shared else None)
        self.now: Callable[[], datetime] = clock or own.now
        self._read_clock: Callable[[sa.Connection], datetime] = (lambda _: clock()) if clock else own.read
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-read")
        self.exposures = SqlExposures(self._read, self._write)
        self._watch = FeedWatch(self.last_feed_id, every=LOOK_SELDOM if engines.shared else LOOK_OFTEN)

    async def prepare(self) -> None:
        """Bring the database up to date, or make sure that it is."""
        if self._engines.write is None:
            await self._read(migrate.check)
        else:
            await self._write(lambda writing: migrate.upgrade(writing.connection))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear what other services tell of the feed; in the end give up what this one still holds."""
        if self._engines.shared is None:
            yield
            return
        listener = asyncio.create_task(self._engines.shared.listen(self._watch.hint), name="ledger notices")
        try:
            yield
        finally:
            listener.cancel()
            await asyncio.wait([listener])
            if self._engines.write is not None:
                with suppress(LedgerError):  # it is away: the leases end by themselves
                    await self._write(_release)

    async def close(self) -> None:
        """Let what is under way end, and close every connection."""
        await asyncio.shield(asyncio.to_thread(self._close))

    async def record(self, items: Sequence[FileArrived | Rejected]) -> Recorded:
        """Write announcements down, each once."""
        items = tuple(items)
        return await self._write(lambda writing: inbox.record(writing, items))

    async def waiting(self, *, now: datetime) -> Sequence[Arrival]:
        """List the arrivals that may be tried now."""
        return await self._read(lambda connection: reading.list_waiting(connection, now))

    async def begin(self, arrival: Arrival) -> Attempt | None:
        """Write the attempt down and mark the arrival running."""
        return await self._write(lambda writing: attempts.begin(writing, arrival.id))

    async def complete(
        self,
        attempt: Attempt,
        row: Row,
        columns: Mapping[str, Mapping[str, str]],
        *,
        timings: Mapping[str, float],
    ) -> FeedEvent | None:
        """End an attempt well: the row is in the table and the feed says so. Said twice, it is done once."""
        return await self._write(lambda writing: attempts.complete(writing, attempt, row, columns, timings))

    async def fail(
        self, attempt: Attempt, *, error: str, detail: str, retry_at: datetime | None, lasting: bool = True
    ) -> FeedEvent | None:
        """End an attempt badly: to be tried again at a moment, or buried. Said twice, it is done once."""
        if retry_at is not None:
            return await self._write(
                lambda writing: attempts.put_back(writing, attempt, error=error, retry_at=retry_at)
            )
        return await self._write(
            lambda writing: attempts.bury(writing, attempt, error=error, detail=detail, lasting=lasting)
        )

    async def recover(self) -> int:
        """Let everything wait again that a life which ended was at."""
        return await self._write(attempts.recover)

    @property
    def lease(self) -> timedelta | None:
        """How long an attempt is held that is not renewed; None where no other service can work on this ledger."""
        return self._lease

    async def renew(self, held: Sequence[Attempt]) -> Sequence[Attempt]:
        """Hold attempts for another lease; return those that are another's by now."""
        ids = [attempt.id for attempt in held]
        kept = await self._write(lambda writing: leases.renew(writing, ids))
        return [attempt for attempt in held if attempt.id not in kept]

    async def reclaim(self, held: Sequence[Attempt]) -> int:
        """Let arrivals wait again whose lease has ended, apart from the attempts `held` here."""
        ids = [attempt.id for attempt in held]
        return await self._write(lambda writing: attempts.reclaim(writing, ids))

    async def retry(self, dead_letter_id: int) -> Arrival:
        """Give a buried arrival its attempts back."""
        return await self._write(lambda writing: attempts.retry(writing, dead_letter_id))

    async def dead_letters(self, *, limit: int = 1000) -> Sequence[DeadLetter]:
        """List dead letters that were not retried, newest first."""
        return await self._read(lambda connection: reading.list_dead_letters(connection, limit))

    async def dead_letter(self, dead_letter_id: int) -> DeadLetter:
        """Fetch one."""
        return await self._read(lambda connection: reading.fetch_dead_letter(connection, dead_letter_id))

    async def known(self, files: Sequence[tuple[str, str]]) -> Sequence[bool]:
        """Tell of files (key, content) whether an arrival of this content is written down."""
        return await self._read(lambda connection: catching_up.tell_known(connection, files))

    async def gaps(self, camera: str, day_obs: int) -> Sequence[tuple[int, int]]:
        """List the sequence numbers between exposures of a night of which nothing is known."""
        return await self._read(lambda connection: catching_up.list_gaps(connection, camera, day_obs))

    async def counts(self) -> Counts:
        """Count arrivals by state."""
        return await self._read(reading.counts)

    async def arrivals(self, *, states: Sequence[State], limit: int = 1000) -> Sequence[Arrival]:
        """List arrivals in some states, newest first."""
        return await self._read(lambda connection: reading.list_arrivals(connection, states, limit))

    async def nights(self, camera: str | None = None) -> Sequence[Mapping[str, JsonValue]]:
        """List nights with rows, newest first."""
        return await self._read(lambda connection: reading.list_nights(connection, camera))

    async def night(
        self, camera: str, day_obs: int
    ) -> tuple[int, Mapping[str, Mapping[str, str]], Sequence[Mapping[str, JsonValue]]]:
        """Fetch a night: newest feed id of this view, columns, entries."""
        return await self._read(lambda connection: reading.fetch_night(connection, camera, day_obs))

    async def unpublished_nights(self) -> Sequence[tuple[str, int, int]]:
        """List nights (camera, day_obs, version) that changed since they were last marked published."""
        return await self._read(reading.list_unpublished_nights)

    async def mark_night_published(self, camera: str, day_obs: int, version: int) -> None:
        """Remember that the table of a night was written out as of this version."""
        await self._write(lambda writing: table.mark_published(writing, camera, day_obs, version))

    async def feed(self, after: int, *, limit: int = 500) -> Sequence[FeedEvent]:
        """Read the feed after an id, in order."""
        return await self._read(lambda connection: reading.list_feed(connection, after, limit))

    async def last_feed_id(self) -> int:
        """Newest id of the feed, 0 for an empty one."""
        return await self._read(reading.last_feed_id)

    async def wait_feed(self, after: int, *, timeout: float) -> bool:
        """Return True as soon as the feed has something after this id, False on time-out [s]."""
        return await self._watch.wait_beyond(after, timeout=timeout)

    async def columns(self, camera: str) -> Mapping[str, Mapping[str, str]]:
        """Describe all columns that the rows of a camera ever had."""
        return await self._read(lambda connection: outbox.fetch_columns(connection, camera))

    async def dead_letters_after(self, after: int, *, limit: int = 500) -> Sequence[DeadLetter]:
        """Read the dead letters after an id, in order."""
        return await self._read(lambda connection: outbox.list_dead_letters_after(connection, after, limit))

    async def bulletins(self, after: int, *, limit: int = 500) -> Sequence[Bulletin]:
        """Read the bulletins after an id, in order."""
        return await self._read(lambda connection: outbox.list_bulletins(connection, after, limit))

    async def post(self, kind: Literal["alert", "verdict"], subject: str, body: Mapping[str, JsonValue]) -> bool:
        """Write a bulletin down, unless one of its name is there."""
        return await self._write(lambda writing: outbox.post(writing, kind, subject, body))

    async def take_place(self, reader: str, *, start: Literal["latest", "earliest"] = "latest") -> Place | None:
        """Go on where a reader stopped; None while another service does."""
        return await self._write(lambda writing: outbox.take_place(writing, reader, start=start))

    async def move_on(self, reader: str, place: Place) -> bool:
        """Remember how far a reader has come, if it is still ours."""
        return await self._write(lambda writing: outbox.move_on(writing, reader, place))

    async def leave_place(self, reader: str) -> None:
        """Let another service have the place of a reader."""
        await self._write(lambda writing: outbox.leave_place(writing, reader))

    async def _read(self, look: Callable[[sa.Connection], _T]) -> _T:
        def run() -> _T:
            with translated_errors(self._engines), self._engines.read.begin() as connection:
                return look(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def _write(self, change: Callable[[Writing], _T]) -> _T:
        engine = self._engines.write
        if engine is None:
            msg = f"ledger {self._engines.place}: it was opened for reading only"
            raise LedgerError(msg)

        def run() -> tuple[_T, int]:
            with translated_errors(self._engines), engine.begin() as connection:
                writing = Writing(connection, self._read_clock(connection), self._holder, self._lease)
                result = change(writing)
                if writing.feed_id and self._engines.shared:
                    self._engines.shared.announce(connection)
            return result, writing.feed_id

        result, feed_id = await asyncio.get_running_loop().run_in_executor(self._writer, run)
        self._watch.announce(feed_id)
        return result

    def _close(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._engines.dispose()


def _release(writing: Writing) -> None:
    """Give up whatever this service still holds: it ends."""
    leases.release(writing)
    outbox.release(writing)
