"""Everything that only looks. Each function is one consistent view: it is given a connection inside a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

import sqlalchemy as sa

from rapid.errors import InputError
from rapid.ledger.schema import arrivals, columns, dead_letters, exposures, feed, nights, rows
from rapid.ports import Arrival, Counts, DeadLetter, FeedEvent, JsonValue, State

__all__ = [
    "DEAD_LETTER_COLUMNS",
    "ENTRY_COLUMNS",
    "OPEN",
    "arrival_from",
    "counts",
    "fetch_arrival",
    "fetch_dead_letter",
    "fetch_night",
    "last_feed_id",
    "list_arrivals",
    "list_dead_letters",
    "list_feed",
    "list_nights",
    "list_unpublished_nights",
    "list_waiting",
]

ENTRY_COLUMNS = tuple(column for column in rows.columns if column.name != "id")
"""A table entry, in the order of `rapid.ports.Ledger.night`."""

DEAD_LETTER_COLUMNS = tuple(dead_letters.columns[name] for name in DeadLetter.__dataclass_fields__)
"""The fields of `rapid.ports.DeadLetter`."""

OPEN = dead_letters.c.retried_at.is_(None) & dead_letters.c.superseded_at.is_(None)
"""The dead letters that still ask for somebody's attention."""


def arrival_from(found: sa.RowMapping) -> Arrival:
    """Make an arrival of a row of its table."""
    return Arrival(**{**found, "state": State(found["state"])})


def fetch_arrival(connection: sa.Connection, arrival_id: int) -> Arrival:
    """Fetch one arrival, which exists."""
    return arrival_from(connection.execute(sa.select(arrivals).where(arrivals.c.id == arrival_id)).mappings().one())


def list_waiting(connection: sa.Connection, now: datetime) -> list[Arrival]:
    """List what may be tried now, oldest first."""
    query = (
        sa.select(arrivals)
        .where(arrivals.c.state == State.WAITING, arrivals.c.not_before <= now)
        .order_by(arrivals.c.id)
    )
    return [arrival_from(found) for found in connection.execute(query).mappings()]


def list_arrivals(connection: sa.Connection, states: Sequence[State], limit: int) -> list[Arrival]:
    """List arrivals in some states, newest first."""
    query = sa.select(arrivals).where(arrivals.c.state.in_(states)).order_by(arrivals.c.id.desc()).limit(limit)
    return [arrival_from(found) for found in connection.execute(query).mappings()]


def counts(connection: sa.Connection) -> Counts:
    """Count, from indices alone."""
    query = sa.select(arrivals.c.state, sa.func.count()).group_by(arrivals.c.state)
    by_state = {str(state): int(number) for state, number in connection.execute(query)}
    letters = connection.execute(sa.select(sa.func.count()).select_from(dead_letters).where(OPEN)).scalar_one()
    return Counts(**{state.value: by_state.get(state.value, 0) for state in State}, dead_letters=letters)


def list_dead_letters(connection: sa.Connection, limit: int) -> list[DeadLetter]:
    """List those that still ask for somebody's attention, newest first."""
    query = sa.select(*DEAD_LETTER_COLUMNS).where(OPEN).order_by(dead_letters.c.id.desc()).limit(limit)
    return [DeadLetter(**found) for found in connection.execute(query).mappings()]


def fetch_dead_letter(connection: sa.Connection, dead_letter_id: int) -> DeadLetter:
    """Fetch one, whatever became of it.

    Raises
    ------
    InputError
        If there is none of this id.
    """
    query = sa.select(*DEAD_LETTER_COLUMNS).where(dead_letters.c.id == dead_letter_id)
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise InputError("there is no such dead letter", subject=f"dead letter {dead_letter_id}")
    return DeadLetter(**found)


