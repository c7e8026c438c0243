"""Everything that is PostgreSQL's own: opening, durability, locking, and what its errors mean.

The driver (psycopg 3, the extra ``postgres``) is imported when such a ledger is opened, by SQLAlchemy.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from rapid.errors import ConfigError
from rapid.ledger.engines import Engines, Shared
from rapid.ledger.notices import announce, listen

__all__ = ["WRITE_LOCK", "connect_arguments", "open_postgres", "place_of"]

WRITE_LOCK = 0x5241504944
"""The advisory lock of whoever writes ("RAPID"): one transaction after the other, those of other hosts included.

So the feed's ids appear in their order, and every rule that holds in SQLite, with its one write lock, holds here.
"""

_ANSWER = timedelta(seconds=60)
"""Longest a statement may take: the largest batch takes a second."""

_SILENCE = timedelta(seconds=30)
"""A host that goes silent within a transaction loses it, and the lock, after this."""

_PATHS = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "application_name": "rapid",
}
"""How soon a server that is gone is noticed [s; the last but one ms]; an address may say otherwise."""

_AWAY = "the server is away or cannot be reached"
_MEANINGS = {
    "08": _AWAY,
    "25006": "it may only be read",
    "25P03": "this process was silent within a transaction for too long",
    "28": "the server does not let us in",
    "3D": "there is no such database",
    "40": "it was changed by another process at the same moment",
    "42501": "its permissions forbid it",
    "53100": "the disk is full",
    "53200": "the server is out of memory",
    "53300": "the server has too many connections",
    "55P03": "it is locked: another process has been writing for too long",
    "57014": f"it did not answer within {_ANSWER.total_seconds():.0f} s",
    "57P": "the server is going down or coming up",
    "58": "the server's disk gave an error",
    "XX": "it is corrupt; restore it from a backup",
}


def open_postgres(url: str, *, read_only: bool, busy_timeout: timedelta, readers: int) -> Engines:
    """Prepare to open a database, which exists; the first use connects.

    Raises
    ------
    ConfigError
        If the URL names no database, or the driver is not installed.
    """
    place = place_of(url)
    read = _engine(url, busy_timeout=busy_timeout, connections=readers)
    sa.event.listen(read, "connect", _only_look)
    shared = Shared(now=_now, announce=announce, listen=partial(listen, connect_arguments(url)))
    if read_only:
        return Engines(place, read, None, meaning=_meaning, shared=shared)
    write = _engine(url, busy_timeout=busy_timeout, connections=1)
    sa.event.listen(write, "begin", _take_turns)
    return Engines(place, read, write, meaning=_meaning, shared=shared)


def place_of(url: str) -> str:
    """Write an address as it may be shown: without password and options.

    Raises
    ------
    ConfigError
        If it names no database.
    """
    address = _address(url)
    shown = sa.URL.create(
        "postgresql", username=address.username, host=address.host, port=address.port, database=address.database
    )
    return shown.render_as_string()


def connect_arguments(url: str) -> dict[str, Any]:
    """List what the driver is to be given to connect."""
    address = _address(url)
    _, given = address.get_dialect()().create_connect_args(address)
    return {**_PATHS, **given}


def _address(url: str) -> sa.URL:
    expected = "expected postgresql://user@host:port/database"
    try:
        address = sa.make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        # Neither the address nor the cause of this is shown: a password may be in both.
        raise ConfigError(f"the address of the ledger cannot be read; {expected}") from None
    if not address.database:
        raise ConfigError(f"the address of the ledger names no database; {expected}")
    return address


def _engine(url: str, *, busy_timeout: timedelta, connections: int) -> sa.Engine:
    try:
        engine = sa.create_engine(
            _address(url),
            pool_size=connections,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args=connect_arguments(url),
        )
    except ModuleNotFoundError as error:
        msg = "a ledger in PostgreSQL needs the driver: install rapid-summit[postgres]"
        raise ConfigError(msg) from error

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        _check_encoding(connection.info.parameter_status("server_encoding"))
        timeouts = {
            "lock_timeout": busy_timeout,
            "statement_timeout": _ANSWER,
            "idle_in_transaction_session_timeout": _SILENCE,
        }
        for name, timeout in timeouts.items():
            connection.execute(f"SET {name} = {round(timeout.total_seconds() * 1000)}")
        # What was acknowledged survives a power cut of the server, whatever the database's own settings are.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()

    return engine


def _check_encoding(encoding: str | None) -> None:
    if encoding != "UTF8":
        msg = f"a ledger needs a database in UTF8, found {encoding}; make one with CREATE DATABASE ... ENCODING 'UTF8'"
        raise ConfigError(msg)


def _only_look(connection: Any, _record: Any) -> None:
    """Give readers one consistent view each, and nothing to write."""
    connection.execute("SET default_transaction_isolation = 'repeatable read'")
    connection.execute("SET default_transaction_read_only = on")
    connection.commit()


def _take_turns(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")


def _now(connection: sa.Connection) -> datetime:
    """Read the clock as it stands, not as it stood when the transaction began to wait for its turn."""
    now: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return now.astimezone(UTC)


def _meaning(error: BaseException | None) -> str:
    said = " ".join(str(error).split())
    state = getattr(error, "sqlstate", None)
    if not state:
        return f"{_AWAY} ({said})"
    known = next((_MEANINGS[state[:n]] for n in (5, 3, 2) if state[:n] in _MEANINGS), None)
    return f"{known} ({said})" if known else said
