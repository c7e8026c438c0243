"""A connection to the broker in a session that it keeps, with messages that we acknowledge ourselves.

The only module that knows the library. aiomqtt acknowledges a message as soon as it has it in its queue, so that a crash
loses what lies there; the client of paho below it can be told not to (docs/decisions/0015).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, Literal

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from rapid import metrics
from rapid.consumers.mqtt.connection import Connection
from rapid.consumers.mqtt.status import SCHEMA, status_message
from rapid.consumers.mqtt.topics import Subscription
from rapid.errors import AccessDenied, NotAvailable

__all__ = ["NAME", "Session", "connected", "refusal", "refused_filters"]

NAME: Final = "mqtt"
"""How the source is called in metrics and health."""
KEEPALIVE: Final = 15
"""A broker that is silent for about so long [s] is away; an idle one is asked this often."""
ANSWER: Final = 5.0
"""How long the broker may take to answer [s]."""
UNASKED: Final = 10_000
"""Most messages without a guarantee (QoS 0) that wait for us: nothing makes the broker wait with those."""
QOS: Final = 1

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

    @property
    def alive(self) -> bool:
        """Whether the connection holds, as far as the last keep-alive could tell."""
        return self._paho.is_connected()

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
            properties = _about_status(PacketTypes.PUBLISH)
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

    def _close(self) -> None:
        """Let go of the socket, whatever state it is in, and of the library's own complaint about it."""
        self._paho.disconnect()
        ended = self._client._disconnected  # noqa: SLF001
        if ended.done() and not ended.cancelled():
            ended.exception()  # or asyncio says that nobody asked


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """Takes all that we shall acknowledge, which the broker bounds, and not more of the rest than it can hold."""

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if item.qos == 0 and self.qsize() >= UNASKED:
            metrics.BUS_LOST.labels(source=NAME).inc()
        else:
            super().put_nowait(item)


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
    session = Session(_client(connection, subscription), connection, subscription)
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


def _client(connection: Connection, subscription: Subscription) -> aiomqtt.Client:
    modern = connection.version == "5"
    return aiomqtt.Client(
        connection.host,
        connection.port,
        username=connection.username,
        password=connection.password,
        identifier=subscription.identifier,
        queue_type=_Inbox,
        protocol=aiomqtt.ProtocolVersion.V5 if modern else aiomqtt.ProtocolVersion.V311,
        will=_will(subscription, modern=modern),
        clean_session=None if modern else False,
        clean_start=False if modern else 3,
        timeout=ANSWER,
        keepalive=KEEPALIVE,
        properties=_wishes(subscription) if modern else None,
        tls_context=connection.tls_context(),
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # acknowledgements are small and many
    )


def _will(subscription: Subscription, *, modern: bool) -> aiomqtt.Will | None:
    if subscription.status_topic is None:
        return None
    properties = _about_status(PacketTypes.WILLMESSAGE) if modern else None
    return aiomqtt.Will(subscription.status_topic, status_message("lost"), QOS, retain=True, properties=properties)


def _wishes(subscription: Subscription) -> Properties:
    """Say how long the session is kept, and how much may be sent ahead."""
    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    wishes.SessionExpiryInterval = min(int(subscription.session.total_seconds()), 0xFFFF_FFFF)
    wishes.ReceiveMaximum = subscription.receive_maximum
    return wishes


def _about_status(packet: int) -> Properties:
    about = Properties(packet)  # type: ignore[no-untyped-call]
    about.ContentType = "application/json"
    about.UserProperty = ("schema", SCHEMA)
    return about
