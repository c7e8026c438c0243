"""The heart: what waits is attempted, what was attempted is published or buried."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog

from rapid import metrics
from rapid.errors import Net, NotAvailable, TaskFailed
from rapid.pipeline.lanes import Lanes
from rapid.pipeline.leases import Leases
from rapid.pipeline.patience import patiently
from rapid.pipeline.policy import Policy, longest_wait, retry_at
from rapid.pipeline.timings import observe, timings
from rapid.ports import Arrival, Attempt, Gallery, Ledger, Outcome, State, Task, Workers

__all__ = ["Clock", "Pipeline"]

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

Clock = Callable[[], datetime]

LONGEST_SLEEP = 1.0
"""The loop looks at its lanes at least this often [s], also to let stale live arrivals go to the backlog."""


SAME_KEY = timedelta(milliseconds=200)
"""How soon to look again whether the other content of a file is out of work."""

FEW = 1000
"""With more than this queued nobody is in a hurry for what is not, and listing it all would only cost."""


async def always_there() -> bool:
    """Stand in for an archive that cannot go away."""
    return True


class Pipeline:
    """Takes arrivals from the ledger to published rows.

    Parameters
    ----------
    archive, options
        URL of the store the raws are in, and its options: what a worker needs to open it.
    catalogue, catalogue_options
        The same of the reference catalogue; empty for none.
    archive_there
        Tells whether the archive as a whole can be reached: only then is a file that cannot be had its own fault.
    clock
        Tells the time; the ledger's, unless given.
    """

    def __init__(
        self,
        ledger: Ledger,
        workers: Workers,
        gallery: Gallery,
        *,
        archive: str,
        options: Mapping[str, str] | None = None,
        catalogue: str = "",
        catalogue_options: Mapping[str, str] | None = None,
        archive_there: Callable[[], Awaitable[bool]] = always_there,
        policy: Policy | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._ledger, self._workers, self._gallery = ledger, workers, gallery
        self._archive, self._options = archive, dict(options or {})
        self._catalogue, self._catalogue_options = catalogue, dict(catalogue_options or {})
        self._policy = policy or Policy()
        self._clock, self._archive_there = clock or ledger.now, archive_there
        self._lanes = Lanes(self._policy.lanes, longest_wait=longest_wait(self._policy))
        self._leases = Leases(ledger)
        self._known: set[int] = set()
        self._keys: set[str] = set()
        self._in_work = 0
        self._troubles: dict[int, str] = {}
        self._gauged_at = -math.inf
        self._wake = asyncio.Event()
        self._stopping = False
        self.changed = asyncio.Event()
        """Set whenever the table of some night may have changed."""

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is in work."""
        return self.unsettled == 0

    @property
    def trouble(self) -> str:
        """What keeps exposures waiting just now: an archive, ledger or gallery that is away. Empty when nothing does."""
        return next(iter(self._troubles.values()), "")

    @property
    def unsettled(self) -> int:
        """How many arrivals wait or are in work."""
        return self._in_work + len(self._lanes)

    def offer(self, arrivals: Iterable[Arrival]) -> None:
        """Queue arrivals that the ledger holds as waiting; those that are queued or in work already are passed over."""
        now = self._clock()
        for arrival in arrivals:
            if arrival.id not in self._known:
                self._known.add(arrival.id)
                self._lanes.push(arrival, now=now)
        self._wake.set()

    async def recover(self) -> int:
        """Queue what earlier lives left behind; return how many."""
        interrupted = await self._patiently(self._ledger.recover)
        waiting = await self._patiently(lambda: self._ledger.waiting(now=datetime.max.replace(tzinfo=UTC)))
        await self._queue(waiting)
        self.changed.set()
        if waiting:
            _log.info("picked up what was left", waiting=len(waiting), interrupted=interrupted)
        return len(waiting)

    async def look_again(self) -> None:
        """Queue what waits in the ledger and is not known here, such as what somebody at a terminal gave a new chance."""
        if len(self._lanes) < FEW:
            await self._queue(await self._ledger.waiting(now=self._clock()))

    async def _queue(self, waiting: Iterable[Arrival]) -> None:
        for arrival in waiting:
            if arrival.interruptions >= self._policy.interruptions:
                await self._bury_interrupted(arrival)
            else:
                self.offer([arrival])

    async def run(self) -> None:
        """Attempt what waits, as workers become free, until `stop` is called; then wait for what is in work.

        What is still in work after `Policy.drain` is cut off; the next life picks it up.
        """
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self._leases.keep(self.look_again), name="leases")
            tasks: set[asyncio.Task[None]] = set()
            while not self._stopping:
                self._wake.clear()
                self._start_what_may_start(group, tasks)
                self._gauge()
                await self._sleep()
            await _finish(tasks, self._policy.drain.total_seconds())
            keeping.cancel()

    def stop(self) -> None:
        """Start nothing more."""
        self._stopping = True
        self._wake.set()

    def _start_what_may_start(self, group: asyncio.TaskGroup, tasks: set[asyncio.Task[None]]) -> None:
        while self._in_work < self._workers.capacity:
            arrival = self._lanes.pop(now=self._clock())
            if arrival is None:
                return
            if arrival.key in self._keys:  # another content of it is in work: the newer one must be published last
                self._lanes.push(replace(arrival, not_before=self._clock() + SAME_KEY), now=self._clock())
                continue
            self._keys.add(arrival.key)
            self._in_work += 1
            task = group.create_task(self._take(arrival), name=f"exposure {arrival.key}")
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _sleep(self) -> None:
        """Wait until something was offered or ended, or the next retry is due."""
        due = self._lanes.next_at()
        pause = LONGEST_SLEEP if due is None else min(LONGEST_SLEEP, max(0.01, (due - self._clock()).total_seconds()))
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _take(self, arrival: Arrival) -> None:
        """Make one attempt at one exposure, whatever comes of it."""
        metrics.IN_FLIGHT.inc()
        again: Arrival | None = None
        try:
            with structlog.contextvars.bound_contextvars(key=arrival.key, attempt=arrival.attempts + 1):
                attempt = await self._patiently(lambda: self._ledger.begin(arrival))
                again = await self._attempt(attempt) if attempt is not None else None
        finally:
            metrics.IN_FLIGHT.dec()
            self._keys.discard(arrival.key)
            self._in_work -= 1
            self._known.discard(arrival.id)
            self.offer([again] if again is not None else [])

    async def _attempt(self, attempt: Attempt) -> Arrival | None:
        """Make the attempt; return the arrival if it is to be tried again."""
        with self._leases.holding(attempt):
            with Net() as net:
                await self._study_and_publish(attempt)
            return None if net.caught is None else await self._fail(attempt, net.caught, net.detail)

    async def _study_and_publish(self, attempt: Attempt) -> None:
        arrival = attempt.arrival
        task = Task(
            self._archive, arrival.key, arrival.content, self._options, self._catalogue, self._catalogue_options
        )
        outcome = await self._run(task)
        studied_at = self._clock()
        row = await self._patiently(lambda: self._gallery.publish(outcome))
        times = timings(attempt, outcome, studied_at=studied_at, published_at=self._clock())
        event = await self._patiently(lambda: self._ledger.complete(attempt, row, outcome.columns, timings=times))
        self.changed.set()
        if event is None:
            _log.info("result dropped, the file changed meanwhile")
            return
        observe(attempt, outcome, studied_at=studied_at, published_at=event.at, feed_id=event.id)
        _log.info("exposure published", obs_id=row.obs_id, seconds=times["file_to_published"])

    async def _run(self, task: Task) -> Outcome:
        """Have a task done; while the archive as a whole is away, wait for it: no file is to blame."""
        while True:
            try:
                return await self._workers.run(task, deadline=self._policy.deadline.total_seconds())
            except NotAvailable as error:
                if await self._archive_there():
                    raise
                self._note(id(task), f"the archive {self._archive} is away: {error}")
                _log.warning("archive is away, waiting for it", archive=self._archive)
            await self._until_there()
            self._note(id(task), "")

    async def _until_there(self) -> None:
        """Wait until the archive is back; a stop does not wait for it, the next life takes the exposure up."""
        pause = 0.5
        while not await self._archive_there():
            if self._stopping:
                raise asyncio.CancelledError
            await asyncio.sleep(pause)
            pause = min(2 * pause, 10.0)

    async def _fail(self, attempt: Attempt, error: Exception, detail: str) -> Arrival | None:
        arrival = attempt.arrival
        at = retry_at(self._policy, attempt, error, now=self._clock())
        if isinstance(error, TaskFailed):
            detail = error.remote_traceback or detail
        lasting = not isinstance(error, NotAvailable)  # a file that comes back is taken up again
        await self._patiently(
            lambda: self._ledger.fail(attempt, error=str(error), detail=detail, retry_at=at, lasting=lasting)
        )
        self.changed.set()
        kind, instrument = type(error).__name__, arrival.instrument or "unknown"
        if at is None:
            metrics.FAILED.labels(instrument=instrument, kind=kind).inc()
            _log.error("exposure buried", kind=kind, why=str(error))
            return None
        metrics.RETRIES.labels(instrument=instrument, kind=kind).inc()
        _log.warning("attempt failed", kind=kind, why=str(error), retry_at=at.isoformat())
        return replace(arrival, attempts=attempt.number, state=State.WAITING, not_before=at)

    async def _bury_interrupted(self, arrival: Arrival) -> None:
        """Give up a frame that was in work every time the service died."""
        attempt = await self._patiently(lambda: self._ledger.begin(arrival))
        if attempt is not None:
            why = f"{arrival.key}: in work {arrival.interruptions} times when the service died; it may be what kills it"
            await self._patiently(lambda: self._ledger.fail(attempt, error=why, detail="", retry_at=None))
            _log.error("exposure buried", kind="Interrupted", why=why)

    def _gauge(self) -> None:
        if time.monotonic() - self._gauged_at < LONGEST_SLEEP:
            return
        self._gauged_at = time.monotonic()
        now = self._clock()
        oldest = self._lanes.oldest()
        for lane, size in self._lanes.sizes().items():
            metrics.WAITING.labels(lane=lane).set(size)
            since = oldest.get(lane)
            metrics.QUEUE_AGE.labels(lane=lane).set((now - since).total_seconds() if since else 0.0)

    async def _patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        return await patiently(call, self._policy.patience.total_seconds(), told=lambda why: self._note(id(call), why))

    def _note(self, who: int, why: str) -> None:
        """Remember what somebody waits for; an empty word when he waits no more."""
        if why:
            self._troubles[who] = why
        else:
            self._troubles.pop(who, None)


async def _finish(tasks: set[asyncio.Task[None]], seconds: float) -> None:
    """Wait for tasks; cancel those that are not done in time."""
    if not tasks:
        return
    _log.info("waiting for the exposures in work", exposures=len(tasks))
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        _log.warning("exposure cut off by the stop", task=task.get_name())
        task.cancel()
