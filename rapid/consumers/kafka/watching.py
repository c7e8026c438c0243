"""Whether the brokers answer, and how far we are behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError

from rapid import metrics
from rapid.consumers.kafka.connection import knock
from rapid.errors import AccessDenied, NotAvailable

if TYPE_CHECKING:
    from rapid.consumers.kafka.source import KafkaSource

__all__ = ["lags", "watch"]

ANSWER = 5.0
"""How long brokers may take to say where their topics end [s]."""


async def watch(consumer: AIOKafkaConsumer, source: KafkaSource) -> None:
    """Look now and then whether the brokers answer, tell the source, and keep the metrics."""
    while True:
        try:
            await _look(consumer, source)
        except (AccessDenied, NotAvailable) as error:
            _tell(source, str(error))
        else:
            _tell(source, "")
        await asyncio.sleep(source.inspection.total_seconds())


async def lags(consumer: AIOKafkaConsumer) -> dict[str, int]:
    """Count, for each topic of ours, the messages that were not read yet.

    Raises
    ------
    aiokafka.errors.KafkaError
        If the brokers do not say.
    """
    behind: Counter[str] = Counter()
    partitions = consumer.assignment()
    for partition, end in (await consumer.end_offsets(partitions)).items() if partitions else ():
        behind[partition.topic] += max(end - await consumer.position(partition), 0)
    return dict(behind)


async def _look(consumer: AIOKafkaConsumer, source: KafkaSource) -> None:
    """Ask for the lag; when there is no answer, knock, which tells why.

    Raises
    ------
    AccessDenied, NotAvailable
        If the brokers do not let us in, or are away.
    """
    try:
        async with asyncio.timeout(ANSWER):
            for topic, lag in (await lags(consumer)).items():
                metrics.BUS_LAG.labels(source=source.name, topic=topic).set(lag)
            if consumer.assignment():
                return
    except (KafkaError, IllegalStateError, TimeoutError):
        pass  # a rebalance, or a broker that is away: the knock tells one from the other
    await knock(source.connection)


def _tell(source: KafkaSource, why: str) -> None:
    metrics.BUS_CONNECTED.labels(source=source.name).set(0 if why else 1)
    source.looked(why)
