"""What the file sources have in common: a batch that nobody has to be told about, and a place to hand one over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from rapid.events import FileArrived, Rejected
from rapid.ports import Batch

__all__ = ["Handover", "PlainBatch"]

PATIENCE = 10.0
"""How long a task may take to clean up after it was cancelled [s], before it is cancelled again."""


@dataclass(frozen=True, slots=True)
class PlainBatch:
    """Announcements of a source that looks again in its next life, so that settling them needs no act."""

    items: tuple[FileArrived | Rejected, ...]

    async def settle(self) -> None:
        """Do nothing: what was found stays where it is."""


class Handover:
    """One batch between the task that finds files and whoever iterates: the finder waits until its last one was taken.

    Both sides may be cancelled at any await without a batch being lost or given twice.
    """

    def __init__(self) -> None:
        self._batch: Batch | None = None
        self._taken, self._given = asyncio.Event(), asyncio.Event()
        self._taken.set()
        self._failure: BaseException | None = None

    def __aiter__(self) -> Handover:
        return self

    async def __anext__(self) -> Batch:
        await self._given.wait()
        if self._batch is None:
            if self._failure is not None:
                raise self._failure
            raise StopAsyncIteration
        batch, self._batch = self._batch, None
        self._given.clear()
        self._taken.set()
        return batch

    async def give(self, batch: Batch) -> None:
        """Offer a batch as soon as the one before was taken."""
        await self._taken.wait()
        self._taken.clear()
        self._batch = batch
        self._given.set()

    @asynccontextmanager
    async def filled_by(self, work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
        """Run the task that gives the batches: they end, or fail, with it, and it has ended when the context is left."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(lambda done: self.end(None if done.cancelled() else done.exception()))
        try:
            yield
        finally:
            while not task.done():  # one cancellation may be swallowed by a wait that ends at the same moment
                task.cancel()
                await asyncio.wait({task}, timeout=PATIENCE)

    def end(self, failure: BaseException | None = None) -> None:
        """Give no more: whoever iterates, now or later, comes to the end, or meets the failure."""
        self._batch, self._failure = None, failure
        self._given.set()
