"""Holding on to what is in work, where several services share a ledger, and taking up what one of them left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog

from rapid.errors import LedgerError
from rapid.ports import Attempt, Ledger

__all__ = ["Leases"]

_log = structlog.get_logger(__name__)

_RENEWALS = 3
"""How often a lease is renewed within its time: two renewals may fail and nobody takes the holder for dead."""


class Leases:
    """The attempts that this service is at.

    Another service's lease is taken for ended only when the ledger was there for the whole time of a lease: while it is
    away nobody can renew anything, and after that everybody gets the time to do so.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: dict[int, Attempt] = {}
        self._there_since: float | None = None

    @contextmanager
    def holding(self, attempt: Attempt) -> Iterator[None]:
        """Hold an attempt while the block runs."""
        self._held[attempt.id] = attempt
        try:
            yield
        finally:
            self._held.pop(attempt.id, None)

    async def keep(self, reclaimed: Callable[[], Awaitable[None]]) -> None:
        """Renew what is held, for ever, and let wait again what others hold no more; at once done where nothing is shared.

        Parameters
        ----------
        reclaimed
            Is called when something waits again that a service left behind.
        """
        lease = self._ledger.lease
        if lease is None:
            return
        while True:
            await asyncio.sleep(lease.total_seconds() / _RENEWALS)
            try:
                if await self._renew(lease):
                    await reclaimed()
            except LedgerError as error:
                self._there_since = None
                _log.warning("leases cannot be renewed", why=str(error))

    async def _renew(self, lease: timedelta) -> int:
        """Renew, and reclaim if it is time to; return how many arrivals wait again."""
        for lost in await self._ledger.renew(list(self._held.values())):
            if self._held.pop(lost.id, None) is not None:
                _log.warning("another service took over, the result will be dropped", key=lost.arrival.key)
        now = time.monotonic()
        self._there_since = now if self._there_since is None else self._there_since
        if now - self._there_since < lease.total_seconds():
            return 0
        left = await self._ledger.reclaim(list(self._held.values()))
        if left:
            _log.warning("took over what another service left behind", exposures=left)
        return left
