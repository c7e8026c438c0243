"""What is settled is committed, in order, and no further."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from rapid import metrics
from rapid.consumers.kafka.progress import Progress
from rapid.consumers.kafka.unpacking import Unpacked
from rapid.events import FileArrived, Rejected
from rapid.ports import Batch

__all__ = ["Committing"]

_log = structlog.get_logger(__name__)

AGAIN = 1.0
"""Pause before a commit that failed is made again [s]."""
HANDING_BACK = 2.0
"""How long a last commit may hold up a rebalance [s]."""


@dataclass(frozen=True, slots=True)
class _Batch:
    items: tuple[FileArrived | Rejected, ...]
    settled: Callable[[], None]

    async def settle(self) -> None:
        """Let the offsets be committed; it is not waited for, since a commit that is lost costs duplicates only."""
        self.settled()


class Committing(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Commits for one consumer, as its partitions come and go.

    Parameters
    ----------
    consumer
        Whose offsets they are.
    name
        Of the source, for metrics.
    assigned
        Is told of partitions that are ours, as soon as they are.
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, name: str, assigned: Callable[[Collection[TopicPartition]], None]
    ) -> None:
        self.progress: Progress[TopicPartition] = Progress()
        self._consumer, self._name, self._assigned = consumer, name, assigned
        self._settled = asyncio.Event()
        self._one_by_one = asyncio.Lock()

    def batch(self, unpacked: Unpacked) -> Batch:
        """Make a batch that is committed when it, and what was before it, is settled."""
        number = self.progress.take(unpacked.ends)

        def settled() -> None:
            self.progress.settle(number)
            self._settled.set()

        return _Batch(tuple(unpacked.items), settled)

    async def run(self) -> None:
        """Commit what is settled, until cancelled."""
        while True:
            await self._settled.wait()
            self._settled.clear()
            try:
                await self._commit()
            except KafkaError as error:
                _log.warning("offsets are not committed, trying again", why=str(error) or type(error).__name__)
                self._settled.set()
                await asyncio.sleep(AGAIN)

    async def finish(self, *, within: float) -> None:
        """Commit a last time; what that does not reach is announced again."""
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(within):
                await self._commit()
        self.progress.clear()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Commit before partitions go to somebody else; what is in work meanwhile is announced to them again."""
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(HANDING_BACK):
                await self._commit()
        self.progress.forget(revoked)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Begin with new partitions."""
        self._assigned(assigned)
        metrics.BUS_REBALANCES.labels(source=self._name).inc()
        _log.info("partitions are ours", partitions=sorted(f"{tp.topic}[{tp.partition}]" for tp in assigned))

    async def _commit(self) -> None:
        async with self._one_by_one:
            offsets = self.progress.committable()
            if not offsets:
                return
            try:
                await self._consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError) as error:
                _log.info("partitions went to somebody else before their commit", why=str(error))
            self.progress.committed(offsets)
