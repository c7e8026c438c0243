"""Two services on one ledger: what one is at the other leaves alone, until its lease has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from rapid.ledger import open_ledger
from rapid.ports import Ledger, Place, State
from tests.support.ledgers import COLUMNS, DAY_OBS, NOON, Clock, arrived, begun, done, entry_of, row_of, sqlite_url

LEASE = timedelta(seconds=30)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def two(postgres_url: str, clock: Clock) -> AsyncIterator[tuple[Ledger, Ledger]]:
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(open_ledger(postgres_url, lease=LEASE, clock=clock)) for _ in range(2)
        ]
        yield one, other


async def test_a_file_is_one_services_own_and_has_no_leases(tmp_path: Path) -> None:
    async with open_ledger(sqlite_url(tmp_path), lease=LEASE) as ledger:
        assert ledger.lease is None
        attempt = await begun(ledger, 1)
        assert await ledger.renew([attempt]) == []


async def test_what_one_is_at_another_cannot_begin(two: tuple[Ledger, Ledger]) -> None:
    one, other = two
    assert (one.lease, other.lease) == (LEASE, LEASE)
    (arrival,) = (await one.record([arrived(1)])).new
    assert await one.begin(arrival) is not None
    assert await other.begin(arrival) is None
    assert await other.recover() == 0
    assert await other.reclaim([]) == 0
    assert (await one.counts()).running == 1


async def test_a_lease_ends_at_its_moment_and_not_before(two: tuple[Ledger, Ledger], clock: Clock) -> None:
    one, other = two
    attempt = await begun(one, 1)
    clock.advance(LEASE.total_seconds() - 1e-6)
    assert await other.reclaim([]) == 0
    clock.advance(1e-6)
    assert await other.reclaim([]) == 1
    (arrival,) = await other.waiting(now=clock.now)
    assert (arrival.id, arrival.attempts, arrival.interruptions) == (attempt.arrival.id, 1, 1)
    again = await other.begin(arrival)
    assert again is not None
    assert again.number == 2


async def test_a_lease_that_is_renewed_does_not_end(two: tuple[Ledger, Ledger], clock: Clock) -> None:
    one, other = two
    attempt = await begun(one, 1)
    for _ in range(5):
        clock.advance(LEASE.total_seconds() * 0.9)
        assert await one.renew([attempt]) == []
        assert await other.reclaim([]) == 0
    assert await one.complete(attempt, row_of(1), COLUMNS, timings={}) is not None


async def test_who_was_taken_for_dead_is_told_and_his_result_is_not_taken(
    two: tuple[Ledger, Ledger], clock: Clock
) -> None:
    one, other = two
    attempt, kept = await begun(one, 1), await begun(one, 2)
    clock.advance(LEASE.total_seconds() - 1)
    assert await one.renew([kept]) == []
    clock.advance(1)
    assert await other.reclaim([]) == 1
    assert await one.renew([attempt, kept]) == [attempt]
    (arrival,) = await other.waiting(now=clock.now)
    theirs = await other.begin(arrival)
    assert theirs is not None
    assert await one.complete(attempt, row_of(1, seeing=9.0), COLUMNS, timings={}) is None
    assert await one.fail(attempt, error="late", detail="", retry_at=None) is None
    assert await other.complete(theirs, row_of(1, seeing=1.0), COLUMNS, timings={}) is not None
    entry = await entry_of(one, 1)
    assert (entry["revision"], entry["cells"]["seeing"]) == (1, 1.0)  # type: ignore[index]


async def test_a_late_result_that_nobody_took_over_is_taken(two: tuple[Ledger, Ledger], clock: Clock) -> None:
    one, _ = two
    attempt = await begun(one, 1)
    clock.advance(10 * LEASE.total_seconds())
    assert await one.complete(attempt, row_of(1), COLUMNS, timings={}) is not None


async def test_nobody_reclaims_what_he_is_at_himself(two: tuple[Ledger, Ledger], clock: Clock) -> None:
    one, _ = two
    attempt, forgotten = await begun(one, 1), await begun(one, 2)
    clock.advance(LEASE.total_seconds())
    assert await one.reclaim([attempt]) == 1
    assert [arrival.id for arrival in await one.waiting(now=clock.now)] == [forgotten.arrival.id]


async def test_an_orderly_end_gives_its_attempts_up_at_once(postgres_url: str, clock: Clock) -> None:
    async with open_ledger(postgres_url, lease=LEASE, clock=clock) as other:
        async with open_ledger(postgres_url, lease=LEASE, clock=clock) as one:
            await begun(one, 1)
        assert await other.reclaim([]) == 1


async def test_a_newer_content_waits_until_the_older_one_is_out_of_work(
    two: tuple[Ledger, Ledger], clock: Clock
) -> None:
    """Else its pictures could be overwritten by those of the older one."""
    one, other = two
    older = await begun(one, 1, "a")
    (newer,) = (await other.record([arrived(1, "b")])).new
    assert await other.begin(newer) is None
    assert await other.waiting(now=clock.now) == [newer]
    assert await one.complete(older, row_of(1), COLUMNS, timings={}) is None
    assert await other.begin(newer) is not None


async def test_a_newer_content_does_not_wait_for_the_dead(two: tuple[Ledger, Ledger], clock: Clock) -> None:
    one, other = two
    await begun(one, 1, "a")
    (newer,) = (await other.record([arrived(1, "b")])).new
    clock.advance(LEASE.total_seconds())
    assert await other.begin(newer) is not None
    assert await other.reclaim([]) == 0, "what is superseded does not wait again"
    assert (await other.counts()).superseded == 1


async def test_a_night_that_two_wrote_is_written_once_more(two: tuple[Ledger, Ledger]) -> None:
    """One read an older table, the other wrote a newer one, and then the first wrote his: the older may have stayed."""
    one, other = two
    await done(one, 1)
    ((_, _, older),) = await one.unpublished_nights()
    await done(other, 2)
    ((_, _, newer),) = await other.unpublished_nights()
    await other.mark_night_published("auxtel", DAY_OBS, newer)
    await one.mark_night_published("auxtel", DAY_OBS, older)
    assert await one.unpublished_nights() == [("auxtel", DAY_OBS, newer)]
    await one.mark_night_published("auxtel", DAY_OBS, newer)
    assert await other.unpublished_nights() == []


async def test_many_that_share_divide_the_work(postgres_url: str) -> None:
    """Whoever comes first has it: of ten that begin everything at once each thing is begun once."""
    async with AsyncExitStack() as stack:
        ledgers = [await stack.enter_async_context(open_ledger(postgres_url)) for _ in range(4)]
        new = (await ledgers[0].record([arrived(number) for number in range(1, 21)])).new
        begun_by = [[await ledger.begin(arrival) for ledger in ledgers] for arrival in new]
        assert all(sum(attempt is not None for attempt in attempts) == 1 for attempts in begun_by)
        assert (await ledgers[1].counts()).running == 20
        assert await ledgers[2].arrivals(states=[State.WAITING]) == []
        assert await ledgers[3].waiting(now=NOON.replace(year=2100)) == []


async def test_one_service_at_a_time_has_the_place_of_a_reader(two: tuple[Ledger, Ledger], clock: Clock) -> None:
    one, other = two
    assert await one.take_place("kafka") == Place()
    assert await other.take_place("kafka") is None
    assert not await other.move_on("kafka", Place(9))
    clock.advance(LEASE.total_seconds() - 1)
    assert await one.move_on("kafka", Place(3))
    clock.advance(LEASE.total_seconds() - 1e-6)
    assert await other.take_place("kafka") is None, "moving on began the lease anew"
    clock.advance(1e-6)
    assert await other.take_place("kafka") == Place(3)
    assert not await one.move_on("kafka", Place(4)), "what the silent one comes back with does not count"
    assert await one.take_place("kafka") is None


async def test_a_service_that_ends_gives_its_places_up(postgres_url: str, clock: Clock) -> None:
    async with open_ledger(postgres_url, lease=LEASE, clock=clock) as other:
        async with open_ledger(postgres_url, lease=LEASE, clock=clock) as one:
            assert await one.take_place("kafka") == Place()
            assert await other.take_place("kafka") is None
        assert await other.take_place("kafka") == Place()
