"""Arrivals and dead letters are written down, each once.

A batch is looked up in a few questions, decided in memory in the order of its items, and written in a few statements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from rapid.errors import ConflictingClaim
from rapid.events import FileArrived, NameFacts, Rejected
from rapid.ledger.chunks import chunks
from rapid.ledger.schema import arrivals, claims, dead_letters
from rapid.ledger.table import Identity, expected_entry, find_entries, put_entries
from rapid.ledger.transaction import Writing
from rapid.ports import Arrival, Recorded, State

__all__ = ["conflict", "find_claims", "record", "storable"]

_FIELDS = tuple(Arrival.__dataclass_fields__)


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


def conflict(identity: Identity, *, key: str, holder: str) -> ConflictingClaim:
    """Say that two files claim to be the same exposure and detector."""
    return ConflictingClaim(
        f"another file already is {identity}", subject=key, expected="one file of each detector", found=holder
    )


def find_claims(connection: sa.Connection, obs_ids: Iterable[str]) -> dict[Identity, str]:
    """Fetch which file is which detector of some exposures."""
    found: dict[Identity, str] = {}
    for some in chunks(obs_ids):
        query = sa.select(claims.c.instrument, claims.c.obs_id, claims.c.detector_name, claims.c.key)
        for instrument, obs_id, detector_name, key in connection.execute(query.where(claims.c.obs_id.in_(some))):
            found[Identity(instrument, obs_id, detector_name)] = key
    return found


def storable(text: str) -> str:
    """Write what no database takes (half a surrogate pair, a NUL) as an escape: a broken name is kept, legibly."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


@dataclass(slots=True)
class _Known:
    """One content of a key: in the database (an id) or earlier in this batch (0)."""

    id: int
    size: int
    state: str


@dataclass(slots=True)
class _Batch:
    """What is known of the keys and exposures of a batch, and what is to be written."""

    writing: Writing
    contents: dict[str, dict[str, _Known]]
    claims: dict[Identity, str]
    pending: dict[tuple[str, str], Arrival] = field(default_factory=dict)
    superseded: list[int] = field(default_factory=list)
    claimed: dict[Identity, str] = field(default_factory=dict)
    duplicates: int = 0

    def take(self, file: FileArrived) -> None:
        """Decide about one announcement."""
        identity = _identity(file.facts)
        holder = None if identity is None else self.claims.get(identity, file.key)
        same = self.contents.get(file.key, {})
        if file.content in same or self._is_copy(file, holder):
            self.duplicates += 1
            return
        self._supersede(file.key, same)
        error = ""
        if identity is not None and holder != file.key:
            error = str(conflict(identity, key=file.key, holder=str(holder)))
        elif identity is not None and identity not in self.claims:
            self.claims[identity] = self.claimed[identity] = file.key
        self._add(file, identity, error)

    def _is_copy(self, file: FileArrived, holder: str | None) -> bool:
        if holder is None or holder == file.key:
            return False
        original = self.contents.get(holder, {}).get(file.content)
        return original is not None and original.size == file.size

    def _supersede(self, key: str, same: Mapping[str, _Known]) -> None:
        for content, known in same.items():
            if known.state == State.SUPERSEDED:
                continue
            known.state = State.SUPERSEDED
            if known.id:
                self.superseded.append(known.id)
            else:
                self.pending[key, content] = replace(self.pending[key, content], state=State.SUPERSEDED)

    def _add(self, file: FileArrived, identity: Identity | None, error: str) -> None:
        state = State.FAILED if error else State.WAITING
        facts = file.facts
        self.pending[file.key, file.content] = Arrival(
            id=0,
            key=file.key,
            content=file.content,
            size=file.size,
            source=file.source,
            live=file.live,
            instrument=facts.instrument if facts else None,
            obs_id=facts.obs_id if facts else None,
            day_obs=facts.day_obs if facts else None,
            seq_num=facts.seq_num if facts else None,
            detector_name=identity.detector_name if identity else None,
            written_at=file.written_at,
            seen_at=file.seen_at,
            recorded_at=self.writing.now,
            state=state,
            attempts=0,
            interruptions=0,
            not_before=self.writing.now,
            error=error,
        )
        self.contents.setdefault(file.key, {})[file.content] = _Known(0, file.size, state)


def _storable_file(file: FileArrived) -> FileArrived:
    """Keep the oddest content tag from holding up everything that came with it; the key was checked by its maker."""
    return file if file.content.isprintable() else replace(file, content=storable(file.content))


def _identity(facts: NameFacts | None) -> Identity | None:
    """Read off a name which detector it claims; a guider file is another thing than the raw of the same detector."""
    if facts is None:
        return None
    detector_name = f"{facts.detector_name}_guider" if facts.guider else facts.detector_name
    return Identity(facts.instrument, facts.obs_id, detector_name)


def _look_up(writing: Writing, files: Sequence[FileArrived]) -> _Batch:
    held = find_claims(writing.connection, [file.facts.obs_id for file in files if file.facts])
    contents: dict[str, dict[str, _Known]] = {}
    names = (arrivals.c.id, arrivals.c.key, arrivals.c.content, arrivals.c.size, arrivals.c.state)
    for keys in chunks([*(file.key for file in files), *held.values()]):
        for known_id, key, content, size, state in writing.connection.execute(
            sa.select(*names).where(arrivals.c.key.in_(keys))
        ):
            contents.setdefault(key, {})[content] = _Known(known_id, size, state)
    return _Batch(writing, contents, held)


def _write_files(writing: Writing, batch: _Batch) -> tuple[tuple[Arrival, ...], int]:
    _write_superseded(writing, batch.superseded)
    if not batch.pending:
        return (), 0
    lines = [{name: getattr(arrival, name) for name in _FIELDS if name != "id"} for arrival in batch.pending.values()]
    ids = writing.connection.execute(sa.insert(arrivals).returning(arrivals.c.id, sort_by_parameter_order=True), lines)
    written = [replace(arrival, id=new) for arrival, new in zip(batch.pending.values(), ids.scalars(), strict=True)]
    if batch.claimed:
        names = ("instrument", "obs_id", "detector_name")
        claimed = [
            {**{name: getattr(identity, name) for name in names}, "key": key} for identity, key in batch.claimed.items()
        ]
        writing.connection.execute(sa.insert(claims), claimed)
    refused = [arrival for arrival in written if arrival.state is State.FAILED]
    _write_conflicts(writing, refused)
    new = tuple(arrival for arrival in written if arrival.state is State.WAITING)
    _expect(writing, new)
    return new, sum(1 for arrival in written if arrival.error)


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
    if letters:
        writing.connection.execute(sa.insert(dead_letters), letters)


def _expect(writing: Writing, new: Sequence[Arrival]) -> None:
    """Put what is to come into the night table, unless it already shows a result."""
    stored = find_entries(writing.connection, [arrival.obs_id for arrival in new if arrival.obs_id])
    changes = []
    for arrival in new:
        if arrival.instrument is None or arrival.obs_id is None or arrival.detector_name is None:
            continue
        old = stored.get(Identity(arrival.instrument, arrival.obs_id, arrival.detector_name))
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
    if lines:
        writing.connection.execute(sa.insert(dead_letters), lines)
    return len(lines)


def _fingerprint(letter: Rejected) -> str:
    parts = [part.encode("utf-8", "backslashreplace") for part in (letter.source, letter.subject, letter.reason)]
    lengths = ",".join(str(len(part)) for part in parts)
    return hashlib.sha256(b"\x00".join([lengths.encode(), *parts, letter.body])).hexdigest()
