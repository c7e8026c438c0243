"""Who tells other systems of results: one announcer a bus, and the watch for what is worth an alert."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from rapid.announce import Announcer, Bus, Composer
from rapid.app.reach import kafka_connection, mqtt_arguments
from rapid.bus_settings import KafkaReach, MqttReach, ResultsSettings
from rapid.config import Settings
from rapid.health import Health, Standing
from rapid.ports import Ledger
from rapid.stores import canonical_url

__all__ = ["failing_components", "kafka_bus", "make_announcers", "mqtt_bus"]

SILENCE = timedelta(seconds=60)
"""An announcer that has not been heard of for so long hangs: brokers take seconds, or it says that they are away."""


def make_announcers(settings: Settings, ledger: Ledger, health: Health) -> list[Announcer]:
    """Make an announcer for each bus that results are to be published on, and let health expect it.

    Raises
    ------
    ConfigError
        If something that is needed is not installed or cannot be read.
    """
    chosen = settings.results
    composer = Composer(chosen.service, canonical_url(settings.gallery_url), chosen.page.rstrip("/"))
    announcers = []
    for bus in _buses(chosen):
        name = f"results-{bus.name}"
        health.expect(name, deadline=2 * SILENCE)
        looked = health.reporter(name)
        announcers.append(Announcer(ledger, bus, composer, reader=name, start=chosen.start, looked=looked))
    return announcers


def failing_components(health: Health) -> Mapping[str, str]:
    """Name the parts of the service that do not work, and say why; one that is only just starting is none."""
    failing = {Standing.FAILING, Standing.STALE}
    return {status.name: status.why for status in health.ready().components if status.standing in failing}


def kafka_bus(chosen: KafkaReach, topic: str) -> Bus:
    """Make the bus of a Kafka topic.

    Raises
    ------
    ConfigError
        If the extra is not installed, or a certificate or the password cannot be read.
    """
    connection = kafka_connection(chosen)
    from rapid.announce.kafka import KafkaBus  # noqa: PLC0415  # the extra is installed
    from rapid.consumers.kafka import knock  # noqa: PLC0415

    return KafkaBus(connection.arguments(), topic, knock=partial(knock, connection))


def mqtt_bus(chosen: MqttReach, root: str, *, service: str | None) -> Bus:
    """Make the bus of the MQTT topics below a root; `service` is whose status is told there, None for nobody's.

    Raises
    ------
    ConfigError
        If the extra is not installed, or a certificate or the password cannot be read.
    """
    arguments = mqtt_arguments(chosen)
    from rapid.announce.mqtt import MqttBus  # noqa: PLC0415  # the extra is installed

    return MqttBus(arguments, root, service=service)


def _buses(chosen: ResultsSettings) -> list[Bus]:
    buses: list[Bus] = []
    if chosen.kafka.servers:
        buses.append(kafka_bus(chosen.kafka, chosen.kafka.topic))
    if chosen.mqtt.server is not None:
        # the service itself may tell its status on the same broker, when it listens there too
        buses.append(mqtt_bus(chosen.mqtt, chosen.mqtt.root, service=f"{chosen.service}-results"))
    return buses
