"""The library's client, as we want it to be: what it asks of the broker, and how it takes what comes."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from rapid import metrics
from rapid.consumers.mqtt.connection import Connection
from rapid.consumers.mqtt.status import SCHEMA, status_message
from rapid.consumers.mqtt.topics import Subscription

__all__ = ["NAME", "QOS", "Inbox", "about_status", "make_client"]

NAME: Final = "mqtt"
"""How the source is called in metrics and health."""
KEEPALIVE: Final = 15
"""A broker that is silent for about so long [s] is away; an idle one is asked this often."""
ANSWER: Final = 5.0
"""How long the broker may take to answer [s]."""
UNASKED: Final = 10_000
"""Most messages without a guarantee (QoS 0) that wait for us: nothing makes the broker wait with those."""
QOS: Final = 1


def make_client(connection: Connection, subscription: Subscription) -> aiomqtt.Client:
    """Make a client that is not connected yet.

    Raises
    ------
    ConfigError
        If a certificate cannot be read.
    """
    modern = connection.version == "5"
    return aiomqtt.Client(
        connection.host,
        connection.port,
        username=connection.username,
        password=connection.password,
        identifier=subscription.identifier,
        queue_type=Inbox,
        protocol=aiomqtt.ProtocolVersion.V5 if modern else aiomqtt.ProtocolVersion.V311,
        will=_will(subscription, modern=modern),
        clean_session=None if modern else False,
        clean_start=False if modern else MQTT_CLEAN_START_FIRST_ONLY,
        timeout=ANSWER,
        keepalive=KEEPALIVE,
        properties=_wishes(subscription) if modern else None,
        tls_context=connection.tls_context(),
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # acknowledgements are small and many
    )


def about_status(packet: int) -> Properties:
    """Return what MQTT 5 says of a message that is a status."""
    about = Properties(packet)  # type: ignore[no-untyped-call]
    about.ContentType = "application/json"
    about.UserProperty = ("schema", SCHEMA)
    return about


class Inbox(asyncio.Queue[aiomqtt.Message]):
    """Takes all that we shall acknowledge, which the broker bounds, and not more of the rest than it can hold."""

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Take a message, or throw it away and count it."""
        if item.qos == 0 and self.qsize() >= UNASKED:
            metrics.BUS_LOST.labels(source=NAME).inc()
        else:
            super().put_nowait(item)


def _will(subscription: Subscription, *, modern: bool) -> aiomqtt.Will | None:
    if subscription.status_topic is None:
        return None
    properties = about_status(PacketTypes.WILLMESSAGE) if modern else None
    return aiomqtt.Will(subscription.status_topic, status_message("lost"), QOS, retain=True, properties=properties)


def _wishes(subscription: Subscription) -> Properties:
    """Say how long the session is kept, and how much may be sent ahead."""
    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    wishes.SessionExpiryInterval = min(int(subscription.session.total_seconds()), 0xFFFF_FFFF)
    wishes.ReceiveMaximum = subscription.receive_maximum
    return wishes