def list_nights(connection: sa.Connection, camera: str | None) -> list[dict[str, JsonValue]]:
    """List nights with rows, newest first."""
    query = (
        sa.select(
            nights.c.camera,
            nights.c.day_obs,
            sa.func.count(sa.distinct(rows.c.obs_id)).label("exposures"),
            sa.func.count().filter(rows.c.state == State.DONE).label("done"),
            sa.func.count().filter(rows.c.state == State.FAILED).label("failed"),
            sa.func.max(rows.c.seq_num).label("last_seq_num"),
            nights.c.as_of,
        )
        .join_from(nights, rows, (rows.c.camera == nights.c.camera) & (rows.c.day_obs == nights.c.day_obs))
        .group_by(nights.c.camera, nights.c.day_obs)
        .order_by(nights.c.day_obs.desc(), nights.c.camera)
    )
    if camera is not None:
        query = query.where(nights.c.camera == camera)
    return [dict(found) for found in connection.execute(query).mappings()]


def fetch_night(
    connection: sa.Connection, camera: str, day_obs: int
) -> tuple[int, dict[str, dict[str, str]], list[dict[str, JsonValue]]]:
    """Fetch a night: newest feed id of this view, the columns it uses, its entries."""
    query = (
        sa.select(*ENTRY_COLUMNS)
        .where(rows.c.camera == camera, rows.c.day_obs == day_obs)
        .order_by(rows.c.seq_num, rows.c.detector_name, rows.c.obs_id)
    )
    entries = [dict(found) for found in connection.execute(query).mappings()]
    wholes = _fetch_wholes(connection, camera, day_obs, {_identity(entry) for entry in entries})
    if wholes:
        entries = sorted(
            wholes + entries, key=lambda entry: (entry["seq_num"], entry["detector_name"], entry["obs_id"])
        )
    used = {name for entry in entries for name in (*entry["cells"], *entry["notes"])}
    known = connection.execute(sa.select(columns).where(columns.c.camera == camera).order_by(columns.c.id)).mappings()
    described = {
        found["name"]: {name: found[name] for name in ("label", "unit", "description", "type", "group")}
        for found in known
        if found["name"] in used
    }
    return last_feed_id(connection), described, entries


def _fetch_wholes(
    connection: sa.Connection, camera: str, day_obs: int, taken: AbstractSet[tuple[str, str]]
) -> list[dict[str, JsonValue]]:
    """Fetch the entries of exposures as wholes; one whose place a detector has taken has had its time."""
    night = (exposures.c.camera == camera) & (exposures.c.day_obs == day_obs) & (exposures.c.revision > 0)
    found = connection.execute(sa.select(exposures.c.entry).where(night)).scalars()
    nothing: dict[str, JsonValue] = {column.name: {} for column in ENTRY_COLUMNS}  # for columns younger than an entry
    return [{**nothing, **entry} for entry in found if _identity(entry) not in taken]


def _identity(entry: Mapping[str, JsonValue]) -> tuple[str, str]:
    return str(entry["obs_id"]), str(entry["detector_name"])


def list_unpublished_nights(connection: sa.Connection) -> list[tuple[str, int, int]]:
    """List nights that changed since they were written out, oldest first."""
    query = (
        sa.select(nights.c.camera, nights.c.day_obs, nights.c.version)
        .where(nights.c.version > nights.c.published_version)
        .order_by(nights.c.day_obs, nights.c.camera)
    )
    return [(camera, day_obs, version) for camera, day_obs, version in connection.execute(query)]


def list_feed(connection: sa.Connection, after: int, limit: int) -> list[FeedEvent]:
    """Read the feed after an id, in order."""
    query = sa.select(feed).where(feed.c.id > after).order_by(feed.c.id).limit(limit)
    return [FeedEvent(**found) for found in connection.execute(query).mappings()]


def last_feed_id(connection: sa.Connection) -> int:
    """Newest id of the feed, 0 for an empty one."""
    return connection.execute(sa.select(sa.func.max(feed.c.id))).scalar_one() or 0
