"""Raw files that appear in a directory: look, listen, look again.

The kernel tells of most changes at once, but not of all: its queue overflows, a directory may be filled before it is
watched, and a network file system tells only what this machine does. So the whole directory is looked through at the
start, again as soon as the ear is open, and then now and then.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import structlog

from rapid.consumers.batches import Handover, PlainBatch
from rapid.consumers.candidates import Candidate, Candidates, Verdict
from rapid.consumers.listening import Ear
from rapid.consumers.scan import Look, Seen, look_again, look_at, look_everywhere
from rapid.errors import NotAvailable
from rapid.events import FileArrived, Rejected, name_facts
from rapid.ports import Batch

__all__ = ["DirectorySource"]

T = TypeVar("T")

_log = structlog.get_logger(__name__)

INBOX_LIMIT = 10_000
"""Changed paths that wait for a look; beyond that one look everywhere is cheaper."""
RESTING = 2.0
"""A look everywhere is followed by a rest of so many times its own duration, so that a large archive is not read
without end."""
STOP_TIMEOUT = 5.0
"""How long the ear may take to end [s]; it is left behind then, which happens where a file system hangs."""
SLOW = 30.0
"""A look that takes longer [s] is worth a line in the log."""


def _now() -> datetime:
    return datetime.now(UTC)


class DirectorySource:
    """A `rapid.ports.Source` of the raw files below a directory.

    A file is announced when it is complete: its structure is whole and it has not changed for `quiet`, or, where its
    structure cannot tell, it has not changed for `give_up_after`. A file that changes later is announced again. Names
    that cannot be used become `rapid.events.Rejected`, once. Hidden names and ``*.tmp``, ``*.part`` are passed over.

    Parameters
    ----------
    root
        The directory; it may be missing, vanish and come back.
    is_complete
        Tells, away from the event loop, whether the structure of a file is whole.
    quiet, give_up_after
        See above.
    rescan
        How often the whole directory is looked through, whatever the kernel said.
    live_window
        What a look finds is live only if it was written so recently; what the kernel tells of is live.
    force_polling
        Do not ask the kernel: look every second or so. For network file systems.
    batch_size
        Most announcements in a batch.
    clock
        Tells the time, UTC.
    looked
        Is told after each look through the whole directory why it failed, or nothing (an empty word) when it did not.
    """

    name = "directory"

    def __init__(
        self,
        root: Path,
        *,
        is_complete: Callable[[Path], bool],
        quiet: timedelta = timedelta(seconds=0.3),
        give_up_after: timedelta = timedelta(seconds=10),
        rescan: timedelta = timedelta(seconds=60),
        live_window: timedelta = timedelta(minutes=10),
        force_polling: bool = False,
        batch_size: int = 50,
        clock: Callable[[], datetime] = _now,
        looked: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.looked = looked
        self.root, self.is_complete = root, is_complete
        self.quiet, self.give_up_after = quiet.total_seconds(), give_up_after.total_seconds()
        self.rescan, self.live_window = rescan.total_seconds(), live_window
        self.force_polling, self.batch_size, self.clock = force_polling, batch_size, clock

    @asynccontextmanager
    async def batches(self) -> AsyncIterator[AsyncIterator[Batch]]:
        """Open the source; leaving the context closes it."""
        life = _Life(self)
        loop = asyncio.get_running_loop()
        ear = Ear(self.root, lambda paths: loop.call_soon_threadsafe(life.hear, paths), polling=self.force_polling)
        ear.start()
        try:
            async with life.handover.filled_by(life.run(), f"watch {self.root}"):
                yield life.handover
        finally:
            if not await asyncio.to_thread(ear.stop, STOP_TIMEOUT):
                _log.warning("the directory does not let go", root=str(self.root))


class _Life:
    """What a source knows between being opened and being closed."""

    def __init__(self, source: DirectorySource) -> None:
        self.handover = Handover()
        self._source = source
        self._candidates = Candidates(quiet=source.quiet, give_up_after=source.give_up_after)
        self._refused: set[str] = set()
        self._unread: set[str] = set()
        self._rejected: list[Rejected] = []
        self._wake = asyncio.Event()
        self._heard: set[str] = set()
        self._second_looks: dict[str, float] = {}
        self._everywhere_at, self._rested_at = 0.0, 0.0
        self._wide: asyncio.Task[Look] | None = None
        self._wide_begun = 0.0
        self._first, self._missing = True, False

    def hear(self, paths: set[str] | None) -> None:
        """Take in what the ear heard; called in the event loop."""
        if paths is None or len(self._heard) + len(paths) > INBOX_LIMIT:
            self._heard.clear()
            self._everywhere_at = 0.0
        else:
            self._heard |= paths
        self._wake.set()

    async def run(self) -> None:
        """Look, hand over, rest, until cancelled."""
        try:
            while True:
                await self._look()
                items: list[FileArrived | Rejected] = [*self._taken_rejects(), *await self._taken_ready()]
                if items:
                    await self.handover.give(PlainBatch(tuple(items)))
                else:
                    await self._rest()
        finally:
            if self._wide is not None:
                self._wide.cancel()
                await asyncio.gather(self._wide, return_exceptions=True)

    async def _look(self) -> None:
        """Look where something was heard, and have the whole directory looked through meanwhile when that is due."""
        now = time.monotonic()
        if self._wide is None and now >= self._wide_due():
            self._begin_wide_look(now)
        elif self._wide is not None and self._wide.done():
            self._end_wide_look(self._wide, now)
        second = {path for path, at in self._second_looks.items() if at <= now}
        if self._heard or second:
            await self._look_at(second)

    def _wide_due(self) -> float:
        return max(self._everywhere_at, self._rested_at)

    def _begin_wide_look(self, now: float) -> None:
        self._everywhere_at = now + self._source.rescan
        known = self._candidates.known() | self._refused
        self._wide_begun = now
        self._wide = asyncio.create_task(_in_thread(look_everywhere, self._source.root, known))
        self._wide.add_done_callback(lambda _: self._wake.set())

    def _end_wide_look(self, wide: asyncio.Task[Look], now: float) -> None:
        self._wide = None
        self._rested_at = now + RESTING * (now - self._wide_begun)
        try:
            look = wide.result()
        except NotAvailable as error:
            if not self._missing:
                _log.warning("waiting for the directory", error=str(error))
            self._missing = True
            self._source.looked(str(error))
            return
        if self._missing:
            _log.info("the directory is back", root=str(self._source.root))
        self._take(look, aged=self._first)
        self._complain(look)
        self._first = self._missing = False
        self._source.looked("")

    async def _look_at(self, second: set[str]) -> None:
        """Look where something was heard; and again, where it was a directory: it may have been filled unheard."""
        told, self._heard = self._heard, set()
        for path in second:
            del self._second_looks[path]
        look = await _in_thread(look_at, self._source.root, told | second)
        self._take(look, told=told)
        again_at = time.monotonic() + self._source.quiet
        folders = {str(self._source.root / name) for name in look.folders}
        self._second_looks |= dict.fromkeys(folders - (second - told), again_at)

    def _take(self, look: Look, *, told: AbstractSet[str] = frozenset(), aged: bool = False) -> None:
        """Notice what a look found. Where nobody watched before, a file is as old as it says (`aged`)."""
        at, now = self._source.clock(), time.monotonic()
        for name in look.gone:
            self._candidates.forget(name)
        self._refused -= look.gone | look.files.keys()
        for seen in look.files.values():
            age = at - seen.written_at
            self._candidates.notice(
                seen,
                at=at,
                now=now,
                live=str(self._source.root / seen.key) in told or age <= self._source.live_window,
                age=age.total_seconds() if aged else 0.0,
            )
        for name, reason in look.refused.items():
            if name not in self._refused:
                self._refused.add(name)
                self._rejected.append(_rejected(name, reason, at))

    def _complain(self, look: Look) -> None:
        for folder in look.unread.keys() - self._unread:
            _log.warning("cannot read a directory", folder=folder, error=look.unread[folder])
        self._unread = set(look.unread)

    def _taken_rejects(self) -> list[Rejected]:
        taken, self._rejected = self._rejected, []
        return taken

    async def _taken_ready(self) -> list[FileArrived]:
        due = self._candidates.due(time.monotonic(), self._source.batch_size)
        if not due:
            return []
        ready = []
        for candidate, seen, whole in await _in_thread(self._examine, due):
            at, now = self._source.clock(), time.monotonic()
            verdict = self._candidates.judge(candidate, seen, whole=whole, at=at, now=now)
            if verdict is Verdict.READY:
                ready.append(_arrived(candidate))
            elif verdict is Verdict.GONE:
                _log.info("file vanished before it was announced", key=candidate.seen.key)
        return ready

    def _examine(self, due: list[Candidate]) -> list[tuple[Candidate, Seen | None, bool | None]]:
        """Look at files again, and into those where it matters; in a thread."""
        examined = []
        for candidate in due:
            seen = look_again(self._source.root, candidate.seen.key)
            inside = seen == candidate.seen and self._candidates.wants_inside(candidate, time.monotonic())
            whole = self._source.is_complete(self._source.root / candidate.seen.key) if inside else None
            examined.append((candidate, seen, whole))
        return examined

    async def _rest(self) -> None:
        """Sleep until something is heard or due."""
        due = [*self._second_looks.values()]
        if self._wide is None:
            due.append(self._wide_due())
        if (look_at := self._candidates.next_look()) is not None:
            due.append(look_at)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(min(due) - time.monotonic(), 0.0) if due else None):
                await self._wake.wait()
        self._wake.clear()


async def _in_thread(look: Callable[..., T], *arguments: object) -> T:
    """Call something that touches the disk, away from the event loop, and say when it takes long."""
    work = asyncio.create_task(asyncio.to_thread(look, *arguments))
    try:
        while not (await asyncio.wait({work}, timeout=SLOW))[0]:
            _log.warning("the directory is slow to answer", waiting_for=look.__name__)
        return work.result()
    finally:
        work.cancel()


def _arrived(candidate: Candidate) -> FileArrived:
    seen = candidate.seen
    return FileArrived(
        key=seen.key,
        content=seen.content,
        size=seen.size,
        written_at=seen.written_at,
        seen_at=candidate.noticed_at,
        source=DirectorySource.name,
        live=candidate.live,
        facts=name_facts(seen.key),
    )


def _rejected(name: str, reason: str, at: datetime) -> Rejected:
    shown = name if name.isprintable() else repr(name)[1:-1]
    return Rejected(DirectorySource.name, shown, reason, at, os.fsencode(name))
