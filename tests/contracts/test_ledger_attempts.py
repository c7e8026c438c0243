"""What every ledger must do, whatever it is kept in: attempts, burials and lives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rapid.errors import ConflictingClaim, InputError
from rapid.ports import Ledger, State
from tests.support.ledgers import (
    COLUMNS,
    DAY_OBS,
    NOON,
    Opener,
    arrived,
    begun,
    buried,
    done,
    entry_of,
    key_of,
    rejected,
    row_of,
)


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
            "catalogues": {"sources": "rapid/5.parquet"},
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
