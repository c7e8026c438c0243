"""Waiting for the feed."""

from __future__ import annotations

import asyncio
import time

import pytest

from rapid.errors import LedgerError
from rapid.ledger.watch import FeedWatch


class OtherProcess:
    """Somebody else's feed, which can only be looked at."""

    def __init__(self) -> None:
        self.newest = 0
        self.looks = 0
        self.broken = False

    async def look(self) -> int:
        self.looks += 1
        if self.broken:
            raise LedgerError("away")
        return self.newest


@pytest.fixture
def other() -> OtherProcess:
    return OtherProcess()


@pytest.fixture
def watch(other: OtherProcess) -> FeedWatch:
    return FeedWatch(other.look)


async def test_what_is_there_is_not_waited_for(watch: FeedWatch, other: OtherProcess) -> None:
    other.newest = 7
    assert await watch.wait_beyond(6, timeout=0.0) is True
    assert await watch.wait_beyond(5, timeout=0.0) is True
    assert other.looks == 1


async def test_what_is_announced_wakes_everybody_without_a_look(other: OtherProcess) -> None:
    watch = FeedWatch(other.look, every=3600.0)
    waiting = [asyncio.create_task(watch.wait_beyond(0, timeout=10)) for _ in range(50)]
    await asyncio.sleep(0.02)
    watch.announce(1)
    assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [True] * 50


async def test_what_another_process_wrote_is_found(watch: FeedWatch, other: OtherProcess) -> None:
    waiting = asyncio.create_task(watch.wait_beyond(3, timeout=10))
    await asyncio.sleep(0.02)
    other.newest = 3
    await asyncio.sleep(0.12)
    assert not waiting.done()
    other.newest = 4
    assert await asyncio.wait_for(waiting, 1) is True


async def test_a_hint_lets_who_looks_do_so_at_once(other: OtherProcess) -> None:
    watch = FeedWatch(other.look, every=3600.0)
    waiting = [asyncio.create_task(watch.wait_beyond(0, timeout=10)) for _ in range(5)]
    await asyncio.sleep(0.02)
    watch.hint()
    await asyncio.sleep(0.02)
    assert other.looks == 6
    assert not any(task.done() for task in waiting)
    other.newest = 1
    watch.hint()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 1) == [True] * 5
    assert other.looks == 7


async def test_one_looks_for_all(watch: FeedWatch, other: OtherProcess) -> None:
    waiting = [asyncio.create_task(watch.wait_beyond(0, timeout=0.5)) for _ in range(40)]
    await asyncio.sleep(0.02)
    at_first = other.looks
    assert await asyncio.gather(*waiting) == [False] * 40
    assert at_first == 40
    assert 1 <= other.looks - at_first <= 12


async def test_the_duty_is_handed_on(watch: FeedWatch, other: OtherProcess) -> None:
    looking = asyncio.create_task(watch.wait_beyond(0, timeout=10))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(watch.wait_beyond(0, timeout=10))
    await asyncio.sleep(0.01)
    looking.cancel()
    other.newest = 1
    assert await asyncio.wait_for(waiting, 1) is True
    with pytest.raises(asyncio.CancelledError):
        await looking


async def test_who_cannot_look_says_so_and_the_next_one_looks(watch: FeedWatch, other: OtherProcess) -> None:
    looking = asyncio.create_task(watch.wait_beyond(0, timeout=10))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(watch.wait_beyond(0, timeout=10))
    await asyncio.sleep(0.01)
    other.broken = True
    with pytest.raises(LedgerError, match="away"):
        await looking
    other.broken, other.newest = False, 1
    assert await asyncio.wait_for(waiting, 1) is True


async def test_time_runs_out(watch: FeedWatch) -> None:
    before = time.monotonic()
    assert await watch.wait_beyond(0, timeout=0.12) is False
    assert 0.1 < time.monotonic() - before < 1.0
