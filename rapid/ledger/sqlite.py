"""Everything that is SQLite's own: opening, durability, locking, and what its errors mean."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from rapid.errors import ConfigError, LedgerError
from rapid.ledger.engines import Engines

__all__ = ["open_sqlite"]

_WAL_KEPT = 64 * 1024 * 1024
"""The write-ahead log is cut back to this many bytes after a checkpoint: a long read may have let it grow."""

_CHECKPOINT = 8192
"""Pages that the write-ahead log collects (32 MB): a page that is changed by many batches, as those of indices are, is
written to its place once and not every thousand pages."""

_CACHE = 32 * 1024
"""Memory of the writer for pages [KiB]: the pages of indices that a night of an LSST camera goes through."""

_MEANINGS = {
    sqlite3.SQLITE_BUSY: "it is locked: another process has been writing for too long",
    sqlite3.SQLITE_LOCKED: "it is locked: another process has been writing for too long",
    sqlite3.SQLITE_PERM: "its permissions forbid it",
    sqlite3.SQLITE_READONLY: "it may only be read",
    sqlite3.SQLITE_IOERR: "the disk gave an input/output error",
    sqlite3.SQLITE_CORRUPT: "it is corrupt; restore it from a copy, or move it away and start with an empty one",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; expected a file, in a directory that may be written",
    sqlite3.SQLITE_NOTADB: "the file is not a database; move it away, or give another place for the ledger",
}


def open_sqlite(url: str, *, read_only: bool, busy_timeout: timedelta, readers: int) -> Engines:
    """Prepare to open a database; the file itself is opened by the first use.

    Raises
    ------
    ConfigError
        If the URL is not one of an SQLite file, or its directory cannot be made.
    LedgerError
        If the file shall only be read and there is none yet.
    """
    place = _place(url)
    if read_only and not place.is_file():
        msg = f"ledger {place}: there is none yet; it is made by the process that writes"
        raise LedgerError(msg)
    if not read_only:
        _make_directory(place.parent)
    mode = "ro" if read_only else "rwc"
    read = _engine(place, mode=mode, busy_timeout=busy_timeout, begin="BEGIN", connections=readers)
    sa.event.listen(read, "connect", _forbid_writing)
    # Readers look at the last committed state, and a writer takes the one write lock at once: a transaction that
    # began as a reader and then has to write could be refused half-way, whatever the time-out.
    write = None if read_only else _engine(place, mode=mode, busy_timeout=busy_timeout, begin="BEGIN IMMEDIATE")
    return Engines(str(place), read, write, meaning=_meaning)


def _meaning(error: BaseException | None) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    known = _MEANINGS.get(code & 0xFF) if isinstance(code, int) else None
    return f"{known} ({error})" if known else str(error)


def _place(url: str) -> Path:
    """Read the address; what follows the slashes is taken as it stands, so that any path can be given."""
    expected = "expected sqlite:////absolute/path or sqlite:///relative/path"
    _, _, rest = url.partition("://")
    if "?" in rest:
        msg = f"the address of a ledger has no options and its file no question mark; {expected}, found {url!r}"
        raise ConfigError(msg)
    path = rest.removeprefix("/")
    if path in {"", ":memory:"} or path == rest:
        msg = f"a ledger is a file, to outlive its process; {expected}, found {url!r}"
        raise ConfigError(msg)
    return Path(path).absolute()


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"the directory of the ledger cannot be made: {directory}: {error.strerror}"
        raise ConfigError(msg) from error


def _engine(place: Path, *, mode: str, busy_timeout: timedelta, begin: str, connections: int = 1) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=f"file:{quote(str(place))}", query={"mode": mode, "uri": "true"}),
        pool_size=connections,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": busy_timeout.total_seconds()},
    )

    @sa.event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver would begin transactions by itself, late and not around every statement; we do (next event).
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        if mode != "ro":
            # With a write-ahead log readers and the writer do not wait for each other. FULL flushes the log to the disk at
            # every commit: what was acknowledged survives a power cut. NORMAL would lose the last commits.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE}")

    @sa.event.listens_for(engine, "begin")
    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _forbid_writing(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("PRAGMA query_only = ON")
