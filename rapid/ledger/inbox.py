"""Arrivals and dead letters are written down, each once.

A batch is looked up in a few questions, decided in memory (`rapid.ledger.batch`), and written in a few statements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

import sqlalchemy as sa

from rapid.events import FileArrived, Rejected
from rapid.ledger.batch import Decisions, Known, identity_of
from rapid.ledger.bulk import insert_lines, reserve_ids
from rapid.ledger.chunks import chunks
from rapid.ledger.reading import OPEN
from rapid.ledger.schema import arrivals, attempts, claims, dead_letters
from rapid.ledger.table import Identity, expected_entry, find_entries, of_detectors, put_entries
from rapid.ledger.transaction import Writing
from rapid.ports import Arrival, Recorded, State

__all__ = ["find_claims", "record", "storable"]

_FIELDS = tuple(Arrival.__dataclass_fields__)
_values = attrgetter(*_FIELDS)


def record(writing: Writing, items: Sequence[FileArrived | Rejected]) -> Recorded:
    """Write announcements down; see `rapid.ports.Ledger.record`."""
    files = [_storable_file(item) for item in items if isinstance(item, FileArrived)]
    letters = [item for item in items if isinstance(item, Rejected)]
    batch = _look_up(writing, files)
    for file in files:
        batch.take(file)
    new, conflicts = _write_files(writing, batch)
    kept = _write_messages(writing, letters)
    return Recorded(new=new, duplicates=batch.duplicates + len(letters) - kept, rejected=kept + conflicts)


def find_claims(connection: sa.Connection, identities: Iterable[Identity]) -> dict[Identity, str]:
    """Fetch which file is which of some detectors of exposures; there may be others among them."""
    found: dict[Identity, str] = {}
    for some in of_detectors(claims, identities):
        query = sa.select(claims.c.instrument, claims.c.obs_id, claims.c.detector_name, claims.c.key)
        for instrument, obs_id, detector_name, key in connection.execute(query.where(some)):
            found[Identity(instrument, obs_id, detector_name)] = key
    return found


def storable(text: str) -> str:
    """Write what no database takes (half a surrogate pair, a NUL) as an escape: a broken name is kept, legibly."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def _storable_file(file: FileArrived) -> FileArrived:
    """Keep the oddest content tag from holding up everything that came with it; the key was checked by its maker."""
    return file if file.content.isprintable() else replace(file, content=storable(file.content))


def _look_up(writing: Writing, files: Sequence[FileArrived]) -> Decisions:
    held = find_claims(writing.connection, filter(None, [identity_of(file.facts) for file in files]))
    contents: dict[str, dict[str, Known]] = {}
    passing = sa.exists().where(
        arrivals.c.state == State.FAILED, dead_letters.c.arrival_id == arrivals.c.id, OPEN, ~dead_letters.c.lasting
    )
    names = (arrivals.c.id, arrivals.c.size, arrivals.c.state, arrivals.c.seen_at, ~passing)
    for keys in chunks([*(file.key for file in files), *held.values()]):
        query = sa.select(arrivals.c.key, arrivals.c.content, *names).where(arrivals.c.key.in_(keys))
        for key, content, known_id, size, state, *more in writing.connection.execute(query):
            contents.setdefault(key, {})[content] = Known(known_id, size, State(state), *more)
    return Decisions(contents, held)


def _write_files(writing: Writing, batch: Decisions) -> tuple[tuple[Arrival, ...], int]:
    _write_superseded(writing, batch.superseded)
    fresh = set(_number(writing, [taken.known for taken in batch.pending.values() if not taken.known.id]))
    written = [taken.arrival(writing.now) for taken in batch.pending.values()]
    _write_reopened(writing, [arrival for arrival in written if arrival.id not in fresh])
    insert_lines(writing.connection, arrivals, [_line(arrival) for arrival in written if arrival.id in fresh])
    _write_claims(writing, batch.claimed)
    refused = [arrival for arrival in written if arrival.state is State.FAILED]
    _write_conflicts(writing, refused)
    new = tuple(arrival for arrival in written if arrival.state is State.WAITING)
    _expect(writing, new)
    return new, sum(1 for arrival in written if arrival.error)


def _number(writing: Writing, fresh: Sequence[Known]) -> Sequence[int]:
    """Give contents that are new the numbers they will have."""
    ids = reserve_ids(writing.connection, arrivals, len(fresh))
    for known, number in zip(fresh, ids, strict=True):
        known.id = number
    return ids


