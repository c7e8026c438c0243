"""What a bus, its members and the clocks do wrong changes nothing: every exposure has exactly one current result."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rapid import metrics
from rapid.consumers.kafka import KafkaSource
from rapid.ports import State
from tests.support.faults import assert_explained, at_work
from tests.support.kafka import KafkaServer
from tests.support.ledgers import sqlite_url
from tests.support.notifications import file_written
from tests.support.taking import kafka_source, key_of, notification, quick

pytestmark = pytest.mark.system

NOW = datetime(2024, 6, 25, 3, 0, tzinfo=UTC)


def keys_of(numbers: Sequence[int]) -> list[str]:
    return [key_of(number) for number in numbers]


class JumpingClock:
    """A clock that somebody sets, by hours forth and back, each time it is read."""

    def __init__(self, seed: int) -> None:
        self._chance, self.read = random.Random(seed), 0

    def __call__(self) -> datetime:
        self.read += 1
        hours = self._chance.choice([0, 0, 0, 1, -1, 12, -12])
        return datetime.now(UTC) + timedelta(hours=hours)


async def test_exposures_of_the_same_millisecond(kafka: KafkaServer, tmp_path: Path) -> None:
    """A hundred exposures in pairs of one moment, two detectors each: neither stamp nor time tells one from another."""
    topic = await kafka.topic(2)
    at = datetime.now(UTC).replace(microsecond=123000)
    keys = [key_of(number, detector) for number in range(1, 101) for detector in ("R00_S00", "R00_S01")]
    stamps = [round(at.timestamp() * 1000) + number // 4 for number in range(len(keys))]
    async with kafka.publishing() as producer:
        for key, stamp in zip(keys, stamps, strict=True):
            await producer.send(topic, file_written(key, etag="same", at=at), timestamp_ms=stamp)
    async with at_work(sqlite_url(tmp_path), [kafka_source(kafka, quick(topic))]) as work:
        await work.until_settled(len(keys))
        await assert_explained(work.ledger, keys)
        assert sorted(work.workers.started) == sorted(keys)


async def test_announcements_come_twice_out_of_order_late_and_from_the_beginning(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    """Three hundred files: each three times in any order, again while they are studied, and all once more to a new group.

    In the end an older content of the first one is announced that nobody had heard of: whether it is back nobody can tell,
    so it is taken, and studied once.
    """
    topic = await kafka.topic(3)
    keys = keys_of(range(1, 301))
    values = [notification(number) for number in range(1, 301)]
    order = random.Random(7)
    for _ in range(3):
        await kafka.send(topic, order.sample(values, len(values)))
    url = sqlite_url(tmp_path)
    async with at_work(url, [kafka_source(kafka, quick(topic), batch_size=50)]) as work:
        await work.until_settled(150)
        await kafka.send(topic, order.sample(values, len(values)))
        await work.until_settled(300)
    said_before = duplicates()
    async with at_work(url, [kafka_source(kafka, quick(topic, group=f"{topic}-again"))]) as work:
        async with asyncio.timeout(60):
            while duplicates() - said_before < 4 * len(values):
                await asyncio.sleep(0.02)
        assert work.workers.started == []
        late = file_written(keys[0], etag="earlier", at=datetime.now(UTC) - timedelta(hours=3))
        await kafka.send(topic, [late, notification(301)])
        await work.until_settled(302)
        assert sorted(work.workers.started) == sorted([keys[0], key_of(301)])
        await assert_explained(work.ledger, [*keys, key_of(301)])
        (other,) = await work.ledger.arrivals(states=[State.SUPERSEDED])
        assert other.key == keys[0]


def duplicates() -> float:
    return metrics.REGISTRY.get_sample_value("rapid_duplicates_total") or 0.0


async def test_a_rebalance_while_work_takes_longer_than_the_longest_poll(kafka: KafkaServer, tmp_path: Path) -> None:
    """Members come and go three times while every study takes longer than a member may be silent."""
    topic = await kafka.topic(4)
    keys = keys_of(range(1, 25))
    slow = {key: (lambda _: 1.5) for key in keys}

    def member() -> KafkaSource:
        return kafka_source(kafka, quick(topic, max_poll_interval=timedelta(seconds=1)), batch_size=3)

    url = sqlite_url(tmp_path)
    await kafka.send(topic, [notification(number) for number in range(1, 13)])
    async with at_work(url, [member()], scripts=slow) as work:
        for _ in range(3):
            other = member()
            async with other.batches() as batches:
                taken = asyncio.create_task(anext(batches))  # a member that takes and never settles
                await asyncio.sleep(0.8)
                taken.cancel()
                await asyncio.wait({taken})
            await asyncio.sleep(0.4)
        await kafka.send(topic, [notification(number) for number in range(13, 25)])
        await work.until_settled(len(keys))
        await assert_explained(work.ledger, keys)
        assert sorted(work.workers.started) == keys


async def test_clocks_jump(kafka: KafkaServer, tmp_path: Path) -> None:
    """The host's clock is set by up to half a day between any two readings; senders' clocks are of another century."""
    topic = await kafka.topic(2)
    keys = keys_of(range(1, 121))
    chance = random.Random(9)
    async with kafka.publishing() as producer:
        for key in keys:
            stamp = chance.choice([0, 1, 1_700_000_000_000, 9_000_000_000_000])
            at = chance.choice([datetime(1970, 1, 2, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC), datetime.now(UTC)])
            await producer.send(topic, file_written(key, at=at), timestamp_ms=stamp)
    clock = JumpingClock(3)
    failing = {keys[5]: lambda number: ConnectionError("once") if number == 1 else None}
    source = kafka_source(kafka, quick(topic), batch_size=20, clock=clock)
    async with at_work(sqlite_url(tmp_path), [source], clock=clock, scripts=failing) as work:
        await work.until_settled(len(keys))
        await assert_explained(work.ledger, keys)
    assert clock.read > len(keys)


async def test_the_clock_is_set_back_by_an_hour(kafka: KafkaServer, tmp_path: Path) -> None:
    """What was recorded, or put off for a moment, before the clock was set does not wait for the hour to come again."""
    topic = await kafka.topic()
    keys = keys_of(range(1, 41))
    wrong = timedelta(hours=1)
    failing = {key: (lambda number: ConnectionError("once") if number == 1 else 0.1) for key in keys}

    def clock() -> datetime:
        return datetime.now(UTC) + wrong

    async with at_work(sqlite_url(tmp_path), [kafka_source(kafka, quick(topic))], clock=clock, scripts=failing) as work:
        await kafka.send(topic, [notification(number) for number in range(1, 41)])
        while len(work.workers.started) < 20:
            await asyncio.sleep(0.005)
        wrong = timedelta(0)
        await work.until_settled(len(keys))
        await assert_explained(work.ledger, keys)


async def test_a_night_rolls_over(kafka: KafkaServer, tmp_path: Path) -> None:
    """Around noon at UTC-12 h two nights arrive among one another, the sequence beginning anew."""
    topic = await kafka.topic(2)
    noon = datetime(2024, 6, 25, 12, 0, tzinfo=UTC)
    nights = {20240624: range(481, 521), 20240625: range(1, 41)}
    files = {
        f"LATISS/{day}/AT_O_{day}_{number:06d}/AT_O_{day}_{number:06d}_R00_S00.fits": noon
        + timedelta(seconds=place - 40)
        for day, numbers in nights.items()
        for place, number in enumerate(numbers, 40 * (day - 20240624))
    }
    order = random.Random(1).sample(list(files), len(files))
    await kafka.send(topic, [file_written(key, at=files[key]) for key in order])
    async with at_work(sqlite_url(tmp_path), [kafka_source(kafka, quick(topic))]) as work:
        await work.until_settled(len(files))
        await assert_explained(work.ledger, list(files))
        for day, numbers in nights.items():
            _, _, entries = await work.ledger.night("auxtel", day)
            assert [entry["seq_num"] for entry in entries] == list(numbers)
