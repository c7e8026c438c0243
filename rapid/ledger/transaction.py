"""What every writing function is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

__all__ = ["Writing"]


@dataclass(slots=True)
class Writing:
    """One transaction that writes.

    ``now`` is the one moment of everything it writes; ``holder`` the service that writes, and ``lease`` how long it
    holds an attempt (None: for as long as it lives); ``feed_id`` the newest entry it added to the feed, 0 for none.
    """

    connection: sa.Connection
    now: datetime
    holder: str = ""
    lease: timedelta | None = None
    feed_id: int = 0

    @property
    def leased_until(self) -> datetime | None:
        """When a lease that is given now ends."""
        return None if self.lease is None else self.now + self.lease
