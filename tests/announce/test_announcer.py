"""Everything in the logs is published, in order, once; and again only where nobody knows whether it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapid.announce import announcer as module
from rapid.errors import LedgerError
from rapid.ledger import open_ledger
from rapid.ports import Ledger, Place
from tests.support.announcing import MemoryBus, announcing, until
from tests.support.ledgers import Clock, begun, buried, done, rejected, sqlite_url


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.02,))
    monkeypatch.setattr(module, "LOOK", 0.05)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        yield ledger


def seq_nums(bus: MemoryBus) -> list[int]:
    return [json.loads(one.body)["seq_num"] for one in bus.taken]


async def test_results_go_out_in_order_and_nothing_else_does(ledger: Ledger) -> None:
    bus = MemoryBus()
    for seq_num in (3, 1, 2):
        await done(ledger, seq_num)
    await begun(ledger, 4)
    async with announcing(ledger, bus) as announcer:
        await until(lambda: len(bus.taken) == 3)
        assert await announcer.catch_up(within=5)
        await buried(ledger, 5)
        await until(lambda: len(bus.taken) == 5)
    said = [json.loads(one.body) for one in bus.taken]
    results = [one for one in said if one["schema"] == "exposure.result/1"]
    assert [one["seq_num"] for one in results] == [3, 1, 2, 5]
    assert (results[-1]["state"], results[-1]["error"], results[-1]["revision"]) == ("failed", "broken", 0)
    (alert,) = (one for one in said if one["schema"] == "service.alert/1")
    assert (alert["kind"], alert["reason"]) == ("exposure.failed", "broken")


async def test_a_next_life_goes_on_and_repeats_nothing(ledger: Ledger) -> None:
    bus = MemoryBus()
    for seq_num in (1, 2, 3):
        await done(ledger, seq_num)
        async with announcing(ledger, bus) as announcer:
            assert await announcer.catch_up(within=5)
    assert seq_nums(bus) == [1, 2, 3]


async def test_a_bus_that_is_away_gets_everything_afterwards(ledger: Ledger) -> None:
    bus = MemoryBus(away=True)
    words: list[str] = []
    async with announcing(ledger, bus, looked=words.append) as announcer:
        await until(lambda: "the bus is away" in words)
        for seq_num in range(1, 8):
            await done(ledger, seq_num)
        assert not await announcer.catch_up(within=5), "nobody waits for a bus that is away"
        bus.away = False
        await until(lambda: len(bus.taken) == 7)
    assert seq_nums(bus) == list(range(1, 8))
    assert words[-1] == ""


async def test_one_that_begins_late_leaves_out_what_was_before(ledger: Ledger) -> None:
    bus = MemoryBus(away=True)
    words: list[str] = []
    await done(ledger, 1)
    async with announcing(ledger, bus, start="latest", looked=words.append):
        await until(lambda: words)
    await done(ledger, 2)  # while nobody publishes: its place was written down although the bus was away
    bus.away = False
    async with announcing(ledger, bus, start="latest"):
        await until(lambda: bus.taken)
    assert seq_nums(bus) == [2]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(breaks=st.lists(st.integers(0, 6), max_size=4), count=st.integers(1, 8))
async def test_nothing_is_lost_and_the_order_is_kept_however_the_bus_breaks(
    tmp_path_factory: pytest.TempPathFactory, breaks: list[int], count: int
) -> None:
    bus, waiting = MemoryBus(), list(breaks)
    async with open_ledger(sqlite_url(tmp_path_factory.mktemp("ledger"))) as ledger:
        for seq_num in range(1, count + 1):
            await done(ledger, seq_num)
        bus.breaks_after = waiting.pop(0) if waiting else None
        async with announcing(ledger, bus) as announcer:
            while not await announcer.catch_up(within=0.2):
                await asyncio.sleep(0.005)
                if bus.breaks_after is None and waiting:
                    bus.breaks_after = waiting.pop(0)
    assert len(bus.ids) == count
    assert [identity.split("/")[0] for identity in bus.ids] == [f"AT_O_20260315_{n:06d}" for n in range(1, count + 1)]
    bodies = {one.id: {other.body for other in bus.taken if other.id == one.id} for one in bus.taken}
    assert all(len(same) == 1 for same in bodies.values()), "a repeat is the same to the byte"


async def test_bulletins_and_letters_of_any_kind_go_out(ledger: Ledger) -> None:
    verdict = {
        "instrument": "LATISS", "calib": "bias", "day_obs": 20260315, "verdict": "WARN", "rules_version": "2026-03",
        "rules": [{"name": "read_noise", "verdict": "WARN", "value": 9.7, "unit": "electron", "upper": 9.0}],
    }  # fmt: skip
    bus = MemoryBus()
    async with announcing(ledger, bus):
        await ledger.post("verdict", "bias/20260315", verdict)
        await ledger.post("alert", "nonsense", {"kind": "no such kind"})
        await ledger.record([rejected("message 9")])
        await ledger.post("verdict", "bias/20260316", {**verdict, "verdict": "PASS"})
        await until(lambda: len(bus.taken) == 3)
    by_schema = {json.loads(one.body)["id"]: one for one in bus.taken}
    said = [json.loads(one.body) for one in by_schema.values() if one.schema == "calib.verdict/1"]
    assert [(one["subject"], one["verdict"]) for one in said] == [("bias/20260315", "WARN"), ("bias/20260316", "PASS")]
    assert {one.route for one in bus.taken} == {
        ("LATISS", "verdict", "bias", "all"), ("service", "rapid", "alert", "message.rejected"),
    }  # fmt: skip


async def test_a_ledger_that_is_away_is_waited_for(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    bus, words = MemoryBus(), list[str]()
    await done(ledger, 1)
    move_on, calls = ledger.move_on, list[Place]()

    async def fails_once(reader: str, place: Place) -> bool:
        calls.append(place)
        if len(calls) == 1:
            raise LedgerError("the disk is full")
        return await move_on(reader, place)

    monkeypatch.setattr(ledger, "move_on", fails_once)
    async with announcing(ledger, bus, looked=words.append):
        await until(lambda: len(calls) >= 2)
    assert "the disk is full" in words
    assert seq_nums(bus) == [1, 1], "it was published before its place could be written"
    assert len(bus.ids) == 1


async def test_of_two_services_one_publishes_and_the_other_takes_over(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, lease = Clock(), timedelta(seconds=1)
    first, second = MemoryBus(), MemoryBus()
    async with (
        open_ledger(postgres_url, lease=lease, clock=clock) as one,
        open_ledger(postgres_url, lease=lease, clock=clock) as other,
    ):
        await done(one, 1)
        async with announcing(one, first), announcing(other, second):
            await until(lambda: first.taken or second.taken)
            active, standby = (first, second) if first.taken else (second, first)
            active.away = True
            await done(one, 2)
            await until(lambda: standby.taken)
    assert seq_nums(active) == [1]
    assert seq_nums(standby) == [2]
