"""What is told to other systems: the logs they are told of, and the place each reader has come to.

A reader is one connection to one bus. Where several services share a ledger, one of them at a time has its place, for as
long as its lease runs: so the others stay silent, and the order is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import sqlalchemy as sa

from rapid.ledger.reading import DEAD_LETTER_COLUMNS
from rapid.ledger.schema import bulletins, columns, dead_letters, feed, readers
from rapid.ledger.transaction import Writing
from rapid.ports import Bulletin, DeadLetter, JsonValue, Place

__all__ = [
    "fetch_columns",
    "leave_place",
    "list_bulletins",
    "list_dead_letters_after",
    "move_on",
    "post",
    "release",
    "take_place",
]

_PLACE = (readers.c.feed_id, readers.c.dead_letter_id, readers.c.bulletin_id)


def fetch_columns(connection: sa.Connection, camera: str) -> dict[str, dict[str, str]]:
    """Describe the columns of a camera, in the order in which they were first seen."""
    query = sa.select(columns).where(columns.c.camera == camera).order_by(columns.c.id)
    names = ("label", "unit", "description", "type", "group")
    return {found["name"]: {name: found[name] for name in names} for found in connection.execute(query).mappings()}


def list_dead_letters_after(connection: sa.Connection, after: int, limit: int) -> list[DeadLetter]:
    """Read the dead letters after an id, in order."""
    query = sa.select(*DEAD_LETTER_COLUMNS).where(dead_letters.c.id > after).order_by(dead_letters.c.id).limit(limit)
    return [DeadLetter(**found) for found in connection.execute(query).mappings()]


def list_bulletins(connection: sa.Connection, after: int, limit: int) -> list[Bulletin]:
    """Read the bulletins after an id, in order."""
    query = sa.select(bulletins).where(bulletins.c.id > after).order_by(bulletins.c.id).limit(limit)
    return [Bulletin(**found) for found in connection.execute(query).mappings()]


def post(writing: Writing, kind: str, subject: str, body: Mapping[str, JsonValue]) -> bool:
    """Write a bulletin down unless it is there."""
    known = sa.select(bulletins.c.id).where(bulletins.c.kind == kind, bulletins.c.subject == subject)
    if writing.connection.execute(known).first() is not None:
        return False
    line = {"at": writing.now, "kind": kind, "subject": subject, "body": dict(body)}
    writing.connection.execute(sa.insert(bulletins), [line])
    return True


def take_place(writing: Writing, reader: str, *, start: Literal["latest", "earliest"]) -> Place | None:
    """Find or make the place of a reader and hold it; None while another service does."""
    query = sa.select(*_PLACE, readers.c.holder, readers.c.leased_until).where(readers.c.name == reader)
    found = writing.connection.execute(query).one_or_none()
    held = {"holder": writing.holder, "leased_until": writing.leased_until}
    if found is None:
        place = _end(writing.connection) if start == "latest" else Place()
        writing.connection.execute(sa.insert(readers), [{"name": reader, **_as_columns(place), **held}])
        return place
    *place_ids, holder, leased_until = found
    if holder != writing.holder and leased_until is not None and leased_until > writing.now:
        return None
    writing.connection.execute(sa.update(readers).where(readers.c.name == reader).values(held))
    return Place(*place_ids)


def move_on(writing: Writing, reader: str, place: Place) -> bool:
    """Remember how far a reader has come, if its place is still ours; the lease begins anew."""
    mine = (readers.c.name == reader) & (readers.c.holder == writing.holder)
    change = {**_as_columns(place), "leased_until": writing.leased_until}
    return writing.connection.execute(sa.update(readers).where(mine).values(change)).rowcount == 1


def leave_place(writing: Writing, reader: str) -> None:
    """Let others have the place of a reader, if it is ours."""
    mine = (readers.c.name == reader) & (readers.c.holder == writing.holder)
    writing.connection.execute(sa.update(readers).where(mine).values(leased_until=None))


def release(writing: Writing) -> None:
    """Let others have the places of this service: it ends."""
    mine = sa.update(readers).where(readers.c.holder == writing.holder)
    writing.connection.execute(mine.values(leased_until=None))


def _end(connection: sa.Connection) -> Place:
    """Say where the logs end now."""
    ends = (sa.select(sa.func.max(log.c.id)).scalar_subquery() for log in (feed, dead_letters, bulletins))
    return Place(*(newest or 0 for newest in connection.execute(sa.select(*ends)).one()))


def _as_columns(place: Place) -> dict[str, int]:
    return {"feed_id": place.feed, "dead_letter_id": place.dead_letters, "bulletin_id": place.bulletins}
