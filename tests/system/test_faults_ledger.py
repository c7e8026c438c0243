"""A database that is locked, full or away for a while: the bus waits, nothing is lost and nothing is done twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest

from rapid.ledger.store import SqlLedger
from tests.support.faults import Work, assert_explained, at_work
from tests.support.kafka import KafkaServer
from tests.support.ledgers import sqlite_url
from tests.support.postgres import PostgresServer, find_postgres, postgres_server
from tests.support.taking import kafka_source, key_of, notification, quick

pytestmark = pytest.mark.system

LENGTHS = [3.0, pytest.param(60.0, marks=pytest.mark.soak)]
"""Seconds that a database is not to be had."""

FILES = 200
KEYS = [key_of(number) for number in range(1, FILES + 1)]
IMPATIENT, LEASE = timedelta(seconds=0.3), timedelta(seconds=3)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Run a server that may be killed."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine; tools/install-system-parts installs it")
    with postgres_server(programs) as server:
        yield server


@asynccontextmanager
async def in_mid_stream(kafka: KafkaServer, url: str) -> AsyncIterator[Work]:
    """Announce half of the files, and the other half while they are being studied; all of them have to settle in the end."""
    topic = await kafka.topic(2)
    source = kafka_source(kafka, quick(topic), batch_size=20)
    busy = {key: (lambda _: 0.05) for key in KEYS}
    async with at_work(url, [source], scripts=busy, busy_timeout=IMPATIENT, lease=LEASE) as work:
        await kafka.send(topic, [notification(number) for number in range(1, FILES // 2 + 1)])
        await begun(work, FILES // 10)
        await kafka.send(topic, [notification(number) for number in range(FILES // 2 + 1, FILES + 1)])
        yield work
        await work.until_settled(FILES, within=120)
        await assert_explained(work.ledger, KEYS)
        assert sorted(work.workers.started) == KEYS


async def begun(work: Work, count: int) -> None:
    async with asyncio.timeout(60):
        while len(work.workers.started) < count:
            await asyncio.sleep(0.01)


async def met(work: Work) -> None:
    """Wait until the pipeline says that the ledger keeps it waiting."""
    async with asyncio.timeout(30):
        while not work.pipeline.trouble:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_a_locked_database(kafka: KafkaServer, tmp_path: Path, seconds: float) -> None:
    async with in_mid_stream(kafka, sqlite_url(tmp_path)) as work:
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            await met(work)
            assert "it is locked" in work.pipeline.trouble
            await asyncio.sleep(seconds)
            other.execute("ROLLBACK")


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_a_full_disk(kafka: KafkaServer, tmp_path: Path, seconds: float) -> None:
    async with in_mid_stream(kafka, sqlite_url(tmp_path)) as work:
        await asyncio.to_thread(limit_pages, work, 1)  # SQLite takes it as: none more than there are
        await met(work)
        assert "the disk is full" in work.pipeline.trouble
        await asyncio.sleep(seconds)
        await asyncio.to_thread(limit_pages, work, 1 << 30)


def limit_pages(work: Work, pages: int) -> None:
    """Say how large the database may become."""
    assert isinstance(work.ledger, SqlLedger)
    assert work.ledger._engines.write is not None
    with work.ledger._engines.write.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_a_database_server_that_is_killed(
    kafka: KafkaServer, own_postgres: PostgresServer, seconds: float
) -> None:
    async with in_mid_stream(kafka, own_postgres.ledger()) as work:
        await asyncio.to_thread(own_postgres.kill)
        await met(work)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(own_postgres.start)
