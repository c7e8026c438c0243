"""Announcements of files from Kafka topics."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import uuid4

from rapid.consumers.decoders import Decoded, Message
from rapid.consumers.kafka.connection import Connection
from rapid.consumers.kafka.reading import Reading
from rapid.errors import ConfigError
from rapid.events import Event
from rapid.ports import Batch

__all__ = ["Decode", "KafkaSource", "Subscription"]

Decode = Callable[[Message], Awaitable[Sequence[Decoded]]]
"""Turns a message into values; raises `rapid.errors.NotAvailable` when that cannot be done now and may be later."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is read, as a member of which group.

    Attributes
    ----------
    topics
        Their names; one that does not exist yet is read as soon as it does.
    patterns
        Regular expressions of names; a pattern costs a list of all topics now and then.
    group
        Whose progress is continued. Members of one group share the partitions, and take over from one that dies.
    private
        Belong to a group of our own in this life, so that every process sees all messages; none is continued.
    start
        Where a topic begins of which the group has no progress. A topic or partition that comes into being later begins
        with its first message in any case.
    session_timeout
        A member that was not heard of for so long is dead.
    max_poll_interval
        One that did not poll for so long hangs; a batch that nobody takes does not keep us from polling.
    metadata_age
        How often it is looked whether there are new topics and partitions.
    """

    topics: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    group: str = "rapid"
    private: bool = False
    start: Literal["latest", "earliest"] = "latest"
    session_timeout: timedelta = timedelta(seconds=10)
    max_poll_interval: timedelta = timedelta(minutes=5)
    metadata_age: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        if not self.topics and not self.patterns:
            raise ConfigError("Kafka: no topics and no patterns to read")
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(f"Kafka: {pattern!r} is not a regular expression: {error}") from error

    @property
    def pattern(self) -> str | None:
        """One expression for all topics, or None where names suffice."""
        if not self.patterns:
            return None
        return f"^(?:{'|'.join([*map(re.escape, self.topics), *self.patterns])})$"


class KafkaSource:
    """A `rapid.ports.Source` of the raw files that are announced on Kafka.

    Offsets are committed after the batch is settled, never before, and at most one commit a batch. Brokers that are away,
    at the start or later, are waited for. While a batch waits to be taken its partitions are paused and polling goes on.

    Parameters
    ----------
    connection, subscription
        How the cluster is reached, and what is read.
    decode
        Turns messages into values.
    batch_size
        Most messages in a batch.
    live_window
        What was written longer ago was announced while we were away: it is backlog.
    heard
        Is told every event that is no file.
    looked
        Is told now and then that the brokers answer (an empty word), or why they do not.
    inspection
        How often that is looked at, and the lag with it.
    clock
        Tells the time, UTC.
    """

    name = "kafka"

    def __init__(
        self,
        connection: Connection,
        subscription: Subscription,
        *,
        decode: Decode,
        batch_size: int = 2000,
        live_window: timedelta = timedelta(minutes=10),
        heard: Callable[[Event], None] = lambda _: None,
        looked: Callable[[str], None] = lambda _: None,
        inspection: timedelta = timedelta(seconds=10),
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.connection, self.subscription, self.decode = connection, subscription, decode
        self.batch_size, self.live_window, self.inspection = batch_size, live_window, inspection
        self.heard, self.looked, self.clock = heard, looked, clock
        self.group = f"{subscription.group}-{uuid4().hex}" if subscription.private else subscription.group

    @asynccontextmanager
    async def batches(self) -> AsyncIterator[AsyncIterator[Batch]]:
        """Open the source; leaving the context closes it, after what is settled was committed.

        Raises
        ------
        ConfigError
            If a certificate cannot be read.
        """
        reading = Reading(self, self.connection.arguments())
        async with reading.handover.filled_by(reading.run(), "read Kafka"):
            yield reading.handover
