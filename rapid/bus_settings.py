"""The settings of the buses: where files are announced, and where results are published. See `rapid.config`."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from rapid.errors import ConfigError

__all__ = [
    "Duration",
    "KafkaReach",
    "KafkaSettings",
    "MqttReach",
    "MqttSettings",
    "ResultsKafkaSettings",
    "ResultsMqttSettings",
    "ResultsSettings",
    "Section",
    "parse_duration",
]

_DURATION = re.compile(r"^\s*(\d+(?:\.\d*)?)\s*(ms|s|m|h|d)?\s*$")
_SERVER = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


def parse_duration(value: object) -> object:
    """Read ``30s``, ``5m``, ``1.5h``, ``2d`` or a bare number of seconds; leave anything else to pydantic."""
    if isinstance(value, str) and (match := _DURATION.match(value)):
        try:
            return timedelta(seconds=float(match[1]) * _UNIT_SECONDS[match[2]])
        except OverflowError as error:
            raise ValueError(f"expected a duration of less than {timedelta.max.days} days, found {value}") from error
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration), Field(gt=timedelta(0))]


class Section(BaseModel):
    """A part of the settings: a name that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Secretive(Section):
    """What shows a password to somebody."""

    place: ClassVar[str]
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = Field(None, description="Holds the password, instead of `password`.")

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are given; one of them is too much")
        return self

    def read_password(self) -> str | None:
        """Return the password, readable.

        Raises
        ------
        ConfigError
            If its file cannot be read.
        """
        if self.password_file is None:
            return None if self.password is None else self.password.get_secret_value()
        try:
            return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.place}.password_file: {self.password_file} cannot be read: {error}") from error

    @property
    def _has_secret(self) -> bool:
        return self.password is not None or self.password_file is not None


class KafkaReach(_Secretive):
    """How a Kafka cluster is reached."""

    servers: tuple[str, ...] = Field((), description="host:port of some brokers; none: this is not done.")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    ca_file: Path | None = Field(None, description="Certificates that are trusted; the system's unless given.")
    certificate_file: Path | None = Field(None, description="Our own certificate, where brokers ask for one.")
    key_file: Path | None = Field(None, description="Its key, when it is in another file.")

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if bad := [server for server in self.servers if not _SERVER.match(server)]:
            raise ValueError(f"servers: expected host:port, found {', '.join(bad)}")
        if "SASL" in self.security and not (self.username and self._has_secret):
            raise ValueError(f"{self.security} needs username, and password or password_file")
        return self


class MqttReach(_Secretive):
    """How an MQTT broker is reached."""

    server: str | None = Field(None, description="host:port of the broker; none: this is not done.")
    version: Literal["5", "3.1.1"] = Field("5", description="Of the protocol.")
    tls: bool = Field(False, description="Speak TLS.")
    ca_file: Path | None = Field(None, description="Certificates that are trusted; the system's unless given.")
    certificate_file: Path | None = Field(None, description="Our own certificate, where the broker asks for one.")
    key_file: Path | None = Field(None, description="Its key, when it is in another file.")

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.server is not None and not _SERVER.match(self.server):
            raise ValueError(f"server: expected host:port, found {self.server}")
        if (self.username is None) == self._has_secret:
            raise ValueError("username, and password or password_file, are given together or not at all")
        if not self.tls and (self.ca_file or self.certificate_file or self.key_file):
            raise ValueError("certificates are given and tls is not true: nothing would be encrypted")
        return self


class KafkaSettings(KafkaReach):
    """Kafka, where files are announced."""

    place = "kafka"
    topics: tuple[str, ...] = Field((), description="What is read.")
    patterns: tuple[str, ...] = Field((), description="Regular expressions of further topics.")
    group: str = Field("rapid", min_length=1, description="Services of one group share the work and take over.")
    private: bool = Field(False, description="A group of our own in each life: everything is seen, nothing continued.")
    start: Literal["latest", "earliest"] = Field("latest", description="Where a group begins that is new.")
    announced: str | None = Field(
        None, description="Where announced objects lie when not at archive.url, a copy of theirs: s3://bucket/prefix."
    )
    registry: str | None = Field(None, description="URL of the schema registry, for events in Avro.")
    batch: int = Field(2000, ge=1, le=10_000, description="Most messages that are written down at once.")
    session_timeout: Duration = Field(timedelta(seconds=10), description="Silent for so long is dead, says the group.")
    max_poll_interval: Duration = Field(timedelta(minutes=5), description="Not polled for so long hangs.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.servers and not (self.topics or self.patterns):
            raise ValueError("servers are given, and neither topics nor patterns to read there")
        return self


class MqttSettings(MqttReach):
    """An MQTT broker, where files are announced."""

    place = "mqtt"
    root: str | None = Field(None, description="Root of the topics of our contract; our status is told there too.")
    topics: tuple[str, ...] = Field((), description="Filters of further topics, as of a bridge.")
    identifier: _Name = Field("rapid", description="Of our session and status: one for each service.")
    session: Duration = Field(
        timedelta(days=7),
        ge=timedelta(seconds=1),  # the protocol counts whole seconds, and none is: nothing is kept
        description="How long the broker keeps what comes while we are away.",
    )
    receive_maximum: int = Field(1000, ge=1, le=65_535, description="Most messages that are not acknowledged yet.")
    announced: str | None = Field(
        None, description="Where announced objects lie when not at archive.url, a copy of theirs: s3://bucket/prefix."
    )
    batch: int = Field(500, ge=1, le=10_000, description="Most messages that are written down at once.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.server is not None and self.root is None and not self.topics:
            raise ValueError("a server is given, and neither a root nor topics to read there")
        return self


class ResultsKafkaSettings(KafkaReach):
    """Kafka, where results are published."""

    place = "results.kafka"
    topic: str = Field("rapid.results", pattern=r"^[A-Za-z0-9._-]{1,249}$", description="Where all of them go.")


class ResultsMqttSettings(MqttReach):
    """An MQTT broker, where results are published."""

    place = "results.mqtt"
    root: str = Field(
        "rapid",
        pattern=r"^[^+#$/\x00]+(/[^+#/\x00]+)*$",
        description="What their topics begin with; may be as mqtt.root.",
    )


class ResultsSettings(Section):
    """What other systems are told: results, alerts and verdicts."""

    kafka: ResultsKafkaSettings = ResultsKafkaSettings()
    mqtt: ResultsMqttSettings = ResultsMqttSettings()
    service: _Name = Field("rapid", description="Who says so, in every message.")
    page: str = Field("", pattern=r"^$|^https?://\S+$", description="Public address of the page, for links to it.")
    start: Literal["latest", "earliest"] = Field(
        "latest", description="Where a bus begins that is new: with what comes, or with all that is there."
    )
    silence: Duration = Field(
        timedelta(minutes=30), description="A camera that was observing and sends nothing for so long is missed."
    )
