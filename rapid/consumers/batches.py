"""What the file sources have in common: a batch that nobody has to be told about, and a place to hand one over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rapid.events import FileArrived, Rejected
from rapid.ports import Batch

__all__ = ["Handover", "PlainBatch"]


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

    def end(self, failure: BaseException | None = None) -> None:
        """Give no more: whoever iterates, now or later, comes to the end, or meets the failure."""
        self._batch, self._failure = None, failure
        self._given.set()
