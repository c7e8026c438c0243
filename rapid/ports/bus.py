"""Who announces files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from rapid.events import FileArrived, Rejected

__all__ = [
    "Batch",
    "Source",
]


class Batch(Protocol):
    """Some announcements that are settled together; none, where what came was about something else than files."""

    @property
    def items(self) -> Sequence[FileArrived | Rejected]:
        """What came, in the order of arrival."""
        ...

    async def settle(self) -> None:
        """Tell the bus that every item is durably recorded. Called only then; calling it twice does no harm."""
        ...


class Source(Protocol):
    """Somebody who announces files.

    The iterator of `batches` ends when there is nothing more to come (a replay) or when it is closed. What was
    yielded and not settled is announced again by the next life of the source.
    """

    name: str

    def batches(self) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        """Open the source; leaving the context closes it."""
        ...
