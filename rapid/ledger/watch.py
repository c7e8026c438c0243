"""Waiting for the feed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["LOOK_OFTEN", "LOOK_SELDOM", "FeedWatch"]

LOOK_OFTEN = 0.05
"""Seconds between two looks for what other processes wrote: a sixth of what a page may wait in all."""

LOOK_SELDOM = 1.0
"""The same [s] where other processes tell what they wrote, which they cannot while a connection is lost."""


class FeedWatch:
    """Lets any number wait for the feed while one of them looks.

    What this process writes is announced and wakes everybody at once. What another process writes can only be looked
    for; the first who waits does so for all, and hands the duty on when it leaves.

    Parameters
    ----------
    look
        Reads the newest feed id.
    every
        Seconds between two looks.
    """

    def __init__(self, look: Callable[[], Awaitable[int]], *, every: float = LOOK_OFTEN) -> None:
        self._look, self._every = look, every
        self._newest = 0
        self._looking = False
        self._changed = asyncio.Event()

    def announce(self, feed_id: int) -> None:
        """Say that the feed has grown to this id."""
        if feed_id > self._newest:
            self._newest = feed_id
            self._wake()

    def hint(self) -> None:
        """Say that the feed may have grown: who looks does so now."""
        self._wake()

    async def wait_beyond(self, after: int, *, timeout: float) -> bool:
        """Return True as soon as the feed has something after this id, False after `timeout` seconds."""
        if self._newest <= after:
            self.announce(await self._look())
        try:
            async with asyncio.timeout(timeout):
                while self._newest <= after:
                    await self._wait_or_look(after)
        except TimeoutError:
            return self._newest > after
        return True

    async def _wait_or_look(self, after: int) -> None:
        if self._looking:
            await self._changed.wait()
            return
        self._looking = True
        try:
            while self._newest <= after:
                await self._pause()
                self.announce(await self._look())
        finally:
            self._looking = False
            self._wake()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._every):
                await self._changed.wait()
        except TimeoutError:
            return

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
