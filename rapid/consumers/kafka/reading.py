"""One life of a Kafka source: connect, read, hand over, commit, and begin anew when the cluster went away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from rapid import metrics
from rapid.consumers.batches import Handover
from rapid.consumers.kafka.committing import Committing
from rapid.consumers.kafka.connection import knock
from rapid.consumers.kafka.places import Places
from rapid.consumers.kafka.unpacking import Unpacked, unpack
from rapid.consumers.kafka.watching import watch
from rapid.errors import AccessDenied, ConfigError, NotAvailable

if TYPE_CHECKING:
    from rapid.consumers.kafka.source import KafkaSource

__all__ = ["Reading"]

_log = structlog.get_logger(__name__)

POLL: Final = 0.2
"""How long a poll waits for messages, and how often it is made while a batch waits to be taken [s]."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Between two attempts to connect [s]."""
CONNECT = 15.0
"""How long the brokers may take to let us in, all of them together [s]."""
STEADY = 60.0
"""A connection that held so long [s] was a good one: the pauses begin anew."""
PARTING = 5.0
"""How long the last commit, and leaving the group, may take [s]."""
HOLD_BACK = 2.0
"""When a message that could not be decoded yet is looked at again [s]."""

_Polled = dict[TopicPartition, list[ConsumerRecord[Any, Any]]]


class Reading:
    """What a source knows between being opened and being closed.

    Parameters
    ----------
    source
        Whose life it is.
    arguments
        How a client of aiokafka connects.
    """

    def __init__(self, source: KafkaSource, arguments: dict[str, Any]) -> None:
        self.handover = Handover()
        self._source, self._arguments = source, arguments
        self._places = Places(source.subscription.start, source.name)
        self._held: dict[TopicPartition, float] = {}
        self._pause = FIRST_PAUSE

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            begun = time.monotonic()
            try:
                await self._read_until_it_fails()
            except* (KafkaError, OSError) as errors:
                await self._complain(errors)
            if time.monotonic() - begun > STEADY:
                self._pause = FIRST_PAUSE
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    async def _complain(self, errors: BaseExceptionGroup[KafkaError | OSError]) -> None:
        """Say why the connection ended: brokers that are away, or that do not let us in."""
        metrics.BUS_CONNECTED.labels(source=self._source.name).set(0)
        why = "; ".join(str(error) or type(error).__name__ for error in errors.exceptions)
        try:
            await knock(self._source.connection)
        except (AccessDenied, NotAvailable, ConfigError) as error:
            why = str(error)
        self._source.looked(why)
        _log.warning("no messages from Kafka, trying again", why=why, pause=self._pause)

    async def _read_until_it_fails(self) -> None:
        async with self._connected() as consumer:

            def assigned(partitions: Collection[TopicPartition]) -> None:
                self._places.miss(consumer)
                self._places.meet(consumer, {partition.topic for partition in partitions})

            committing = Committing(consumer, self._source.name, assigned)
            self._held.clear()
            self._subscribe(consumer, committing)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(committing.run())
                    group.create_task(watch(consumer, self._source))
                    group.create_task(self._read(consumer, committing))
            finally:
                await committing.finish(within=PARTING)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AIOKafkaConsumer]:
        wanted = self._source.subscription
        session = int(wanted.session_timeout.total_seconds() * 1000)
        consumer = AIOKafkaConsumer(
            **self._arguments,
            client_id="rapid",
            group_id=self._source.group,
            enable_auto_commit=False,
            auto_offset_reset="none",  # what "latest" would skip in silence, `Places` decides aloud
            session_timeout_ms=session,
            heartbeat_interval_ms=max(session // 5, 1),
            max_poll_interval_ms=int(wanted.max_poll_interval.total_seconds() * 1000),
            metadata_max_age_ms=int(wanted.metadata_age.total_seconds() * 1000),
        )
        starting = asyncio.create_task(consumer.start(), name="connect to Kafka")
        try:
            async with asyncio.timeout(CONNECT):
                await asyncio.shield(starting)
                await self._places.look(consumer)
            yield consumer
        finally:
            with suppress(TimeoutError, KafkaError, OSError):
                async with asyncio.timeout(PARTING):
                    await starting  # aiokafka loses the connection of a start that is cut off, and leaves it open
            with suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(PARTING):
                    await consumer.stop()

    def _subscribe(self, consumer: AIOKafkaConsumer, committing: Committing) -> None:
        """Ask for partitions: after the start, which would wait for topics that do not exist."""
        wanted = self._source.subscription
        if wanted.pattern is None:
            consumer.subscribe(topics=wanted.topics, listener=committing)
        else:
            consumer.subscribe(pattern=wanted.pattern, listener=committing)

    async def _read(self, consumer: AIOKafkaConsumer, committing: Committing) -> None:
        while True:
            self._resume(consumer)
            polled = await self._poll(consumer, committing, seconds=POLL)
            if polled:
                await self._take(consumer, committing, polled)

    async def _poll(self, consumer: AIOKafkaConsumer, committing: Committing, *, seconds: float) -> _Polled:
        """Fetch messages; partitions without a place to go on from are given one."""
        try:
            polled: _Polled = await consumer.getmany(
                timeout_ms=int(seconds * 1000), max_records=self._source.batch_size
            )
        except NoOffsetForPartitionError as error:
            await self._places.begin(consumer, error.args[0])
            return {}
        except OffsetOutOfRangeError as error:
            committing.progress.forget(error.args[0])
            await self._places.begin_anew(consumer, error.args[0])
            return {}
        return polled

    async def _take(self, consumer: AIOKafkaConsumer, committing: Committing, polled: _Polled) -> None:
        unpacked = await unpack(polled, self._source)
        for partition, offset in unpacked.not_yet.items():
            self._hold_back(consumer, partition, offset)
        if not unpacked.ends:
            return
        for event in unpacked.events:
            self._source.heard(event)
        await self._hand_over(consumer, committing, unpacked)

    def _hold_back(self, consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
        """Come back to a message later; the other partitions go on."""
        if partition in consumer.assignment():
            consumer.seek(partition, offset)
            consumer.pause(partition)
            self._held[partition] = time.monotonic() + HOLD_BACK

    def _resume(self, consumer: AIOKafkaConsumer) -> None:
        """Let every partition go on, except those whose next message is held back."""
        now = time.monotonic()
        self._held = {partition: until for partition, until in self._held.items() if until > now}
        paused = (consumer.paused() & consumer.assignment()) - self._held.keys()
        if paused:
            consumer.resume(*paused)

    async def _hand_over(self, consumer: AIOKafkaConsumer, committing: Committing, unpacked: Unpacked) -> None:
        """Offer a batch, and stay a member of the group for as long as nobody takes it."""
        batch = committing.batch(unpacked)
        if not batch.items and not unpacked.events:
            await batch.settle()
            return
        giving = asyncio.create_task(self.handover.give(batch))
        try:
            while not (await asyncio.wait({giving}, timeout=POLL))[0]:
                await self._keep_polling(consumer, committing)
        finally:
            giving.cancel()

    async def _keep_polling(self, consumer: AIOKafkaConsumer, committing: Committing) -> None:
        """Poll paused partitions; what comes of one that was given to us just now is put back."""
        consumer.pause(*consumer.assignment())
        for partition, records in (await self._poll(consumer, committing, seconds=0)).items():
            if partition in consumer.assignment():
                consumer.seek(partition, records[0].offset)
