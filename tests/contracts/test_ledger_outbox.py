"""What every ledger must do, whatever it is kept in: what other systems are told, and how far they were."""

from __future__ import annotations

import pytest

from rapid.ports import Ledger, Place
from tests.support.ledgers import COLUMNS, NOON, Clock, Opener, buried, done, rejected


class TestBulletins:
    async def test_one_is_told_once_however_often_it_is_posted(self, ledger: Ledger) -> None:
        assert await ledger.post("alert", "camera.silent/auxtel/7", {"reason": "nothing for 30 min"})
        assert not await ledger.post("alert", "camera.silent/auxtel/7", {"reason": "another"})
        assert await ledger.post("verdict", "camera.silent/auxtel/7", {"verdict": "PASS"})
        first, second = await ledger.bulletins(0)
        assert (first.id, first.kind, first.subject) == (1, "alert", "camera.silent/auxtel/7")
        assert (first.at, first.body) == (NOON, {"reason": "nothing for 30 min"})
        assert (second.kind, second.body) == ("verdict", {"verdict": "PASS"})
        assert list(await ledger.bulletins(first.id)) == [second]
        assert list(await ledger.bulletins(0, limit=1)) == [first]

    async def test_they_outlive_the_process(self, opener: Opener) -> None:
        async with opener() as ledger:
            await ledger.post("alert", "a", {})
        async with opener() as ledger:
            assert [bulletin.subject for bulletin in await ledger.bulletins(0)] == ["a"]

    async def test_what_is_no_json_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="JSON"):
            await ledger.post("verdict", "a", {"value": float("nan")})
        assert not await ledger.bulletins(0)


class TestPlaces:
    async def test_a_new_reader_begins_behind_what_is_there(self, ledger: Ledger) -> None:
        await done(ledger, 1)
        await ledger.record([rejected()])
        await ledger.post("alert", "a", {})
        now = Place(feed=await ledger.last_feed_id(), dead_letters=1, bulletins=1)
        assert now.feed > 0
        assert await ledger.take_place("kafka") == now
        await done(ledger, 2)
        assert await ledger.take_place("kafka") == now, "what came since is still to be told"

    async def test_or_before_it(self, ledger: Ledger) -> None:
        await done(ledger, 1)
        assert await ledger.take_place("kafka", start="earliest") == Place()

    async def test_a_place_outlives_the_process_and_is_one_readers_own(self, opener: Opener) -> None:
        async with opener() as ledger:
            assert await ledger.take_place("kafka") == Place()
            assert await ledger.move_on("kafka", Place(7, 2, 1))
            assert await ledger.take_place("mqtt", start="earliest") == Place()
        async with opener() as ledger:
            assert await ledger.take_place("kafka") == Place(7, 2, 1)
            assert await ledger.take_place("mqtt") == Place()

    async def test_a_place_that_is_left_is_kept(self, ledger: Ledger) -> None:
        await ledger.leave_place("kafka")
        await ledger.take_place("kafka")
        await ledger.move_on("kafka", Place(7, 2, 1))
        await ledger.leave_place("kafka")
        assert await ledger.take_place("kafka") == Place(7, 2, 1)

    async def test_nobody_moves_on_who_has_no_place(self, ledger: Ledger) -> None:
        assert not await ledger.move_on("kafka", Place(7, 2, 1))
        assert await ledger.take_place("kafka") == Place()


async def test_dead_letters_are_read_in_order_whatever_became_of_them(ledger: Ledger, clock: Clock) -> None:
    await buried(ledger, 1)
    clock.advance(1)
    await ledger.record([rejected("message 8")])
    await ledger.retry(1)
    first, second = await ledger.dead_letters_after(0)
    assert (first.id, first.kind, second.id, second.subject) == (1, "file", 2, "message 8")
    assert list(await ledger.dead_letters_after(1)) == [second]
    assert list(await ledger.dead_letters_after(0, limit=1)) == [first]


async def test_the_columns_of_a_camera_are_known_beyond_a_night(ledger: Ledger) -> None:
    assert await ledger.columns("auxtel") == {}
    await done(ledger, 1)
    assert await ledger.columns("auxtel") == COLUMNS
    assert await ledger.columns("lsstcam") == {}
