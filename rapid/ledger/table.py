"""The night table, its versions, and the feed: what changes in one is said in the others in the same transaction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import sqlalchemy as sa

from rapid.errors import InputError
from rapid.events import camera_of
from rapid.ledger.bulk import insert_lines, reserve_ids
from rapid.ledger.chunks import chunks
from rapid.ledger.reading import ENTRY_COLUMNS
from rapid.ledger.schema import Json, columns, feed, nights, rows
from rapid.ledger.transaction import Writing
from rapid.ports import Arrival, FeedEvent, JsonValue, Row, State

__all__ = [
    "Entry",
    "Identity",
    "Stored",
    "done_entry",
    "expected_entry",
    "find_entries",
    "mark_published",
    "of_detectors",
    "put_entries",
    "register_columns",
    "tell",
]

Entry: TypeAlias = dict[str, JsonValue]
Night: TypeAlias = tuple[str, int]

_FEW = 16
"""Detectors that are asked for by name."""

_SETTLED = {State.DONE, State.FAILED}
_NAMES = tuple(column.name for column in ENTRY_COLUMNS)
_MAPPINGS = tuple(column.name for column in ENTRY_COLUMNS if isinstance(column.type, Json))


@dataclass(frozen=True, slots=True)
class Identity:
    """Which exposure and detector something is; the detector's name tells a guider file too."""

    instrument: str
    obs_id: str
    detector_name: str

    @classmethod
    def of(cls, arrival: Arrival) -> Self | None:
        """Read it off an arrival; None for a file that nobody knows the exposure of."""
        if arrival.instrument is None or arrival.obs_id is None or arrival.detector_name is None:
            return None
        return cls(arrival.instrument, arrival.obs_id, arrival.detector_name)

    def __str__(self) -> str:
        return f"{self.instrument} {self.obs_id} {self.detector_name}"


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry as the table has it, under its row number."""

    row_id: int
    entry: Entry


def expected_entry(arrival: Arrival, old: Entry | None, *, state: State, error: str = "") -> Entry:
    """Say in the table where an arrival stands that has no result; what an older content gave stays to be seen."""
    said = {"state": state.value, "error": error}
    if old is not None:
        return _in_order({**old, **said, "arrival_id": arrival.id})
    return {  # in order, as a night brings them by the hundred thousand
        "camera": camera_of(str(arrival.instrument)),
        "instrument": arrival.instrument,
        "obs_id": arrival.obs_id,
        "day_obs": arrival.day_obs,
        "seq_num": arrival.seq_num,
        "detector_name": arrival.detector_name,
        **said,
        "revision": 0,
        "arrival_id": arrival.id,
        **{name: {} for name in _MAPPINGS},
    }


def done_entry(
    arrival: Arrival, old: Entry | None, row: Row, detector_name: str, timings: Mapping[str, float]
) -> Entry:
    """Make the entry of a result.

    Raises
    ------
    InputError
        If it holds a number that is not finite: neither JSON nor a page knows any.
    """
    _check_finite(row, timings)
    entry: Entry = {
        "camera": row.camera,
        "instrument": row.instrument,
        "obs_id": row.obs_id,
        "day_obs": row.day_obs,
        "seq_num": row.seq_num,
        "detector_name": detector_name,
        "state": State.DONE.value,
        "error": "",
        "revision": 1 + (int(str(old["revision"])) if old else 0),
        "arrival_id": arrival.id,
        "cells": dict(row.cells),
        "notes": dict(row.notes),
        "uncertainties": dict(row.uncertainties),
        "channels": dict(row.channels),
        "failures": dict(row.failures),
        "timings": dict(timings),
        "catalogues": dict(row.catalogues),
    }
    return _in_order(entry)


def of_detectors(table: sa.Table, identities: Iterable[Identity]) -> Iterator[sa.ColumnElement[bool]]:
    """Select, in pieces, the lines of some detectors of exposures; of more than a few detectors, all of the exposures.

    An exposure of LSSTCam has two hundred lines, and who asks about one of them shall not read them all.
    """
    wanted = tuple(identities)
    names = {identity.detector_name for identity in wanted}
    named = table.c.detector_name.in_(sorted(names)) if len(names) <= _FEW else sa.true()
    for some in chunks(identity.obs_id for identity in wanted):
        yield table.c.obs_id.in_(some) & named


def find_entries(connection: sa.Connection, identities: Iterable[Identity]) -> dict[Identity, Stored]:
    """Fetch the entries of some detectors of exposures; there may be others among them."""
    found: dict[Identity, Stored] = {}
    for some in of_detectors(rows, identities):
        for line in connection.execute(sa.select(rows).where(some)).mappings():
            identity = Identity(line["instrument"], line["obs_id"], line["detector_name"])
            found[identity] = Stored(line["id"], {name: line[name] for name in _NAMES})
    return found


def put_entries(writing: Writing, changes: Sequence[tuple[Stored | None, Entry]]) -> list[FeedEvent]:
    """Write entries in place of old ones (None: there is none yet) and say so in the feed; the events are in order."""
    if not changes:
        return []
    fresh = [entry for old, entry in changes if old is None]
    insert_lines(writing.connection, rows, fresh)
    changed = [{**entry, "row_id": old.row_id} for old, entry in changes if old is not None]
    if changed:
        writing.connection.execute(sa.update(rows).where(rows.c.id == sa.bindparam("row_id")), changed)
    return tell(writing, [entry for _, entry in changes], _touched_nights(changes))


def tell(writing: Writing, entries: Sequence[Entry], touched: Mapping[Night, bool]) -> list[FeedEvent]:
    """Say in the feed what entries look like now; the events are in order.

    Parameters
    ----------
    touched
        Nights (camera, day_obs) in which something changed, and whether that was more than an expectation.
    """
    known = _known_nights(writing.connection, touched)
    _append(writing, "night", [{"camera": night[0], "day_obs": night[1]} for night in touched if night not in known])
    events = _append(writing, "exposure", entries)
    _raise_versions(writing, touched, known)
    return events


def register_columns(connection: sa.Connection, camera: str, described: Mapping[str, Mapping[str, str]]) -> None:
    """Keep what the columns of a camera mean up to date; one that is not used any more stays known."""
    names = ("label", "unit", "description", "type", "group")
    wanted = {name: {key: spec.get(key, "") for key in names} for name, spec in described.items()}
    lines = connection.execute(sa.select(columns).where(columns.c.camera == camera)).mappings()
    known = {line["name"]: {key: line[key] for key in names} for line in lines}
    fresh = [{"camera": camera, "name": name, **spec} for name, spec in wanted.items() if name not in known]
    if fresh:
        connection.execute(sa.insert(columns), fresh)
    for name, said in wanted.items():
        before = known.get(name, said)
        spec = said | {
            "type": said["type"] or before["type"]
        }  # a value that is missing has no type, and takes none away
        if before != spec:
            where = (columns.c.camera == camera) & (columns.c.name == name)
            connection.execute(sa.update(columns).where(where).values(**spec))


def mark_published(writing: Writing, camera: str, day_obs: int, version: int) -> None:
    """Remember the newest version of a night that was written out.

    When another service has written a newer one meanwhile, nobody knows which of the two stayed: it is to be written
    once more.
    """
    night = (nights.c.camera == camera) & (nights.c.day_obs == day_obs)
    older = night & (nights.c.published_version < version)
    newer = night & (nights.c.published_version > version) & (nights.c.published_by != writing.holder)
    change = {"published_version": version, "published_by": writing.holder}
    writing.connection.execute(sa.update(nights).where(older).values(change))
    writing.connection.execute(sa.update(nights).where(newer).values(published_version=0))


def _night(entry: Entry) -> Night:
    return str(entry["camera"]), int(str(entry["day_obs"]))


def _touched_nights(changes: Sequence[tuple[Stored | None, Entry]]) -> dict[Night, bool]:
    """Nights in which something changed, and whether that was more than an expectation."""
    touched: dict[Night, bool] = {}
    for old, entry in changes:
        for some in [entry] if old is None else [old.entry, entry]:
            settled = entry["state"] in _SETTLED or (old is not None and old.entry["state"] in _SETTLED)
            touched[_night(some)] = touched.get(_night(some), False) or settled
    return touched


def _known_nights(connection: sa.Connection, touched: Iterable[Night]) -> set[Night]:
    query = sa.select(nights.c.camera, nights.c.day_obs).where(nights.c.day_obs.in_({day for _, day in touched}))
    return {(camera, day_obs) for camera, day_obs in connection.execute(query)}


def _raise_versions(writing: Writing, touched: Mapping[Night, bool], known: set[Night]) -> None:
    for (camera, day_obs), settled in touched.items():
        if (camera, day_obs) not in known:
            line = {"camera": camera, "day_obs": day_obs, "version": int(settled), "published_version": 0}
            writing.connection.execute(sa.insert(nights).values(**line, as_of=writing.feed_id))
            continue
        where = (nights.c.camera == camera) & (nights.c.day_obs == day_obs)
        change = {"version": nights.c.version + int(settled), "as_of": writing.feed_id}
        writing.connection.execute(sa.update(nights).where(where).values(**change))


def _append(writing: Writing, kind: str, bodies: Sequence[Entry]) -> list[FeedEvent]:
    if not bodies:
        return []
    lines = [
        {
            "id": feed_id,
            "at": writing.now,
            "kind": kind,
            "camera": body["camera"],
            "day_obs": body["day_obs"],
            "seq_num": body.get("seq_num"),
            "body": body,
        }
        for feed_id, body in zip(reserve_ids(writing.connection, feed, len(bodies)), bodies, strict=True)
    ]
    insert_lines(writing.connection, feed, lines)
    events = [FeedEvent(**line) for line in lines]  # type: ignore[arg-type]
    writing.feed_id = events[-1].id
    return events


def _in_order(entry: Entry) -> Entry:
    return {name: entry[name] for name in _NAMES}


def _check_finite(row: Row, timings: Mapping[str, float]) -> None:
    for kind, values in (("cell", row.cells), ("uncertainty of", row.uncertainties), ("timing", timings)):
        for name, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(
                    "a result that cannot be shown",
                    subject=f"{row.obs_id} {row.detector_name}",
                    expected="finite numbers, or None with a note",
                    found=f"{kind} {name} = {value}",
                )
