"""What happens to brokers and members must not happen to the night: every file once, whatever is killed."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from rapid.ports import Arrival, State
from tests.support.kafka import KafkaServer, kafka_server
from tests.support.taking import Taken, kafka_source, key_of, notification, quick, taken, taking

pytestmark = pytest.mark.system


@pytest.fixture
def mortal(kafka_jars: Path) -> Iterator[KafkaServer]:
    """Run a broker that may be killed; the session's own is not."""
    with kafka_server(kafka_jars) as server:
        yield server


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Taken]:
    async with taken(tmp_path) as opened:
        yield opened


async def arrivals(inbox: Taken) -> Sequence[Arrival]:
    return await inbox.ledger.arrivals(states=list(State), limit=1_000_000)


async def assert_each_once(inbox: Taken, count: int) -> None:
    keys = sorted(arrival.key for arrival in await arrivals(inbox))
    assert keys == [key_of(number) for number in range(1, count + 1)]
    assert (await inbox.ledger.counts()).dead_letters == 0


async def _publish(server: KafkaServer, topic: str, numbers: range, pause: float = 0.05) -> None:
    """Publish in a stream; who publishes survives the broker as well."""
    async with server.publishing() as producer:
        for start in numbers[::10]:
            step = range(start, min(start + 10, numbers.stop))
            await asyncio.gather(*[await producer.send(topic, notification(number)) for number in step])
            await asyncio.sleep(pause)


async def _kill_brokers(server: KafkaServer, inbox: Taken, kills: int) -> None:
    """Kill the broker in mid-stream, start it again, and see that messages flow, so many times."""
    topic = await server.topic(2)
    each = 100
    async with taking(inbox.ledger, [kafka_source(server, quick(topic), batch_size=10)]):
        for kill in range(kills):
            begin = kill * each + 1
            publishing = asyncio.create_task(_publish(server, topic, range(begin, begin + each)))
            await inbox.until(kill * each + random.Random(kill).randrange(1, each))
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.start)
            await publishing
            await inbox.until((kill + 1) * each, within=120)
    await assert_each_once(inbox, kills * each)


async def test_a_broker_is_killed_in_mid_stream(mortal: KafkaServer, inbox: Taken) -> None:
    await _kill_brokers(mortal, inbox, kills=3)


@pytest.mark.soak
async def test_a_broker_is_killed_in_mid_stream_twenty_times(mortal: KafkaServer, inbox: Taken) -> None:
    await _kill_brokers(mortal, inbox, kills=20)


async def test_what_is_announced_twice_out_of_order_and_once_more_is_one_arrival(
    kafka: KafkaServer, inbox: Taken
) -> None:
    topic = await kafka.topic(3)
    values = [notification(number) for number in range(1, 301)]
    order = random.Random(3)
    for _ in range(3):
        await kafka.send(topic, order.sample(values, len(values)))
    source = kafka_source(kafka, quick(topic), batch_size=50)
    async with taking(inbox.ledger, [source]):
        await inbox.until(300)
        await kafka.send(topic, [*values[:50], notification(301)])
        await inbox.until(301)
    await assert_each_once(inbox, 301)


async def _take_lives(kafka: KafkaServer, inbox: Taken, lives: int) -> None:
    """End a source without a word at random moments, again and again; the next one goes on."""
    topic = await kafka.topic(2)
    count = 40 * lives
    chance = random.Random(lives)
    publishing = asyncio.create_task(_publish(kafka, topic, range(1, count + 1)))
    for _ in range(lives):
        source = kafka_source(kafka, quick(topic), batch_size=7)
        async with taking(inbox.ledger, [source]):
            await asyncio.sleep(chance.uniform(0.0, 0.6))
    await publishing
    async with taking(inbox.ledger, [kafka_source(kafka, quick(topic))]):
        await inbox.until(count)
    await assert_each_once(inbox, count)


async def test_lives_end_at_random_moments(kafka: KafkaServer, inbox: Taken) -> None:
    await _take_lives(kafka, inbox, lives=5)


@pytest.mark.soak
async def test_fifty_lives_end_at_random_moments(kafka: KafkaServer, inbox: Taken) -> None:
    await _take_lives(kafka, inbox, lives=50)


async def test_a_life_that_ends_while_it_connects_leaves_nothing_open(kafka: KafkaServer) -> None:
    """Ended after every two milliseconds of the first hundred: a connection left open is a warning, and that an error."""
    topic = await kafka.topic()
    for milliseconds in range(0, 100, 2):
        async with kafka_source(kafka, quick(topic)).batches():
            await asyncio.sleep(milliseconds / 1000)
    gc.collect()


async def _read_much(kafka: KafkaServer, count: int) -> list[int]:
    """Read and settle so many messages; return the resident memory at each twentieth of them [bytes]."""
    topic = await kafka.topic(2)
    resident: list[int] = []
    source = kafka_source(kafka, quick(topic), batch_size=2000)
    process, seen = psutil.Process(), 0
    async with source.batches() as batches, kafka.publishing() as producer:
        for start in range(1, count + 1, count // 20):
            step = range(start, start + count // 20)
            await asyncio.gather(*[await producer.send(topic, notification(number)) for number in step])
            while seen < step.stop - 1:
                batch = await asyncio.wait_for(anext(batches), 60)
                seen += len(batch.items)
                await batch.settle()
            resident.append(process.memory_info().rss)
    return resident


@pytest.mark.parametrize("count", [40_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
async def test_memory_is_flat(kafka: KafkaServer, count: int) -> None:
    resident = await _read_much(kafka, count)
    half = len(resident) // 2
    grown = max(resident[half:]) - max(resident[:half])
    assert grown < 16 << 20, [f"{value / 2**20:.0f} MB" for value in resident]
