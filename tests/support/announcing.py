"""A bus in memory that fails as a test wants it to, and what is published on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from rapid.announce import Announcement, Announcer, Composer, Publish
from rapid.errors import NotAvailable
from rapid.ports import Ledger

__all__ = ["COMPOSER", "MemoryBus", "announcing", "until"]

COMPOSER = Composer("rapid", "s3://rubintv/gallery", "https://rapid.example.org")


@dataclass
class MemoryBus:
    """Takes what it is given. While `away` it refuses; it breaks once after `breaks_after` more messages were taken."""

    name: str = "memory"
    taken: list[Announcement] = field(default_factory=list)
    away: bool = False
    breaks_after: int | None = None
    opened_times: int = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Publish]:
        """Connect."""
        if self.away:
            raise NotAvailable("the bus is away")
        self.opened_times += 1
        yield self.publish

    async def publish(self, announcements: Sequence[Announcement]) -> None:
        """Take messages."""
        for one in announcements:
            if self.away or self.breaks_after == 0:
                self.breaks_after = None
                raise NotAvailable("the bus went away")
            self.breaks_after = None if self.breaks_after is None else self.breaks_after - 1
            self.taken.append(one)

    @property
    def ids(self) -> list[str]:
        """Of what was taken, without repeats, in the order of their first coming."""
        return list(dict.fromkeys(one.id for one in self.taken))


@asynccontextmanager
async def announcing(ledger: Ledger, bus: MemoryBus, **how: object) -> AsyncIterator[Announcer]:
    """Run an announcer."""
    announcer = Announcer(ledger, bus, COMPOSER, **{"reader": "results-memory", "start": "earliest"} | how)  # type: ignore[arg-type]
    running = asyncio.create_task(announcer.run())
    try:
        yield announcer
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until(what: object, *, within: float = 20.0) -> None:
    """Wait until a question is answered with yes."""
    assert callable(what)
    async with asyncio.timeout(within):
        while not what():
            await asyncio.sleep(0.01)
