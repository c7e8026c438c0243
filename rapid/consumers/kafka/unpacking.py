"""From the records of a poll to the items of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from rapid import metrics
from rapid.consumers.decoders import Decoded, Message
from rapid.consumers.decoders.times import utc_of_milliseconds
from rapid.consumers.sorting import Said
from rapid.errors import NotAvailable

if TYPE_CHECKING:
    from rapid.consumers.kafka.source import KafkaSource

__all__ = ["Unpacked", "message_of", "unpack"]

_log = structlog.get_logger(__name__)

AT_ONCE = 500
"""Most messages that wait together: an archive that does not answer within five seconds holds up a batch for twenty, and the
largest that may be asked for for less time than a member of a group may be silent."""

_Record: TypeAlias = ConsumerRecord[Any, Any]
_Polled: TypeAlias = Mapping[TopicPartition, Sequence[_Record]]
_Outcome: TypeAlias = Sequence[Decoded] | NotAvailable


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


async def unpack(polled: _Polled, source: KafkaSource) -> Unpacked:
    """Decode the messages of a poll, in order; a partition ends where one cannot be decoded yet."""
    unpacked = Unpacked()
    for partition, records in polled.items():
        for record, decoded in zip(records, await _decoded(records, source), strict=False):
            if isinstance(decoded, NotAvailable):
                _log.warning("a message is held back", topic=record.topic, offset=record.offset, why=str(decoded))
                unpacked.not_yet[partition] = record.offset
                break
            unpacked.add(decoded, source=source.name, live_window=source.live_window)
            unpacked.ends[partition] = record.offset + 1
    _note_age(polled, source)
    return unpacked


def message_of(record: _Record) -> Message:
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


async def _decoded(records: Sequence[_Record], source: KafkaSource) -> list[_Outcome]:
    """Decode messages up to the first that cannot be decoded now: one after the other, which costs least, until one
    has to wait for somebody (an archive, a registry); from there on many wait together.
    """
    waited = asyncio.Event()
    asyncio.get_running_loop().call_soon(waited.set)
    outcomes: list[_Outcome] = []
    while len(outcomes) < len(records) and not (outcomes and isinstance(outcomes[-1], NotAvailable)):
        some = records[len(outcomes) : len(outcomes) + (AT_ONCE if waited.is_set() else 1)]
        if len(some) == 1:
            outcomes.append(await _outcome(some[0], source))
            continue
        found = await asyncio.gather(*(_outcome(record, source) for record in some))
        stop = next((n for n, outcome in enumerate(found, 1) if isinstance(outcome, NotAvailable)), len(found))
        outcomes += found[:stop]
    return outcomes


async def _outcome(record: _Record, source: KafkaSource) -> _Outcome:
    try:
        return await source.decode(message_of(record))
    except NotAvailable as error:
        return error


def _note_age(polled: _Polled, source: KafkaSource) -> None:
    """Note when messages came, by our clock, and how old the newest was; whoever stamps it may have a clock that errs."""
    now = source.clock().timestamp()
    stamps = [record.timestamp / 1000 for records in polled.values() for record in records]
    if stamps:
        metrics.BUS_LAST_MESSAGE.labels(source=source.name).set(now)
        newest = max((stamp for stamp in stamps if 0 <= stamp <= now), default=now)
        metrics.BUS_MESSAGE_AGE.labels(source=source.name).set(now - newest)
