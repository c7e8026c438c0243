"""How the buses of the settings are reached, whoever reads or writes there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rapid.bus_settings import KafkaReach, MqttReach
from rapid.errors import ConfigError

if TYPE_CHECKING:  # they need the extras `kafka` and `mqtt`
    from rapid.consumers import kafka, mqtt

__all__ = ["kafka_connection", "mqtt_arguments", "mqtt_connection", "needing"]

KEEP_ALIVE = 15
"""How often an idle connection is tried [s], so that a broker that vanished is missed."""

PATIENCE = 5.0
"""How long a broker may take to answer [s]."""


@contextmanager
def needing(extra: str, wanted: str) -> Iterator[None]:
    """Say of an import that fails which setting asks for it, and what is to be installed.

    Raises
    ------
    ConfigError
        If something is not installed.
    """
    try:
        yield
    except ImportError as error:
        msg = f"{wanted}: {error.name} is not installed; install rapid-summit with the extra `{extra}`"
        raise ConfigError(msg) from error


def kafka_connection(chosen: KafkaReach) -> kafka.Connection:
    """Say how a cluster is reached.

    Raises
    ------
    ConfigError
        If the extra is not installed, an address is none, or a certificate or the password cannot be read.
    """
    with needing("kafka", f"{chosen.place}.servers"):
        from rapid.consumers.kafka import Connection  # noqa: PLC0415
    connection = Connection(
        chosen.servers,
        chosen.security,
        chosen.mechanism,
        chosen.username,
        chosen.read_password(),
        chosen.ca_file,
        chosen.certificate_file,
        chosen.key_file,
    )
    connection.security_arguments()  # a certificate that cannot be read is found out before anything starts
    return connection


def mqtt_connection(chosen: MqttReach) -> mqtt.Connection:
    """Say how a broker is reached.

    Raises
    ------
    ConfigError
        If the extra is not installed, the address is none, or a certificate or the password cannot be read.
    """
    with needing("mqtt", f"{chosen.place}.server"):
        from rapid.consumers.mqtt import Connection  # noqa: PLC0415
    connection = Connection(
        chosen.server or "",
        chosen.version,
        chosen.tls,
        chosen.username,
        chosen.read_password(),
        chosen.ca_file,
        chosen.certificate_file,
        chosen.key_file,
    )
    connection.tls_context()  # as above
    return connection


def mqtt_arguments(chosen: MqttReach) -> dict[str, Any]:
    """Return how a broker is reached, as `aiomqtt.Client` takes it.

    Raises
    ------
    ConfigError
        As `mqtt_connection`.
    """
    connection = mqtt_connection(chosen)
    from aiomqtt import ProtocolVersion  # noqa: PLC0415  # the extra is installed

    return {
        "hostname": connection.host,
        "port": connection.port,
        "username": connection.username,
        "password": connection.password,
        "protocol": ProtocolVersion.V5 if connection.version == "5" else ProtocolVersion.V311,
        "tls_context": connection.tls_context(),
        "keepalive": KEEP_ALIVE,
        "timeout": PATIENCE,
    }
