"""Arrivals become published rows, or are buried with the reason; on a real ledger, with scripted workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from rapid.errors import BadName, NotAvailable, NotFits, TaskFailed, WorkerDied
from rapid.ledger import open_ledger
from rapid.pipeline.dispatch import Pipeline
from rapid.pipeline.lanes import LanesPolicy
from rapid.pipeline.policy import Policy
from rapid.pipeline.tables import publish_nights
from rapid.ports import Ledger, State
from tests.support.pipeline import EVENING, NIGHT, LocalTasks, MemoryGallery, announced, key_of

QUICK = Policy(
    deadline=timedelta(seconds=0.2),
    backoff=timedelta(milliseconds=20),
    patience=timedelta(seconds=5),
    drain=timedelta(seconds=2),
    lanes=LanesPolicy(live_window=timedelta(days=36500)),
)


class House:
    """A pipeline with its ledger, workers and gallery."""

    def __init__(self, ledger: Ledger, policy: Policy = QUICK, capacity: int = 2) -> None:
        self.ledger = ledger
        self.workers = LocalTasks(capacity)
        self.gallery = MemoryGallery()
        self.pipeline = Pipeline(ledger, self.workers, self.gallery, archive="memory:///raw", policy=policy)

    async def take(self, *seq_nums: int, **facts: object) -> None:
        recorded = await self.ledger.record([announced(number, **facts) for number in seq_nums])  # type: ignore[arg-type]
        self.pipeline.offer([arrival for arrival in recorded.new if arrival.state is State.WAITING])

    async def settle(self) -> None:
        """Run until nothing is left to do."""
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(self.pipeline.run())
            while not self.pipeline.idle:
                await asyncio.sleep(0.005)
            self.pipeline.stop()

    async def night(self) -> dict[int, dict[str, object]]:
        _, _, entries = await self.ledger.night("auxtel", NIGHT)
        return {entry["seq_num"]: dict(entry) for entry in entries}  # type: ignore[misc]


@asynccontextmanager
async def house(tmp_path: Path, **options: object) -> AsyncIterator[House]:
    async with open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger:
        yield House(ledger, **options)  # type: ignore[arg-type]


async def test_every_arrival_gets_its_row(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        await h.take(*range(1, 21))
        await h.settle()
        night = await h.night()
        assert sorted(night) == list(range(1, 21))
        assert {entry["state"] for entry in night.values()} == {"done"}
        assert night[7]["channels"] == {"monitor": "AT_O_20260315_000007/monitor.png"}
        assert h.gallery.pictures["AT_O_20260315_000007/monitor.png"] == f"{key_of(7)} a".encode()
        assert (await h.ledger.counts()).done == 20


async def test_no_more_run_at_once_than_there_are_workers(tmp_path: Path) -> None:
    async with house(tmp_path, capacity=3) as h:
        h.workers.scripts = {key_of(number): lambda _: 0.2 for number in range(12)}
        await h.take(*range(12))
        await h.settle()
        assert h.workers.most_at_once == 3


async def test_bad_input_is_buried_at_once_and_its_neighbours_arrive(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        error = NotFits("not FITS", subject=key_of(2), expected="SIMPLE  =", found="'hello'")
        h.workers.scripts[key_of(2)] = lambda _: error
        await h.take(1, 2, 3)
        await h.settle()
        night = await h.night()
        assert {seq: entry["state"] for seq, entry in night.items()} == {1: "done", 2: "failed", 3: "done"}
        assert night[2]["error"] == str(error)
        assert h.workers.started.count(key_of(2)) == 1
        (letter,) = await h.ledger.dead_letters()
        assert letter.kind == "file"
        assert letter.reason == str(error)
        assert "NotFits" in letter.detail, "the traceback is kept"


@pytest.mark.parametrize(
    "fault",
    [WorkerDied("died"), NotAvailable("away"), TaskFailed("ValueError: no", "Traceback: remote"), OSError("odd")],
)
async def test_a_passing_fault_is_tried_again(tmp_path: Path, fault: Exception) -> None:
    async with house(tmp_path) as h:
        h.workers.scripts[key_of(1)] = lambda attempt: fault if attempt < 3 else None
        await h.take(1, 2)
        await h.settle()
        assert h.workers.started.count(key_of(1)) == 3
        assert {entry["state"] for entry in (await h.night()).values()} == {"done"}


async def test_a_lasting_fault_is_buried_after_three_attempts_with_its_traceback(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        h.workers.scripts[key_of(1)] = lambda _: TaskFailed("ValueError: no", "Traceback (remote)")
        await h.take(1)
        await h.settle()
        assert h.workers.started.count(key_of(1)) == 3
        (letter,) = await h.ledger.dead_letters()
        assert letter.detail == "Traceback (remote)"
        assert (await h.night())[1]["state"] == "failed"


async def test_a_task_past_its_deadline_counts_as_failed(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        h.workers.scripts[key_of(1)] = lambda attempt: 60.0 if attempt == 1 else None
        await h.take(1)
        await h.settle()
        assert h.workers.started.count(key_of(1)) == 2
        assert (await h.night())[1]["state"] == "done"


async def test_the_gallery_may_be_away_for_a_while(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        h.gallery.away = 3
        await h.take(1)
        await h.settle()
        assert h.workers.started.count(key_of(1)) == 1, "the result is kept, not worked out again"
        assert (await h.night())[1]["state"] == "done"


async def test_a_file_that_changes_while_in_work_shows_its_last_content(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        h.workers.gate = asyncio.Event()
        await h.take(1, content="old")
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(h.pipeline.run())
            while not h.workers.now:
                await asyncio.sleep(0.005)
            await h.take(1, content="new")
            h.workers.gate.set()
            while not h.pipeline.idle:
                await asyncio.sleep(0.005)
            h.pipeline.stop()
        entry = (await h.night())[1]
        assert entry["cells"] == {"content": "new"}
        counts = await h.ledger.counts()
        assert (counts.done, counts.superseded) == (1, 1)


async def test_two_contents_of_a_file_are_never_in_work_at_once(tmp_path: Path) -> None:
    """Else a slow old one could put its pictures over those of the new one."""
    async with house(tmp_path, capacity=2) as h:
        h.workers.gate = asyncio.Event()
        await h.take(1, content="old")
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(h.pipeline.run())
            while not h.workers.now:
                await asyncio.sleep(0.005)
            await h.take(1, content="new")
            await h.take(2)
            while len(h.workers.started) < 2:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.1)
            assert h.workers.started == [key_of(1), key_of(2)], "the other exposure is not held up"
            h.workers.gate.set()
            while not h.pipeline.idle:
                await asyncio.sleep(0.005)
            h.pipeline.stop()
        assert h.gallery.pictures["AT_O_20260315_000001/monitor.png"].endswith(b" new")
        assert (await h.night())[1]["cells"] == {"content": "new"}


async def test_no_file_is_to_blame_while_the_archive_is_away(tmp_path: Path) -> None:
    async with house(tmp_path, capacity=2) as h:
        answers = iter([False, False, False])
        there = asyncio.Event()

        async def archive_there() -> bool:
            return next(answers, True) or there.is_set()

        h.pipeline = Pipeline(
            h.ledger, h.workers, h.gallery, archive="file:///raw", archive_there=archive_there, policy=QUICK
        )
        for number in (1, 2, 3):
            h.workers.scripts[key_of(number)] = lambda attempt: NotAvailable("not there") if attempt == 1 else None
        troubles = set()
        await h.take(1, 2, 3)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(h.pipeline.run())
            while not h.pipeline.idle:
                troubles.add(h.pipeline.trouble)
                await asyncio.sleep(0.005)
            h.pipeline.stop()
        night = await h.night()
        assert {entry["state"] for entry in night.values()} == {"done"}
        assert any("file:///raw is away" in trouble for trouble in troubles), "readyz tells it meanwhile"
        assert h.pipeline.trouble == ""


async def test_a_file_that_comes_back_is_taken_up_again(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        h.workers.scripts[key_of(1)] = lambda attempt: NotAvailable("gone") if attempt <= 3 else None
        await h.take(1)
        await h.settle()
        assert (await h.night())[1]["state"] == "failed"
        again = House(h.ledger)
        await again.take(1, at=EVENING + timedelta(minutes=5))
        await again.settle()
        assert (await again.night())[1]["state"] == "done"
        assert await h.ledger.dead_letters() == []


async def test_a_stop_does_not_wait_for_an_archive_that_is_away(tmp_path: Path) -> None:
    async with house(tmp_path) as h:

        async def never() -> bool:
            return False

        h.pipeline = Pipeline(h.ledger, h.workers, h.gallery, archive="file:///raw", archive_there=never, policy=QUICK)
        h.workers.scripts[key_of(1)] = lambda _: NotAvailable("not there")
        await h.take(1)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(h.pipeline.run())
            while not h.pipeline.trouble:
                await asyncio.sleep(0.005)
            h.pipeline.stop()
        counts = await h.ledger.counts()
        assert (counts.running, counts.failed) == (1, 0)
        assert await h.ledger.recover() == 1


async def test_a_stop_finishes_what_is_in_work_and_starts_nothing_more(tmp_path: Path) -> None:
    async with house(tmp_path, capacity=1) as h:
        h.workers.gate = asyncio.Event()
        await h.take(1, 2, 3)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(h.pipeline.run())
            while not h.workers.now:
                await asyncio.sleep(0.005)
            h.pipeline.stop()
            h.workers.gate.set()
        counts = await h.ledger.counts()
        assert (counts.done, counts.waiting, counts.running) == (1, 2, 0)


async def test_the_next_life_goes_on_where_this_one_was_cut(tmp_path: Path) -> None:
    async with house(tmp_path, capacity=2) as h:
        h.workers.gate = asyncio.Event()
        await h.take(*range(1, 6))
        cut = asyncio.create_task(h.pipeline.run())
        while h.workers.now < 2:
            await asyncio.sleep(0.005)
        cut.cancel()
        await asyncio.gather(cut, return_exceptions=True)
        assert (await h.ledger.counts()).running == 2
        again = House(h.ledger)
        assert await again.pipeline.recover() == 5
        await again.settle()
        assert (await h.ledger.counts()).done == 5
        assert sorted(await again.night()) == [1, 2, 3, 4, 5]


async def test_interruptions_do_not_bury_a_good_frame_but_do_end_some_day(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        await h.take(1)
        arrival = (await h.ledger.arrivals(states=[State.WAITING]))[0]
        for _ in range(QUICK.interruptions - 1):
            assert await h.ledger.begin(arrival) is not None
            await h.ledger.recover()
        good = House(h.ledger)
        await good.pipeline.recover()
        await good.settle()
        assert (await good.night())[1]["state"] == "done"

        await h.take(2)
        arrival = (await h.ledger.arrivals(states=[State.WAITING]))[0]
        for _ in range(QUICK.interruptions):
            await h.ledger.begin(arrival)
            await h.ledger.recover()
        bad = House(h.ledger)
        await bad.pipeline.recover()
        await bad.settle()
        entry = (await bad.night())[2]
        assert entry["state"] == "failed"
        assert "10 times" in str(entry["error"])
        assert bad.workers.started == []


async def test_a_retry_from_a_terminal_is_noticed(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        h.workers.scripts[key_of(1)] = lambda attempt: NotFits("no") if attempt == 1 else None
        await h.take(1)
        await h.settle()
        (letter,) = await h.ledger.dead_letters()
        await h.ledger.retry(letter.id)
        again = House(h.ledger)
        await again.pipeline.look_again()
        await again.pipeline.look_again()
        assert again.pipeline.unsettled == 1, "looking twice queues it once"
        await again.settle()
        assert (await again.night())[1]["state"] == "done"


async def test_night_tables_are_written_once_a_change(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        await h.take(1, 2)
        await h.settle()
        await publish_nights(h.ledger, h.gallery, patience=1)
        assert [entry["seq_num"] for entry in h.gallery.nights["auxtel", NIGHT]] == [1, 2]
        h.gallery.nights.clear()
        await publish_nights(h.ledger, h.gallery, patience=1)
        assert h.gallery.nights == {}


async def test_a_night_that_cannot_be_written_keeps_no_other_waiting(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        await h.take(1)
        await h.settle()

        class Refusing(MemoryGallery):
            async def publish_night(self, camera: str, day_obs: int, columns: object, entries: object) -> None:
                raise BadName("not a day_obs", subject=str(day_obs))

        await publish_nights(h.ledger, Refusing(), patience=1)
        assert await h.ledger.unpublished_nights() == [], "told once a change, not for ever"


async def test_timings_add_up(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        await h.take(1)
        await h.settle()
        times = (await h.night())[1]["timings"]
        stations = ["file_to_seen", "file_to_recorded", "file_to_started", "file_to_studied", "file_to_published"]
        assert [times[name] for name in stations] == sorted(times[name] for name in stations)  # type: ignore[index]
        assert times["work_read"] == 0.1  # type: ignore[index]
