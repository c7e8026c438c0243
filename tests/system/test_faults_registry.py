"""A schema registry that is down, slow or wrong holds up what needs it, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rapid.consumers.decoders import Decoder
from rapid.consumers.decoders.registry import SchemaRegistry
from rapid.consumers.kafka import KafkaSource
from rapid.events import Event, JobEnded
from rapid.ports import Ledger
from tests.support.announcements import frame
from tests.support.faults import assert_explained, at_work
from tests.support.kafka import KafkaServer
from tests.support.ledgers import sqlite_url
from tests.support.registry import Answer, RegistryServer, registry_server, sal_schema, written
from tests.support.taking import kafka_source, key_of, notification, quick

pytestmark = pytest.mark.system

JOB = "OCPS.logevent_job_result"
SCHEMA = sal_schema(JOB, {"job_id": "string", "exit_code": "long", "result": "string", "private_sndStamp": "double"})
FILES, JOBS = 60, 40


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with registry_server() as started:
        yield started


@pytest.fixture
async def registry(server: RegistryServer) -> AsyncIterator[SchemaRegistry]:
    async with SchemaRegistry(server.url, timeout=timedelta(seconds=0.5), doubt=timedelta(seconds=0.2)) as opened:
        yield opened


def job(number: int, schema_id: int = 1) -> bytes:
    record = {"job_id": f"job {number}", "exit_code": 0, "result": "{}", "private_sndStamp": 0.0}
    return frame(schema_id, written(SCHEMA, record))


class Bus:
    """Topics of files and of events, and who reads both."""

    def __init__(self, kafka: KafkaServer, files: str, events: str, registry: SchemaRegistry) -> None:
        self._kafka, self.files, self.events = kafka, files, events
        self.heard: list[Event] = []
        decode = Decoder("kafka", schemas=registry).decode
        self.source: KafkaSource = kafka_source(kafka, quick(files, events), decode=decode, heard=self.heard.append)

    async def send(self) -> None:
        await self._kafka.send(self.events, [job(number) for number in range(1, JOBS + 1)])
        await self._kafka.send(self.files, [notification(number) for number in range(1, FILES + 1)])

    @property
    def jobs(self) -> list[str]:
        return [event.job_id for event in self.heard if isinstance(event, JobEnded)]

    async def until_heard(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.jobs) < count:
                await asyncio.sleep(0.05)


@pytest.fixture
async def bus(kafka: KafkaServer, registry: SchemaRegistry) -> Bus:
    files = await kafka.topic()
    return Bus(kafka, files, await kafka.topic(name=f"lsst.stand-{files[-8:]}.{JOB}"), registry)


async def test_a_registry_that_is_down_holds_up_its_own_messages_alone(
    bus: Bus, server: RegistryServer, tmp_path: Path
) -> None:
    server.register(JOB, SCHEMA)
    server.stop()
    keys = [key_of(number) for number in range(1, FILES + 1)]
    async with at_work(sqlite_url(tmp_path), [bus.source]) as work:
        await bus.send()
        await work.until_settled(FILES)
        assert bus.jobs == []
        server.start()
        await bus.until_heard(JOBS)
        await assert_explained(work.ledger, keys)
        assert (await work.ledger.counts()).dead_letters == 0
    assert bus.jobs == [f"job {number}" for number in range(1, JOBS + 1)]


async def test_a_slow_registry_is_asked_until_it_answers_in_time(
    bus: Bus, server: RegistryServer, tmp_path: Path
) -> None:
    server.register(JOB, SCHEMA)
    server.instead = Answer(delay=2.0)
    keys = [key_of(number) for number in range(1, FILES + 1)]
    async with at_work(sqlite_url(tmp_path), [bus.source]) as work:
        await bus.send()
        await work.until_settled(FILES)
        assert bus.jobs == []
        server.instead = None
        await bus.until_heard(JOBS)
        await assert_explained(work.ledger, keys)
    assert bus.jobs == [f"job {number}" for number in range(1, JOBS + 1)]


async def test_a_wrong_schema_makes_dead_letters_until_it_is_put_right(
    bus: Bus, kafka: KafkaServer, server: RegistryServer, tmp_path: Path
) -> None:
    wrong = sal_schema("MTCamera.logevent_endReadout", {"imageName": "string"})
    server.instead = Answer(body=json.dumps({"schema": wrong}).encode())
    keys = [key_of(number) for number in range(1, FILES + 1)]
    async with at_work(sqlite_url(tmp_path), [bus.source]) as work:
        await bus.send()
        await work.until_settled(FILES)
        await dead(work.ledger, JOBS)
        server.instead = None
        assert server.register(JOB, SCHEMA) == 1
        await asyncio.sleep(0.3)  # for as long an answer that did not fit is believed
        await kafka.send(bus.events, [job(JOBS + 1)])
        await bus.until_heard(1)
        await assert_explained(work.ledger, keys)
        letters = await work.ledger.dead_letters()
    assert bus.jobs == [f"job {JOBS + 1}"]
    assert sorted(letter.body for letter in letters) == sorted(job(number) for number in range(1, JOBS + 1))
    assert {letter.subject for letter in letters} == {f"{bus.events}[0]@{offset}" for offset in range(JOBS)}
    assert all("the schema is that of another event" in letter.reason for letter in letters)


async def dead(ledger: Ledger, count: int) -> None:
    async with asyncio.timeout(60):
        while (await ledger.counts()).dead_letters < count:
            await asyncio.sleep(0.05)
