"""An attempt is written down, begins, and ends well or badly; what a life that ended left behind is taken up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from rapid.errors import ConflictingClaim, InputError
from rapid.ledger.batch import conflict
from rapid.ledger.chunks import chunks
from rapid.ledger.inbox import find_claims, storable
from rapid.ledger.leases import expired, is_held, unheld
from rapid.ledger.reading import arrival_from, fetch_arrival, fetch_dead_letter
from rapid.ledger.schema import arrivals, attempts, claims, dead_letters, feed
from rapid.ledger.table import (
    Identity,
    Stored,
    done_entry,
    expected_entry,
    find_entries,
    put_entries,
    register_columns,
)
from rapid.ledger.transaction import Writing
from rapid.ports import Arrival, Attempt, FeedEvent, Row, State

__all__ = ["begin", "bury", "complete", "put_back", "reclaim", "recover", "retry"]


def begin(writing: Writing, arrival_id: int) -> Attempt | None:
    """Write the attempt down; None when the arrival does not wait for one."""
    arrival = fetch_arrival(writing.connection, arrival_id)
    if arrival.state is not State.WAITING or is_held(writing, arrival.key):
        return None
    started = _set(writing, arrival, state=State.RUNNING, attempts=arrival.attempts + 1)
    line = {
        "arrival_id": arrival.id,
        "number": started.attempts,
        "started_at": writing.now,
        "state": "running",
        "error": "",
        "holder": writing.holder,
        "leased_until": writing.leased_until,
    }
    attempt_id = writing.connection.execute(sa.insert(attempts).returning(attempts.c.id), [line]).scalar_one()
    _say(writing, [started], unless_done=True)
    return Attempt(id=attempt_id, arrival=started, number=started.attempts, started_at=writing.now)


def complete(
    writing: Writing,
    attempt: Attempt,
    row: Row,
    columns: Mapping[str, Mapping[str, str]],
    timings: Mapping[str, float],
) -> FeedEvent | None:
    """End an attempt well; see `rapid.ports.Ledger.complete`."""
    arrival, said = _take(writing, attempt)
    if arrival is None:
        return said
    identity = _identity_of_result(arrival, row)
    _claim(writing, arrival, identity)
    stored = find_entries(writing.connection, [identity]).get(identity)
    entry = done_entry(arrival, stored.entry if stored else None, row, identity.detector_name, timings)
    event = put_entries(writing, [(stored, entry)])[0]
    register_columns(writing.connection, row.camera, columns)
    names = {"instrument": row.instrument, "obs_id": row.obs_id, "day_obs": row.day_obs, "seq_num": row.seq_num}
    _set(writing, arrival, state=State.DONE, error="", detector_name=identity.detector_name, **names)
    _end(writing, attempt.id, state="done", feed_id=event.id)
    return event


def put_back(writing: Writing, attempt: Attempt, *, error: str, retry_at: datetime) -> FeedEvent | None:
    """End an attempt badly; the arrival waits for another one."""
    arrival, said = _take(writing, attempt)
    if arrival is None:
        return said
    error = storable(error)
    waiting = _set(writing, arrival, state=State.WAITING, error=error, not_before=retry_at)
    event = _first(_say(writing, [waiting], unless_done=True))
    _end(writing, attempt.id, state="failed", error=error, feed_id=event.id if event else None)
    return event


def bury(writing: Writing, attempt: Attempt, *, error: str, detail: str, lasting: bool) -> FeedEvent | None:
    """End an attempt badly, for good: the arrival becomes a dead letter and the table shows it failed."""
    arrival, said = _take(writing, attempt)
    if arrival is None:
        return said
    error = storable(error)
    failed = _set(writing, arrival, state=State.FAILED, error=error)
    letter = {
        "kind": "file",
        "source": arrival.source,
        "subject": arrival.key,
        "reason": error,
        "detail": storable(detail),
        "body": b"",
        "at": writing.now,
        "arrival_id": arrival.id,
        "lasting": lasting,
    }
    writing.connection.execute(sa.insert(dead_letters), [letter])
    event = _first(_say(writing, [failed], unless_done=False))
    _end(writing, attempt.id, state="failed", error=error, feed_id=event.id if event else None)
    return event


def recover(writing: Writing) -> int:
    """Let everything wait again that a life which ended was at."""
    return _let_wait(writing, unheld(writing))


def reclaim(writing: Writing, at_work: Sequence[int]) -> int:
    """Let everything wait again whose lease has ended, except for the attempts that the caller is at."""
    return _let_wait(writing, expired(writing, at_work))


def retry(writing: Writing, dead_letter_id: int) -> Arrival:
    """Give a buried arrival its attempts back.

    If another file held its place in the table and that one failed too, the place goes to this one.

    Raises
    ------
    InputError
        If there is no such letter, or it holds nothing that could be tried again.
    """
    letter = fetch_dead_letter(writing.connection, dead_letter_id)
    subject = f"dead letter {dead_letter_id}"
    if letter.arrival_id is None:
        raise InputError("a message that cannot be used is no file to be tried again", subject=subject)
    arrival = fetch_arrival(writing.connection, letter.arrival_id)
    if letter.retried_at is not None or arrival.state is not State.FAILED:
        raise InputError(
            "nothing to be tried again",
            subject=subject,
            expected="a failed file",
            found=f"{arrival.key}, {arrival.state}",
        )
    open_letters = (dead_letters.c.arrival_id == arrival.id) & dead_letters.c.retried_at.is_(None)
    writing.connection.execute(sa.update(dead_letters).where(open_letters).values(retried_at=writing.now))
    waiting = _set(writing, arrival, state=State.WAITING, attempts=0, interruptions=0, not_before=writing.now, error="")
    _take_over(writing, waiting)
    _say(writing, [waiting], unless_done=True)
    return waiting


def _let_wait(writing: Writing, which: sa.ColumnElement[bool]) -> int:
    """Call running attempts interrupted; their arrivals wait again."""
    change = sa.update(attempts).where(attempts.c.state == "running", which)
    ended = change.values(state="interrupted", ended_at=writing.now).returning(attempts.c.arrival_id)
    waiting: list[Arrival] = []
    for some in chunks(writing.connection.execute(ended).scalars().all()):
        left = sa.update(arrivals).where(arrivals.c.id.in_(some), arrivals.c.state == State.RUNNING)
        again = left.values(state=State.WAITING.value, interruptions=arrivals.c.interruptions + 1)
        lines = writing.connection.execute(again.returning(*arrivals.columns)).mappings()
        waiting += [arrival_from(line) for line in lines]
    _say(writing, sorted(waiting, key=lambda arrival: arrival.id), unless_done=True)
    return len(waiting)


def _take(writing: Writing, attempt: Attempt) -> tuple[Arrival | None, FeedEvent | None]:
    """Find the arrival of a running attempt. None, with what the feed said of it, if the attempt has ended already."""
    query = sa.select(attempts.c.state, attempts.c.feed_id).where(attempts.c.id == attempt.id)
    state, feed_id = writing.connection.execute(query).one()
    if state != "running":
        return None, _event(writing.connection, feed_id)
    arrival = fetch_arrival(writing.connection, attempt.arrival.id)
    if arrival.state is not State.RUNNING:
        _end(writing, attempt.id, state="superseded")
        return None, None
    return arrival, None


def _event(connection: sa.Connection, feed_id: int | None) -> FeedEvent | None:
    if feed_id is None:
        return None
    return FeedEvent(**connection.execute(sa.select(feed).where(feed.c.id == feed_id)).mappings().one())


def _end(writing: Writing, attempt_id: int, *, state: str, error: str = "", feed_id: int | None = None) -> None:
    change = {"state": state, "error": error, "feed_id": feed_id, "ended_at": writing.now}
    writing.connection.execute(sa.update(attempts).where(attempts.c.id == attempt_id).values(**change))


def _set(writing: Writing, arrival: Arrival, **change: object) -> Arrival:
    query = sa.update(arrivals).where(arrivals.c.id == arrival.id).values(**change)
    return arrival_from(writing.connection.execute(query.returning(*arrivals.columns)).mappings().one())


def _identity_of_result(arrival: Arrival, row: Row) -> Identity:
    """Say which exposure a result is. What the name of the file says and what its header says must be the same exposure.

    The name of a file may leave the raft open (``RXX``); the guider file of a detector is not its raw.
    """
    named = Identity.of(arrival)
    found = Identity(row.instrument, row.obs_id, row.detector_name)
    if named is None:
        return found
    detectors = {named.detector_name, named.detector_name.removesuffix("_guider")}
    open_raft = named.detector_name.startswith("RXX_") and row.detector_name[3:] == named.detector_name[3:]
    same_exposure = (named.instrument, named.obs_id) == (found.instrument, found.obs_id)
    if same_exposure and (row.detector_name in detectors or open_raft):
        return named
    raise ConflictingClaim(
        "the file's name and its header are of different exposures",
        subject=arrival.key,
        expected=str(named),
        found=str(found),
    )


def _claim(writing: Writing, arrival: Arrival, identity: Identity) -> None:
    holder = find_claims(writing.connection, [identity]).get(identity)
    if holder is None:
        _write_claim(writing, identity, arrival.key)
    elif holder != arrival.key:
        raise conflict(identity, key=arrival.key, holder=holder)


def _write_claim(writing: Writing, identity: Identity, key: str) -> None:
    line = {"instrument": identity.instrument, "obs_id": identity.obs_id, "detector_name": identity.detector_name}
    writing.connection.execute(sa.insert(claims).values(**line, key=key))


def _take_over(writing: Writing, arrival: Arrival) -> None:
    identity = Identity.of(arrival)
    if identity is None:
        return
    holder = find_claims(writing.connection, [identity]).get(identity)
    if holder in {None, arrival.key}:
        return
    current = (arrivals.c.key == holder) & (arrivals.c.state != State.SUPERSEDED)
    if writing.connection.execute(sa.select(arrivals.c.state).where(current)).scalar_one() != State.FAILED:
        return
    where = (claims.c.obs_id == identity.obs_id) & (claims.c.detector_name == identity.detector_name)
    change = sa.update(claims).where(where, claims.c.instrument == identity.instrument)
    writing.connection.execute(change.values(key=arrival.key))


def _say(writing: Writing, said: Sequence[Arrival], *, unless_done: bool) -> list[FeedEvent]:
    """Show in table and feed where arrivals stand, if they are the ones that hold their places there."""
    named = [(arrival, identity) for arrival in said if (identity := Identity.of(arrival)) is not None]
    held = find_claims(writing.connection, [identity for _, identity in named])
    stored = find_entries(writing.connection, [identity for _, identity in named])
    changes = []
    for arrival, identity in named:
        if held.get(identity) != arrival.key:
            continue
        old: Stored | None = stored.get(identity)
        if unless_done and old is not None and old.entry["state"] == State.DONE:
            continue
        changes.append(
            (old, expected_entry(arrival, old.entry if old else None, state=arrival.state, error=arrival.error))
        )
    return put_entries(writing, changes)


def _first(events: Sequence[FeedEvent]) -> FeedEvent | None:
    return events[0] if events else None
