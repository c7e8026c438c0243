"""Announcements of files over MQTT."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from rapid.consumers.decoders import Decoded, Message
from rapid.consumers.mqtt.client import NAME
from rapid.consumers.mqtt.connection import Connection
from rapid.consumers.mqtt.reading import Reading
from rapid.consumers.mqtt.topics import Subscription
from rapid.events import Event
from rapid.ports import Batch

__all__ = ["Decode", "MqttSource"]

Decode = Callable[[Message], Awaitable[Sequence[Decoded]]]
"""Turns a message into values; raises `rapid.errors.NotAvailable` when that cannot be done now and may be later."""


class MqttSource:
    """A `rapid.ports.Source` of the raw files that are announced over MQTT.

    A message is acknowledged after its batch is settled, never before; the broker keeps the others for our next life. One
    that is away, at the start or later, is waited for. While batches wait to be taken the broker sends no more than the
    receive maximum ahead.

    Parameters
    ----------
    connection, subscription
        How the broker is reached, and what is read.
    decode
        Turns messages into values.
    batch_size
        Most messages in a batch.
    live_window
        What was written longer ago was announced while we were away: it is backlog.
    heard
        Is told every event that is no file.
    looked
        Is told now and then that the broker is there (an empty word), or why it is not.
    inspection
        How often that is looked at.
    """

    name = NAME

    def __init__(
        self,
        connection: Connection,
        subscription: Subscription,
        *,
        decode: Decode,
        batch_size: int = 500,
        live_window: timedelta = timedelta(minutes=10),
        heard: Callable[[Event], None] = lambda _: None,
        looked: Callable[[str], None] = lambda _: None,
        inspection: timedelta = timedelta(seconds=10),
    ) -> None:
        self.connection, self.subscription, self.decode = connection, subscription, decode
        self.batch_size, self.live_window, self.inspection = batch_size, live_window, inspection
        self.heard, self.looked = heard, looked

    @asynccontextmanager
    async def batches(self) -> AsyncIterator[AsyncIterator[Batch]]:
        """Open the source; leaving the context closes it, after what is settled was acknowledged.

        Raises
        ------
        ConfigError
            If a certificate cannot be read.
        """
        self.connection.tls_context()  # what cannot be read is found out before anything starts
        reading = Reading(self)
        async with reading.handover.filled_by(reading.run(), "read MQTT"):
            yield reading.handover
