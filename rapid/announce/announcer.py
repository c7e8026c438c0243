"""Publishes what the ledger holds, in order, and goes on where it stopped.

The feed is durable and its ids only grow, so all that has to be remembered is a place in it. The place is moved after the
broker has what lies before it: a kill in between repeats some announcements and loses none. Nobody waits for this: the page
and the work go on while a bus is away, and the feed keeps for it what it misses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NoReturn

import structlog
from pydantic import ValidationError

from rapid import metrics
from rapid.announce.bus import Announcement, Bus, Publish
from rapid.announce.composing import Composer
from rapid.errors import AccessDenied, LedgerError, NotAvailable
from rapid.ports import Bulletin, FeedEvent, Outbox, Place, State

__all__ = ["Announcer"]

_log = structlog.get_logger(__name__)

_SETTLED = {State.DONE, State.FAILED}

BATCH = 200
"""Most entries of a log that are read at once: some megabytes of results."""

LOOK = 2.0
"""Seconds between two looks at the logs that wake nobody: dead letters and bulletins."""

PAUSES = (1.0, 2.0, 5.0, 10.0)
"""Seconds before a bus that is away is tried again; the last one is repeated."""

SKIPPED = 1000
"""After so many entries that asked for nothing the place is written down all the same."""


class _TakenOver(Exception):
    """Another service has our place by now."""


@dataclass(frozen=True, slots=True)
class _Read:
    announcements: tuple[Announcement, ...]
    place: Place


class Announcer:
    """Publishes results, alerts and verdicts on one bus.

    Parameters
    ----------
    ledger
        Whose logs they are.
    bus
        Where they go.
    composer
        Makes messages of them.
    reader
        The name that our place is kept under.
    start
        Where one that is new begins: behind what is in the logs now, or before it.
    looked
        Is told now and then that the bus takes what it is given (an empty word), or why not.
    """

    def __init__(
        self,
        ledger: Outbox,
        bus: Bus,
        composer: Composer,
        *,
        reader: str,
        start: Literal["latest", "earliest"] = "latest",
        looked: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._ledger, self._bus, self._composer = ledger, bus, composer
        self._reader, self._start, self._looked = reader, start, looked
        self._trouble = ""
        self._held_at = 0.0
        self._rounds = self._idle_round = 0  # of reading the logs: the last one, and the last that found nothing new
        self._moved = asyncio.Event()

    async def run(self) -> NoReturn:
        """Publish for ever; whatever is away is waited for."""
        failures, begun = 0, False
        while True:
            try:
                begun = begun or await self._begin()
                async with self._bus.opened() as publish:
                    place = await self._take_place(publish)
                    failures = 0
                    await self._follow(publish, place)
            except _TakenOver:
                continue
            except (AccessDenied, LedgerError, NotAvailable) as error:
                self._tell(str(error))
                await self._leave_place()
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1

    async def catch_up(self, *, within: float) -> bool:
        """Wait until all that is in the logs by now is published, at most so long [s]; not at all while the bus is in trouble."""
        now = self._rounds
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._idle_round <= now and not self._trouble:
                    self._moved.clear()
                    await self._moved.wait()
        return self._idle_round > now

    async def _begin(self) -> bool:
        """Let our place be written down where it is new, also while the bus is away: what comes from now on is to be told."""
        if await self._ledger.take_place(self._reader, start=self._start) is not None:
            await self._ledger.leave_place(self._reader)
        return True

    async def _take_place(self, publish: Publish) -> Place:
        """Wait until it is our turn: of the services that share a ledger and whose bus is there, one publishes."""
        while True:
            self._held_at = time.monotonic()
            place = await self._ledger.take_place(self._reader, start=self._start)
            if place is not None:
                return place
            await publish(())
            self._tell("")
            await asyncio.sleep(min(LOOK, self._renewal))

    async def _leave_place(self) -> None:
        """Let another service try, whose bus may be there."""
        with suppress(LedgerError):  # then the lease ends by itself
            await self._ledger.leave_place(self._reader)

    async def _follow(self, publish: Publish, place: Place) -> NoReturn:
        written = place
        while True:
            self._rounds += 1
            read = await self._read(place)
            await publish(read.announcements)
            self._tell("")
            self._count(read)
            idle, place = read.place == place, read.place
            if read.announcements or place.feed - written.feed > SKIPPED:
                await self._write(place)
                written = place
            await self._keep_place(place)
            if idle:
                self._idle_round = self._rounds
                self._moved.set()
                await self._ledger.wait_feed(place.feed, timeout=LOOK)

    async def _read(self, place: Place) -> _Read:
        """Read what comes next in each of the logs."""
        events = await self._ledger.feed(place.feed, limit=BATCH)
        letters = await self._ledger.dead_letters_after(place.dead_letters, limit=BATCH)
        bulletins = await self._ledger.bulletins(place.bulletins, limit=BATCH)
        told = [*await self._results(events), *map(self._composer.letter, letters), *self._posted(bulletins)]
        ends = ((events, place.feed), (letters, place.dead_letters), (bulletins, place.bulletins))
        return _Read(tuple(told), Place(*(log[-1].id if log else before for log, before in ends)))

    async def _results(self, events: Sequence[FeedEvent]) -> list[Announcement]:
        settled = [event for event in events if event.kind == "exposure" and event.body["state"] in _SETTLED]
        columns = {camera: await self._ledger.columns(camera) for camera in {event.camera for event in settled}}
        found = (self._composer.result(event, columns[event.camera]) for event in settled)
        return [result for result in found if result is not None]

    def _posted(self, bulletins: Iterable[Bulletin]) -> list[Announcement]:
        """Make messages of bulletins; one that is none must not hold up those behind it."""
        told = []
        for bulletin in bulletins:
            try:
                told.append(self._composer.bulletin(bulletin))
            except ValidationError as error:
                metrics.ANNOUNCEMENTS_REFUSED.labels(bus=self._bus.name).inc()
                _log.error("a bulletin cannot be published", kind=bulletin.kind, about=bulletin.subject, why=str(error))
        return told

    def _count(self, read: _Read) -> None:
        for announcement in read.announcements:
            metrics.ANNOUNCED.labels(bus=self._bus.name, schema=announcement.schema).inc()
        metrics.ANNOUNCED_FEED_ID.labels(bus=self._bus.name).set(read.place.feed)

    async def _write(self, place: Place) -> None:
        self._held_at = time.monotonic()
        if not await self._ledger.move_on(self._reader, place):
            raise _TakenOver

    async def _keep_place(self, place: Place) -> None:
        if self._ledger.lease is not None and time.monotonic() - self._held_at > self._renewal:
            await self._write(place)

    @property
    def _renewal(self) -> float:
        """Seconds between two renewals of our lease: one that fails leaves time for another."""
        lease = self._ledger.lease or timedelta(seconds=30)
        return lease.total_seconds() / 3

    def _tell(self, why: str) -> None:
        """Report how it stands; the log hears of changes only."""
        if why and why != self._trouble:
            _log.warning("results cannot be published, they wait", bus=self._bus.name, why=why)
        if self._trouble and not why:
            _log.info("results are published again", bus=self._bus.name)
        self._trouble = why
        self._moved.set()
        self._looked(why)
