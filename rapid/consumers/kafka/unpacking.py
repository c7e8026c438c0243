"""From the records of a poll to the items of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from rapid import metrics
from rapid.consumers.decoders import Message
from rapid.consumers.decoders.times import utc_of_milliseconds
from rapid.consumers.sorting import Said
from rapid.errors import NotAvailable

if TYPE_CHECKING:
    from rapid.consumers.kafka.source import KafkaSource

__all__ = ["Unpacked", "message_of", "unpack"]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Unpacked(Said):
    """What the messages of a poll say.

    Attributes
    ----------
    ends
        For each partition, the offset after the last message that was decoded.
    not_yet
        For each partition that has one, the offset of the first message that cannot be decoded now.
    """

    ends: dict[TopicPartition, int] = field(default_factory=dict)
    not_yet: dict[TopicPartition, int] = field(default_factory=dict)


async def unpack(polled: Mapping[TopicPartition, Sequence[ConsumerRecord[Any, Any]]], source: KafkaSource) -> Unpacked:
    """Decode the messages of a poll, in order; a partition ends where one cannot be decoded yet."""
    unpacked = Unpacked()
    newest = 0
    for partition, records in polled.items():
        for record in records:
            try:
                decoded = await source.decode(message_of(record))
            except NotAvailable as error:
                _log.warning("a message is held back", topic=record.topic, offset=record.offset, why=str(error))
                unpacked.not_yet[partition] = record.offset
                break
            unpacked.add(decoded, source=source.name, live_window=source.live_window)
            unpacked.ends[partition] = record.offset + 1
            newest = max(newest, record.timestamp)
    if newest:
        metrics.BUS_LAST_MESSAGE.labels(source=source.name).set(newest / 1000)
    return unpacked


def message_of(record: ConsumerRecord[Any, Any]) -> Message:
    """Turn a record into what decoders take."""
    return Message(
        topic=record.topic,
        value=record.value,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        timestamp=utc_of_milliseconds(record.timestamp),
        headers=tuple(record.headers),
    )
