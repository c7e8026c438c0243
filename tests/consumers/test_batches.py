"""Handing batches over between two tasks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from rapid.consumers.batches import Handover, PlainBatch
from rapid.events import Rejected

SOON = 10.0


def batch(number: int) -> PlainBatch:
    return PlainBatch((Rejected("test", str(number), "", datetime.now(UTC)),))


async def test_batches_come_in_order_and_one_at_a_time() -> None:
    handover, given = Handover(), []

    async def give() -> None:
        for number in range(5):
            await handover.give(batch(number))
            given.append(number)
        handover.end()

    giving = asyncio.create_task(give())
    await asyncio.sleep(0.01)
    assert given == [0]
    taken = [int(item.subject) async for taken in handover for item in taken.items]
    await giving
    assert taken == [0, 1, 2, 3]


async def test_the_end_drops_what_was_not_taken_and_stays() -> None:
    handover = Handover()
    await handover.give(batch(0))
    handover.end()
    for _ in range(3):
        with pytest.raises(StopAsyncIteration):
            await anext(handover)


async def test_a_failure_is_raised_where_the_batches_are_read() -> None:
    handover = Handover()
    waiting = asyncio.ensure_future(anext(handover))
    await asyncio.sleep(0)
    handover.end(ZeroDivisionError("boom"))
    with pytest.raises(ZeroDivisionError, match="boom"):
        await asyncio.wait_for(waiting, SOON)
    with pytest.raises(ZeroDivisionError, match="boom"):
        await anext(handover)


async def test_a_cancelled_side_loses_and_doubles_nothing() -> None:
    handover = Handover()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(handover), 0.01)
    await handover.give(batch(1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(handover.give(batch(2)), 0.01)
    assert (await anext(handover)).items[0].subject == "1"  # type: ignore[union-attr]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(handover), 0.01)


async def test_settling_is_harmless() -> None:
    taken = batch(1)
    await taken.settle()
    await taken.settle()
    assert taken == batch(1).__class__(taken.items)


async def test_the_end_of_the_task_is_that_of_the_batches() -> None:
    async def give() -> None:
        await handover.give(batch(3))
        raise LookupError("gone")

    handover = Handover()
    async with asyncio.timeout(SOON), handover.filled_by(give(), "give"):
        assert (await anext(handover)).items[0].subject == "3"
        with pytest.raises(LookupError, match="gone"):
            await anext(handover)


async def test_a_task_is_cancelled_until_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    cancellations = 0

    async def deaf() -> None:
        nonlocal cancellations
        while cancellations < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancellations += 1

    monkeypatch.setattr("rapid.consumers.batches.PATIENCE", 0.01)
    handover = Handover()
    async with asyncio.timeout(SOON):
        async with handover.filled_by(deaf(), "deaf"):
            await asyncio.sleep(0)
        assert [taken async for taken in handover] == []
    assert cancellations == 3
