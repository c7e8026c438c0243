"""Exposures are gathered from a real ledger: whatever happens, in whatever order, and whoever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from rapid.events import ExpectedSensors, ExpectedSensorsWritten, ExposureName, Stage
from rapid.gather.progress import Deadlines
from rapid.gather.service import Gather
from rapid.ledger import open_ledger
from rapid.ports import JsonValue, Ledger
from tests.support import ledgers
from tests.support.ledgers import NOON, Clock, sqlite_url
from tests.support.wholes import DAY_OBS, DETECTORS, bury, expect, finish, key_of, name_of, raw, seen

NAME = name_of()
FIVE = {"LSSTCam": DETECTORS, "LATISS": ("R00_S00",)}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(tmp_path: Path, clock: Clock) -> AsyncIterator[Ledger]:
    async with open_ledger(sqlite_url(tmp_path), clock=clock) as ledger:
        yield ledger


def gathering(ledger: Ledger, lists: dict[str, ExpectedSensors] | None = None, **other: object) -> Gather:
    """A new life of the service."""

    async def fetch(key: str) -> ExpectedSensors | None:
        return (lists or {}).get(key)

    return Gather(ledger, configured=FIVE, fetch_list=fetch, **other)  # type: ignore[arg-type]


async def whole(ledger: Ledger, name: ExposureName = NAME) -> dict[str, JsonValue]:
    """The line of an exposure; nothing where there is none."""
    _, _, entries = await ledger.night("lsstcam", DAY_OBS)
    found = [entry for entry in entries if entry["detector_name"] == "" and entry["obs_id"] == name.obs_id]
    return dict(found[0]) if found else {}


def counts(entry: dict[str, JsonValue]) -> tuple[JsonValue, ...]:
    cells = entry["cells"]
    assert isinstance(cells, dict)
    return tuple(cells[f"detectors_{kind}"] for kind in ("done", "failed", "missing", "late", "expected"))


async def test_an_exposure_is_said_when_its_last_detector_is_finished(ledger: Ledger) -> None:
    changed = asyncio.Event()
    gather = gathering(ledger, changed=changed)
    await ledger.record([raw(detector, NAME) for detector in DETECTORS])
    for detector in DETECTORS[:-1]:
        await finish(ledger, detector, NAME)
        await gather.catch_up()
    assert not await whole(ledger)
    assert not changed.is_set()
    await bury(ledger, DETECTORS[-1], NAME)
    await gather.catch_up()
    entry = await whole(ledger)
    assert counts(entry) == (4, 1, 0, 0, 5)
    assert (entry["revision"], entry["failures"]) == (1, {DETECTORS[-1]: "not FITS"})
    assert changed.is_set()


async def test_n_of_m_at_the_deadline_and_a_revision_for_who_is_late(ledger: Ledger, clock: Clock) -> None:
    await ledger.record([raw(detector, NAME) for detector in DETECTORS[:4]])
    for detector in DETECTORS[:3]:
        await finish(ledger, detector, NAME)
    await bury(ledger, DETECTORS[3], NAME)
    await gathering(ledger).catch_up()
    assert not await whole(ledger)
    clock.advance(30)
    await gathering(ledger).catch_up()
    entry = await whole(ledger)
    assert counts(entry) == (3, 1, 1, 0, 5)
    await ledger.record([raw(DETECTORS[4], NAME)])
    await gathering(ledger).catch_up()
    assert await whole(ledger) == entry
    await finish(ledger, DETECTORS[4], NAME)
    await gathering(ledger).catch_up()
    entry = await whole(ledger)
    assert (entry["revision"], counts(entry)) == (2, (4, 1, 0, 0, 5))


async def test_a_detector_that_failed_may_be_tried_again(ledger: Ledger) -> None:
    await ledger.record([raw(detector, NAME) for detector in DETECTORS])
    for detector in DETECTORS[1:]:
        await finish(ledger, detector, NAME)
    await bury(ledger, DETECTORS[0], NAME)
    await gathering(ledger).catch_up()
    (letter,) = await ledger.dead_letters()
    await ledger.retry(letter.id)
    await finish(ledger, DETECTORS[0], NAME)
    await gathering(ledger).catch_up()
    entry = await whole(ledger)
    assert (entry["revision"], counts(entry), entry["failures"]) == (2, (5, 0, 0, 0, 5), {})


async def test_results_that_do_not_come_are_not_waited_for(ledger: Ledger, clock: Clock) -> None:
    await ledger.record([raw(detector, NAME) for detector in DETECTORS])
    await finish(ledger, DETECTORS[0], NAME)
    clock.advance(119)
    await gathering(ledger).catch_up()
    assert not await whole(ledger)
    clock.advance(1)
    await gathering(ledger).catch_up()
    assert counts(await whole(ledger)) == (1, 0, 0, 4, 5)


class TestWhatIsExpected:
    async def test_the_list_beside_the_files_is_fetched_by_its_key(self, ledger: Ledger) -> None:
        directory = key_of("R22_S00", NAME).rpartition("/")[0]
        listed = expect(NAME, *DETECTORS[:2], origin="expectedSensors")
        lists = {f"{directory}/{NAME.obs_id}_expectedSensors.json": listed}
        await ledger.record([raw(detector, NAME) for detector in DETECTORS[:2]])
        for detector in DETECTORS[:2]:
            await finish(ledger, detector, NAME)
        await gathering(ledger, lists).catch_up()
        assert counts(await whole(ledger)) == (2, 0, 0, 0, 2)

    async def test_a_list_that_comes_late_is_found_at_the_deadline(self, ledger: Ledger, clock: Clock) -> None:
        lists: dict[str, ExpectedSensors] = {}
        gather = gathering(ledger, lists)
        await ledger.record([raw("R22_S00", NAME), raw("R22_S01", NAME)])
        await finish(ledger, "R22_S00", NAME)
        await finish(ledger, "R22_S01", NAME)
        await gather.catch_up()
        directory = key_of("R22_S00", NAME).rpartition("/")[0]
        lists[f"{directory}/{NAME.obs_id}_expectedSensors.json"] = expect(
            NAME, "R22_S00", "R22_S01", origin="expectedSensors"
        )
        clock.advance(30)
        await gather.catch_up()
        assert counts(await whole(ledger)) == (2, 0, 0, 0, 2)

    async def test_a_list_that_comes_after_the_first_file_is_not_waited_for_until_the_deadline(
        self, ledger: Ledger
    ) -> None:
        lists: dict[str, ExpectedSensors] = {}
        gather = gathering(ledger, lists)
        await ledger.record([raw("R22_S00", NAME)])
        await gather.catch_up()
        directory = key_of("R22_S00", NAME).rpartition("/")[0]
        lists[f"{directory}/{NAME.obs_id}_expectedSensors.json"] = expect(
            NAME, "R22_S00", "R22_S01", origin="expectedSensors"
        )
        await ledger.record([raw("R22_S01", NAME)])
        await finish(ledger, "R22_S00", NAME)
        await gather.catch_up()
        assert not await whole(ledger)
        await finish(ledger, "R22_S01", NAME)
        await gather.catch_up()
        assert counts(await whole(ledger)) == (2, 0, 0, 0, 2)

    async def test_an_archive_without_a_list_is_not_asked_for_ever(self, ledger: Ledger) -> None:
        asked: list[str] = []

        async def fetch(key: str) -> None:
            asked.append(key)

        gather = Gather(ledger, configured=FIVE, fetch_list=fetch)
        await ledger.record([raw(detector, NAME) for detector in DETECTORS[:2]])
        for _ in range(3):
            await gather.look(NAME)
        assert len(asked) == 1
        for detector in DETECTORS[:2]:
            await finish(ledger, detector, NAME)
        for _ in range(3):
            await gather.look(NAME)
        assert len(asked) == 2

    async def test_what_was_asked_is_not_remembered_for_ever(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("rapid.gather.service.ASKED", 3)
        asked: list[str] = []

        async def fetch(key: str) -> None:
            asked.append(key)

        gather = Gather(ledger, configured=FIVE, fetch_list=fetch)
        names = [name_of(number) for number in range(1, 6)]
        await ledger.record([raw("R22_S00", name) for name in names])
        for name in (*names, *names[-3:]):
            await gather.look(name)
        assert len(asked) == len(names)
        assert list(gather._asked) == [name.obs_id for name in names[-3:]]
        await gather.look(names[0])
        assert len(asked) == len(names) + 1, "what was forgotten is asked once more"

    async def test_a_list_that_was_announced_is_fetched_where_it_is(self, ledger: Ledger) -> None:
        lists = {"lists/1.json": expect(NAME, "R22_S00", "R22_S01", origin="expectedSensors")}
        await ledger.exposures.hear([ExpectedSensorsWritten(NAME, "lists/1.json", "e", NOON, "kafka")])
        await ledger.record([raw("R22_S00", NAME), raw("R22_S01", NAME)])
        await finish(ledger, "R22_S00", NAME)
        await finish(ledger, "R22_S01", NAME)
        await gathering(ledger, lists).catch_up()
        assert counts(await whole(ledger)) == (2, 0, 0, 0, 2)

    async def test_the_list_of_another_exposure_is_not_believed(self, ledger: Ledger, clock: Clock) -> None:
        lists = {"lists/1.json": expect(name_of(2), "R22_S00", "R22_S01", origin="expectedSensors")}
        await ledger.exposures.hear([ExpectedSensorsWritten(NAME, "lists/1.json", "e", NOON, "kafka")])
        await ledger.record([raw("R22_S00", NAME)])
        await finish(ledger, "R22_S00", NAME)
        clock.advance(30)
        await gathering(ledger, lists).catch_up()
        assert counts(await whole(ledger)) == (1, 0, 4, 0, 5)

    async def test_what_the_readout_announces_goes_before_what_is_configured(self, ledger: Ledger) -> None:
        await ledger.exposures.hear([expect(NAME, "R22_S00", "R22_S01", "R22_S02")])
        await ledger.record([raw(detector, NAME) for detector in DETECTORS[:3]])
        for detector in DETECTORS[:3]:
            await finish(ledger, detector, NAME)
        await gathering(ledger).catch_up()
        assert counts(await whole(ledger)) == (3, 0, 0, 0, 3)


class TestWhatWasHeard:
    async def test_an_exposure_without_any_file_is_said(self, ledger: Ledger, clock: Clock) -> None:
        await ledger.exposures.hear([seen(NAME, Stage.STARTED, exposure_time=15)])
        clock.advance(17)
        await ledger.exposures.hear([seen(NAME, Stage.READ_OUT, after=17)])
        await gathering(ledger).catch_up()
        clock.advance(29.9)
        await gathering(ledger).catch_up()
        assert not await whole(ledger)
        clock.advance(0.1)
        await gathering(ledger).catch_up()
        entry = await whole(ledger)
        assert (entry["state"], entry["error"]) == ("failed", "none of 5 files has come")

    @pytest.mark.parametrize("after", [3600.0, 173 * 366 * 86_400.0])
    async def test_a_clock_that_is_ahead_delays_nothing(self, ledger: Ledger, clock: Clock, after: float) -> None:
        await ledger.exposures.hear([seen(NAME, Stage.STARTED, after=after), seen(NAME, Stage.READ_OUT, after=after)])
        await ledger.record([raw(detector, NAME) for detector in DETECTORS[:4]])
        for detector in DETECTORS[:4]:
            await finish(ledger, detector, NAME)
        clock.advance(30)
        await gathering(ledger).catch_up()
        assert counts(await whole(ledger)) == (4, 0, 1, 0, 5)

    async def test_the_file_of_the_only_detector_takes_the_place_of_its_loss(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        name = name_of(3, camera="AT")
        await ledger.exposures.hear([seen(name, Stage.READ_OUT)])
        clock.advance(30)
        await gathering(ledger).catch_up()
        _, _, entries = await ledger.night("auxtel", DAY_OBS)
        assert [(e["detector_name"], e["state"], e["error"]) for e in entries] == [
            ("R00_S00", "failed", "no file has come")
        ]
        await ledger.record([raw("R00_S00", name)])
        await gathering(ledger).catch_up()
        _, _, entries = await ledger.night("auxtel", DAY_OBS)
        assert [(e["detector_name"], e["state"]) for e in entries] == [("R00_S00", "waiting")]
        assert not await ledger.exposures.due()

    async def test_a_heard_exposure_of_one_detector_that_comes_is_left_alone(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        name = name_of(3, camera="AT")
        await ledger.exposures.hear([seen(name, Stage.READ_OUT)])
        await ledger.record([raw("R00_S00", name)])
        clock.advance(30)
        before = await ledger.last_feed_id()
        await gathering(ledger).catch_up()
        assert await ledger.last_feed_id() == before
        assert not await ledger.exposures.due()


async def test_exposures_of_one_detector_cost_nothing(ledger: Ledger) -> None:
    await ledgers.done(ledger, 1)
    gather = gathering(ledger)
    before = await ledger.last_feed_id()
    await gather.catch_up()
    assert await ledger.last_feed_id() == before
    assert (await ledger.exposures.standing(name_of(1, camera="AT"))).due_at is None


async def test_at_the_end_of_a_replay_nothing_is_waited_for(ledger: Ledger) -> None:
    await ledger.record([raw(detector, NAME) for detector in DETECTORS[:2]])
    await finish(ledger, DETECTORS[0], NAME)
    await finish(ledger, DETECTORS[1], NAME)
    await gathering(ledger).catch_up(final=True)
    assert counts(await whole(ledger)) == (2, 0, 3, 0, 5)


async def test_two_services_on_one_ledger_say_it_once(tmp_path: Path, clock: Clock, postgres_url: str) -> None:
    async with open_ledger(postgres_url, clock=clock) as first, open_ledger(postgres_url, clock=clock) as second:
        await first.record([raw(detector, NAME) for detector in DETECTORS])
        for detector in DETECTORS:
            await finish(first, detector, NAME)
        await asyncio.gather(gathering(first).catch_up(), gathering(second).catch_up())
        assert (await whole(first))["revision"] == 1
        assert await second.take_place("gather", start="earliest") is None or await first.take_place("gather") is None


async def test_it_follows_the_feed_by_itself(tmp_path: Path) -> None:
    deadlines = Deadlines(files=timedelta(seconds=1.5), pause=timedelta(seconds=0.1))
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        following = asyncio.create_task(gathering(ledger, deadlines=deadlines).run())
        await ledger.record([raw(detector, NAME) for detector in DETECTORS[:4]])
        for detector in DETECTORS[:4]:
            await finish(ledger, detector, NAME)
        async with asyncio.timeout(10):
            while not (entry := await whole(ledger)):
                await asyncio.sleep(0.02)
            assert counts(entry) == (4, 0, 1, 0, 5)
            await ledger.record([raw(DETECTORS[4], NAME)])
            await finish(ledger, DETECTORS[4], NAME)
            while (entry := await whole(ledger))["revision"] != 2:
                await asyncio.sleep(0.02)
        assert counts(entry) == (5, 0, 0, 0, 5)
        following.cancel()
        await asyncio.wait([following])
