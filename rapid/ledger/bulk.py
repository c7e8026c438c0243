"""Lines that come by the thousand: numbered beforehand, and handed to the driver in the form they are stored in.

What SQLAlchemy does so that any statement can be made of any value costs four times what SQLite needs to write a line of
the largest table. Here only times and JSON are turned into what is stored; the rest goes as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rapid.ledger.schema import Json, UtcTime
from rapid.ledger.stored import stored_json, stored_time

__all__ = ["insert_lines", "reserve_ids"]

_LAST_ID = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?"
_NEXT_IDS = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"


def reserve_ids(connection: sa.Connection, table: sa.Table, count: int) -> Sequence[int]:
    """Return the ids of the next lines of a table, ascending.

    The transaction has the database to itself for writing: in SQLite they are free until they are used, in PostgreSQL
    the sequence gives each away once.
    """
    if not count:
        return ()
    if connection.dialect.name == "sqlite":
        last: int = connection.exec_driver_sql(_LAST_ID, (table.name,)).scalar_one()
        return range(last + 1, last + 1 + count)
    return connection.exec_driver_sql(_NEXT_IDS, (table.name, count)).scalars().all()


def insert_lines(connection: sa.Connection, table: sa.Table, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write lines.

    Parameters
    ----------
    lines
        Values by the names of columns, all of them of the same columns in the same order: moments, JSON values, and else
        what a driver takes as it is.

    Raises
    ------
    ValueError
        If a moment has no zone or a JSON value holds NaN.
    """
    if not lines:
        return
    names = tuple(lines[0])
    columns = zip(*(line.values() for line in lines), strict=True)
    stored = [_stored(table.columns[name], values) for name, values in zip(names, columns, strict=True)]
    connection.exec_driver_sql(_statement(connection, table, names), list(zip(*stored, strict=True)))


def _stored(column: sa.Column[Any], values: Sequence[Any]) -> Sequence[Any]:
    if isinstance(column.type, Json):
        return [stored_json(value) for value in values]
    return list(_stored_moments(values)) if isinstance(column.type, UtcTime) else values


def _stored_moments(values: Iterable[datetime | None]) -> Iterator[str | None]:
    """Write moments; the many that are the one moment of a transaction, once."""
    last, text = None, None
    for value in values:
        if value is not last:
            last, text = value, None if value is None else stored_time(value)
        yield text


def _statement(connection: sa.Connection, table: sa.Table, names: Sequence[str]) -> str:
    quote = connection.dialect.identifier_preparer.quote
    place = "?" if connection.dialect.name == "sqlite" else "%s"
    columns, places = ", ".join(map(quote, names)), ", ".join([place] * len(names))
    return f"INSERT INTO {quote(table.name)} ({columns}) VALUES ({places})"  # noqa: S608  # names of our own tables
