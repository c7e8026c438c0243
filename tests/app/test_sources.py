"""Which sources the settings ask for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from rapid.app.sources import open_sources
from rapid.config import Settings
from rapid.consumers.decoders import Message
from rapid.consumers.kafka import KafkaSource
from rapid.consumers.mqtt import MqttSource
from rapid.consumers.scan import look_everywhere
from rapid.errors import ConfigError
from rapid.events import FileArrived
from rapid.health import Health
from tests.support.notifications import file_written

KAFKA = {"servers": ["127.0.0.1:1"], "topics": ["t"]}


def settings(tmp_path: Path, *, url: str | None = None, watch: bool = True, **kafka: Any) -> Settings:
    archive = {"url": url or str(tmp_path), "watch": watch}
    return Settings.model_validate({"state": tmp_path, "archive": archive, "kafka": kafka})


async def names(chosen: Settings) -> tuple[list[str], set[str]]:
    """Names of the sources, and what health expects."""
    health = Health()
    async with open_sources(chosen, health) as sources:
        return [source.name for source in sources], {status.name for status in health.ready().components}


async def test_a_directory_is_watched(tmp_path: Path) -> None:
    assert await names(settings(tmp_path)) == (["directory"], {"source"})


async def test_kafka_is_listened_to_beside_a_directory(tmp_path: Path) -> None:
    assert await names(settings(tmp_path, **KAFKA)) == (["directory", "kafka"], {"source", "kafka"})


async def test_kafka_alone_announces_a_bucket_or_a_directory_that_is_not_watched(tmp_path: Path) -> None:
    assert await names(settings(tmp_path, url="s3://raw/x", **KAFKA)) == (["kafka"], {"kafka"})
    assert await names(settings(tmp_path, watch=False, **KAFKA)) == (["kafka"], {"kafka"})


async def test_a_file_is_one_content_whoever_announces_it(tmp_path: Path) -> None:
    key = "LATISS/20260315/AT_O_20260315_000051/AT_O_20260315_000051_R00_S00.fits"
    (tmp_path / key).parent.mkdir(parents=True)
    (tmp_path / key).write_bytes(b"raw")
    seen = look_everywhere(tmp_path).files[key]
    message = Message("lsst.s3.raw.latiss", file_written(key, etag="0123456789abcdef", size=3), 0, 1)
    async with open_sources(settings(tmp_path, **KAFKA, announced="s3://raw"), Health()) as (_, kafka):
        assert isinstance(kafka, KafkaSource)
        (file,) = await kafka.decode(message)
    assert isinstance(file, FileArrived)
    assert (file.key, file.content, file.size) == (key, seen.content, 3)


async def test_somebody_has_to_announce(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only a directory can be watched, found s3://raw"):
        await names(settings(tmp_path, url="s3://raw"))
    with pytest.raises(ConfigError, match="nobody would announce anything"):
        await names(settings(tmp_path, watch=False))


async def test_what_the_settings_say_reaches_the_source(tmp_path: Path) -> None:
    secret = {"security": "SASL_SSL", "username": "u", "password": "p"}
    async with open_sources(settings(tmp_path, **KAFKA, **secret, group="g", batch=7), Health()) as sources:
        source = sources[-1]
        assert isinstance(source, KafkaSource)
        assert (source.group, source.batch_size, source.subscription.topics) == ("g", 7, ("t",))
        assert (source.connection.username, source.connection.password) == ("u", "p")


async def test_a_private_group_is_another_one_each_time(tmp_path: Path) -> None:
    groups = set()
    for _ in range(2):
        async with open_sources(settings(tmp_path, **KAFKA, private=True), Health()) as (_, source):
            assert isinstance(source, KafkaSource)
            groups.add(source.group)
    assert len(groups) == 2


async def test_a_certificate_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.pem"):
        await names(settings(tmp_path, **KAFKA, security="SSL", ca_file=str(tmp_path / "none.pem")))


async def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    with pytest.raises(ConfigError, match="install rapid-summit with the extra `kafka`"):
        await names(settings(tmp_path, **KAFKA))


# --- MQTT ---------------------------------------------------------------------------------------------------------

MQTT = {"server": "127.0.0.1:1", "root": "summit"}


def with_mqtt(tmp_path: Path, *, url: str | None = None, watch: bool = True, **mqtt: Any) -> Settings:
    archive = {"url": url or str(tmp_path), "watch": watch}
    return Settings.model_validate({"state": tmp_path, "archive": archive, "mqtt": mqtt})


async def test_mqtt_is_listened_to_beside_a_directory_and_alone(tmp_path: Path) -> None:
    assert await names(with_mqtt(tmp_path, **MQTT)) == (["directory", "mqtt"], {"source", "mqtt"})
    assert await names(with_mqtt(tmp_path, watch=False, **MQTT)) == (["mqtt"], {"mqtt"})
    assert await names(with_mqtt(tmp_path, url="s3://raw/x", **MQTT)) == (["mqtt"], {"mqtt"})


async def test_all_who_announce_are_listened_to(tmp_path: Path) -> None:
    chosen = Settings.model_validate(
        {"state": tmp_path, "archive": {"url": str(tmp_path)}, "kafka": KAFKA, "mqtt": MQTT}
    )
    assert await names(chosen) == (["directory", "kafka", "mqtt"], {"source", "kafka", "mqtt"})


async def test_what_the_settings_say_reaches_mqtt(tmp_path: Path) -> None:
    said = {"topics": ["bucket/#"], "identifier": "b", "version": "3.1.1", "receive_maximum": 7, "batch": 9}
    secret = {"username": "u", "password": "p", "tls": True}
    async with open_sources(with_mqtt(tmp_path, watch=False, **MQTT, **said, **secret), Health()) as (source,):
        assert isinstance(source, MqttSource)
        read = source.subscription
        assert read.filters == ("summit/+/file/+/+", "summit/+/exposure/+/+", "summit/+/exposure/latest", "bucket/#")
        assert (read.identifier, read.status_topic, read.receive_maximum) == ("b", "summit/service/b/status", 7)
        assert (source.connection.version, source.connection.tls, source.batch_size) == ("3.1.1", True, 9)
        assert (source.connection.username, source.connection.password) == ("u", "p")


async def test_without_a_root_mqtt_is_told_no_status(tmp_path: Path) -> None:
    chosen = with_mqtt(tmp_path, watch=False, server="127.0.0.1:1", topics=["bucket/#"])
    async with open_sources(chosen, Health()) as (source,):
        assert isinstance(source, MqttSource)
        assert (source.subscription.filters, source.subscription.status_topic) == (("bucket/#",), None)


async def test_what_cannot_be_in_mqtt_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.pem"):
        await names(with_mqtt(tmp_path, **MQTT, tls=True, ca_file=str(tmp_path / "none.pem")))
    with pytest.raises(ConfigError, match="is no topic"):
        await names(with_mqtt(tmp_path, server="127.0.0.1:1", root="a/+"))
    with pytest.raises(ConfigError, match="is no filter"):
        await names(with_mqtt(tmp_path, **MQTT, topics=["a/#/b"]))


async def test_the_missing_extra_of_mqtt_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("rapid.consumers.mqtt")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    with pytest.raises(ConfigError, match="aiomqtt is not installed; install rapid-summit with the extra `mqtt`"):
        await names(with_mqtt(tmp_path, **MQTT))
