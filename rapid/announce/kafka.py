"""Announcements to Apache Kafka. Needs the extra ``kafka``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from rapid import metrics
from rapid.announce.bus import Announcement, Publish
from rapid.errors import NotAvailable

__all__ = ["KafkaBus"]

_log = structlog.get_logger(__name__)

ANSWER = 15.0
"""How long brokers may take over messages [s]: as long as a new leader needs. Then they are published again."""

PARTING = 5.0
"""How long a goodbye may take [s]."""

LOOK = 10.0
"""Seconds between two looks whether the brokers are there while nothing is published."""


class KafkaBus:
    """One topic, written by an idempotent producer and acknowledged by all replicas.

    Parameters
    ----------
    arguments
        How the cluster is reached, as aiokafka's clients take it.
    topic
        Where everything goes.
    knock
        Looks whether the cluster lets us in, and raises `AccessDenied` or `NotAvailable` where not, with the reason.
    """

    name = "kafka"

    def __init__(self, arguments: Mapping[str, Any], topic: str, *, knock: Callable[[], Awaitable[None]]) -> None:
        self._arguments, self._topic, self._knock = dict(arguments), topic, knock
        self._sizes = _Sizes()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Publish]:
        """Connect; see `rapid.announce.bus.Bus`."""
        await self._knock()
        producer = AIOKafkaProducer(
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            request_timeout_ms=int(ANSWER * 1000),
            **self._arguments,
        )
        publishing = _Publishing(producer, self._topic, self._knock, self._sizes)
        try:
            await self._start(producer)
            yield publishing.publish
        finally:
            await _part(producer, settled=publishing.settled)

    async def _start(self, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(ANSWER):
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            raise NotAvailable(f"Kafka takes no messages: {_said(error)}") from error


@dataclass(slots=True)
class _Sizes:
    """What brokers said was too large: messages that were in such a batch, and those that are it by themselves."""

    doubtful: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


class _Publishing:
    """One life of a producer."""

    def __init__(
        self, producer: AIOKafkaProducer, topic: str, knock: Callable[[], Awaitable[None]], sizes: _Sizes
    ) -> None:
        self._producer, self._topic, self._knock, self._sizes = producer, topic, knock, sizes
        self._seen_at = time.monotonic()
        self.settled = True

    async def publish(self, announcements: Sequence[Announcement]) -> None:
        if not announcements:
            await self._look()
            return
        self.settled = False
        try:
            async with asyncio.timeout(1.5 * ANSWER):  # a topic that is not there is found out after one
                for some in self._batches(announcements):
                    await self._publish_together(some)
        except UnknownTopicOrPartitionError as error:
            raise NotAvailable(f"Kafka has no topic {self._topic!r}; make it, or allow us to") from error
        except (KafkaError, TimeoutError) as error:
            raise NotAvailable(f"Kafka did not take a message: {_said(error)}") from error
        self._seen_at, self.settled = time.monotonic(), True

    def _batches(self, announcements: Sequence[Announcement]) -> Iterator[list[Announcement]]:
        """Put messages together, except for those of which one was too large: each of them goes alone."""
        wanted = [one for one in announcements if one.id not in self._sizes.refused]
        for doubtful, some in groupby(wanted, key=lambda one: one.id if one.id in self._sizes.doubtful else None):
            yield list(some)
            if doubtful is not None:
                self._sizes.doubtful.discard(doubtful)

    async def _publish_together(self, some: Sequence[Announcement]) -> None:
        """Publish some messages, and wait until the brokers have them.

        One that they refuse as too large takes those of its batch with it, and the producer too, whose numbers go on with
        the next one: all of them are published again by a new producer, and one that is too large by itself is left out.
        """
        sent = [future for one in some if (future := await self._send(one)) is not None]
        answers = await asyncio.gather(*sent, return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if any(isinstance(failure, MessageSizeTooLargeError) for failure in failures):
            if len(some) == 1:
                self._refuse(some[0], failures[0])
            self._sizes.doubtful.update(one.id for one in some)
        if failures:
            raise failures[0]

    async def _send(self, one: Announcement) -> asyncio.Future[Any] | None:
        """Hand a message to the producer; one that is too large even for that is left out."""
        headers = [("schema", one.schema.encode()), ("id", one.id.encode())] if one.schema else []
        try:
            future: asyncio.Future[Any] = await self._producer.send(
                self._topic, one.body, key=one.key.encode() or None, headers=headers
            )
        except MessageSizeTooLargeError as error:
            self._refuse(one, error)
            return None
        return future

    def _refuse(self, one: Announcement, error: BaseException) -> None:
        self._sizes.refused.add(one.id)
        metrics.ANNOUNCEMENTS_REFUSED.labels(bus=KafkaBus.name).inc()
        _log.error("a message is too large for Kafka and is not published", id=one.id, why=_said(error))

    async def _look(self) -> None:
        if time.monotonic() - self._seen_at > LOOK:
            await self._knock()
            self._seen_at = time.monotonic()


async def _part(producer: AIOKafkaProducer, *, settled: bool) -> None:
    """Say goodbye, in time.

    What was not acknowledged is given up, for it is published again by the next producer: this one would wait until brokers
    answer, since it numbers its messages and may leave none out.
    """
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(PARTING):
            if settled:
                await producer.stop()
                return
            producer._closed = True  # noqa: SLF001
            await producer._sender.close()  # noqa: SLF001
            await producer.client.close()


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
