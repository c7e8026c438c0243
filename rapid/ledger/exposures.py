"""The port `rapid.ports.Exposures` on a database: exposures as wholes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from rapid.events import ExposureName, camera_of, exposure_name
from rapid.ledger import hearing
from rapid.ledger.reading import ENTRY_COLUMNS
from rapid.ledger.schema import arrivals, attempts, exposures, feed, rows
from rapid.ledger.table import register_columns, tell
from rapid.ledger.transaction import Writing
from rapid.ports import DetectorStanding, FeedEvent, Heard, JsonValue, Product, Standing, State

__all__ = ["SqlExposures"]

_T = TypeVar("_T")
_DETECTOR = (
    rows.c.detector_name,
    rows.c.state,
    rows.c.error,
    rows.c.revision,
    arrivals.c.key,
    arrivals.c.recorded_at,
)


class _Read(Protocol):
    def __call__(self, look: Callable[[sa.Connection], _T]) -> Awaitable[_T]: ...


class _Write(Protocol):
    def __call__(self, change: Callable[[Writing], _T]) -> Awaitable[_T]: ...


class SqlExposures:
    """The exposures of a ledger in a database.

    Parameters
    ----------
    read, write
        Run something in a transaction that reads, or in one that writes.
    """

    def __init__(self, read: _Read, write: _Write) -> None:
        self._read, self._write = read, write

    async def hear(self, events: Sequence[Heard]) -> None:
        """Write down what was said of exposures."""
        await self._write(lambda writing: hearing.hear(writing, events))

    async def touched(
        self, after: int, *, without: Sequence[str] = (), limit: int = 500
    ) -> tuple[int, Sequence[ExposureName]]:
        """Read which exposures had a change after an entry of the feed."""
        return await self._read(lambda connection: _touched(connection, after, without, limit))

    async def due(self) -> Sequence[tuple[ExposureName, datetime]]:
        """List the exposures that are to be looked at at a certain time, and when."""
        return await self._read(_due)

    async def wait(self, name: ExposureName, until: datetime | None) -> None:
        """Remember when an exposure is to be looked at again."""
        await self._write(lambda writing: hearing.put(writing, name, {"due_at": until}))

    async def standing(self, name: ExposureName) -> Standing:
        """Tell where an exposure stands."""
        return await self._read(lambda connection: _standing(connection, name))

    async def entries(self, name: ExposureName) -> Sequence[Mapping[str, JsonValue]]:
        """Fetch the table entries of its detectors."""
        return await self._read(lambda connection: _entries(connection, name))

    async def say(
        self, name: ExposureName, product: Product, *, after: int, until: datetime | None = None
    ) -> FeedEvent | None:
        """Show a product in table and feed."""
        return await self._write(lambda writing: _say(writing, name, product, after, until))

    async def in_progress(self, *, limit: int = 100) -> Sequence[Standing]:
        """Tell of the exposures that are waited for, newest first."""
        return await self._read(lambda connection: _in_progress(connection, limit))


def _touched(
    connection: sa.Connection, after: int, without: Sequence[str], limit: int
) -> tuple[int, list[ExposureName]]:
    """Follow the feed for a stretch of numbers; what is in it of other cameras is not even read."""
    newest = connection.execute(sa.select(sa.func.max(feed.c.id))).scalar_one() or 0
    last = min(newest, after + limit)
    if last <= after:
        return after, []
    place = (feed.c.camera, feed.c.day_obs, feed.c.seq_num)
    stretch = (feed.c.id > after) & (feed.c.id <= last) & (feed.c.kind == "exposure")
    changed = sa.select(*place).distinct().where(stretch, feed.c.camera.not_in(without)).subquery()
    same = sa.and_(*(rows.c[column.name] == changed.c[column.name] for column in place))
    query = sa.select(rows.c.obs_id, rows.c.instrument).distinct().join_from(changed, rows, same)
    found = connection.execute(query.order_by(rows.c.obs_id)).all()
    return last, [name for obs_id, instrument in found if (name := _name(obs_id, instrument))]


def _name(obs_id: str, instrument: str) -> ExposureName | None:
    name = exposure_name(obs_id)
    return name if name is not None and name.instrument == instrument else None


def _due(connection: sa.Connection) -> list[tuple[ExposureName, datetime]]:
    query = sa.select(exposures.c.obs_id, exposures.c.instrument, exposures.c.due_at)
    found = connection.execute(query.where(exposures.c.due_at.is_not(None)).order_by(exposures.c.due_at))
    return [(name, due_at) for obs_id, instrument, due_at in found if (name := _name(obs_id, instrument))]


def _standing(connection: sa.Connection, name: ExposureName) -> Standing:
    query = sa.select(*_DETECTOR, rows.c.arrival_id).join_from(rows, arrivals, rows.c.arrival_id == arrivals.c.id)
    mine = (rows.c.obs_id == name.obs_id) & (rows.c.instrument == name.instrument)
    found = connection.execute(query.where(mine).order_by(rows.c.detector_name)).all()
    detectors = tuple(
        DetectorStanding(detector, State(state), error, revision, key, recorded_at)
        for detector, state, error, revision, key, recorded_at, _ in found
    )
    began = sa.select(sa.func.min(attempts.c.started_at, type_=attempts.c.started_at.type))
    ids = sa.select(rows.c.arrival_id).where(mine)
    work_began_at = connection.execute(began.where(attempts.c.arrival_id.in_(ids))).scalar_one()
    return Standing(name, detectors=detectors, work_began_at=work_began_at, **_said(connection, name))


def _said(connection: sa.Connection, name: ExposureName) -> dict[str, Any]:
    """Fetch what was heard of an exposure and said of it; nothing where there is no line."""
    names = (
        *("sensors", "origin", "list_key", "started_at", "exposure_time", "read_out_at"),
        *("revision", "fingerprint", "said_at", "due_at"),
    )
    query = sa.select(*(exposures.c[column] for column in names))
    found = connection.execute(query.where(hearing.line_of(name))).mappings().one_or_none()
    if found is None:
        return {}
    return {**found, "sensors": tuple((detector, kind) for detector, kind in found["sensors"])}


def _entries(connection: sa.Connection, name: ExposureName) -> list[dict[str, JsonValue]]:
    mine = (rows.c.obs_id == name.obs_id) & (rows.c.instrument == name.instrument)
    query = sa.select(*ENTRY_COLUMNS).where(mine).order_by(rows.c.detector_name)
    return [dict(found) for found in connection.execute(query).mappings()]


def _say(
    writing: Writing, name: ExposureName, product: Product, after: int, until: datetime | None
) -> FeedEvent | None:
    query = sa.select(exposures.c.revision).where(hearing.line_of(name))
    if (writing.connection.execute(query.with_for_update()).scalar_one_or_none() or 0) != after:
        return None
    said = {**product.entry, "revision": after + 1}
    entry = {column.name: said.get(column.name, {}) for column in ENTRY_COLUMNS}
    change = {"revision": after + 1, "fingerprint": product.fingerprint, "said_at": writing.now, "entry": entry}
    hearing.put(writing, name, {**change, "due_at": until})
    camera = camera_of(name.instrument)
    register_columns(writing.connection, camera, product.columns)
    return tell(writing, [entry], {(camera, name.day_obs): True})[0]


def _in_progress(connection: sa.Connection, limit: int) -> list[Standing]:
    query = sa.select(exposures.c.obs_id, exposures.c.instrument).where(exposures.c.due_at.is_not(None))
    newest = query.order_by(exposures.c.day_obs.desc(), exposures.c.seq_num.desc()).limit(limit)
    names = [_name(obs_id, instrument) for obs_id, instrument in connection.execute(newest)]
    return [_standing(connection, name) for name in names if name is not None]
