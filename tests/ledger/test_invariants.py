"""Whatever happens, and in whatever order, the ledger agrees with itself and with a simple model of it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rapid.errors import ConflictingClaim, InputError
from rapid.events import FileArrived, Rejected
from rapid.ledger import open_ledger
from rapid.ports import Arrival, Attempt, FeedEvent, JsonValue, Ledger, State
from tests.support.ledgers import COLUMNS, Clock, arrived, key_of, rejected, row_of, sqlite_url
from tests.support.postgres import PostgresServer

T = TypeVar("T")
Entry = dict[str, JsonValue]

SEQ_NUMS = (1, 2)
ODD = "odd.fits"
KEYS = (*(key_of(n) for n in SEQ_NUMS), *(key_of(n, directory="copy") for n in SEQ_NUMS), ODD)
files = st.builds(arrived, st.sampled_from(KEYS), st.sampled_from("abcd"), size=st.sampled_from([10, 11]))
odd_files = st.builds(arrived, st.just(ODD), st.sampled_from("ab"))
items: st.SearchStrategy[FileArrived | Rejected] = (
    odd_files | files | st.builds(rejected, st.sampled_from(["m1", "m2"]))
)
chances = st.integers(0, 10**6)


class LedgerMachine(RuleBasedStateMachine):
    """Every public way of changing a ledger, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = Path(tempfile.mkdtemp())
        self.url = self.new_url()
        self.clock = Clock()
        self.ledger: Ledger
        self.attempts: list[Attempt] = []
        self.counted: dict[int, int] = {}
        self.completed: dict[str, int] = {}
        self.recorded: set[tuple[str, str]] = set()
        self.told: list[FeedEvent] = []
        self.passing: set[int] = set()
        self.reopened: set[int] = set()
        self.odd: tuple[str, datetime] | None = None
        self.odd_contents: set[str] = set()

    def new_url(self) -> str:
        """Name a ledger that is empty."""
        return sqlite_url(self.directory)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        self.clock.advance(1)
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        self.open_it = AsyncExitStack()
        opened = open_ledger(self.url, clock=self.clock)
        self.ledger = self.do(self.open_it.enter_async_context(opened))

    def teardown(self) -> None:
        self.runner.run(self.open_it.aclose())
        self.runner.close()
        shutil.rmtree(self.directory)

    # --- what may happen ---------------------------------------------------------------------------------------------

    @rule(told=st.lists(st.tuples(items, st.integers(0, 9)), min_size=1, max_size=6))
    def record(self, told: list[tuple[FileArrived | Rejected, int]]) -> None:
        """Record announcements, each seen some seconds ago."""
        batch = [replace(item, seen_at=self.clock.now - timedelta(seconds=age)) for item, age in told]
        before = {arrival.id: arrival for arrival in self.everything()}
        self.expect([item for item in batch if isinstance(item, FileArrived) and item.key == ODD])
        recorded = self.do(self.ledger.record(batch))
        after = {arrival.id: arrival for arrival in self.everything()}
        assert all(after[arrival.id] == arrival for arrival in recorded.new)
        assert all(arrival.attempts == 0 for arrival in recorded.new)
        again = {old.id for old in before.values() if after[old.id].recorded_at != old.recorded_at}
        assert {arrival.id for arrival in recorded.new} & set(before) <= again
        files = {(item.key, item.content) for item in batch if isinstance(item, FileArrived)}
        for arrival_id in again:
            old = before[arrival_id]
            assert (old.key, old.content) in files, "only what is announced comes back"
            contents = {content for key, content in files if key == old.key}
            was_back = old.state is State.SUPERSEDED or old.id in self.passing
            assert was_back or len(contents) > 1, "what counts stays, unless the batch replaces and restores it"
            self.counted.pop(arrival_id)
        self.passing -= again
        self.reopened |= again
        current = [one for one in after.values() if one.key == ODD and one.state is not State.SUPERSEDED]
        assert [(one.content, one.seen_at) for one in current] == ([self.odd] if self.odd else [])

    def expect(self, announced: list[FileArrived]) -> None:
        """Say which content counts of the file whose name says nothing: no other can claim its place."""
        failed = self.do(self.ledger.arrivals(states=[State.FAILED]))
        passing = any(arrival.key == ODD and arrival.id in self.passing for arrival in failed)
        for file in announced:
            content, seen_at = self.odd or ("", file.seen_at)
            later = file.seen_at > seen_at
            if (later and passing) if file.content == content else (later or file.content not in self.odd_contents):
                self.odd, passing = (file.content, file.seen_at), False
            self.odd_contents.add(file.content)

    @rule(chance=chances)
    def begin(self, chance: int) -> None:
        waiting = self.do(self.ledger.waiting(now=self.clock.now))
        if waiting:
            arrival = waiting[chance % len(waiting)]
            attempt = self.do(self.ledger.begin(arrival))
            assert attempt is not None
            assert attempt.number == arrival.attempts + 1
            self.attempts.append(attempt)

    @precondition(lambda self: self.attempts)
    @rule(chance=chances, odd=st.sampled_from(SEQ_NUMS))
    def complete(self, chance: int, odd: int) -> None:
        """Complete an attempt: any there ever was, ended or not."""
        attempt = self.attempts[chance % len(self.attempts)]
        before = self.do(self.ledger.last_feed_id())
        seq_num = attempt.arrival.seq_num or odd
        try:
            event = self.do(self.ledger.complete(attempt, row_of(seq_num), COLUMNS, timings={}))
        except ConflictingClaim:
            assert self.do(self.ledger.last_feed_id()) == before
            return
        if event is not None and event.id > before:
            assert event.body["state"] == State.DONE
            self.completed[str(event.body["obs_id"])] = self.completed.get(str(event.body["obs_id"]), 0) + 1

    @precondition(lambda self: self.attempts)
    @rule(chance=chances, again=st.booleans(), lasting=st.booleans())
    def fail(self, chance: int, again: bool, lasting: bool) -> None:
        attempt = self.attempts[chance % len(self.attempts)]
        before = {arrival.id for arrival in self.do(self.ledger.arrivals(states=[State.FAILED]))}
        at = self.clock.now if again else None
        self.do(self.ledger.fail(attempt, error="e", detail="d", retry_at=at, lasting=lasting))
        after = {arrival.id for arrival in self.do(self.ledger.arrivals(states=[State.FAILED]))}
        assert after - before <= {attempt.arrival.id}
        if not lasting:
            self.passing |= after - before

    @rule()
    def recover(self) -> None:
        running = self.do(self.ledger.counts()).running
        assert self.do(self.ledger.recover()) == running
        assert self.do(self.ledger.counts()).running == 0

    @rule(chance=chances)
    def retry(self, chance: int) -> None:
        letters = self.do(self.ledger.dead_letters())
        if not letters:
            return
        letter = letters[chance % len(letters)]
        try:
            arrival = self.do(self.ledger.retry(letter.id))
        except InputError:
            assert letter.kind == "message"
            return
        assert (letter.arrival_id, arrival.state, arrival.attempts) == (arrival.id, State.WAITING, 0)
        self.counted.pop(arrival.id)
        self.passing.discard(arrival.id)

    @rule()
    def publish(self) -> None:
        for camera, day_obs, version in self.do(self.ledger.unpublished_nights()):
            self.do(self.ledger.mark_night_published(camera, day_obs, version))
        assert self.do(self.ledger.unpublished_nights()) == []

    @rule()
    def live_again(self) -> None:
        self.do(self.open_it.aclose())
        self.open()

    # --- what must always hold ---------------------------------------------------------------------------------------

    def everything(self) -> list[Arrival]:
        return list(self.do(self.ledger.arrivals(states=list(State))))

    def entries(self) -> list[Entry]:
        nights = self.do(self.ledger.nights())
        tables = [self.do(self.ledger.night(str(one["camera"]), int(str(one["day_obs"])))) for one in nights]
        return [dict(entry) for _, _, table in tables for entry in table]

    @invariant()
    def every_content_is_in_one_state(self) -> None:
        lists = {state: self.do(self.ledger.arrivals(states=[state])) for state in State}
        contents = [(arrival.key, arrival.content) for some in lists.values() for arrival in some]
        assert len(contents) == len(set(contents))
        assert set(contents) >= self.recorded, "a content is never forgotten"
        self.recorded = set(contents)
        counts = self.do(self.ledger.counts())
        assert [getattr(counts, state.value) for state in State] == [len(some) for some in lists.values()]
        assert counts.dead_letters == len(self.do(self.ledger.dead_letters()))

    @invariant()
    def one_content_of_a_key_counts(self) -> None:
        current = [arrival.key for arrival in self.everything() if arrival.state is not State.SUPERSEDED]
        assert sorted(current) == sorted({arrival.key for arrival in self.everything()})

    @invariant()
    def attempts_are_never_forgotten(self) -> None:
        for arrival in self.everything():
            assert arrival.attempts >= self.counted.get(arrival.id, 0)
            assert arrival.interruptions <= arrival.attempts
            self.counted[arrival.id] = arrival.attempts

    @invariant()
    def what_failed_has_an_open_dead_letter(self) -> None:
        letters = [one.arrival_id for one in self.do(self.ledger.dead_letters()) if one.kind == "file"]
        assert sorted(letters, key=str) == sorted(
            [one.id for one in self.everything() if one.state is State.FAILED], key=str
        )

    @invariant()
    def an_exposure_has_one_entry_that_says_how_it_stands(self) -> None:
        entries = self.entries()
        assert len({(entry["obs_id"], entry["detector_name"]) for entry in entries}) == len(entries)
        by_id = {arrival.id: arrival for arrival in self.everything()}
        for entry in entries:
            arrival = by_id[int(str(entry["arrival_id"]))]
            assert entry["revision"] == self.completed.get(str(entry["obs_id"]), 0)
            assert bool(entry["cells"]) == bool(entry["revision"])
            if entry["state"] == State.DONE:
                assert arrival.state in {State.DONE, State.SUPERSEDED} or arrival.id in self.reopened
            else:
                assert (entry["state"], entry["error"]) == (arrival.state, arrival.error)

    @invariant()
    def the_feed_only_grows_and_tells_the_table(self) -> None:
        feed = list(self.do(self.ledger.feed(0, limit=100_000)))
        assert feed[: len(self.told)] == self.told
        ids = [event.id for event in feed]
        assert ids == sorted(set(ids))
        assert self.do(self.ledger.last_feed_id()) == max(ids, default=0)
        self.told = feed
        shown = {event.body["obs_id"]: event.body for event in feed if event.kind == "exposure"}
        assert shown == {entry["obs_id"]: entry for entry in self.entries()}

    @invariant()
    def the_nights_sum_up_their_entries(self) -> None:
        entries = self.entries()
        for night in self.do(self.ledger.nights()):
            assert night["exposures"] == len(entries)
            assert night["failed"] == len([entry for entry in entries if entry["state"] == State.FAILED])
            assert night["last_seq_num"] == max(int(str(entry["seq_num"])) for entry in entries)
            assert night["as_of"] == max(event.id for event in self.told)


class PostgresMachine(LedgerMachine):
    """The same where several services could write."""

    server: ClassVar[PostgresServer]

    def new_url(self) -> str:
        return self.server.ledger()

    def teardown(self) -> None:
        super().teardown()
        self.server.drop(self.url)


class TestLedger(LedgerMachine.TestCase):  # type: ignore[misc]
    settings = settings(max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))


class TestPostgres(PostgresMachine.TestCase):  # type: ignore[misc]
    settings = settings(max_examples=4, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))

    @pytest.fixture(autouse=True)
    def server(self, postgres: PostgresServer) -> None:
        PostgresMachine.server = postgres
