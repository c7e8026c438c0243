"""Which service is at which attempt, and how long the others believe it.

In a database that one service has for itself there are no leases: what runs there at a start was left by a life that
ended. Where several share one, an attempt belongs to its holder until the lease ends, by the clock of the database.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from rapid.ledger.chunks import chunks
from rapid.ledger.schema import arrivals, attempts
from rapid.ledger.transaction import Writing

__all__ = ["expired", "is_held", "release", "renew", "unheld"]

_RUNNING = attempts.c.state == "running"


def renew(writing: Writing, attempt_ids: Sequence[int]) -> set[int]:
    """Hold attempts for another lease; returns those that are held still."""
    kept: set[int] = set()
    for some in chunks(attempt_ids):
        mine = sa.update(attempts).where(attempts.c.id.in_(some), _RUNNING, attempts.c.holder == writing.holder)
        held = mine.values(leased_until=writing.leased_until).returning(attempts.c.id)
        kept.update(writing.connection.execute(held).scalars())
    return kept


def release(writing: Writing) -> None:
    """Give up whatever this service still holds: it ends."""
    mine = sa.update(attempts).where(_RUNNING, attempts.c.holder == writing.holder)
    writing.connection.execute(mine.values(leased_until=None))


def is_held(writing: Writing, key: str) -> bool:
    """Tell whether another service is at an older content of a file: what is newer has to be published last."""
    others = _RUNNING & (attempts.c.holder != writing.holder) & (attempts.c.leased_until > writing.now)
    query = sa.select(attempts.c.id).join_from(attempts, arrivals).where(others, arrivals.c.key == key)
    return writing.connection.execute(query.limit(1)).first() is not None


def unheld(writing: Writing) -> sa.ColumnElement[bool]:
    """Select attempts that nobody holds, or that an earlier call of this service left behind."""
    return attempts.c.leased_until.is_(None) | (attempts.c.holder == writing.holder)


def expired(writing: Writing, at_work: Sequence[int]) -> sa.ColumnElement[bool]:
    """Select attempts whose lease has ended, or was given up, apart from those that the caller is at."""
    over = attempts.c.leased_until.is_(None) | (attempts.c.leased_until <= writing.now)
    return over & attempts.c.id.not_in(at_work)
