"""A record of Kafka becomes a message, whatever its sender wrote into it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiokafka import ConsumerRecord

from rapid.consumers.kafka.unpacking import message_of


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
