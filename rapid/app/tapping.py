"""What is said on the buses, as it is said: for a person who looks, and without a trace on the bus.

Kafka is read outside of any group, so that no offset is committed; MQTT in a session that ends with the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from rapid.announce.messages import CONTRACT, Alert, ExposureResult, Verdict
from rapid.app.reach import kafka_connection, mqtt_arguments
from rapid.app.sources import open_registry
from rapid.bus_settings import KafkaSettings, MqttReach, MqttSettings
from rapid.consumers.decoders import Decoded, Decoder, Message
from rapid.errors import NotAvailable
from rapid.events import ExposureSeen, FileArrived, FileRemoved, Ignored, Rejected, ServiceStatus

__all__ = ["Said", "Tap", "open_tap", "topics_of"]


METADATA_AGE = 2000
"""How often brokers are asked for the topics there are [ms]."""

PARTING = 5.0
"""How long a goodbye may take [s]."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a message says.

    Attributes
    ----------
    at
        When it was sent, as far as the bus knows, UTC.
    bus, topic, place
        Where: ``kafka`` and ``partition@offset``, or ``mqtt`` and ``retained`` or nothing.
    kind
        What: ``file``, ``exposure read out``, ``result done``, ``malformed``, ``ignored`` ...
    obs_id, key
        The exposure and the object of the archive; empty where it is about none.
    detail
        Why it is malformed or ignored; else what it says beyond that.
    message
        All of it.
    """

    at: datetime
    bus: str
    topic: str
    place: str
    kind: str
    obs_id: str
    key: str
    detail: str
    message: Message


class Tap:
    """What comes from the buses that it was opened on."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[str, Message, bool] | BaseException] = asyncio.Queue(maxsize=1000)
        self._decoders: dict[str, Decoder] = {}

    def decode_with(self, bus: str, decoder: Decoder) -> None:
        """Decode the messages of a bus by a decoder."""
        self._decoders[bus] = decoder

    async def listen(self, bus: str, messages: AsyncIterator[tuple[Message, bool]]) -> None:
        """Take in the messages of a bus; a full queue lets it wait."""
        try:
            async for message, retained in messages:
                await self._queue.put((bus, message, retained))
        except NotAvailable as error:
            await self._queue.put(error)

    async def __aiter__(self) -> AsyncIterator[Said]:
        """Go through what is said, for ever.

        Raises
        ------
        NotAvailable
            If a bus went away.
        """
        while True:
            heard = await self._queue.get()
            if isinstance(heard, BaseException):
                raise heard
            bus, message, retained = heard
            for said in await self._said(bus, message):
                yield replace(said, place="retained") if retained else said

    async def _said(self, bus: str, message: Message) -> list[Said]:
        place = "" if message.offset is None else f"{message.partition}@{message.offset}"
        blank = Said(message.timestamp or datetime.now(UTC), bus, message.topic, place, "", "", "", "", message)
        ours = _ours(message.value or b"")
        if ours is not None:
            return [replace(blank, **ours)]
        try:
            decoded = await self._decoders[bus].decode(message)
        except NotAvailable as error:
            return [replace(blank, kind="unreadable now", detail=str(error))]
        return [replace(blank, **_described(value)) for value in decoded]


@asynccontextmanager
async def open_tap(
    kafka: KafkaSettings | None, mqtt: MqttReach | None, *, filters: Sequence[str] = (), beginning: bool = False
) -> AsyncIterator[Tap]:
    """Listen to one bus or both.

    Parameters
    ----------
    kafka
        The cluster, with the topics and patterns to read; None for no Kafka.
    mqtt
        The broker; None for no MQTT.
    filters
        What is read there.
    beginning
        Begin with the oldest message that Kafka has, not with what comes.

    Raises
    ------
    ConfigError
        If an extra is not installed, or a certificate or a password cannot be read.
    AccessDenied, NotAvailable
        If a bus does not let us in, or is away.
    """
    tap = Tap()
    async with AsyncExitStack() as stack:
        listening: list[tuple[str, AsyncIterator[tuple[Message, bool]]]] = []
        if kafka is not None:
            tap.decode_with("kafka", Decoder("tap", schemas=await stack.enter_async_context(open_registry(kafka))))
            listening.append(("kafka", await stack.enter_async_context(_kafka(kafka, beginning=beginning))))
        if mqtt is not None:
            tap.decode_with("mqtt", Decoder("tap"))
            listening.append(("mqtt", await stack.enter_async_context(_mqtt(mqtt, filters))))
        tasks = [asyncio.create_task(tap.listen(bus, messages), name=f"tap {bus}") for bus, messages in listening]
        try:
            yield tap
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def topics_of(settings: MqttSettings) -> tuple[str, ...]:
    """Say what is to be read of a broker when nobody says: all that the service would, and more of its root."""
    return (*(() if settings.root is None else (f"{settings.root}/#",)), *settings.topics) or ("#",)


