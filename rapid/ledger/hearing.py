"""What is said of an exposure apart from its files is written down; the order in which it is said makes no difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rapid.events import ExpectedSensors, ExpectedSensorsWritten, ExposureName, ExposureSeen, Stage, camera_of
from rapid.ledger.schema import exposures
from rapid.ledger.transaction import Writing
from rapid.ports import Heard

__all__ = ["hear", "line_of", "put"]

_ORIGINS = ("", "imageReadoutParameters", "expectedSensors")
"""Who says which detectors there will be; the last one knows best: the camera writes it when it knows its files."""

_NOTHING: Mapping[str, Any] = {
    "sensors": [],
    "origin": "",
    "list_key": "",
    "started_at": None,
    "exposure_time": None,
    "read_out_at": None,
}
"""What is known of an exposure of which nothing was said."""


def hear(writing: Writing, events: Sequence[Heard]) -> None:
    """Write down what was said; whoever gathers looks at the exposure soon, since its deadlines may have changed."""
    by_name: dict[ExposureName, list[Heard]] = {}
    for event in events:
        by_name.setdefault(event.name, []).append(event)
    for name, said in by_name.items():
        before = _known(writing.connection, name)
        known = dict(before)
        for event in said:
            known |= _learnt(known, event, now=writing.now)
        if known != before:
            put(writing, name, {**known, "due_at": writing.now})


def put(writing: Writing, name: ExposureName, change: Mapping[str, Any]) -> None:
    """Change the line of an exposure, making it first where there is none."""
    update = sa.update(exposures).where(line_of(name)).values(**change)
    if writing.connection.execute(update).rowcount:
        return
    line = {
        "instrument": name.instrument,
        "obs_id": name.obs_id,
        "camera": camera_of(name.instrument),
        "day_obs": name.day_obs,
        "seq_num": name.seq_num,
        "sensors": [],
        "origin": "",
        "list_key": "",
        "revision": 0,
        "fingerprint": "",
        "entry": {},
    }
    writing.connection.execute(sa.insert(exposures).values({**line, **change}))


def line_of(name: ExposureName) -> sa.ColumnElement[bool]:
    """Select the line of an exposure."""
    return (exposures.c.obs_id == name.obs_id) & (exposures.c.instrument == name.instrument)


def _known(connection: sa.Connection, name: ExposureName) -> dict[str, Any]:
    query = sa.select(*(exposures.c[column] for column in _NOTHING)).where(line_of(name))
    found = connection.execute(query.with_for_update()).mappings().one_or_none()
    return dict(found) if found else dict(_NOTHING)


def _learnt(known: Mapping[str, Any], event: Heard, *, now: datetime) -> dict[str, Any]:
    """Say what changes. Every change goes one way only, so that no order of the events ends elsewhere.

    Nothing is heard before it happened: what was said to be later than now, by a clock that is wrong, was now.
    """
    match event:
        case ExpectedSensors():
            mine = (_rank(event.origin), len(event.sensors), [list(pair) for pair in event.sensors])
            theirs = (_rank(known["origin"]), len(known["sensors"]), known["sensors"])
            return {"sensors": mine[2], "origin": event.origin} if mine > theirs else {}
        case ExpectedSensorsWritten():
            return {"list_key": max(event.key, known["list_key"])}
        case ExposureSeen():
            return _timed(known, event, min(event.at or event.sent_at or now, now))


def _rank(origin: str) -> int:
    return _ORIGINS.index(origin) if origin in _ORIGINS else 0


def _timed(known: Mapping[str, Any], event: ExposureSeen, at: datetime) -> dict[str, Any]:
    longest = max(filter(None, (known["exposure_time"], event.exposure_time)), default=None)
    if event.stage is Stage.READING:
        return {"exposure_time": longest}
    moment = "started_at" if event.stage is Stage.STARTED else "read_out_at"
    earliest = min(filter(None, (known[moment], at)))
    return {moment: earliest, "exposure_time": longest}
