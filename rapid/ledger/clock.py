"""What time it is for a ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

__all__ = ["LedgerClock"]


class LedgerClock:
    """The clock of the database, where it has one of its own; else that of this host.

    Hosts that share a database have clocks that differ. Leases and retries go by the one clock of the database; between
    two readings of it, time goes on as the host's monotonic clock does, which nobody sets.

    Parameters
    ----------
    of_database
        Reads the clock of the database; None where it runs on this host.
    """

    def __init__(self, of_database: Callable[[sa.Connection], datetime] | None) -> None:
        self._of_database = of_database
        self._read: tuple[datetime, float] | None = None

    def read(self, connection: sa.Connection) -> datetime:
        """Tell the time, asking the database."""
        if self._of_database is None:
            return datetime.now(UTC)
        asked = time.monotonic()
        now = self._of_database(connection)
        self._read = (now, (asked + time.monotonic()) / 2)
        return now

    def now(self) -> datetime:
        """Tell the time, asking nobody."""
        if self._read is None:
            return datetime.now(UTC)
        at, then = self._read
        return at + timedelta(seconds=time.monotonic() - then)
