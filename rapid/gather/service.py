"""Looking at exposures when something happens to them, or when a deadline comes.

What happened is read from the feed, which is durable: a service that was killed goes on where it was. Where several
services share a ledger one of them gathers at a time, as only one has the place of the reader; the others take over.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from rapid.errors import LedgerError
from rapid.events import ExpectedSensors, ExposureName, camera_of
from rapid.gather.expectation import CAMERA_LIST, Configured, configured_detectors, list_key
from rapid.gather.product import exposure_entry
from rapid.gather.progress import Deadlines, Step, step
from rapid.ports import Ledger, Place, Product, Standing

__all__ = ["FetchList", "Gather"]

_log = structlog.get_logger(__name__)

FetchList = Callable[[str], Awaitable[ExpectedSensors | None]]
"""Fetches the camera's list of detectors by its key; None when it is not there."""

READER = "gather"
"""The name under which the place in the feed is kept."""

PAUSE = 0.1
"""Between two looks at the feed [s]: what happens to the detectors of an exposure meanwhile is one look."""

LOOK = 1.0
"""How often deadlines are looked for that somebody else wrote down [s]."""

SAVE = 10.0
"""How often the place in the feed is written down when nothing was found there [s]; where it is leased, three times a lease."""

STRETCH = 2000
"""Entries of the feed that are gone through at once."""

ASKED = 1000
"""Most exposures of which it is remembered that their list was asked for; one that is forgotten costs a question."""

FOREVER = datetime.max.replace(tzinfo=UTC)


async def no_list(_key: str) -> None:
    """Stand in for an archive without lists."""
    return


class Gather:
    """Says what becomes of exposures of several detectors.

    Parameters
    ----------
    ledger
        What is known, and where products go.
    fetch_list
        Fetches the camera's own list of detectors.
    configured
        What is expected of an instrument while nobody says otherwise.
    changed
        Is set when a night table has changed.
    clock
        Tells the time; the ledger's, unless given.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        fetch_list: FetchList = no_list,
        configured: Configured | None = None,
        deadlines: Deadlines | None = None,
        changed: asyncio.Event | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._ledger, self._exposures, self._fetch_list = ledger, ledger.exposures, fetch_list
        self._configured = configured_detectors() if configured is None else configured
        self._deadlines, self._clock = deadlines or Deadlines(), clock or ledger.now
        self._changed = changed or asyncio.Event()
        self._single = [camera_of(name) for name, found in self._configured.items() if len(found) <= 1]
        self._asked: dict[str, set[tuple[int, bool, bool]]] = {}
        lease = ledger.lease
        self._saved_at, self._save_every = -math.inf, SAVE if lease is None else min(SAVE, lease.total_seconds() / 3)

    async def run(self) -> None:
        """Gather for ever; a ledger that is away is waited for."""
        while True:
            try:
                await self._follow()
            except LedgerError as error:
                _log.warning("exposures cannot be gathered, trying again", why=str(error))
            await asyncio.sleep(LOOK)

    async def catch_up(self, *, final: bool = False) -> None:
        """Look once at everything that happened or is due; `final` says that nothing more will come.

        Raises
        ------
        LedgerError
            If the ledger is away.
        """
        place = await self._ledger.take_place(READER, start="earliest")
        if place is None:
            return
        before = None
        while before != place:
            before, (place, _) = place, await self._advance(place)
        await self._look_at_due(FOREVER if final else self._clock())
        await self._ledger.move_on(READER, place)

    async def look(self, name: ExposureName, *, now: datetime | None = None) -> Step:
        """Look at one exposure, and do what is to be done about it."""
        standing = await self._exposures.standing(name)
        found = self._step(standing, now)
        if await self._ask(standing, found):
            standing = await self._exposures.standing(name)
            found = self._step(standing, now)
        if found.due:
            await self._say(standing, found)
        elif found.until != standing.due_at:
            await self._exposures.wait(name, found.until)
        return found

    async def _follow(self) -> None:
        """Follow the feed, and the clock, for as long as the place in it is ours."""
        place = await self._ledger.take_place(READER, start="earliest")
        if place is None:  # another service gathers
            await asyncio.sleep(self._save_every)
            return
        while True:
            place, found = await self._advance(place)
            await self._look_at_due(self._clock())
            if not await self._save(place, found=found):
                return
            await self._ledger.wait_feed(place.feed, timeout=LOOK)
            await asyncio.sleep(PAUSE)

    async def _advance(self, place: Place) -> tuple[Place, bool]:
        """Look at the exposures of the next stretch of the feed; return where it ends, and whether there were any."""
        last, names = await self._exposures.touched(place.feed, without=self._single, limit=STRETCH)
        for name in names:
            await self.look(name)
        return replace(place, feed=last), bool(names)

    async def _look_at_due(self, now: datetime) -> None:
        for name, due_at in await self._exposures.due():
            if due_at <= now:
                await self.look(name, now=now)

    async def _save(self, place: Place, *, found: bool) -> bool:
        """Write the place down now and then; False when it is another's by now."""
        if not found and time.monotonic() - self._saved_at < self._save_every:
            return True
        self._saved_at = time.monotonic()
        return await self._ledger.move_on(READER, place)

    def _step(self, standing: Standing, now: datetime | None) -> Step:
        return step(standing, self._configured, self._deadlines, now=now or self._clock())

    async def _ask(self, standing: Standing, found: Step) -> bool:
        """Fetch the camera's own list where it may change what is due; True when it has come.

        That is when an exposure begins, when all that came is finished and more is expected, and before a product is said.
        """
        key, name = list_key(standing), standing.name
        single = len(self._configured.get(name.instrument, ())) == 1
        if not key or single or standing.origin == CAMERA_LIST:
            return False
        asked = self._asked_of(name)
        idle = bool(found.progress.missing) and not found.progress.working
        moment = (len(standing.detectors), idle, found.due)
        if moment in asked or (asked and not idle and not found.due):
            return False
        asked.add(moment)
        said = await self._fetch_list(key)
        if said is None or said.name != name:
            return False
        await self._exposures.hear([said])
        return True

    def _asked_of(self, name: ExposureName) -> set[tuple[int, bool, bool]]:
        """Say when the list of an exposure was asked for; of those that never come to a product the oldest are forgotten."""
        asked = self._asked[name.obs_id] = self._asked.pop(name.obs_id, set())
        while len(self._asked) > ASKED:
            del self._asked[next(iter(self._asked))]
        return asked

    async def _say(self, standing: Standing, found: Step) -> None:
        """Say the product of an exposure; when somebody else said one meanwhile, his stands."""
        name = standing.name
        entries = await self._exposures.entries(name)
        columns = await self._ledger.columns(camera_of(name.instrument))
        entry, own_columns = exposure_entry(name, found.progress, entries, columns)
        product = Product(entry, own_columns, found.fingerprint)
        said = await self._exposures.say(name, product, after=standing.revision, until=found.until)
        if said is None:
            await self._exposures.wait(name, self._clock())
            return
        self._asked.pop(name.obs_id, None)
        self._changed.set()
        _log.info(
            "exposure gathered",
            obs_id=name.obs_id,
            revision=standing.revision + 1,
            done=len(found.progress.done),
            failed=len(found.progress.failed),
            missing=len(found.progress.missing),
            expected=len(found.progress.expected),
        )
