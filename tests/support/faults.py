"""The whole line from a bus to the night table in one process, and what must be true of it after any fault."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from rapid.ledger import open_ledger
from rapid.pipeline.dispatch import Pipeline
from rapid.pipeline.policy import Policy
from rapid.pipeline.register import register
from rapid.ports import FeedEvent, Ledger, Source, State
from tests.support.pipeline import LocalTasks, MemoryGallery

__all__ = ["Script", "Work", "assert_explained", "at_work", "whole_feed"]

Script = Callable[[int], Exception | float | None]
"""What becomes of the so-many-th try at a file; see `LocalTasks`."""

_QUICK = Policy(backoff=timedelta(milliseconds=200), drain=timedelta(seconds=20))


@dataclass(frozen=True, slots=True)
class Work:
    """A line at work."""

    ledger: Ledger
    pipeline: Pipeline
    workers: LocalTasks

    async def until_settled(self, received: int, *, within: float = 60.0) -> None:
        """Wait until so many arrivals were recorded and nothing is left to do."""
        async with asyncio.timeout(within):
            while True:
                counts = await self.ledger.counts()
                if counts.received >= received and counts.waiting == counts.running == 0 and self.pipeline.idle:
                    return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def at_work(
    url: str,
    sources: Iterable[Source],
    *,
    scripts: Mapping[str, Script] | None = None,
    busy_timeout: timedelta = timedelta(seconds=5),
    lease: timedelta = timedelta(seconds=30),
    clock: Callable[[], datetime] | None = None,
) -> AsyncIterator[Work]:
    """Take in what sources announce and study it as scripts say, until the block ends."""
    async with open_ledger(url, busy_timeout=busy_timeout, lease=lease, clock=clock) as ledger:
        workers = LocalTasks(capacity=4, scripts=dict(scripts or {}))
        pipeline = Pipeline(ledger, workers, MemoryGallery(), archive="file:///", policy=_QUICK, clock=clock)
        await pipeline.recover()
        async with asyncio.TaskGroup() as group:
            working = group.create_task(pipeline.run())
            taking = [
                group.create_task(register(source, ledger, offer=pipeline.offer, patience=600.0)) for source in sources
            ]
            try:
                yield Work(ledger, pipeline, workers)
            finally:
                for task in taking:
                    task.cancel()
                pipeline.stop()
                await working


async def assert_explained(ledger: Ledger, keys: Collection[str], *, failed: Collection[str] = ()) -> None:
    """Every file has one current arrival and one current result, and nothing else is there; a failure has its letter."""
    everything = await ledger.arrivals(states=list(State), limit=1_000_000)
    current = [arrival for arrival in everything if arrival.state is not State.SUPERSEDED]
    assert sorted(arrival.key for arrival in current) == sorted(keys)
    wanted = {key: State.FAILED if key in failed else State.DONE for key in keys}
    assert {arrival.key: arrival.state for arrival in current} == wanted
    shown = [entry for night in await ledger.nights() for entry in await _entries(ledger, night)]
    assert sorted((entry["arrival_id"], entry["state"]) for entry in shown) == sorted(  # type: ignore[type-var]
        (arrival.id, arrival.state) for arrival in current
    )
    done = Counter(event.body["arrival_id"] for event in await whole_feed(ledger) if event.body.get("state") == "done")
    given = Counter({arrival.id: done[arrival.id] for arrival in current if arrival.id in done})
    assert given == Counter(arrival.id for arrival in current if arrival.state is State.DONE)
    assert set(done.values()) <= {1}, "a result was given twice"
    letters = [letter for letter in await ledger.dead_letters(limit=1_000_000) if letter.arrival_id is not None]
    assert sorted(letter.subject for letter in letters) == sorted(failed)
    assert all(letter.reason for letter in letters)


async def _entries(ledger: Ledger, night: Mapping[str, object]) -> Iterable[Mapping[str, object]]:
    _, _, entries = await ledger.night(str(night["camera"]), int(str(night["day_obs"])))
    return entries


async def whole_feed(ledger: Ledger) -> list[FeedEvent]:
    """Read the feed from its beginning."""
    events: list[FeedEvent] = []
    while more := await ledger.feed(events[-1].id if events else 0, limit=5000):
        events += more
    return events
