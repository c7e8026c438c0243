"""The files of a directory, announced on a bus as a camera's store, or whoever speaks our contract, would do it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from rapid.announce import Announcement, Bus, Publish
from rapid.announce.files import FileAnnouncer
from rapid.consumers.directory import DirectorySource
from rapid.consumers.replay import ReplaySource
from rapid.errors import AccessDenied, NotAvailable
from rapid.events import FileArrived
from rapid.ports import Batch
from rapid.processing.fits import is_complete
from rapid.stores import open_store

__all__ = ["publish_files"]

AGAIN = 2.0
"""Seconds before a bus that is away is tried again by somebody who follows a directory."""

_Published = Callable[[FileArrived], None]


async def publish_files(
    directory: Path,
    bus: Bus,
    announcer: FileAnnouncer,
    *,
    rate: float | None = None,
    follow: bool = False,
    published: _Published = lambda _: None,
    passed_over: _Published = lambda _: None,
    stop: asyncio.Event,
) -> None:
    """Announce the raw files below a directory, in the order in which they were taken.

    Parameters
    ----------
    rate
        So many a second; None for as fast as the bus takes them.
    follow
        Go on with what is written there later; a bus that goes away is then waited for.
    published, passed_over
        Are told of each file: the bus has it, or it has no name that the contract could announce.
    stop
        Ends it.

    Raises
    ------
    AccessDenied, NotAvailable
        If the bus does not let us in, or is away; or the directory is not there.
    """
    async with _batches(directory, follow=follow) as batches:
        sender = _Sender(bus, announcer, rate, published, passed_over)
        sending = asyncio.create_task(sender.run(batches, patient=follow))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({sending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, stopping):
                task.cancel()
            await asyncio.wait({sending, stopping})


def _batches(directory: Path, *, follow: bool) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
    if not directory.is_dir():
        raise NotAvailable(f"there is no directory {directory}")
    if follow:
        return DirectorySource(directory, is_complete=is_complete).batches()
    return ReplaySource(open_store(str(directory))).batches()


class _Sender:
    """Publishes batches, file by file where a rate is asked for."""

    def __init__(
        self, bus: Bus, announcer: FileAnnouncer, rate: float | None, published: _Published, passed_over: _Published
    ) -> None:
        self._bus, self._announcer = bus, announcer
        self._pause = None if rate is None else 1 / rate
        self._published, self._passed_over = published, passed_over
        self._due = asyncio.get_running_loop().time()
        self._left: list[FileArrived] = []

    async def run(self, batches: AsyncIterator[Batch], *, patient: bool) -> None:
        """Publish until there is nothing more; what a bus did not take is published again by the next connection."""
        while True:
            try:
                async with self._bus.opened() as publish:
                    await self._publish(self._left, publish)
                    async for batch in batches:
                        self._left = [item for item in batch.items if isinstance(item, FileArrived)]
                        await self._publish(self._left, publish)
                        await batch.settle()
                    return
            except (AccessDenied, NotAvailable):
                if not patient:
                    raise
                await asyncio.sleep(AGAIN)

    async def _publish(self, files: list[FileArrived], publish: Publish) -> None:
        while files:
            some = files[:1] if self._pause is not None else files[:]
            await self._wait_for_turn()
            await publish(self._announcements(some))
            for file in some:
                (self._published if self._announcer(file) else self._passed_over)(file)
            del files[: len(some)]

    def _announcements(self, files: Sequence[FileArrived]) -> list[Announcement]:
        return [one for one in map(self._announcer, files) if one is not None]

    async def _wait_for_turn(self) -> None:
        """Keep to the timetable; who is late is not waited for."""
        if self._pause is not None:
            await asyncio.sleep(max(0.0, self._due - asyncio.get_running_loop().time()))
            self._due += self._pause
