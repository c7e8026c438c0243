"""What is in work is held, and what a service left behind is taken up, but not because the ledger was away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from rapid.errors import LedgerError
from rapid.pipeline.leases import Leases
from rapid.ports import Attempt
from tests.support.pipeline import EVENING, waiting

LEASE = timedelta(milliseconds=90)


class Leaser:
    """The part of a ledger that gives leases, away when told so; another service left something from the start."""

    def __init__(self, lease: timedelta | None = LEASE) -> None:
        self.lease = lease
        self.away = False
        self.knocks_in_vain = 0
        self.renewed: list[tuple[float, list[int]]] = []
        self.reclaimed: list[float] = []
        self.lost: set[int] = set()

    async def renew(self, held: Sequence[Attempt]) -> Sequence[Attempt]:
        self.knock()
        self.renewed.append((now(), [attempt.id for attempt in held]))
        return [attempt for attempt in held if attempt.id in self.lost]

    async def reclaim(self, held: Sequence[Attempt]) -> int:
        self.knock()
        self.reclaimed.append(now())
        return 1

    def knock(self) -> None:
        if self.away:
            self.knocks_in_vain += 1
            raise LedgerError("away")


def now() -> float:
    return asyncio.get_running_loop().time()


def attempt_of(number: int) -> Attempt:
    return Attempt(id=number, arrival=waiting(number), number=1, started_at=EVENING)


async def kept(leases: Leases, until: Callable[[], object]) -> int:
    """Keep leases until something holds; say how often something was taken up."""
    told = 0

    async def reclaimed() -> None:
        nonlocal told
        told += 1

    keeping = asyncio.create_task(leases.keep(reclaimed))
    async with asyncio.timeout(20):
        while not until():
            await asyncio.sleep(0.005)
    keeping.cancel()
    await asyncio.wait([keeping])
    return told


async def test_what_is_in_work_is_renewed_and_nothing_else() -> None:
    ledger = Leaser()
    leases = Leases(ledger)  # type: ignore[arg-type]
    with leases.holding(attempt_of(1)):
        with leases.holding(attempt_of(2)):
            await kept(leases, lambda: ledger.renewed)
        assert {tuple(held) for _, held in ledger.renewed} == {(1, 2)}
        ledger.renewed.clear()
        await kept(leases, lambda: ledger.renewed)
        assert {tuple(held) for _, held in ledger.renewed} == {(1,)}
    ledger.renewed.clear()
    await kept(leases, lambda: ledger.renewed)
    assert {tuple(held) for _, held in ledger.renewed} == {()}


async def test_what_was_lost_is_not_renewed_again() -> None:
    ledger = Leaser()
    ledger.lost = {1}
    leases = Leases(ledger)  # type: ignore[arg-type]
    with leases.holding(attempt_of(1)):
        await kept(leases, lambda: len(ledger.renewed) == 3)
    assert [held for _, held in ledger.renewed][:3] == [[1], [], []]


async def test_nothing_is_reclaimed_before_others_had_the_time_to_renew() -> None:
    ledger = Leaser()
    began = now()
    told = await kept(Leases(ledger), lambda: len(ledger.reclaimed) == 2)  # type: ignore[arg-type]
    assert told == 2
    assert ledger.reclaimed[0] - began >= LEASE.total_seconds()
    assert ledger.reclaimed[0] - ledger.renewed[0][0] >= LEASE.total_seconds()


async def test_after_a_ledger_was_away_everybody_gets_the_time_to_renew() -> None:
    ledger = Leaser()
    leases = Leases(ledger)  # type: ignore[arg-type]
    await kept(leases, lambda: ledger.reclaimed)
    ledger.away = True
    await kept(leases, lambda: ledger.knocks_in_vain > 1)
    ledger.away, ledger.reclaimed, back = False, [], now()
    await kept(leases, lambda: ledger.reclaimed)
    assert ledger.reclaimed[0] - back >= LEASE.total_seconds()


async def test_where_nothing_is_shared_nothing_is_kept() -> None:
    ledger = Leaser(lease=None)
    await asyncio.wait_for(Leases(ledger).keep(unexpected), 1)  # type: ignore[arg-type]
    assert ledger.renewed == []


async def unexpected() -> None:
    raise AssertionError
