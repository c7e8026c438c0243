"""The port `rapid.ports.Ledger` on a database: which call runs on which thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa

from rapid.errors import LedgerError
from rapid.events import FileArrived, Rejected
from rapid.ledger import attempts, inbox, migrate, reading, table
from rapid.ledger.engine import Engines, open_engines, translated_errors
from rapid.ledger.transaction import Writing
from rapid.ledger.watch import FeedWatch
from rapid.ports import (
    Arrival,
    Attempt,
    Counts,
    DeadLetter,
    FeedEvent,
    JsonValue,
    Ledger,
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
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[Ledger]:
    """Open the ledger, making or upgrading its database first.

    Parameters
    ----------
    url
        ``sqlite:////absolute/path/ledger.sqlite`` or ``sqlite:///relative/path``; directories are made.
    read_only
        For a process beside the one that writes: everything that would write raises `LedgerError`.
    busy_timeout
        How long to wait for another process that is writing.
    clock
        Now, with a zone.

    Raises
    ------
    ConfigError
        If the URL is not one of a ledger, or a newer release has written the database.
    LedgerError
        If it cannot be opened: locked, corrupt, not a database; or it shall only be read and is not there yet.
    """
    engines = open_engines(url, read_only=read_only, busy_timeout=busy_timeout, readers=_READERS)
    ledger = SqlLedger(engines, clock=clock)
    try:
        await ledger.prepare()
        yield ledger
    finally:
        await ledger.close()


class SqlLedger:
    """A ledger in a database.

    All writing happens on one thread, one transaction after the other; reading on a few others. A call that is
    cancelled while its transaction runs leaves the transaction whole: done or not, never half.
    """

    def __init__(self, engines: Engines, *, clock: Callable[[], datetime]) -> None:
        self._engines = engines
        self._clock = clock
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-read")
        self._watch = FeedWatch(self.last_feed_id)

    async def prepare(self) -> None:
        """Bring the database up to date, or make sure that it is."""
        if self._engines.write is None:
            await self._read(migrate.check)
        else:
            await self._write(lambda writing: migrate.upgrade(writing.connection))

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

    async def retry(self, dead_letter_id: int) -> Arrival:
        """Give a buried arrival its attempts back."""
        return await self._write(lambda writing: attempts.retry(writing, dead_letter_id))

    async def dead_letters(self, *, limit: int = 1000) -> Sequence[DeadLetter]:
        """List dead letters that were not retried, newest first."""
        return await self._read(lambda connection: reading.list_dead_letters(connection, limit))

    async def dead_letter(self, dead_letter_id: int) -> DeadLetter:
        """Fetch one."""
        return await self._read(lambda connection: reading.fetch_dead_letter(connection, dead_letter_id))

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
        await self._write(lambda writing: table.mark_published(writing.connection, camera, day_obs, version))

    async def feed(self, after: int, *, limit: int = 500) -> Sequence[FeedEvent]:
        """Read the feed after an id, in order."""
        return await self._read(lambda connection: reading.list_feed(connection, after, limit))

    async def last_feed_id(self) -> int:
        """Newest id of the feed, 0 for an empty one."""
        return await self._read(reading.last_feed_id)

    async def wait_feed(self, after: int, *, timeout: float) -> bool:
        """Return True as soon as the feed has something after this id, False on time-out [s]."""
        return await self._watch.wait_beyond(after, timeout=timeout)

    async def _read(self, look: Callable[[sa.Connection], _T]) -> _T:
        def run() -> _T:
            with translated_errors(self._engines.place), self._engines.read.begin() as connection:
                return look(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def _write(self, change: Callable[[Writing], _T]) -> _T:
        engine = self._engines.write
        if engine is None:
            msg = f"ledger {self._engines.place}: it was opened for reading only"
            raise LedgerError(msg)

        def run() -> tuple[_T, int]:
            with translated_errors(self._engines.place), engine.begin() as connection:
                writing = Writing(connection, self._clock())
                result = change(writing)
            return result, writing.feed_id

        result, feed_id = await asyncio.get_running_loop().run_in_executor(self._writer, run)
        self._watch.announce(feed_id)
        return result

    def _close(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._engines.dispose()
