"""The whole service on Kafka: killed at random moments while a night is announced, it shows every exposure once."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from rapid.events import is_raw_name
from tests.support.daemon import daemon
from tests.support.kafka import PASSWORD, USER, KafkaServer
from tests.support.notifications import file_written

pytestmark = pytest.mark.system

SETTINGS = """
[archive]
watch = false

[kafka]
servers = ["{server}"]
topics = ["{topic}"]
start = "earliest"
session_timeout = "2s"
announced = "s3://raw"
security = "SASL_SSL"
username = "{user}"
password_file = "{place}/password"
ca_file = "{ca_file}"
"""


def settings(server: KafkaServer, topic: str, place: Path) -> Path:
    (place / "password").write_text(PASSWORD + "\n")
    text = SETTINGS.format(server=server.address, topic=topic, place=place, user=USER, ca_file=server.ca_file)
    (place / "rapid.toml").write_text(text)
    return place / "rapid.toml"


def raws(archive: Path) -> list[str]:
    keys = [path.relative_to(archive).as_posix() for path in archive.rglob("*") if path.is_file()]
    return sorted(key for key in keys if is_raw_name(key))


def test_a_daemon_killed_at_random_moments(secure_kafka: KafkaServer, night: Path, tmp_path: Path) -> None:
    keys = raws(night)[:8]
    topic = asyncio.run(secure_kafka.topic())
    config = settings(secure_kafka, topic, tmp_path)
    chance = random.Random(5)
    step = -(-len(keys) // 2)
    for start in range(0, len(keys), step):
        asyncio.run(secure_kafka.send(topic, [file_written(key) for key in keys[start : start + step]]))
        with daemon(night, tmp_path / "state", "--config", str(config)) as service:
            time.sleep(chance.uniform(0.0, 2.0))
            service.kill()
    asyncio.run(secure_kafka.send(topic, [file_written(key) for key in keys]))
    with daemon(night, tmp_path / "state", "--config", str(config)) as service:
        counts = service.wait_settled(len(keys))
        metrics = service.text("metrics")
    assert counts["received"] == len(keys)
    assert counts["waiting"] == counts["running"] == 0
    assert 'rapid_bus_connected{source="kafka"} 1.0' in metrics
