"""A source that announces what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from rapid.events import FileArrived, Rejected, check_key, name_facts
from rapid.ports import Batch

Item = FileArrived | Rejected


def arrived(
    key: str, content: str = "1-1", *, live: bool = True, size: int = 1, at: datetime | None = None
) -> FileArrived:
    """Make an announcement out of little."""
    at = at or datetime.now(UTC)
    return FileArrived(check_key(key), content, size, at, at, "queue", live, name_facts(key))


class QueueSource:
    """A queue that keeps what was not settled, as a message bus does, and gives it again in its next life."""

    name = "queue"

    def __init__(self, *, batch_size: int = 10) -> None:
        self._kept: list[Item] = []
        self._pushed = asyncio.Event()
        self._batch_size = batch_size
        self.ended = False
        self.settled = 0

    def push(self, *items: Item) -> None:
        """Announce these, now or in the next life."""
        self._kept += items
        self._pushed.set()

    def end(self) -> None:
        """Let the iterators end when everything was given."""
        self.ended = True
        self._pushed.set()

    @property
    def unsettled(self) -> Sequence[Item]:
        """What would be given again."""
        return tuple(self._kept)

    @asynccontextmanager
    async def batches(self) -> AsyncIterator[AsyncIterator[Batch]]:
        """Begin a life."""
        life = _Life(self)
        try:
            yield life
        finally:
            life.closed = True
            self._pushed.set()


@dataclass(frozen=True, slots=True)
class _QueueBatch:
    items: tuple[Item, ...]
    source: QueueSource

    async def settle(self) -> None:
        kept = self.source._kept
        done = set(map(id, self.items))
        self.source.settled += sum(id(item) in done for item in kept)
        self.source._kept[:] = [item for item in kept if id(item) not in done]


class _Life:
    def __init__(self, source: QueueSource) -> None:
        self._source = source
        self._given: set[int] = set()
        self.closed = False

    def __aiter__(self) -> _Life:
        return self

    async def __anext__(self) -> Batch:
        while not self.closed:
            self._source._pushed.clear()
            waiting = [item for item in self._source._kept if id(item) not in self._given]
            if waiting:
                return self._give(waiting[: self._source._batch_size])
            if self._source.ended:
                break
            await self._source._pushed.wait()
        raise StopAsyncIteration

    def _give(self, items: Sequence[Item]) -> Batch:
        self._given |= set(map(id, items))
        return _QueueBatch(tuple(items), self._source)
