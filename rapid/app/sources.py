"""Who announces files to the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rapid.app.reach import kafka_connection, mqtt_connection, needing
from rapid.config import KafkaSettings, MqttSettings, Settings
from rapid.consumers.decoders import ArchivePlace, Decoder, Schemas
from rapid.consumers.directory import DirectorySource
from rapid.errors import ConfigError
from rapid.events import Event
from rapid.health import Health
from rapid.ports import Source
from rapid.processing.fits import is_complete
from rapid.stores import canonical_url, open_store

if TYPE_CHECKING:  # they need the extras `kafka` and `mqtt`
    from rapid.consumers.decoders.registry import SchemaRegistry
    from rapid.consumers.mqtt import Subscription

__all__ = ["open_registry", "open_sources"]

SILENCE = timedelta(seconds=60)
"""A source that has not been heard of for so long, beside its own pauses, hangs."""


@asynccontextmanager
async def open_sources(
    settings: Settings, health: Health, *, heard: Callable[[Event], None] = lambda _: None
) -> AsyncIterator[list[Source]]:
    """Make the sources that the settings ask for, and let health expect them.

    A directory is watched; Kafka and MQTT are listened to where servers are given, and only there the archive may be a
    bucket.

    Parameters
    ----------
    heard
        Is told what a bus says apart from files, before the batch is given that it came with.

    Raises
    ------
    ConfigError
        If nobody would announce anything, or something that is needed is not installed or cannot be read.
    """
    sources: list[Source] = []
    url = canonical_url(settings.archive.url)
    if url.startswith("file:") and settings.archive.watch:
        health.expect("source", deadline=SILENCE + 3 * settings.archive.rescan)
        sources.append(_directory(url, settings, health.reporter("source")))
    async with AsyncExitStack() as stack:
        if settings.kafka.servers:
            health.expect("kafka", deadline=2 * SILENCE)
            registry = await stack.enter_async_context(open_registry(settings.kafka))
            decoder = _decoder("kafka", settings, settings.kafka.announced, registry)
            sources.append(_kafka(settings, decoder, heard, health.reporter("kafka")))
        if settings.mqtt.server is not None:
            health.expect("mqtt", deadline=2 * SILENCE)
            decoder = _decoder("mqtt", settings, settings.mqtt.announced)
            sources.append(_mqtt(settings, decoder, heard, health.reporter("mqtt")))
        if not sources:
            raise ConfigError(_nobody(url))
        yield sources


def _nobody(url: str) -> str:
    if url.startswith("file:"):
        return (
            "archive.watch is false, and neither kafka.servers nor mqtt.server is given: nobody would announce anything"
        )
    return f"archive.url: only a directory can be watched, found {url}; give kafka.servers or mqtt.server, or use `rapid replay`"


def _decoder(name: str, settings: Settings, announced: str | None, schemas: Schemas | None = None) -> Decoder:
    """Make a decoder; an archive in a directory tags contents in another way than whoever announces them."""
    url = canonical_url(settings.archive.url)
    archive = open_store(settings.archive.url, settings.archive.plain_options())
    place = ArchivePlace.of(announced or url)
    return Decoder(name, archive=place, schemas=schemas, look=archive.head, look_always=url.startswith("file:"))


def _directory(url: str, settings: Settings, looked: Callable[[str], None]) -> DirectorySource:
    return DirectorySource(
        Path(unquote(urlsplit(url).path)),
        is_complete=is_complete,
        rescan=settings.archive.rescan,
        live_window=settings.pipeline.live_window,
        force_polling=settings.archive.polling,
        looked=looked,
    )


def _kafka(
    settings: Settings, decoder: Decoder, heard: Callable[[Event], None], looked: Callable[[str], None]
) -> Source:
    from rapid.consumers.kafka import KafkaSource, Subscription  # noqa: PLC0415  # needs the extra `kafka`

    chosen = settings.kafka
    subscription = Subscription(
        topics=chosen.topics,
        patterns=chosen.patterns,
        group=chosen.group,
        private=chosen.private,
        start=chosen.start,
        session_timeout=chosen.session_timeout,
        max_poll_interval=chosen.max_poll_interval,
    )
    return KafkaSource(
        kafka_connection(chosen),
        subscription,
        decode=decoder.decode,
        batch_size=chosen.batch,
        live_window=settings.pipeline.live_window,
        heard=heard,
        looked=looked,
    )


@asynccontextmanager
async def open_registry(chosen: KafkaSettings) -> AsyncIterator[SchemaRegistry | None]:
    """Make the client of the schema registry, where there is one.

    Raises
    ------
    ConfigError
        If the extra `kafka` is not installed.
    """
    with needing("kafka", "kafka.servers"):
        import aiokafka  # noqa: F401, PLC0415

        from rapid.consumers.decoders.registry import SchemaRegistry  # noqa: PLC0415
    if chosen.registry is None:
        yield None
        return
    async with SchemaRegistry(chosen.registry) as registry:
        yield registry


def _mqtt(
    settings: Settings, decoder: Decoder, heard: Callable[[Event], None], looked: Callable[[str], None]
) -> Source:
    chosen = settings.mqtt
    connection = mqtt_connection(chosen)
    from rapid.consumers.mqtt import MqttSource  # noqa: PLC0415  # the extra is installed

    return MqttSource(
        connection,
        _mqtt_subscription(chosen),
        decode=decoder.decode,
        batch_size=chosen.batch,
        live_window=settings.pipeline.live_window,
        heard=heard,
        looked=looked,
    )


def _mqtt_subscription(chosen: MqttSettings) -> Subscription:
    from rapid.consumers.mqtt import Subscription, contract_filters  # noqa: PLC0415  # needs the extra `mqtt`

    ours = () if chosen.root is None else contract_filters(chosen.root)
    return Subscription(
        filters=(*ours, *chosen.topics),
        identifier=chosen.identifier,
        status_topic=None if chosen.root is None else f"{chosen.root}/service/{chosen.identifier}/status",
        session=chosen.session,
        receive_maximum=chosen.receive_maximum,
    )