def _line(arrival: Arrival) -> dict[str, object]:
    line = dict(zip(_FIELDS, _values(arrival), strict=True))
    line["state"] = arrival.state.value  # what an enumeration is made of, no driver has to find out
    return line


def _write_reopened(writing: Writing, reopened: Sequence[Arrival]) -> None:
    """Let arrivals start anew in their old place; what an attempt of before is still at does not count any more."""
    if not reopened:
        return
    for some in chunks(arrival.id for arrival in reopened):
        letters = dead_letters.c.arrival_id.in_(some) & OPEN
        writing.connection.execute(sa.update(dead_letters).where(letters).values(retried_at=writing.now))
        running = attempts.c.arrival_id.in_(some) & (attempts.c.state == "running")
        writing.connection.execute(sa.update(attempts).where(running).values(state="superseded", ended_at=writing.now))
    names = [name for name in _FIELDS if name not in {"id", "key", "content"}]
    lines = [{"arrival_id": arrival.id, **{name: getattr(arrival, name) for name in names}} for arrival in reopened]
    change = sa.update(arrivals).where(arrivals.c.id == sa.bindparam("arrival_id"))
    writing.connection.execute(change.values({name: sa.bindparam(name) for name in names}), lines)


def _write_claims(writing: Writing, claimed: Mapping[Identity, str]) -> None:
    names = ("instrument", "obs_id", "detector_name")
    lines = [{**{name: getattr(identity, name) for name in names}, "key": key} for identity, key in claimed.items()]
    insert_lines(writing.connection, claims, lines)


def _write_superseded(writing: Writing, ids: Sequence[int]) -> None:
    for some in chunks(ids):
        writing.connection.execute(
            sa.update(arrivals).where(arrivals.c.id.in_(some)).values(state=State.SUPERSEDED.value)
        )
        letters = dead_letters.c.arrival_id.in_(some) & dead_letters.c.superseded_at.is_(None)
        writing.connection.execute(sa.update(dead_letters).where(letters).values(superseded_at=writing.now))


def _write_conflicts(writing: Writing, refused: Sequence[Arrival]) -> None:
    letters = [
        {
            "kind": "file",
            "source": arrival.source,
            "subject": arrival.key,
            "reason": arrival.error,
            "detail": "",
            "body": b"",
            "at": writing.now,
            "arrival_id": arrival.id,
        }
        for arrival in refused
    ]
    insert_lines(writing.connection, dead_letters, letters)


def _expect(writing: Writing, new: Sequence[Arrival]) -> None:
    """Put what is to come into the night table, unless it already shows a result."""
    named = [(arrival, identity) for arrival in new if (identity := Identity.of(arrival)) is not None]
    stored = find_entries(writing.connection, [identity for _, identity in named])
    changes = []
    for arrival, identity in named:
        old = stored.get(identity)
        if old is None or old.entry["state"] != State.DONE:
            changes.append((old, expected_entry(arrival, old.entry if old else None, state=State.WAITING)))
    put_entries(writing, changes)


def _write_messages(writing: Writing, letters: Sequence[Rejected]) -> int:
    """Keep messages that cannot be used; returns how many were not kept already."""
    by_print = {_fingerprint(letter): letter for letter in reversed(letters)}
    known: set[str] = set()
    for some in chunks(by_print):
        query = sa.select(dead_letters.c.fingerprint).where(dead_letters.c.fingerprint.in_(some))
        known.update(writing.connection.execute(query).scalars())
    lines = [
        {
            "kind": "message",
            "source": letter.source,
            "subject": storable(letter.subject),
            "reason": storable(letter.reason),
            "detail": "",
            "body": letter.body,
            "at": letter.seen_at,
            "arrival_id": None,
            "fingerprint": fingerprint,
        }
        for fingerprint, letter in reversed(by_print.items())
        if fingerprint not in known
    ]
    insert_lines(writing.connection, dead_letters, lines)
    return len(lines)


def _fingerprint(letter: Rejected) -> str:
    parts = [part.encode("utf-8", "backslashreplace") for part in (letter.source, letter.subject, letter.reason)]
    lengths = ",".join(str(len(part)) for part in parts)
    return hashlib.sha256(b"\x00".join([lengths.encode(), *parts, letter.body])).hexdigest()
