"""What is said of exposures, apart from their files, is written down before the messages that said it are settled."""

from __future__ import annotations

import asyncio

from rapid.events import Event
from rapid.pipeline.patience import patiently
from rapid.ports import Exposures, Heard

__all__ = ["Hearing"]


class Hearing:
    """Keeps what sources tell until it is written down, and lets them wait for that."""

    def __init__(self) -> None:
        self._pending: list[Heard] = []
        self._writing = asyncio.Lock()

    def heard(self, event: Event) -> None:
        """Take an event; one that says nothing of an exposure is let go."""
        if isinstance(event, Heard):
            self._pending.append(event)

    async def write_down(self, exposures: Exposures, *, patience: float) -> None:
        """Return when all that was heard so far is written down, by this call or by that of another source.

        Raises
        ------
        LedgerError
            If the ledger stays away for longer than `patience` [s]; what was heard is kept.
        """
        async with self._writing:
            events = tuple(self._pending)
            if events:
                await patiently(lambda: exposures.hear(events), patience)
                del self._pending[: len(events)]
