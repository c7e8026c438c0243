"""Where a partition is read from when nobody has said so, or when the place is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Literal

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from rapid import metrics

__all__ = ["Places"]

_log = structlog.get_logger(__name__)


class Places:
    """Decides where to begin, so that nothing is skipped but what lay there before the first life of the group.

    Parameters
    ----------
    start
        Where a topic begins that was there when we came, and of which the group has no progress.
    name
        Of the source, for metrics.
    """

    def __init__(self, start: Literal["latest", "earliest"], name: str) -> None:
        self._start, self._name = start, name
        self._found: frozenset[str] | None = None
        self._partitions: dict[str, frozenset[int]] = {}

    async def look(self, consumer: AIOKafkaConsumer) -> None:
        """Note which topics there are when we come for the first time: the others are new."""
        if self._found is None:
            self._found = frozenset(await consumer.topics())

    def miss(self, consumer: AIOKafkaConsumer) -> None:
        """Note which topics are gone: one that comes back under its old name is a new one."""
        gone = {topic for topic in self._partitions if not consumer.partitions_for_topic(topic)}
        self._found = (self._found or frozenset()) - gone
        for topic in gone:
            del self._partitions[topic]

    def meet(self, consumer: AIOKafkaConsumer, topics: Iterable[str]) -> None:
        """Note the partitions of topics that we met; further ones are new."""
        for topic in topics:
            if topic not in self._partitions:
                self._partitions[topic] = frozenset(consumer.partitions_for_topic(topic) or ())

    async def begin(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        """Begin with a partition of which the group has no progress, and remember that as progress.

        Were it not remembered, a life that ended before the first message would let the next one begin at a later place.
        """
        with suppress(IllegalStateError):  # it is not ours any more
            if self._start == "latest" and self._was_there(partition):
                offset = (await consumer.end_offsets([partition]))[partition]
            else:
                offset = (await consumer.beginning_offsets([partition]))[partition]
            consumer.seek(partition, offset)
            with suppress(CommitFailedError):
                await consumer.commit({partition: offset})
            _log.info("begins", topic=partition.topic, partition=partition.partition, offset=offset)

    async def begin_anew(self, consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, int]) -> None:
        """Go on with the oldest message there is: the place was thrown away by the broker, or the topic was made anew."""
        for partition, offset in wanted.items():
            oldest = (await consumer.beginning_offsets([partition]))[partition]
            lost = max(oldest - offset, 0)
            metrics.BUS_LOST.labels(source=self._name).inc(lost)
            facts = {"topic": partition.topic, "partition": partition.partition}
            _log.error("the place to go on from is gone", **facts, wanted=offset, oldest=oldest, lost=lost)
            with suppress(IllegalStateError):
                consumer.seek(partition, oldest)

    def _was_there(self, partition: TopicPartition) -> bool:
        """Tell whether a partition existed when we came, and its topic was never gone since."""
        found = self._found is not None and partition.topic in self._found
        return found and partition.partition in self._partitions.get(partition.topic, ())
