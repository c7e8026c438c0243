"""A connection to the broker in a session that it keeps, with messages that we acknowledge ourselves.

The only module that reaches into the library. aiomqtt acknowledges a message as soon as it has it in its queue, so that a crash
loses what lies there; the client of paho below it can be told not to (docs/decisions/0015).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Literal

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import ConnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from rapid.consumers.mqtt.client import QOS, about_status, make_client
from rapid.consumers.mqtt.connection import Connection
from rapid.consumers.mqtt.status import status_message
from rapid.consumers.mqtt.topics import Subscription
from rapid.errors import AccessDenied, NotAvailable

__all__ = ["Session", "connected", "refusal", "refused_filters"]

_DENIED = frozenset({0x80 | code for code in (4, 5, 6, 7, 10, 12)})
"""Refusals that are about who we are: identifier, name and password, authorisation, a ban, the method (MQTT 5.0, 3.2.2.2)."""


class Session:
    """What can be done while connected.

    Parameters
    ----------
    client
        The library's client, not connected yet.
    connection, subscription
        How the broker is reached, and what is read.
    """

    def __init__(self, client: aiomqtt.Client, connection: Connection, subscription: Subscription) -> None:
        self._client, self._connection, self._subscription = client, connection, subscription
        self._paho = client._client  # noqa: SLF001  # the library offers no other way to acknowledge later
        self._paho.manual_ack_set(True)
        self._kept = False
        self._listen_whether_kept()

    @property
    def alive(self) -> bool:
        """Whether the connection holds, as far as the last keep-alive could tell."""
        return self._paho.is_connected()

    @property
    def kept(self) -> bool:
        """Whether the broker had kept our session, and with it what came while we were away."""
        return self._kept

    async def enter(self) -> None:
        """Connect, and take up the session.

        It is not given up half-way: the library connects in a thread, and would leave the connection behind.

        Raises
        ------
        AccessDenied, NotAvailable
            If the broker does not let us in, or is away.
        """
        entering = asyncio.ensure_future(self._client.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            with suppress(aiomqtt.MqttError):
                await entering
            self._close()
            raise
        except aiomqtt.MqttError as error:
            self._close()
            raise refusal(error, self._connection) from error

    async def leave(self) -> None:
        """Say good-bye and disconnect; the broker keeps the session."""
        with suppress(aiomqtt.MqttError):
            if self.alive:
                await self.tell("offline")
            await self._client.__aexit__(None, None, None)
        self._close()

    async def subscribe(self) -> None:
        """Ask for messages; what is retained comes only with what was not asked for before.

        Raises
        ------
        AccessDenied
            If the broker does not let us read something.
        NotAvailable
            If it went away.
        """
        filters = self._subscription.filters
        options = SubscribeOptions(qos=QOS, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        modern = self._connection.version == "5"
        asked = [(each, options) for each in filters] if modern else [(each, QOS) for each in filters]
        try:
            answers = await self._client.subscribe(asked)
        except aiomqtt.MqttError as error:
            raise refusal(error, self._connection) from error
        if refused := refused_filters(filters, answers):
            where = self._connection.server
            raise AccessDenied(f"MQTT at {where} does not let us read {', '.join(refused)}")

    async def tell(self, state: Literal["online", "offline"]) -> None:
        """Say how we are, to those who are there and to those who come.

        Raises
        ------
        NotAvailable
            If the broker went away.
        """
        topic, properties = self._subscription.status_topic, None
        if topic is None:
            return
        if self._connection.version == "5":
            properties = about_status(PacketTypes.PUBLISH)
        try:
            await self._client.publish(topic, status_message(state), QOS, retain=True, properties=properties)
        except aiomqtt.MqttError as error:
            raise refusal(error, self._connection) from error

    async def take(self, limit: int) -> list[aiomqtt.Message]:
        """Wait for a message, and take those that lie behind it too, up to a limit.

        Raises
        ------
        AccessDenied, NotAvailable
            If the connection ended.
        """
        messages = self._client.messages
        try:
            taken = [await anext(messages)]
            while len(messages) and len(taken) < limit:
                taken.append(await anext(messages))
        except aiomqtt.MqttError as error:
            raise refusal(error, self._connection) from error
        return taken

    def acknowledge(self, identifier: int) -> None:
        """Acknowledge a message of this connection; after its end nothing happens, and the message comes again."""
        if self.alive:
            self._paho.ack(identifier, QOS)

    def _listen_whether_kept(self) -> None:
        """Look over the shoulder of the library, which does not pass on what the broker says of the session."""
        library = self._client._on_connect  # noqa: SLF001

        def on_connect(
            client: PahoClient, userdata: object, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
        ) -> None:
            self._kept = flags.session_present
            library(client, userdata, flags, reason, properties)

        self._paho.on_connect = on_connect

    def _close(self) -> None:
        """Let go of the socket, whatever state it is in, and of the library's own complaint about it."""
        self._paho.disconnect()
        ended = self._client._disconnected  # noqa: SLF001
        if ended.done() and not ended.cancelled():
            ended.exception()  # or asyncio says that nobody asked


@asynccontextmanager
async def connected(connection: Connection, subscription: Subscription) -> AsyncIterator[Session]:
    """Be connected and subscribed, and have told so.

    Raises
    ------
    AccessDenied, NotAvailable
        If the broker does not let us in, or is away.
    ConfigError
        If a certificate cannot be read.
    """
    session = Session(make_client(connection, subscription), connection, subscription)
    await session.enter()
    try:
        await session.subscribe()
        await session.tell("online")
        yield session
    finally:
        await session.leave()


def refused_filters(filters: Sequence[str], answers: Sequence[int | ReasonCode]) -> list[str]:
    """Return the filters to which the broker did not say yes (MQTT 5.0, 3.9.3; the same values over 3.1.1)."""
    codes = [answer.value if isinstance(answer, ReasonCode) else answer for answer in answers]
    return [each for each, code in zip(filters, codes, strict=True) if code >= 0x80]


def refusal(error: aiomqtt.MqttError, connection: Connection) -> AccessDenied | NotAvailable:
    """Tell a broker that does not let us in from one that is away; the library has one error for both."""
    where = f"MQTT at {connection.server}"
    why = error.__cause__ if isinstance(error.__cause__, aiomqtt.MqttError) else error
    code = getattr(why, "rc", None)
    said = str(code) if isinstance(code, ReasonCode) else str(why)
    if isinstance(error.__context__, ssl.SSLError):
        return AccessDenied(f"{where} and we do not agree on TLS: {said}")
    if isinstance(error, MqttConnectError) and isinstance(code, ReasonCode) and code.value in _DENIED:
        return AccessDenied(f"{where} does not let us in as {connection.username!r}: {said}")
    return NotAvailable(f"{where} is away: {said}")
