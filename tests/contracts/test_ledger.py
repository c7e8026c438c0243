"""What every ledger must do, whatever it is kept in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rapid.errors import ConflictingClaim, InputError
from rapid.events import FileArrived
from rapid.ledger import open_ledger
from rapid.ports import Counts, Ledger, State
from tests.support.ledgers import (
    COLUMNS,
    DAY_OBS,
    NOON,
    Clock,
    arrived,
    begun,
    buried,
    done,
    key_of,
    rejected,
    row_of,
    sqlite_url,
)

Opener = Callable[[], AbstractAsyncContextManager[Ledger]]

NOTHING = Counts(waiting=0, running=0, done=0, failed=0, superseded=0, dead_letters=0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite"])
def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Opener:
    """Opens one and the same ledger each time it is called; another kind of ledger is another parameter."""
    urls = {"sqlite": sqlite_url(tmp_path)}
    return lambda: open_ledger(urls[request.param], clock=clock)


@pytest.fixture
async def ledger(opener: Opener) -> AsyncIterator[Ledger]:
    async with opener() as ledger:
        yield ledger


async def entry_of(ledger: Ledger, seq_num: int) -> dict[str, object]:
    _, _, entries = await ledger.night("auxtel", DAY_OBS)
    (entry,) = [entry for entry in entries if entry["seq_num"] == seq_num]
    return dict(entry)


def seen(
    key: str | int, content: str = "a", *, after: float, live: bool = True, source: str = "directory"
) -> FileArrived:
    """Announce a file that was noticed some seconds after noon."""
    return replace(arrived(key, content, live=live, source=source), seen_at=NOON + timedelta(seconds=after))


class TestRecord:
    async def test_an_empty_ledger_has_nothing(self, ledger: Ledger) -> None:
        assert await ledger.counts() == NOTHING
        assert await ledger.feed(0) == []
        assert await ledger.last_feed_id() == 0
        assert await ledger.nights() == []
        assert await ledger.night("auxtel", DAY_OBS) == (0, {}, [])

    async def test_an_arrival_is_kept_as_it_was_said(self, ledger: Ledger) -> None:
        recorded = await ledger.record([arrived(7, "etag", size=33, live=False)])
        (arrival,) = recorded.new
        assert (arrival.key, arrival.content, arrival.size, arrival.live) == (key_of(7), "etag", 33, False)
        assert (arrival.instrument, arrival.obs_id) == ("LATISS", "AT_O_20260315_000007")
        assert (arrival.day_obs, arrival.seq_num, arrival.detector_name) == (DAY_OBS, 7, "R00_S00")
        assert (arrival.written_at, arrival.seen_at) == (NOON, NOON + timedelta(seconds=1))
        assert (arrival.state, arrival.attempts, arrival.interruptions) == (State.WAITING, 0, 0)
        assert await ledger.waiting(now=NOON) == [arrival]

    async def test_a_name_that_says_nothing_is_recorded_too(self, ledger: Ledger) -> None:
        (arrival,) = (await ledger.record([arrived("odd/name.fits")])).new
        assert (arrival.obs_id, arrival.day_obs, arrival.detector_name) == (None, None, None)
        assert await ledger.feed(0) == []

    async def test_the_same_content_is_a_duplicate(self, ledger: Ledger) -> None:
        await ledger.record([arrived(1)])
        recorded = await ledger.record([arrived(1), arrived(2), arrived(2)])
        assert [arrival.seq_num for arrival in recorded.new] == [2]
        assert recorded.duplicates == 2
        assert (await ledger.counts()).received == 2

    async def test_ids_are_in_the_order_of_arrival(self, ledger: Ledger) -> None:
        recorded = await ledger.record([arrived(number) for number in range(1200, 0, -1)])
        ids = [arrival.id for arrival in recorded.new]
        assert ids == sorted(ids)
        assert [arrival.seq_num for arrival in await ledger.waiting(now=NOON)] == list(range(1200, 0, -1))

    async def test_another_content_supersedes(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1, "a")
        (arrival,) = (await ledger.record([arrived(1, "b")])).new
        assert arrival.attempts == 0
        assert [old.id for old in await ledger.arrivals(states=[State.SUPERSEDED])] == [attempt.arrival.id]
        assert await ledger.waiting(now=NOON) == [arrival]

    async def test_another_content_in_the_same_batch_supersedes(self, ledger: Ledger) -> None:
        recorded = await ledger.record([arrived(1, "a"), arrived(1, "b"), arrived(1, "a")])
        assert [arrival.content for arrival in recorded.new] == ["b"]
        assert recorded.duplicates == 1
        counts = await ledger.counts()
        assert (counts.waiting, counts.superseded) == (1, 1)

    async def test_another_content_closes_the_dead_letter(self, ledger: Ledger) -> None:
        await buried(ledger, 1)
        assert (await ledger.counts()).dead_letters == 1
        await ledger.record([arrived(1, "b")])
        assert await ledger.dead_letters() == []
        assert (await ledger.counts()).dead_letters == 0
        assert (await entry_of(ledger, 1))["state"] == "waiting"

    async def test_two_files_cannot_be_one_exposure(self, ledger: Ledger) -> None:
        await ledger.record([arrived(1)])
        other = key_of(1, directory="copy")
        recorded = await ledger.record([arrived(other, "b")])
        assert (recorded.new, recorded.duplicates, recorded.rejected) == ((), 0, 1)
        (letter,) = await ledger.dead_letters()
        assert (letter.kind, letter.subject) == ("file", other)
        assert other in letter.reason
        assert key_of(1) in letter.reason
        (failed,) = await ledger.arrivals(states=[State.FAILED])
        assert failed.id == letter.arrival_id
        assert (await entry_of(ledger, 1))["state"] == "waiting"

    async def test_two_files_cannot_be_one_exposure_in_one_batch(self, ledger: Ledger) -> None:
        recorded = await ledger.record([arrived(1), arrived(key_of(1, directory="copy"), "b")])
        assert (len(recorded.new), recorded.rejected) == (1, 1)

    async def test_a_copy_under_another_name_is_a_duplicate(self, ledger: Ledger) -> None:
        await ledger.record([arrived(1)])
        recorded = await ledger.record([arrived(key_of(1, directory="copy"))])
        assert (recorded.new, recorded.duplicates, recorded.rejected) == ((), 1, 0)
        assert (await ledger.counts()).received == 1

    async def test_a_guider_file_is_not_the_raw_of_its_detector(self, ledger: Ledger) -> None:
        guider = key_of(1, detector="R00_S00_guider")
        recorded = await ledger.record([arrived(1), arrived(guider)])
        assert [arrival.detector_name for arrival in recorded.new] == ["R00_S00", "R00_S00_guider"]

    async def test_what_cannot_be_used_is_kept_whole_and_once(self, ledger: Ledger) -> None:
        recorded = await ledger.record(
            [rejected(body=b"\x00\xff"), rejected(body=b"\x00\xff"), rejected(body=b"other")]
        )
        assert (recorded.rejected, recorded.duplicates) == (2, 1)
        assert (await ledger.record([rejected(body=b"other")])).rejected == 0
        letters = await ledger.dead_letters()
        assert [letter.body for letter in letters] == [b"other", b"\x00\xff"]
        assert {(letter.kind, letter.source, letter.reason, letter.at) for letter in letters} == {
            ("message", "kafka", "not JSON", NOON)
        }

    async def test_broken_text_is_kept_legibly(self, ledger: Ledger) -> None:
        await ledger.record([rejected("half \ud800 and \x00", "no text")])
        assert (await ledger.dead_letters())[0].subject == "half \\ud800 and \\x00"

    async def test_a_broken_content_tag_is_kept_legibly_and_known_again(self, ledger: Ledger) -> None:
        (arrival,) = (await ledger.record([arrived(1, "tag \udcff")])).new
        assert arrival.content == "tag \\udcff"
        assert (await ledger.record([arrived(1, "tag \udcff")])).duplicates == 1

    async def test_a_time_without_a_zone_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="without a zone"):
            await ledger.waiting(now=NOON.replace(tzinfo=None))


class TestReopening:
    async def test_a_restored_file_is_studied_again_and_its_row_replaces_the_failed_one(self, ledger: Ledger) -> None:
        first = await done(ledger, 1, "a", seeing=1.1)
        await buried(ledger, 1, "b")
        assert (await entry_of(ledger, 1))["state"] == "failed"
        recorded = await ledger.record([seen(1, "a", after=60, live=False, source="kafka")])
        (arrival,) = recorded.new
        assert (arrival.id, arrival.state, arrival.attempts, arrival.error) == (first.arrival.id, State.WAITING, 0, "")
        assert (arrival.seen_at, arrival.live, arrival.source) == (NOON + timedelta(seconds=60), False, "kafka")
        assert await ledger.waiting(now=NOON) == [arrival]
        assert [old.content for old in await ledger.arrivals(states=[State.SUPERSEDED])] == ["b"]
        assert await ledger.dead_letters() == []
        entry = await entry_of(ledger, 1)
        assert (entry["state"], entry["error"], entry["revision"]) == ("waiting", "", 1)
        assert (await ledger.feed(0))[-1].body == entry
        attempt = await ledger.begin(arrival)
        assert attempt is not None
        assert attempt.number == 1
        await ledger.complete(attempt, row_of(1, seeing=0.9), COLUMNS, timings={})
        entry = await entry_of(ledger, 1)
        assert (entry["state"], entry["revision"], entry["arrival_id"]) == ("done", 2, arrival.id)
        assert entry["cells"] == row_of(1, seeing=0.9).cells

    @pytest.mark.parametrize("after", [1, 2])
    async def test_an_older_content_that_is_told_late_is_a_duplicate(self, ledger: Ledger, after: int) -> None:
        await ledger.record([seen(1, "a", after=1), seen(1, "b", after=2)])
        before = (await ledger.waiting(now=NOON), await ledger.last_feed_id())
        recorded = await ledger.record([seen(1, "a", after=after)])
        assert (recorded.new, recorded.duplicates) == ((), 1)
        assert (await ledger.waiting(now=NOON), await ledger.last_feed_id()) == before

    async def test_what_a_restored_file_replaced_is_not_brought_back_by_its_late_twin(self, ledger: Ledger) -> None:
        for content, after in (("a", 1), ("b", 2), ("a", 3)):
            await ledger.record([seen(1, content, after=after)])
        assert (await ledger.record([seen(1, "b", after=2), seen(1, "a", after=3)])).duplicates == 2
        assert [arrival.content for arrival in await ledger.waiting(now=NOON)] == ["a"]

    async def test_a_file_restored_within_a_batch(self, ledger: Ledger) -> None:
        recorded = await ledger.record([seen(1, content, after=after) for after, content in enumerate("aba")])
        assert [(arrival.content, arrival.seen_at) for arrival in recorded.new] == [("a", NOON + timedelta(seconds=2))]
        assert recorded.duplicates == 0
        assert await ledger.waiting(now=NOON) == list(recorded.new)
        assert (await ledger.counts()).superseded == 1

    async def test_a_file_that_goes_to_and_fro_within_a_batch(self, ledger: Ledger) -> None:
        await done(ledger, 1, "a")
        await buried(ledger, 1, "b")
        recorded = await ledger.record([seen(1, content, after=10 + after) for after, content in enumerate("abcab")])
        assert [arrival.content for arrival in recorded.new] == ["b"]
        assert await ledger.waiting(now=NOON) == list(recorded.new)
        assert (await ledger.counts()).superseded == 2
        assert await ledger.dead_letters() == []
        entry = await entry_of(ledger, 1)
        assert (entry["state"], entry["arrival_id"]) == ("waiting", recorded.new[0].id)

    async def test_an_attempt_of_before_does_not_end_the_reopened_arrival(self, ledger: Ledger) -> None:
        old = await begun(ledger, 1, "a")
        await ledger.record([seen(1, "b", after=2)])
        (arrival,) = (await ledger.record([seen(1, "a", after=3)])).new
        attempt = await ledger.begin(arrival)
        assert attempt is not None
        assert await ledger.complete(old, row_of(1, seeing=9.0), COLUMNS, timings={}) is None
        assert await ledger.fail(old, error="late", detail="", retry_at=None) is None
        assert await ledger.complete(attempt, row_of(1), COLUMNS, timings={}) is not None
        assert (await entry_of(ledger, 1))["cells"] == row_of(1).cells

    async def test_a_restored_second_claim_is_refused_again(self, ledger: Ledger) -> None:
        await done(ledger, 1)
        other = key_of(1, directory="copy")
        for after, content in enumerate(("b", "c"), start=1):
            assert (await ledger.record([seen(other, content, after=after)])).rejected == 1
        recorded = await ledger.record([seen(other, "b", after=3)])
        assert (recorded.new, recorded.duplicates, recorded.rejected) == ((), 0, 1)
        (failed,) = await ledger.arrivals(states=[State.FAILED])
        assert failed.content == "b"
        assert [letter.arrival_id for letter in await ledger.dead_letters()] == [failed.id]
        assert (await entry_of(ledger, 1))["state"] == "done"

    async def test_a_failure_that_does_not_last_ends_with_the_next_announcement(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1)
        await ledger.fail(attempt, error="not there", detail="", retry_at=None, lasting=False)
        (letter,) = await ledger.dead_letters()
        assert (await ledger.record([seen(1, after=1)])).duplicates == 1, "the announcement that led to the failure"
        (arrival,) = (await ledger.record([seen(1, after=2), seen(1, after=3)])).new
        assert (arrival.id, arrival.state, arrival.attempts) == (attempt.arrival.id, State.WAITING, 0)
        assert await ledger.waiting(now=NOON) == [arrival]
        assert await ledger.dead_letters() == []
        assert (await ledger.dead_letter(letter.id)).retried_at == NOON
        entry = await entry_of(ledger, 1)
        assert (entry["state"], entry["error"]) == ("waiting", "")

    async def test_a_failure_that_lasts_stays(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1)
        await ledger.fail(attempt, error="not there", detail="", retry_at=None, lasting=False)
        (arrival,) = (await ledger.record([seen(1, after=2)])).new
        again = await ledger.begin(arrival)
        assert again is not None
        await ledger.fail(again, error="truncated", detail="", retry_at=None)
        recorded = await ledger.record([seen(1, after=3)])
        assert (recorded.new, recorded.duplicates) == ((), 1)
        assert [letter.reason for letter in await ledger.dead_letters()] == ["truncated"]
        assert (await entry_of(ledger, 1))["state"] == "failed"


class TestAttempts:
    async def test_an_attempt_is_counted_before_it_is_made(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1)
        assert (attempt.number, attempt.arrival.attempts, attempt.arrival.state) == (1, 1, State.RUNNING)
        assert await ledger.arrivals(states=[State.RUNNING]) == [attempt.arrival]
        assert await ledger.waiting(now=NOON) == []

    async def test_what_does_not_wait_cannot_begin(self, ledger: Ledger) -> None:
        running = await begun(ledger, 1)
        finished = await done(ledger, 2)
        superseded = (await ledger.record([arrived(3, "a")])).new[0]
        await ledger.record([arrived(3, "b")])
        for arrival in (running.arrival, finished.arrival, superseded):
            assert await ledger.begin(arrival) is None

    async def test_complete_writes_row_and_feed(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 5)
        event = await ledger.complete(attempt, row_of(5), COLUMNS, timings={"isr": 0.25})
        assert event is not None
        assert event.body == await entry_of(ledger, 5)
        assert event.body == {
            "camera": "auxtel",
            "instrument": "LATISS",
            "obs_id": "AT_O_20260315_000005",
            "day_obs": DAY_OBS,
            "seq_num": 5,
            "detector_name": "R00_S00",
            "state": "done",
            "error": "",
            "revision": 1,
            "arrival_id": attempt.arrival.id,
            "cells": {"seeing": 1.1, "filter": "SDSSr_65mm~empty"},
            "notes": {},
            "uncertainties": {"seeing": 0.02},
            "channels": {"monitor": "auxtel/5.png"},
            "failures": {},
            "timings": {"isr": 0.25},
        }
        as_of, columns, _ = await ledger.night("auxtel", DAY_OBS)
        assert (as_of, columns) == (event.id, COLUMNS)
        assert (await ledger.counts()).done == 1

    async def test_complete_twice_is_complete_once(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 5)
        first = await ledger.complete(attempt, row_of(5), COLUMNS, timings={})
        assert await ledger.complete(attempt, row_of(5), COLUMNS, timings={}) == first
        assert (await entry_of(ledger, 5))["revision"] == 1

    async def test_a_superseded_result_is_not_taken(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1, "a")
        await ledger.record([arrived(1, "b")])
        assert await ledger.complete(attempt, row_of(1), COLUMNS, timings={}) is None
        assert (await entry_of(ledger, 1))["state"] == "waiting"
        counts = await ledger.counts()
        assert (counts.done, counts.superseded, counts.waiting) == (0, 1, 1)

    async def test_a_superseded_failure_is_not_buried(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1, "a")
        await ledger.record([arrived(1, "b")])
        assert await ledger.fail(attempt, error="e", detail="", retry_at=None) is None
        assert await ledger.dead_letters() == []

    async def test_a_new_content_raises_the_revision(self, ledger: Ledger) -> None:
        await done(ledger, 1, "a", seeing=1.1)
        attempt = await begun(ledger, 1, "b")
        assert (await entry_of(ledger, 1))["cells"]["seeing"] == 1.1  # type: ignore[index]
        await ledger.complete(attempt, row_of(1, seeing=0.9), COLUMNS, timings={})
        entry = await entry_of(ledger, 1)
        assert (entry["revision"], entry["cells"]["seeing"], entry["arrival_id"]) == (2, 0.9, attempt.arrival.id)  # type: ignore[index]

    async def test_a_result_claims_its_exposure(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, "odd.fits")
        await ledger.complete(attempt, row_of(1), COLUMNS, timings={})
        assert (await ledger.record([arrived(1)])).duplicates == 1
        recorded = await ledger.record([arrived(1, "b")])
        assert recorded.new == ()
        assert "odd.fits" in (await ledger.dead_letters())[0].reason

    async def test_a_result_of_anothers_exposure_is_refused(self, ledger: Ledger) -> None:
        await done(ledger, 1)
        before = await ledger.last_feed_id()
        attempt = await begun(ledger, "odd.fits", "b")
        with pytest.raises(ConflictingClaim, match=rf"odd\.fits.*found .*{key_of(1)}"):
            await ledger.complete(attempt, row_of(1, seeing=9.0), COLUMNS, timings={})
        assert await ledger.last_feed_id() == before
        assert (await ledger.counts()).running == 1
        assert (await entry_of(ledger, 1))["cells"]["seeing"] == 1.1  # type: ignore[index]

    async def test_a_name_and_a_header_must_agree(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1)
        with pytest.raises(ConflictingClaim, match=r"name and its header.*000001 R00_S00.*000002 R00_S00"):
            await ledger.complete(attempt, row_of(2), COLUMNS, timings={})

    async def test_a_name_may_leave_the_raft_open(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, key_of(1, detector="RXX_S00"))
        event = await ledger.complete(attempt, row_of(1), COLUMNS, timings={})
        assert event is not None
        assert event.body["detector_name"] == "RXX_S00"

    async def test_a_number_that_is_not_finite_is_refused(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1)
        with pytest.raises(InputError, match=r"AT_O_20260315_000001.*finite.*seeing = nan"):
            await ledger.complete(attempt, row_of(1, seeing=float("nan")), COLUMNS, timings={})
        assert (await ledger.counts()).running == 1

    async def test_a_failure_waits_for_its_next_try(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1)
        later = NOON + timedelta(seconds=30)
        event = await ledger.fail(attempt, error="gone", detail="", retry_at=later)
        assert event is not None
        assert (event.body["state"], event.body["error"]) == ("waiting", "gone")
        assert await ledger.waiting(now=later - timedelta(microseconds=1)) == []
        (arrival,) = await ledger.waiting(now=later)
        assert (arrival.attempts, arrival.error, arrival.not_before) == (1, "gone", later)
        again = await ledger.begin(arrival)
        assert again is not None
        assert again.number == 2

    async def test_a_buried_arrival_is_shown_and_kept(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1)
        event = await ledger.fail(attempt, error="truncated", detail="Traceback", retry_at=None)
        assert event is not None
        assert (event.body["state"], event.body["error"], event.body["revision"]) == ("failed", "truncated", 0)
        (letter,) = await ledger.dead_letters()
        assert (letter.kind, letter.source, letter.subject) == ("file", "directory", key_of(1))
        assert (letter.reason, letter.detail, letter.arrival_id) == ("truncated", "Traceback", attempt.arrival.id)
        assert await ledger.dead_letter(letter.id) == letter
        assert await ledger.fail(attempt, error="truncated", detail="Traceback", retry_at=None) == event
        assert len(await ledger.dead_letters()) == 1

    async def test_a_buried_new_content_keeps_the_old_cells(self, ledger: Ledger) -> None:
        await done(ledger, 1, "a")
        await buried(ledger, 1, "b", error="broken")
        entry = await entry_of(ledger, 1)
        assert (entry["state"], entry["error"], entry["revision"]) == ("failed", "broken", 1)
        assert entry["cells"] == row_of(1).cells

    async def test_a_burial_without_a_known_exposure_is_kept_only(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, "odd.fits")
        assert await ledger.fail(attempt, error="not FITS", detail="", retry_at=None) is None
        assert [letter.subject for letter in await ledger.dead_letters()] == ["odd.fits"]
        assert await ledger.feed(0) == []


class TestAfterwards:
    async def test_what_was_running_is_recovered_in_the_next_life(self, opener: Opener) -> None:
        async with opener() as ledger:
            await begun(ledger, 1)
            await done(ledger, 2)
        async with opener() as ledger:
            assert await ledger.recover() == 1
            assert await ledger.recover() == 0
            (arrival,) = await ledger.waiting(now=NOON)
            assert (arrival.seq_num, arrival.attempts, arrival.interruptions) == (1, 1, 1)
            assert (await entry_of(ledger, 1))["state"] == "waiting"
            attempt = await ledger.begin(arrival)
            assert attempt is not None
            assert attempt.number == 2

    async def test_an_attempt_of_a_former_life_ends_without_effect(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1)
        await ledger.recover()
        assert await ledger.complete(attempt, row_of(1), COLUMNS, timings={}) is None
        assert (await ledger.counts()).waiting == 1

    async def test_retry_gives_the_attempts_back(self, ledger: Ledger) -> None:
        await buried(ledger, 1)
        (letter,) = await ledger.dead_letters()
        arrival = await ledger.retry(letter.id)
        assert (arrival.state, arrival.attempts, arrival.error) == (State.WAITING, 0, "")
        assert await ledger.waiting(now=NOON) == [arrival]
        assert await ledger.dead_letters() == []
        assert (await ledger.dead_letter(letter.id)).retried_at == NOON
        assert (await entry_of(ledger, 1))["state"] == "waiting"

    async def test_retry_refuses_what_cannot_be_tried(self, ledger: Ledger) -> None:
        await ledger.record([rejected()])
        await buried(ledger, 1)
        buried_letter, message = await ledger.dead_letters()
        await ledger.record([arrived(1, "b")])
        with pytest.raises(InputError, match="dead letter 999: there is no such dead letter"):
            await ledger.retry(999)
        with pytest.raises(InputError, match="a message that cannot be used"):
            await ledger.retry(message.id)
        with pytest.raises(InputError, match=r"nothing to be tried again.*superseded"):
            await ledger.retry(buried_letter.id)
        with pytest.raises(InputError, match="there is no such dead letter"):
            await ledger.dead_letter(999)

    async def test_retry_of_a_second_claim_takes_a_failed_ones_place(self, ledger: Ledger) -> None:
        await buried(ledger, 1, error="truncated")
        await ledger.record([arrived(key_of(1, directory="copy"), "b")])
        newest, _ = await ledger.dead_letters()
        arrival = await ledger.retry(newest.id)
        assert (await entry_of(ledger, 1))["arrival_id"] == arrival.id
        attempt = await ledger.begin(arrival)
        assert attempt is not None
        assert await ledger.complete(attempt, row_of(1), COLUMNS, timings={}) is not None
        assert (await entry_of(ledger, 1))["state"] == "done"

    async def test_retry_of_a_second_claim_does_not_take_a_good_ones_place(self, ledger: Ledger) -> None:
        await done(ledger, 1)
        await ledger.record([arrived(key_of(1, directory="copy"), "b")])
        (letter,) = await ledger.dead_letters()
        attempt = await ledger.begin(await ledger.retry(letter.id))
        assert attempt is not None
        with pytest.raises(ConflictingClaim):
            await ledger.complete(attempt, row_of(1), COLUMNS, timings={})
        before = await ledger.last_feed_id()
        assert await ledger.fail(attempt, error="another file already is it", detail="", retry_at=None) is None
        assert (await entry_of(ledger, 1))["state"] == "done"
        assert await ledger.last_feed_id() == before

    async def test_retry_of_a_second_claim_is_not_shown_in_a_waiting_ones_place(self, ledger: Ledger) -> None:
        (first,) = (await ledger.record([arrived(1)])).new
        await ledger.record([arrived(key_of(1, directory="copy"), "b")])
        (letter,) = await ledger.dead_letters()
        assert await ledger.begin(await ledger.retry(letter.id)) is not None
        entry = await entry_of(ledger, 1)
        assert (entry["state"], entry["arrival_id"]) == ("waiting", first.id)

    async def test_everything_is_there_in_the_next_life(self, opener: Opener) -> None:
        async with opener() as ledger:
            await done(ledger, 1)
            await buried(ledger, 2)
            before = (await ledger.night("auxtel", DAY_OBS), await ledger.feed(0), await ledger.counts())
        async with opener() as ledger:
            assert (await ledger.night("auxtel", DAY_OBS), await ledger.feed(0), await ledger.counts()) == before


class TestTable:
    async def test_nights_are_summed_up_newest_first(self, ledger: Ledger) -> None:
        await done(ledger, 3)
        await buried(ledger, 4)
        await ledger.record([arrived(key_of(9, day_obs=DAY_OBS + 1))])
        as_of = await ledger.last_feed_id()
        newest, oldest = await ledger.nights()
        assert newest == {
            "camera": "auxtel", "day_obs": DAY_OBS + 1, "exposures": 1, "failed": 0, "last_seq_num": 9, "as_of": as_of,
        }  # fmt: skip
        assert (oldest["exposures"], oldest["failed"], oldest["last_seq_num"]) == (2, 1, 4)
        assert await ledger.nights("auxtel") == [newest, oldest]
        assert await ledger.nights("comcam") == []

    async def test_entries_are_in_order_of_seq_num(self, ledger: Ledger) -> None:
        for seq_num in (5, 2, 9):
            await done(ledger, seq_num)
        _, _, entries = await ledger.night("auxtel", DAY_OBS)
        assert [entry["seq_num"] for entry in entries] == [2, 5, 9]

    async def test_only_columns_of_the_night_are_described(self, ledger: Ledger) -> None:
        await done(ledger, 1)
        attempt = await begun(ledger, key_of(1, day_obs=DAY_OBS + 1))
        sky = {"sky": {"label": "Sky", "unit": "electron", "description": "Level", "type": "float", "group": "sky"}}
        row = row_of(1, day_obs=DAY_OBS + 1)
        await ledger.complete(attempt, row, {**COLUMNS, **sky}, timings={})
        assert (await ledger.night("auxtel", DAY_OBS + 1))[1] == COLUMNS

    async def test_a_columns_description_follows_the_newest(self, ledger: Ledger) -> None:
        await done(ledger, 1)
        attempt = await begun(ledger, 2)
        newer = {**COLUMNS, "seeing": {**COLUMNS["seeing"], "label": "PSF FWHM"}}
        await ledger.complete(attempt, row_of(2), newer, timings={})
        assert (await ledger.night("auxtel", DAY_OBS))[1] == newer

    async def test_a_missing_value_takes_no_type_away(self, ledger: Ledger) -> None:
        """A bias has no seeing, and does not know that a seeing is a number."""
        await done(ledger, 1)
        untyped = {name: {**spec, "type": ""} for name, spec in COLUMNS.items()}
        await ledger.complete(await begun(ledger, 2), row_of(2), untyped, timings={})
        assert (await ledger.night("auxtel", DAY_OBS))[1] == COLUMNS

    async def test_a_night_is_published_as_of_a_version(self, ledger: Ledger) -> None:
        await ledger.record([arrived(1)])
        assert await ledger.unpublished_nights() == []
        await done(ledger, 2)
        ((camera, day_obs, version),) = await ledger.unpublished_nights()
        assert (camera, day_obs) == ("auxtel", DAY_OBS)
        await done(ledger, 3)
        await ledger.mark_night_published(camera, day_obs, version)
        ((_, _, newer),) = await ledger.unpublished_nights()
        assert newer > version
        await ledger.mark_night_published(camera, day_obs, newer)
        await ledger.mark_night_published(camera, day_obs, version)
        assert await ledger.unpublished_nights() == []

    async def test_a_failure_that_is_taken_back_changes_the_published_night(self, ledger: Ledger) -> None:
        await buried(ledger, 1)
        ((camera, day_obs, version),) = await ledger.unpublished_nights()
        await ledger.mark_night_published(camera, day_obs, version)
        await ledger.record([arrived(1, "b"), arrived(2)])
        assert [night[:2] for night in await ledger.unpublished_nights()] == [(camera, day_obs)]

    @pytest.mark.parametrize(
        ("prefix", "camera"), [("AT", "auxtel"), ("CC", "comcam"), ("MC", "lsstcam"), ("TS", "lsst_ts8")]
    )
    async def test_every_instrument_has_its_page_before_its_first_result(
        self, ledger: Ledger, prefix: str, camera: str
    ) -> None:
        await ledger.record([arrived(f"{prefix}_O_{DAY_OBS}_000001_R22_S11.fits")])
        assert [night["camera"] for night in await ledger.nights()] == [camera]

    async def test_a_result_may_belong_to_another_page_than_expected(self, ledger: Ledger) -> None:
        attempt = await begun(ledger, 1)
        await ledger.complete(attempt, row_of(1, camera="startracker"), COLUMNS, timings={})
        assert [night["camera"] for night in await ledger.nights()] == ["startracker"]
        assert (await ledger.night("auxtel", DAY_OBS))[2] == []
        assert [camera for camera, _, _ in await ledger.unpublished_nights()] == ["auxtel", "startracker"]


class TestFeed:
    async def test_an_exposure_is_seen_on_its_way(self, ledger: Ledger) -> None:
        await done(ledger, 1)
        events = await ledger.feed(0)
        assert [(event.kind, event.body.get("state")) for event in events] == [
            ("night", None), ("exposure", "waiting"), ("exposure", "running"), ("exposure", "done"),
        ]  # fmt: skip
        assert [event.id for event in events] == sorted({event.id for event in events})
        assert {(event.camera, event.day_obs, event.at) for event in events} == {("auxtel", DAY_OBS, NOON)}

    async def test_a_done_row_stays_while_a_new_content_is_on_its_way(self, ledger: Ledger) -> None:
        await done(ledger, 1, "a")
        before = await ledger.last_feed_id()
        await done(ledger, 1, "b")
        assert [event.body["state"] for event in await ledger.feed(before)] == ["done"]

    async def test_the_feed_is_read_in_pieces(self, ledger: Ledger) -> None:
        await ledger.record([arrived(number) for number in range(1, 8)])
        everything = await ledger.feed(0)
        pieces = []
        while piece := await ledger.feed(pieces[-1].id if pieces else 0, limit=3):
            assert len(piece) <= 3
            pieces.extend(piece)
        assert pieces == everything
        assert await ledger.last_feed_id() == everything[-1].id

    async def test_waiting_for_the_feed_ends_with_its_growth_or_in_time(self, ledger: Ledger) -> None:
        assert await ledger.wait_feed(0, timeout=0.0) is False
        assert await ledger.wait_feed(0, timeout=0.12) is False
        await ledger.record([arrived(1)])
        assert await ledger.wait_feed(0, timeout=0.0) is True
        assert await ledger.wait_feed(await ledger.last_feed_id(), timeout=0.0) is False
