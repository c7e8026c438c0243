"""What every ledger must do, whatever it is kept in: what arrives is written down, each once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rapid.ports import Ledger, State
from tests.support.ledgers import (
    COLUMNS,
    DAY_OBS,
    NOON,
    NOTHING,
    arrived,
    begun,
    buried,
    done,
    entry_of,
    key_of,
    rejected,
    row_of,
    seen,
)


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
