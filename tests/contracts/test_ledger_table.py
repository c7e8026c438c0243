"""What every ledger must do, whatever it is kept in: the night table and the feed."""

from __future__ import annotations

import pytest

from rapid.ports import Ledger
from tests.support.ledgers import (
    COLUMNS,
    DAY_OBS,
    NOON,
    arrived,
    begun,
    buried,
    done,
    key_of,
    row_of,
)


class TestTable:
    async def test_nights_are_summed_up_newest_first(self, ledger: Ledger) -> None:
        await done(ledger, 3)
        await buried(ledger, 4)
        await ledger.record([arrived(key_of(9, day_obs=DAY_OBS + 1))])
        as_of = await ledger.last_feed_id()
        newest, oldest = await ledger.nights()
        assert newest == {
            "camera": "auxtel", "day_obs": DAY_OBS + 1, "exposures": 1, "done": 0, "failed": 0, "last_seq_num": 9,
            "as_of": as_of,
        }  # fmt: skip
        assert (oldest["exposures"], oldest["done"], oldest["failed"], oldest["last_seq_num"]) == (2, 1, 1, 4)
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
