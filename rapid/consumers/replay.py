"""An archived night, announced in the order in which it was taken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby

from rapid.consumers.batches import PlainBatch
from rapid.consumers.listing import announced
from rapid.consumers.scan import is_announced
from rapid.errors import NotAvailable
from rapid.events import NameFacts, is_raw_name, name_facts
from rapid.ports import Batch, Store, StoredObject

__all__ = ["ReplaySource"]

_Group = tuple[StoredObject, ...]


def _now() -> datetime:
    return datetime.now(UTC)


class ReplaySource:
    """A `rapid.ports.Source` of what is in an archive: it is listed once, announced, and that is the end.

    Everything is announced as not live. A file that changes after the listing is what it is when it is read; one that
    vanishes is missed then.

    Parameters
    ----------
    store
        The archive.
    instrument, day_obs
        Only the night of this day (YYYYMMDD), or only this instrument: ``{prefix}/{instrument}/{day_obs}/``. A day without
        an instrument is looked for in the names. With neither, every raw file is taken, whatever its name.
    interval
        Time from one exposure to the next; None is as fast as the batches are taken. Who is late is not waited for: the
        exposures keep to their timetable.
    prefix
        The part of the archive to take: a directory, or one file.
    batch_size
        Most announcements in a batch; a paced batch is one exposure.
    clock
        Tells the time, UTC.
    """

    name = "replay"

    def __init__(
        self,
        store: Store,
        *,
        instrument: str | None = None,
        day_obs: int | None = None,
        interval: timedelta | None = None,
        prefix: str = "",
        batch_size: int = 50,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._store, self._day_obs, self._by_name = store, day_obs, instrument is None and day_obs is not None
        night = str(day_obs) if instrument is not None and day_obs is not None else ""
        self._place = "/".join(part for part in (prefix.strip("/"), instrument, night) if part)
        self._interval, self._batch_size, self._clock = interval, batch_size, clock
        self._listing: _Group | None = None

    async def count(self) -> int:
        """Tell how many files there are.

        Raises
        ------
        NotAvailable, BadName
            As the store's listing.
        """
        return len(await self._listed())

    @asynccontextmanager
    async def batches(self) -> AsyncIterator[AsyncIterator[Batch]]:
        """List the archive, unless `count` did, and open the source; leaving the context closes it.

        Raises
        ------
        NotAvailable, BadName
            As the store's listing.
        """
        life = _Life(self, deque(self._groups(await self._listed())))
        try:
            yield life
        finally:
            life.close()

    def turn(self, number: int) -> float:
        """Tell when a batch is due, after the first one [s]."""
        return 0.0 if self._interval is None else number * self._interval.total_seconds()

    def announce(self, group: _Group) -> Batch:
        """Turn files into announcements."""
        return PlainBatch(tuple(announced(found, source=self.name, at=self._clock(), live=False) for found in group))

    def _groups(self, listing: _Group) -> list[_Group]:
        """Divide the files into batches: by exposure when paced, by number when not."""
        if self._interval is not None:
            return [tuple(files) for _, files in groupby(listing, key=_exposure)]
        return [listing[start : start + self._batch_size] for start in range(0, len(listing), self._batch_size)]

    async def _listed(self) -> _Group:
        if self._listing is None:
            found = [item for item in await self._candidates() if self._wanted(item.key)]
            self._listing = tuple(sorted(found, key=_order))
        return self._listing

    async def _candidates(self) -> list[StoredObject]:
        if is_raw_name(self._place):
            with suppress(NotAvailable):  # then it is a directory with the name of a file
                return [await self._store.head(self._place)]
        return [found async for found in self._store.list(self._place)]

    def _wanted(self, key: str) -> bool:
        if not is_announced(key):
            return False
        facts = name_facts(key)
        return not self._by_name or (facts is not None and facts.day_obs == self._day_obs)


class _Life:
    """One passage through the listing."""

    def __init__(self, source: ReplaySource, groups: deque[_Group]) -> None:
        self._source, self._groups = source, groups
        self._closed = asyncio.Event()
        self._begun, self._number = asyncio.get_running_loop().time(), 0

    def __aiter__(self) -> _Life:
        return self

    async def __anext__(self) -> Batch:
        if self._groups:
            await self._wait_for_turn()
        if self._closed.is_set() or not self._groups:
            raise StopAsyncIteration
        self._number += 1
        return self._source.announce(self._groups.popleft())

    def close(self) -> None:
        """Come to the end, also for somebody who waits for the next exposure."""
        self._closed.set()

    async def _wait_for_turn(self) -> None:
        due = self._begun + self._source.turn(self._number)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._closed.wait()


def _order(found: StoredObject) -> tuple[bool, int, int, str, str]:
    """As they were taken; names that do not say when come last, by name."""
    facts = name_facts(found.key)
    if facts is None:
        return True, 0, 0, "", found.key
    return False, facts.day_obs, facts.seq_num, facts.detector_name, found.key


def _exposure(found: StoredObject) -> tuple[str, str]:
    facts: NameFacts | None = name_facts(found.key)
    return (facts.instrument, facts.obs_id) if facts else ("", found.key)
