"""What lies in the archive and was never announced here: listed night by night, newest first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog

from rapid.consumers.batches import Handover, PlainBatch
from rapid.consumers.listing import announced
from rapid.consumers.scan import is_announced
from rapid.errors import LedgerError, NotAvailable
from rapid.events import FileArrived, Rejected, name_facts
from rapid.ports import Batch, Store, StoredObject

__all__ = ["Known", "ReconcileSource", "current_nights"]

_log = structlog.get_logger(__name__)

Known = Callable[[Sequence[tuple[str, str]]], Awaitable[Sequence[bool]]]
"""Tells of files (key, content) whether they were announced before, as `rapid.ports.Ledger.known`."""

BROKEN = timedelta(minutes=10)
"""A file that is not whole and was not changed for so long is broken, and somebody has to say so."""


def _now() -> datetime:
    return datetime.now(UTC)


async def _always_whole(_key: str) -> bool:
    return True


def current_nights(now: datetime, count: int = 2) -> tuple[int, ...]:
    """Return the observing days (YYYYMMDD) of a moment and of those before it; a day rolls over at UTC-12 h."""
    return tuple(int((now - timedelta(hours=12, days=back)).strftime("%Y%m%d")) for back in range(count))


class ReconcileSource:
    """A `rapid.ports.Source` of what is in an archive and is not known yet.

    The directories ``{instrument}/{day_obs}`` are listed, the newest night first and in it the newest exposure. A file that is
    known with its content is passed over; everything else goes through the front door as if it had been announced, and the
    ledger still takes each content of a file once.

    Parameters
    ----------
    store
        The archive.
    known
        Tells which files were announced before.
    instruments
        Whose nights are listed.
    nights
        Tells which nights are to be listed now.
    every
        How often that is done; None: once, and that is the end.
    settle
        A file is left to whoever announces it for so long after it was written.
    is_whole
        Tells whether a file (by key) is complete: in a directory it may be in the middle of being written.
    live_window
        What was written longer ago is backlog.
    batch_size
        Most files in a batch, and in a question to `known`.
    clock
        Tells the time, UTC.
    looked
        Is told after each listing why it failed, or nothing (an empty word) when it did not.
    checked
        Is told of each stretch of a listing how many files it had; beforehand, as a negative number, how many there are.
    """

    name = "reconcile"

    def __init__(
        self,
        store: Store,
        *,
        known: Known,
        instruments: Sequence[str],
        nights: Callable[[], Sequence[int]],
        every: timedelta | None = None,
        settle: timedelta = timedelta(seconds=20),
        is_whole: Callable[[str], Awaitable[bool]] = _always_whole,
        live_window: timedelta = timedelta(minutes=10),
        batch_size: int = 500,
        clock: Callable[[], datetime] = _now,
        looked: Callable[[str], None] = lambda _: None,
        checked: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store, self._known, self._is_whole = store, known, is_whole
        self._instruments, self._nights = tuple(instruments), nights
        self._every, self._settle, self._live_window = every, settle, live_window
        self._batch_size, self._clock, self._looked, self._checked = batch_size, clock, looked, checked

    @asynccontextmanager
    async def batches(self) -> AsyncIterator[AsyncIterator[Batch]]:
        """Open the source; leaving the context closes it.

        Raises
        ------
        NotAvailable
            Where it is listed once only: if the archive cannot be reached.
        """
        handover = Handover()
        async with handover.filled_by(self._run(handover), "reconcile"):
            yield handover

    async def _run(self, handover: Handover) -> None:
        if self._every is None:
            await self._reconcile(handover)
            return
        while True:
            try:
                await self._reconcile(handover)
            except (NotAvailable, LedgerError) as error:
                self._looked(str(error))
                _log.warning("the archive cannot be listed, trying again", why=str(error))
            else:
                self._looked("")
            await asyncio.sleep(self._every.total_seconds())

    async def _reconcile(self, handover: Handover) -> None:
        for day_obs in self._nights():
            missed = 0
            listing = await self._list(day_obs)
            self._checked(-len(listing))
            for start in range(0, len(listing), self._batch_size):
                stretch = listing[start : start + self._batch_size]
                items = await self._unknown(stretch)
                if items:
                    await handover.give(PlainBatch(tuple(items)))
                self._checked(len(stretch))
                missed += len(items)
            if missed:
                _log.info("files were found that nobody announced", day_obs=day_obs, files=missed, of=len(listing))

    async def _list(self, day_obs: int) -> list[StoredObject]:
        """List the raw files of a night, the newest exposure first."""
        found = [
            item
            for instrument in self._instruments
            async for item in self._store.list(f"{instrument}/{day_obs}")
            if is_announced(item.key)
        ]
        return await asyncio.to_thread(sorted, found, key=_newest_first)  # 200 000 names take a second

    async def _unknown(self, stretch: Sequence[StoredObject]) -> list[FileArrived | Rejected]:
        now = self._clock()
        old = [found for found in stretch if now - found.modified >= self._settle]
        known = await self._known([(found.key, found.etag) for found in old])
        fresh = [found for found, is_known in zip(old, known, strict=True) if not is_known]
        ready = [found for found in fresh if now - found.modified >= BROKEN or await self._is_whole(found.key)]
        return [
            announced(found, source=self.name, at=now, live=now - found.modified <= self._live_window)
            for found in ready
        ]


def _newest_first(found: StoredObject) -> tuple[int, str]:
    """Order files by exposure, the newest first, and by name; names that do not say of which they are come last."""
    facts = name_facts(found.key)
    return (1 if facts is None else -facts.seq_num), found.key
