"""`rapid demo --bus`: the night goes over a real broker, there and back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from rapid.cli import main
from tests.support.daemon import start
from tests.support.kafka import KafkaServer
from tests.support.mosquitto import Mosquitto

pytestmark = pytest.mark.system

PLAN = """
name: biases
description: Some biases.
begins: 2026-06-24T22:30:00
sequences:
  - {kind: bias, count: 30}
  - kind: science
    count: 1
    exposure_time: 5
    filter: SDSSr_65mm
    overhead: 3
    seeing: 1.0
    program: survey
    target: {name: field, hour_angle: 0.3, dec: -35.0}
"""


@asynccontextmanager
async def demo(place: Path, *words: str) -> AsyncIterator[None]:
    plan = place / "plan.yaml"
    plan.write_text(PLAN, encoding="utf-8")
    where = ("--dir", place / "demo", "--night", plan, "--port", "0", "--workers", "1")
    process = start("demo", *where, *words)
    reading = asyncio.create_task(asyncio.to_thread(process.communicate))
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await reading


def check(result: dict[str, Any]) -> None:
    assert (result["schema"], result["state"], result["instrument"]) == ("exposure.result/1", "done", "LATISS")
    assert result["metrics"]["exposure_time"]["value"] == 0.0


async def test_over_mqtt(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async with mosquitto.client() as reader:
        await reader.subscribe("+/LATISS/#", qos=1)
        async with demo(tmp_path, "--bus", "mqtt", "--broker", mosquitto.address), asyncio.timeout(150):
            seen: dict[str, dict[str, Any]] = {}
            while "result" not in seen:
                message = await anext(reader.messages)
                root, _, kind, *_ = str(message.topic).split("/")
                if root.startswith("rapid-demo-"):
                    seen[kind] = json.loads(message.payload)
    assert seen["file"]["schema"] == "exposure.file/1"
    check(seen["result"])


async def test_over_kafka(kafka: KafkaServer, tmp_path: Path) -> None:
    async with demo(tmp_path, "--bus", "kafka", "--broker", kafka.address), asyncio.timeout(150):
        consumer = AIOKafkaConsumer(auto_offset_reset="earliest", metadata_max_age_ms=500, **kafka.client)
        await consumer.start()
        try:
            consumer.subscribe(pattern=r"^rapid\.demo\..*\.results$")
            record = await consumer.getone()
        finally:
            await consumer.stop()
    check(json.loads(record.value))
    assert record.key.decode().startswith("AT_O_")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--bus", "pigeons"), 2, "expected kafka or mqtt"),
        (("--bus", "kafka", "--broker", "127.0.0.1:1"), 3, "Kafka at 127.0.0.1:1 is away"),
    ],
)
def test_a_bus_that_is_not_there(
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["rapid", "demo", "--dir", str(tmp_path / "demo"), *words])
    monkeypatch.setattr("rapid.cli.demo.prepare", lambda *_, **__: None)  # this process keeps its own log
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert said in capsys.readouterr().err
