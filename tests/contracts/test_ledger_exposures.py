"""What every ledger must do, whatever it is kept in: exposures as wholes."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from rapid.events import ExpectedSensorsWritten, Stage
from rapid.ports import Heard, Ledger, Product, Standing, State
from tests.support.ledgers import NOON, Clock, Opener
from tests.support.wholes import COLUMNS, DAY_OBS, expect, finish, key_of, name_of, raw, seen

NAME = name_of()
LIST = f"LSSTCam/{DAY_OBS}/{NAME.obs_id}/{NAME.obs_id}_expectedSensors.json"
SPREAD = {"label": "MAD", "unit": "", "description": "", "type": "number", "group": "spread"}


def product(fingerprint: str = "f", **changes: object) -> Product:
    entry = {
        "camera": "lsstcam", "instrument": NAME.instrument, "obs_id": NAME.obs_id, "day_obs": DAY_OBS, "seq_num": 1,
        "detector_name": "", "state": "done", "error": "", "arrival_id": None, "cells": {"n": 2}, "notes": {},
        "uncertainties": {}, "channels": {}, "failures": {}, "timings": {},
    }  # fmt: skip
    return Product(entry | changes, {"n": SPREAD}, fingerprint)  # type: ignore[arg-type]


class TestHearing:
    async def test_nothing_is_known_of_an_exposure_nobody_spoke_of(self, ledger: Ledger) -> None:
        assert await ledger.exposures.standing(NAME) == Standing(NAME)
        assert not await ledger.exposures.due()

    async def test_the_order_makes_no_difference(self, opener: Opener, clock: Clock) -> None:
        clock.advance(3)
        said: list[Heard] = [
            seen(NAME, Stage.STARTED, after=-30, exposure_time=29.5),
            seen(NAME, Stage.READ_OUT, after=2),
            seen(NAME, Stage.DESCRIBED, after=3, exposure_time=30.0),
            expect(NAME, "R22_S11"),
            expect(NAME, "R22_S10", "R22_S11", origin="expectedSensors"),
        ]
        found = set()
        async with opener() as ledger:
            for number, order in enumerate(itertools.permutations(said)):
                name = name_of(number + 1)
                events = [_renamed(event, name) for event in order]
                await ledger.exposures.hear(events[:2])
                await ledger.exposures.hear([*events[2:], events[0]])
                standing = await ledger.exposures.standing(name)
                found.add(_but_its_name(standing))
        (known,) = found
        assert known[:2] == (NOON - timedelta(seconds=30), NOON + timedelta(seconds=2))
        assert known[2:] == (30.0, (("R22_S10", "science"), ("R22_S11", "science")), "expectedSensors")

    async def test_nothing_is_heard_before_it_happens(self, ledger: Ledger, clock: Clock) -> None:
        clock.advance(10)
        for after in (3600, 20):
            await ledger.exposures.hear([seen(NAME, stage, after=after) for stage in (Stage.STARTED, Stage.READ_OUT)])
            clock.advance(5)
        standing = await ledger.exposures.standing(NAME)
        assert standing.started_at == standing.read_out_at == NOON + timedelta(seconds=10)

    async def test_where_the_list_lies_is_kept(self, ledger: Ledger) -> None:
        await ledger.exposures.hear([ExpectedSensorsWritten(NAME, LIST, "etag", NOON, "kafka")])
        assert (await ledger.exposures.standing(NAME)).list_key == LIST

    async def test_what_was_heard_outlives_the_process_and_asks_for_a_look(self, opener: Opener) -> None:
        async with opener() as ledger:
            await ledger.exposures.hear([seen(NAME, Stage.STARTED)])
        async with opener() as ledger:
            assert await ledger.exposures.due() == [(NAME, NOON)]
            assert [standing.name for standing in await ledger.exposures.in_progress()] == [NAME]
            await ledger.exposures.wait(NAME, None)
            assert not await ledger.exposures.due()
            await ledger.exposures.hear([seen(NAME, Stage.STARTED)])  # nothing new
            assert not await ledger.exposures.due()


class TestStanding:
    async def test_it_tells_of_every_detector(self, ledger: Ledger, clock: Clock) -> None:
        await ledger.record([raw("R22_S11", NAME), raw("R22_S10", NAME)])
        before = await ledger.exposures.standing(NAME)
        assert [(d.name, d.state, d.revision) for d in before.detectors] == [
            ("R22_S10", State.WAITING, 0),
            ("R22_S11", State.WAITING, 0),
        ]
        assert before.detectors[0].key == key_of("R22_S10", NAME)
        assert before.work_began_at is None
        clock.advance(5)
        await finish(ledger, "R22_S11", NAME)
        after = await ledger.exposures.standing(NAME)
        assert after.work_began_at == NOON + timedelta(seconds=5)
        assert [(d.name, d.state, d.revision) for d in after.detectors] == [
            ("R22_S10", State.WAITING, 0),
            ("R22_S11", State.DONE, 1),
        ]
        assert [entry["detector_name"] for entry in await ledger.exposures.entries(NAME)] == ["R22_S10", "R22_S11"]

    async def test_the_feed_tells_which_were_touched(self, ledger: Ledger) -> None:
        await ledger.record([raw("R22_S11", NAME), raw("R22_S10", NAME), raw("R22_S10", name_of(2))])
        last, names = await ledger.exposures.touched(0)
        assert (last, list(names)) == (await ledger.last_feed_id(), [NAME, name_of(2)])
        assert await ledger.exposures.touched(last) == (last, [])
        assert await ledger.exposures.touched(0, without=["lsstcam"]) == (last, [])
        assert await ledger.exposures.touched(0, limit=2) == (2, [NAME])


class TestProducts:
    async def test_one_is_said_in_table_and_feed(self, ledger: Ledger, clock: Clock) -> None:
        await ledger.record([raw("R22_S11", NAME)])
        before = await ledger.last_feed_id()
        event = await ledger.exposures.say(NAME, product(), after=0, until=NOON + timedelta(seconds=9))
        assert event is not None
        assert (event.id, event.kind, event.camera, event.seq_num) == (before + 1, "exposure", "lsstcam", 1)
        _, columns, entries = await ledger.night("lsstcam", DAY_OBS)
        assert [entry["detector_name"] for entry in entries] == ["", "R22_S11"]
        assert entries[0] == event.body
        assert (entries[0]["revision"], entries[0]["cells"]) == (1, {"n": 2})
        assert columns == {"n": SPREAD}
        standing = await ledger.exposures.standing(NAME)
        assert (standing.revision, standing.fingerprint, standing.said_at) == (1, "f", NOON)
        assert standing.due_at == NOON + timedelta(seconds=9)

    async def test_a_revision_is_said_once(self, ledger: Ledger) -> None:
        assert await ledger.exposures.say(NAME, product("f"), after=0) is not None
        assert await ledger.exposures.say(NAME, product("g"), after=0) is None
        assert (await ledger.exposures.standing(NAME)).fingerprint == "f"
        event = await ledger.exposures.say(NAME, product("g"), after=1)
        assert event is not None
        assert event.body["revision"] == 2

    async def test_it_makes_its_night_be_written_out(self, ledger: Ledger) -> None:
        await ledger.record([raw("R22_S11", NAME)])
        assert not await ledger.unpublished_nights()
        await ledger.exposures.say(NAME, product(), after=0)
        assert [night[:2] for night in await ledger.unpublished_nights()] == [("lsstcam", DAY_OBS)]

    async def test_it_gives_way_to_the_detector_that_takes_its_place(self, ledger: Ledger) -> None:
        await ledger.exposures.say(NAME, product(detector_name="R22_S11", state="failed", error="no file"), after=0)
        _, _, entries = await ledger.night("lsstcam", DAY_OBS)
        assert [(entry["detector_name"], entry["state"]) for entry in entries] == [("R22_S11", "failed")]
        await ledger.record([raw("R22_S11", NAME)])
        await finish(ledger, "R22_S11", NAME)
        _, columns, entries = await ledger.night("lsstcam", DAY_OBS)
        assert [(entry["detector_name"], entry["state"]) for entry in entries] == [("R22_S11", "done")]
        assert set(columns) == set(COLUMNS)

    async def test_a_number_that_is_not_finite_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="JSON"):
            await ledger.exposures.say(NAME, product(cells={"n": float("nan")}), after=0)
        assert (await ledger.exposures.standing(NAME)).revision == 0


class TestCatchingUp:
    async def test_files_are_known_by_their_content(self, ledger: Ledger) -> None:
        await ledger.record([raw("R22_S11", NAME, "a")])
        key = key_of("R22_S11", NAME)
        asked = [(key, "a"), (key, "b"), ("other.fits", "a")]
        assert list(await ledger.known(asked)) == [True, False, False]
        await ledger.record([raw("R22_S11", NAME, "b", at=NOON + timedelta(seconds=5))])
        assert list(await ledger.known(asked)) == [True, True, False]
        assert list(await ledger.known([])) == []

    async def test_gaps_lie_between_what_is_known(self, ledger: Ledger) -> None:
        await ledger.record([raw("R22_S11", name_of(number)) for number in (3, 4, 9)])
        assert list(await ledger.gaps("lsstcam", DAY_OBS)) == [(5, 8)]
        await ledger.exposures.hear([seen(name_of(6), Stage.STARTED)])
        assert list(await ledger.gaps("lsstcam", DAY_OBS)) == [(5, 5), (7, 8)]
        assert list(await ledger.gaps("auxtel", DAY_OBS)) == []


def _renamed(event: Heard, name: object) -> Heard:
    from dataclasses import replace

    return replace(event, name=name)  # type: ignore[arg-type,type-var]


def _but_its_name(standing: Standing) -> tuple[object, ...]:
    return (standing.started_at, standing.read_out_at, standing.exposure_time, standing.sensors, standing.origin)
