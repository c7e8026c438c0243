"""A record of Kafka becomes a message, whatever its sender wrote into it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from rapid import metrics
from rapid.consumers.decoders import Decoded, Message
from rapid.consumers.kafka import Connection, KafkaSource, Subscription, unpacking
from rapid.consumers.kafka.source import Decode
from rapid.consumers.kafka.unpacking import Unpacked, message_of, unpack
from rapid.errors import NotAvailable
from rapid.events import JobEnded


def record(timestamp: int) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("topic", 2, 17, timestamp, 0, b"key", b"value", None, 3, 5, (("name", b"header"),))


def test_a_record_is_a_message() -> None:
    message = message_of(record(1768282355374))
    assert (message.topic, message.partition, message.offset) == ("topic", 2, 17)
    assert (message.key, message.value, message.headers) == (b"key", b"value", (("name", b"header"),))
    assert message.timestamp == datetime(2026, 1, 13, 5, 32, 35, 374000, tzinfo=UTC)


@pytest.mark.parametrize("timestamp", [-1, (1 << 63) - 1])
def test_a_time_that_cannot_be_is_none(timestamp: int) -> None:
    assert message_of(record(timestamp)).timestamp is None


# --- the messages of a poll ----------------------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let fewer wait together than a test has."""
    monkeypatch.setattr(unpacking, "AT_ONCE", 100)
    return 100


HERE = TopicPartition("topic", 2)
NOW = datetime(2026, 1, 13, 6, 0, tzinfo=UTC)


def polled(count: int, *stamps: int) -> dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]]:
    """Make messages at offsets from 17 on, stamped as said and else with the time that is now."""
    times = [*stamps, *[round(NOW.timestamp() * 1000)] * (count - len(stamps))]
    return {HERE: [replace(record(time), offset=17 + number) for number, time in enumerate(times)]}


def source(decode: Decode) -> KafkaSource:
    return KafkaSource(Connection(("127.0.0.1:1",)), Subscription(("topic",)), decode=decode, clock=lambda: NOW)


def said(message: Message) -> tuple[Decoded, ...]:
    return (JobEnded(f"{message.offset}", 0, "{}", None, "kafka"),)


def offsets(unpacked: Unpacked) -> list[int]:
    return [int(event.job_id) for event in unpacked.events if isinstance(event, JobEnded)]


@pytest.mark.parametrize("wait_from", [17, 18, 40, 1000])
async def test_messages_stay_in_order_and_those_that_wait_do_so_together(at_once: int, wait_from: int) -> None:
    now = most = 0

    async def decode(message: Message) -> tuple[Decoded, ...]:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        if (message.offset or 0) >= wait_from:
            await asyncio.sleep(random.Random(message.offset).uniform(0.001, 0.01))
        now -= 1
        return said(message)

    unpacked = await unpack(polled(300), source(decode))
    assert offsets(unpacked) == list(range(17, 317))
    assert unpacked.ends == {HERE: 317}
    assert most == (1 if wait_from == 1000 else at_once)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("first", [17, 60, 250, 316])
async def test_a_partition_ends_before_the_first_that_cannot_be_decoded_now(
    at_once: int, first: int, waits: bool
) -> None:
    asked: list[int] = []

    async def decode(message: Message) -> tuple[Decoded, ...]:
        asked.append(message.offset or 0)
        if waits:
            await asyncio.sleep(0.001)
        if (message.offset or 0) >= first:
            raise NotAvailable("the registry is away")
        return said(message)

    unpacked = await unpack(polled(300), source(decode))
    assert offsets(unpacked) == list(range(17, first))
    assert unpacked.not_yet == {HERE: first}
    assert unpacked.ends == ({HERE: first} if first > 17 else {})
    assert len(asked) <= first - 17 + (at_once if waits else 1), "what comes after is not asked about"


@pytest.mark.parametrize(
    ("stamps", "age"),
    [((-1, -1), 0.0), ((1 << 62, 1 << 62), 0.0), ((-90_000, -30_000), 30.0), ((-30_000, 86_400_000), 30.0)],
)
async def test_the_age_of_a_message_knows_no_wrong_clock(stamps: tuple[int, int], age: float) -> None:
    now = round(NOW.timestamp() * 1000)
    written = [stamp if stamp in {-1, 1 << 62} else now + stamp for stamp in stamps]

    async def decode(message: Message) -> tuple[Decoded, ...]:
        return said(message)

    await unpack(polled(2, *written), source(decode))
    found = {
        name: metrics.REGISTRY.get_sample_value(f"rapid_bus_{name}_seconds", {"source": "kafka"})
        for name in ("last_message_timestamp", "message_age")
    }
    assert found == {"last_message_timestamp": NOW.timestamp(), "message_age": age}
