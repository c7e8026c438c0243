"""The whole service on Kafka: killed at random moments while a night is announced, it shows every exposure once."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from rapid.events import is_raw_name
from rapid.ledger import open_ledger
from tests.support.daemon import daemon
from tests.support.faults import assert_explained
from tests.support.kafka import PASSWORD, USER, KafkaServer
from tests.support.ledgers import sqlite_url
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


@pytest.mark.parametrize("lives", [2, pytest.param(50, marks=pytest.mark.soak)])
def test_a_daemon_killed_at_random_moments(secure_kafka: KafkaServer, night: Path, tmp_path: Path, lives: int) -> None:
    """In each life some files are written anew and announced; in the end each has one current result."""
    keys = raws(night)[:8]
    archive = tmp_path / "raw"
    for key in keys:
        (archive / key).parent.mkdir(parents=True)
        shutil.copy(night / key, archive / key)
    topic = asyncio.run(secure_kafka.topic())
    config = settings(secure_kafka, topic, tmp_path)
    chance = random.Random(5)
    for life in range(lives):
        written = chance.sample(keys, 2) if life else keys
        for key in written:
            os.utime(archive / key)  # another time is another content
        asyncio.run(secure_kafka.send(topic, [file_written(key) for key in written]))
        with daemon(archive, tmp_path / "state", "--config", str(config)) as service:
            time.sleep(chance.uniform(0.0, 2.5))
            service.kill()
    asyncio.run(secure_kafka.send(topic, [file_written(key) for key in keys]))
    with daemon(archive, tmp_path / "state", "--config", str(config)) as service:
        counts = service.wait_settled(len(keys))
        metrics = service.text("metrics")
        assert service.terminate() == 0
    assert counts["waiting"] == counts["running"] == counts["failed"] == 0
    assert 'rapid_bus_connected{source="kafka"} 1.0' in metrics
    asyncio.run(explained(tmp_path / "state", keys))


async def explained(state: Path, keys: list[str]) -> None:
    async with open_ledger(sqlite_url(state), read_only=True) as ledger:
        await assert_explained(ledger, keys)
