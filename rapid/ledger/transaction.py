"""What every writing function is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

__all__ = ["Writing"]


@dataclass(slots=True)
class Writing:
    """One transaction that writes.

    ``now`` is the one moment of everything it writes; ``feed_id`` the newest entry it added to the feed, 0 for none.
    """

    connection: sa.Connection
    now: datetime
    feed_id: int = 0
