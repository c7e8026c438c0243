"""The tables of the ledger.

A change here needs a revision in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from rapid.ledger.stored import stored_json, stored_time
from rapid.ports import State

__all__ = [
    "NUMBER",
    "TEXT",
    "Json",
    "UtcTime",
    "arrivals",
    "attempts",
    "bulletins",
    "claims",
    "columns",
    "dead_letters",
    "exposures",
    "feed",
    "metadata",
    "nights",
    "readers",
    "rows",
]


TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that sorts by its code points in every database, whatever language it was made for."""

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A row's number, of 64 bits: the only integer that SQLite numbers rows with has that size anyway."""


class UtcTime(TypeDecorator[datetime]):
    """A moment, as ISO 8601 text in UTC of one fixed width: it sorts as time does, and a person can read the file.

    A datetime without a zone is refused with ValueError: nobody could say which moment it is.
    """

    impl = TEXT
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """Write the moment."""
        return None if value is None else stored_time(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Read the moment."""
        return None if value is None else datetime.fromisoformat(value)


class Json(TypeDecorator[Any]):
    """A JSON value as text. NaN and infinity are refused with ValueError: they are not JSON, and a browser would choke."""

    impl = TEXT
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:  # noqa: ARG002
        """Write the value."""
        return stored_json(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:  # noqa: ARG002
        """Read the value; most are empty, and a night has thousands."""
        return {} if value == "{}" else json.loads(value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_STATES = ", ".join(f"'{state}'" for state in State)
_CURRENT = sa.text(f"state <> '{State.SUPERSEDED}'")
_OPEN = sa.text("retried_at IS NULL AND superseded_at IS NULL")


def _id() -> sa.Column[int]:
    # With AUTOINCREMENT (below) an id is never used twice, not even that of a deleted row.
    return sa.Column("id", NUMBER, primary_key=True)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, UtcTime, nullable=nullable)


def _arrival_id(*, nullable: bool = False) -> sa.Column[int]:
    return sa.Column("arrival_id", NUMBER, sa.ForeignKey("arrivals.id"), nullable=nullable)


arrivals = sa.Table(
    "arrivals",
    metadata,
    _id(),
    _text("key"),
    _text("content"),
    _number("size"),
    _text("source"),
    sa.Column("live", sa.Boolean, nullable=False),
    _text("instrument", nullable=True),
    _text("obs_id", nullable=True),
    _number("day_obs", nullable=True),
    _number("seq_num", nullable=True),
    _text("detector_name", nullable=True),
    _time("written_at"),
    _time("seen_at"),
    _time("recorded_at"),
    _text("state"),
    _number("attempts"),
    _number("interruptions"),
    _time("not_before"),
    _text("error"),
    sa.UniqueConstraint("key", "content"),
    sa.CheckConstraint(f"state IN ({_STATES})", name="state"),
    sa.Index(None, "state"),
    # Of every key one content counts: the database itself forbids two.
    sa.Index("uq_arrivals_current_key", "key", unique=True, sqlite_where=_CURRENT, postgresql_where=_CURRENT),
    sqlite_autoincrement=True,
)
"""One content of one file each; the columns are the fields of `rapid.ports.Arrival`."""

attempts = sa.Table(
    "attempts",
    metadata,
    _id(),
    _arrival_id(),
    _number("number"),
    _time("started_at"),
    _time("ended_at", nullable=True),
    _text("state"),
    _text("error"),
    _number("feed_id", nullable=True),
    sa.Column("holder", TEXT, nullable=False, server_default=""),
    _time("leased_until", nullable=True),
    sa.CheckConstraint("state IN ('running', 'done', 'failed', 'superseded', 'interrupted')", name="state"),
    sa.Index(None, "arrival_id"),
    sa.Index(
        "ix_attempts_running",
        "id",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    ),
    sqlite_autoincrement=True,
)
"""Tries. ``feed_id`` is what the feed said of the end, so that ending an attempt twice says the same.

``holder`` is the service that makes it, and ``leased_until`` when others may take it for dead; NULL where no other
service can work on this ledger, or the holder gave it up itself.
"""

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("obs_id", TEXT, primary_key=True),
    sa.Column("detector_name", TEXT, primary_key=True),
    sa.Column("instrument", TEXT, primary_key=True),
    _text("key"),
)
"""Which file is an exposure's detector: one key each."""

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    _id(),
    _text("kind"),
    _text("source"),
    _text("subject"),
    _text("reason"),
    _text("detail"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    _time("at"),
    _arrival_id(nullable=True),
    _time("retried_at", nullable=True),
    _time("superseded_at", nullable=True),
    _text("fingerprint", nullable=True),
    sa.Column("lasting", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.UniqueConstraint("fingerprint"),
    sa.CheckConstraint("kind IN ('file', 'message')", name="kind"),
    sa.Index(None, "arrival_id"),
    sa.Index("ix_dead_letters_open", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    sqlite_autoincrement=True,
)
"""What could not be used. ``fingerprint`` keeps a message that is announced at every start from being kept twice;
``lasting`` is 0 for the failure of a file that may be over when the file is announced again."""

rows = sa.Table(
    "rows",
    metadata,
    _id(),
    _text("camera"),
    _text("instrument"),
    _text("obs_id"),
    _number("day_obs"),
    _number("seq_num"),
    _text("detector_name"),
    _text("state"),
    _text("error"),
    _number("revision"),
    _arrival_id(),
    sa.Column("cells", Json, nullable=False),
    sa.Column("notes", Json, nullable=False),
    sa.Column("uncertainties", Json, nullable=False),
    sa.Column("channels", Json, nullable=False),
    sa.Column("failures", Json, nullable=False),
    sa.Column("timings", Json, nullable=False),
    sa.Column("catalogues", Json, nullable=False, server_default="{}"),
    sa.UniqueConstraint("obs_id", "detector_name", "instrument"),
    # Holds all that sums a night up, in the order in which a night is shown.
    sa.Index("ix_rows_night", "camera", "day_obs", "seq_num", "detector_name", "obs_id", "state"),
    sqlite_autoincrement=True,
)
"""The night tables; the columns after ``id`` are the keys of a table entry."""

columns = sa.Table(
    "columns",
    metadata,
    _id(),
    _text("camera"),
    _text("name"),
    _text("label"),
    _text("unit"),
    _text("description"),
    _text("type"),
    _text("group"),
    sa.UniqueConstraint("camera", "name"),
    sqlite_autoincrement=True,
)
"""What the cells mean, by camera, in the order in which they were first seen."""

nights = sa.Table(
    "nights",
    metadata,
    sa.Column("camera", TEXT, primary_key=True),
    sa.Column("day_obs", sa.BigInteger, primary_key=True, autoincrement=False),
    _number("version"),
    _number("published_version"),
    _number("as_of"),
    sa.Column("published_by", TEXT, nullable=False, server_default=""),
)
"""``version`` counts changes of what was found; ``as_of`` is the last feed event of the night; ``published_by`` the
service that wrote it out last."""

feed = sa.Table(
    "feed",
    metadata,
    _id(),
    _time("at"),
    _text("kind"),
    _text("camera"),
    _number("day_obs"),
    _number("seq_num", nullable=True),
    sa.Column("body", Json, nullable=False),
    sa.CheckConstraint("kind IN ('exposure', 'night')", name="kind"),
    sqlite_autoincrement=True,
)
"""The append-only feed."""

bulletins = sa.Table(
    "bulletins",
    metadata,
    _id(),
    _time("at"),
    _text("kind"),
    _text("subject"),
    sa.Column("body", Json, nullable=False),
    sa.UniqueConstraint("kind", "subject"),
    sa.CheckConstraint("kind IN ('alert', 'verdict')", name="kind"),
    sqlite_autoincrement=True,
)
"""What other systems are told beside the feed; ``subject`` keeps one from being told twice."""

readers = sa.Table(
    "readers",
    metadata,
    sa.Column("name", TEXT, primary_key=True),
    _number("feed_id"),
    _number("dead_letter_id"),
    _number("bulletin_id"),
    _text("holder"),
    _time("leased_until", nullable=True),
)
"""How far other systems were told, one line a bus; ``holder`` and ``leased_until`` as of `attempts`."""

exposures = sa.Table(
    "exposures",
    metadata,
    _id(),
    _text("instrument"),
    _text("obs_id"),
    _text("camera"),
    _number("day_obs"),
    _number("seq_num"),
    sa.Column("sensors", Json, nullable=False),
    _text("origin"),
    _text("list_key"),
    _time("started_at", nullable=True),
    sa.Column("exposure_time", sa.Double, nullable=True),
    _time("read_out_at", nullable=True),
    _time("due_at", nullable=True),
    _number("revision"),
    _text("fingerprint"),
    _time("said_at", nullable=True),
    sa.Column("entry", Json, nullable=False),
    sa.UniqueConstraint("obs_id", "instrument"),
    sa.Index("ix_exposures_night", "camera", "day_obs", "seq_num"),
    sa.Index(
        "ix_exposures_due",
        "due_at",
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)
"""What was said of exposures as wholes, and what was made of those of several detectors: ``entry`` is their line in the
night table, empty while there is none. Where their detectors stand is in `rows`."""
