"""The whole service, killed while it publishes: each result arrives, and what comes twice can be told."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from rapid.events import is_raw_name
from tests.support.daemon import daemon
from tests.support.kafka import PASSWORD, USER, KafkaServer
from tests.support.mosquitto import Mosquitto, new_root

pytestmark = pytest.mark.system

SETTINGS = """
[results]
page = "https://rapid.example.org"
start = "earliest"

[results.kafka]
servers = ["{server}"]
topic = "{topic}"
security = "SASL_SSL"
username = "{user}"
password_file = "{place}/password"
ca_file = "{ca_file}"

[results.mqtt]
server = "{broker}"
root = "{root}"
"""


def some_raws(night: Path, place: Path, count: int) -> int:
    """Copy the first raws of a night."""
    raws = sorted(path for path in night.rglob("*") if path.is_file() and is_raw_name(path.name))[:count]
    for path in raws:
        there = place / path.relative_to(night)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, there)
    return len(raws)


async def published(server: KafkaServer, topic: str) -> list[dict[str, Any]]:
    """Read all that is in a topic."""
    consumer = AIOKafkaConsumer(topic, auto_offset_reset="earliest", **server.client)
    await consumer.start()
    found: list[dict[str, Any]] = []
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [json.loads(record.value) for record in records]
    finally:
        await consumer.stop()
    return found


def test_a_daemon_killed_at_random_moments_tells_every_result(
    secure_kafka: KafkaServer, mosquitto: Mosquitto, night: Path, tmp_path: Path
) -> None:
    archive, chance = tmp_path / "raw", random.Random(3)
    count = some_raws(night, archive, 4)
    topic = asyncio.run(secure_kafka.topic())
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    words = {"server": secure_kafka.address, "topic": topic, "user": USER, "place": tmp_path, "root": new_root()}
    text = SETTINGS.format(ca_file=secure_kafka.ca_file, broker=mosquitto.address, **words)
    config = tmp_path / "rapid.toml"
    config.write_text(text)
    for _ in range(2):
        with daemon(archive, tmp_path / "state", "--config", str(config)) as service:
            time.sleep(chance.uniform(0.5, 3.0))
            service.kill()
    with daemon(archive, tmp_path / "state", "--config", str(config)) as service:
        counts = service.wait_settled(count)
        assert service.terminate() == 0
    found = [one for one in asyncio.run(published(secure_kafka, topic)) if one["schema"] == "exposure.result/1"]
    done = {one["obs_id"] for one in found if one["state"] == "done"}
    assert len(done) == counts["done"] > 0
    by_id = {one["id"]: one for one in found}
    assert all(one == by_id[one["id"]] for one in found), "what comes twice is the same"
    firsts = list({one["id"]: one["sequence"] for one in found}.values())
    assert firsts == sorted(firsts), "the order is that of the feed"
    assert max(Counter(one["id"] for one in found).values()) <= 3, "a life repeats at most once"
    one = next(one for one in found if one["metrics"].get("exposure_time"))
    assert one["metrics"]["exposure_time"]["unit"] == "s"
    assert all(link["page"].startswith("https://rapid.example.org/pictures/") for link in one["pictures"].values())
    assert (
        tmp_path / "state" / "gallery" / next(iter(one["pictures"].values()))["url"].partition("/gallery/")[2]
    ).is_file()
