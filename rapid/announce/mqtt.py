"""Announcements to an MQTT broker. Needs the extra ``mqtt``.

Everything is published with QoS 1 and acknowledged one by one, so the order is ours; what was not acknowledged when the
connection went is published again in the next one. The broker tells on our behalf when we are lost (a last will).
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from rapid import __version__
from rapid.announce.bus import Announcement, Publish
from rapid.announce.composing import level
from rapid.errors import AccessDenied, NotAvailable

__all__ = ["MqttBus", "translated"]

STATUS = "service.status/1"

_REFUSED = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})
"""Refusals that are about who we are: identifier, name and password, authorisation, a ban, the method (MQTT 5.0, 3.2.2.2)."""


class MqttBus:
    """The topics below a root.

    Parameters
    ----------
    arguments
        How the broker is reached, as `aiomqtt.Client` takes it.
    root
        The levels that all topics begin with.
    service
        Who we are: ``{root}/service/{service}/status`` tells whether we are there. None for a visitor, who tells nothing.
    """

    name = "mqtt"

    def __init__(self, arguments: Mapping[str, Any], root: str, *, service: str | None) -> None:
        self._arguments, self._root = dict(arguments), root.strip("/")
        self._status = None if service is None else f"{self._root}/service/{level(service)}/status"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Publish]:
        """Connect; see `rapid.announce.bus.Bus`."""
        client = self._client()
        await self._enter(client)
        try:
            async with _noticing(client) as connected, self._telling(client):
                yield _Publishing(client, self._root, self._arguments.get("protocol"), connected, self.server).publish
        except aiomqtt.MqttError as error:
            raise translated(error, self.server) from error
        finally:
            await _leave(client)

    @asynccontextmanager
    async def _telling(self, client: aiomqtt.Client) -> AsyncIterator[None]:
        """Say that we are there, and that we go."""
        if self._status is None:
            yield
            return
        since = datetime.now(UTC)
        await client.publish(self._status, _status("online", since), qos=1, retain=True)
        try:
            yield
        finally:
            with suppress(aiomqtt.MqttError):  # the broker is away: it has said so on our behalf
                await client.publish(self._status, _status("offline", since), qos=1, retain=True)

    @property
    def server(self) -> str:
        """Where the broker is."""
        return f"{self._arguments['hostname']}:{self._arguments['port']}"

    async def _enter(self, client: aiomqtt.Client) -> None:
        """Connect. It is not given up half-way: the library connects in a thread, and would leave the connection behind."""
        entering = asyncio.ensure_future(client.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            with suppress(aiomqtt.MqttError):
                await entering
            await _leave(client)
            raise
        except aiomqtt.MqttError as error:
            await _leave(client)
            raise translated(error, self.server) from error

    def _client(self) -> aiomqtt.Client:
        if self._status is None:
            return aiomqtt.Client(**self._arguments)
        lost = aiomqtt.Will(self._status, json.dumps({"schema": STATUS, "state": "lost"}), qos=1, retain=True)
        return aiomqtt.Client(**self._arguments, will=lost)


class _Publishing:
    """One connection."""

    def __init__(
        self, client: aiomqtt.Client, root: str, protocol: object, connected: asyncio.Task[None], server: str
    ) -> None:
        self._client, self._root, self._connected, self._server = client, root, connected, server
        self._has_properties = protocol is aiomqtt.ProtocolVersion.V5
        self._refused: ReasonCode | None = None
        self._listen_whether_taken()

    async def publish(self, announcements: Sequence[Announcement]) -> None:
        if self._connected.done():
            raise NotAvailable(f"MQTT at {self._server} closed the connection")
        try:
            for one in announcements:
                await self._send(one)
        except aiomqtt.MqttError as error:
            raise translated(error, self._server) from error

    async def _send(self, one: Announcement) -> None:
        properties = self._properties(one)
        topic = "/".join([self._root, *one.route])
        await self._publish(topic, one.body, retain=False, properties=properties)
        if one.latest:
            topic = "/".join([self._root, *one.latest])
            await self._publish(topic, one.body, retain=True, properties=properties)

    async def _publish(self, topic: str, body: bytes, *, retain: bool, properties: Properties | None) -> None:
        self._refused = None
        await self._client.publish(topic, body, qos=1, retain=retain, properties=properties)
        if self._refused is not None:
            raise AccessDenied(f"MQTT at {self._server} does not take what is published to {topic}: {self._refused}")

    def _listen_whether_taken(self) -> None:
        """Look over the shoulder of the library, for which a refusal is as good as an acknowledgement.

        MQTT 3.1.1 has no word for it: there the broker acknowledges what it throws away.
        """
        library, paho = self._client._on_publish, self._client._client  # noqa: SLF001

        def on_publish(client: Any, userdata: object, mid: int, reason: ReasonCode, properties: Properties) -> None:
            if reason.is_failure:
                self._refused = reason
            library(client, userdata, mid, reason, properties)

        paho.on_publish = on_publish

    def _properties(self, one: Announcement) -> Properties | None:
        if not self._has_properties:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json"
        if one.schema:
            properties.UserProperty = [("id", one.id), ("schema", one.schema)]
        return properties


async def _leave(client: aiomqtt.Client) -> None:
    """Disconnect, whatever state the connection is in."""
    with suppress(aiomqtt.MqttError):
        await client.__aexit__(None, None, None)
    client._client.disconnect()  # noqa: SLF001  # one that never got as far would keep its socket
    ended = client._disconnected  # noqa: SLF001
    if ended.done() and not ended.cancelled():
        ended.exception()  # or asyncio says that nobody asked


@asynccontextmanager
async def _noticing(client: aiomqtt.Client) -> AsyncIterator[asyncio.Task[None]]:
    """Run a task that ends when the connection does, also while nothing is published."""

    async def listen() -> None:
        with suppress(aiomqtt.MqttError):
            async for _ in client.messages:  # we subscribe to nothing
                pass

    listening = asyncio.create_task(listen(), name="MQTT connection")
    try:
        yield listening
    finally:
        listening.cancel()
        await asyncio.wait({listening})


def _status(state: str, since: datetime) -> bytes:
    said = {
        "schema": STATUS,
        "state": state,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since_utc": since.isoformat(),
        "version": __version__,
    }
    return json.dumps(said).encode()


def translated(error: aiomqtt.MqttError, server: str) -> AccessDenied | NotAvailable:
    """Tell a broker that does not let us in from one that is away; the library has one error for both."""
    code = getattr(error, "rc", None)
    if isinstance(error.__context__, ssl.SSLError):
        return AccessDenied(f"MQTT at {server} and we do not agree on TLS: {error.__context__}")
    if isinstance(code, ReasonCode) and code.value in _REFUSED:
        return AccessDenied(f"MQTT at {server} does not let us in: {code}")
    return NotAvailable(f"MQTT at {server} is away: {error}")
