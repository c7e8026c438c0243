"""What a listing of the archive is compared with: the files that are known, and the numbers that are not."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from rapid.gather.gaps import gaps_between
from rapid.ledger.chunks import chunks
from rapid.ledger.schema import arrivals, exposures, rows

__all__ = ["list_gaps", "tell_known"]


def tell_known(connection: sa.Connection, files: Sequence[tuple[str, str]]) -> list[bool]:
    """Tell of files (key, content) whether an arrival of this content is written down."""
    known: set[tuple[str, str]] = set()
    for keys in chunks(key for key, _ in files):
        query = sa.select(arrivals.c.key, arrivals.c.content).where(arrivals.c.key.in_(keys))
        known.update((key, content) for key, content in connection.execute(query))
    return [file in known for file in files]


def list_gaps(connection: sa.Connection, camera: str, day_obs: int) -> list[tuple[int, int]]:
    """List the ranges of sequence numbers between exposures of a night of which nothing is known."""
    numbers: set[int] = set()
    for table in (rows, exposures):
        night = (table.c.camera == camera) & (table.c.day_obs == day_obs)
        numbers.update(connection.execute(sa.select(table.c.seq_num).distinct().where(night)).scalars())
    return gaps_between(numbers)