@asynccontextmanager
async def _kafka(chosen: KafkaSettings, *, beginning: bool) -> AsyncIterator[AsyncIterator[tuple[Message, bool]]]:
    connection = kafka_connection(chosen)
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415  # needs the extra `kafka`

    from rapid.consumers.kafka import Subscription, knock  # noqa: PLC0415
    from rapid.consumers.kafka.unpacking import message_of  # noqa: PLC0415

    await knock(connection)
    start = "earliest" if beginning else "latest"
    wanted = Subscription(topics=chosen.topics, patterns=chosen.patterns)
    consumer = AIOKafkaConsumer(
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset=start,
        metadata_max_age_ms=METADATA_AGE,  # a topic that is made later, or was missed in the first answer, is found soon
        **connection.arguments(),
    )

    async def messages() -> AsyncIterator[tuple[Message, bool]]:
        async for record in consumer:
            yield message_of(record), False

    try:
        await consumer.start()
        if wanted.pattern is None:
            consumer.subscribe(topics=wanted.topics)
        else:
            consumer.subscribe(pattern=wanted.pattern)
        yield messages()
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await consumer.stop()


@asynccontextmanager
async def _mqtt(chosen: MqttReach, filters: Sequence[str]) -> AsyncIterator[AsyncIterator[tuple[Message, bool]]]:
    arguments = mqtt_arguments(chosen)
    import aiomqtt  # noqa: PLC0415  # the extra is installed

    from rapid.announce.mqtt import translated  # noqa: PLC0415
    from rapid.consumers.mqtt.reading import message_of  # noqa: PLC0415

    server = str(chosen.server)

    async def messages(client: aiomqtt.Client) -> AsyncIterator[tuple[Message, bool]]:
        try:
            async for message in client.messages:
                yield message_of(message), bool(message.retain)
        except aiomqtt.MqttError as error:
            raise translated(error, server) from error

    try:
        async with aiomqtt.Client(**arguments) as client:
            await client.subscribe([(each, 1) for each in filters])
            yield messages(client)
    except aiomqtt.MqttError as error:
        raise translated(error, server) from error


def _ours(value: bytes) -> dict[str, Any] | None:
    """Describe what rapid itself tells; None for what is none of that."""
    try:
        fields = from_json(value)
    except ValueError:
        return None
    model = CONTRACT.get(str(fields.get("schema"))) if isinstance(fields, dict) else None
    if model is None:
        return None
    known = {field.alias or name for name, field in model.model_fields.items()}
    try:
        return _told(model.model_validate({name: value for name, value in fields.items() if name in known}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return {"kind": "malformed", "detail": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}


def _told(said: ExposureResult | Alert | Verdict) -> dict[str, Any]:
    match said:
        case ExposureResult():
            what = said.error or f"revision {said.revision}, {len(said.metrics)} metrics, {len(said.pictures)} pictures"
            return {"kind": f"result {said.state}", "obs_id": said.obs_id, "detail": f"{said.detector}: {what}"}
        case Alert():
            return {"kind": f"alert {said.state}", "key": said.subject, "detail": f"{said.kind}: {said.reason}"}
    return {"kind": f"verdict {said.verdict}", "key": said.subject, "detail": said.reason}


def _described(value: Decoded) -> dict[str, Any]:
    """Say in a few words what a decoder made of it."""
    match value:
        case Rejected():
            return {"kind": "malformed", "detail": value.reason}
        case Ignored():
            return {"kind": "ignored", "detail": f"{value.why}: {value.subject}"}
        case FileArrived() | FileRemoved():
            about = {} if value.facts is None else {"obs_id": value.facts.obs_id}
            size = f"{value.size} bytes" if isinstance(value, FileArrived) else ""
            kind = "file" if isinstance(value, FileArrived) else "file removed"
            return {"kind": kind, "key": value.key, "detail": size, **about}
        case ExposureSeen():
            return {"kind": f"exposure {value.stage}", "obs_id": value.name.obs_id, "detail": value.image_type}
        case ServiceStatus():
            return {"kind": f"service {value.state}", "detail": value.service}
    name = getattr(value, "name", None)
    return {
        "kind": _words(type(value).__name__),
        "obs_id": getattr(name, "obs_id", ""),
        "key": str(getattr(value, "key", "")),
        "detail": str(getattr(value, "description", "") or getattr(value, "group", "")),
    }


def _words(name: str) -> str:
    """Write the name of a type as words: NextVisit is a next visit."""
    return "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in name).strip()
