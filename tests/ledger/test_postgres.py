"""PostgreSQL: what is said when it cannot be had, and what is promised when it comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from rapid.errors import ConfigError, LedgerError
from rapid.ledger import is_shared, ledger_place, open_ledger
from rapid.ledger.clock import LedgerClock
from rapid.ledger.databases import open_engines
from rapid.ledger.postgres import WRITE_LOCK, connect_arguments
from rapid.ledger.schema import metadata
from rapid.pipeline.patience import patiently
from rapid.ports import Ledger, State
from tests.support.ledgers import COLUMNS, DAY_OBS, arrived, begun, done, row_of
from tests.support.postgres import PostgresServer, find_postgres, postgres_server

SHORT = timedelta(milliseconds=50)


@pytest.fixture
def own_server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server that a test may end."""
    programs = find_postgres()
    assert programs is not None
    with postgres_server(programs) as server:
        yield server


@pytest.fixture
def engine(postgres_url: str) -> Iterator[sa.Engine]:
    engines = open_engines(postgres_url, read_only=False, busy_timeout=SHORT, readers=1)
    assert engines.write is not None
    yield engines.write
    engines.dispose()


class TestAddress:
    def test_a_password_is_never_shown(self) -> None:
        url = "postgresql://rapid:secret@db.example.org:5433/night?sslmode=require"
        assert is_shared(url)
        assert ledger_place(url) == "postgresql://rapid@db.example.org:5433/night"
        assert ledger_place("sqlite:////var/ledger.sqlite") == "sqlite:////var/ledger.sqlite"

    def test_options_go_to_the_driver_and_win(self) -> None:
        given = connect_arguments("postgresql://rapid@db/night?sslmode=require&connect_timeout=1")
        assert (given["host"], given["dbname"], given["sslmode"]) == ("db", "night", "require")
        assert (given["connect_timeout"], given["application_name"]) == ("1", "rapid")

    async def test_a_server_that_is_away_is_said_without_the_password(self) -> None:
        with pytest.raises(
            LedgerError, match=r"ledger postgresql://rapid@127\.0\.0\.1:1/night: the server is away"
        ) as caught:
            async with open_ledger("postgresql://rapid:secret@127.0.0.1:1/night"):
                pass
        assert caught.value.retriable
        assert "secret" not in str(caught.value)

    async def test_a_database_that_is_not_there_is_said(self, postgres: PostgresServer) -> None:
        with pytest.raises(LedgerError, match='database "nowhere" does not exist'):
            async with open_ledger(postgres.url("nowhere")):
                pass

    async def test_a_database_in_another_encoding_is_refused(self, postgres: PostgresServer) -> None:
        postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        with pytest.raises(ConfigError, match="a ledger needs a database in UTF8, found LATIN1"):
            async with open_ledger(postgres.url("latin")):
                pass
        postgres.drop(postgres.url("latin"))


class TestDatabase:
    def test_the_revisions_lead_to_the_schema(self, engine: sa.Engine) -> None:
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            query += "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
            assert connection.exec_driver_sql(query).all() == []
            query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
            indices = dict(connection.exec_driver_sql(query).all())  # type: ignore[arg-type]
            query = "SELECT data_type FROM information_schema.columns WHERE column_name IN ('id', 'arrival_id')"
            assert {kind for (kind,) in connection.exec_driver_sql(query)} == {"bigint"}
        assert "UNIQUE" in indices["uq_arrivals_current_key"]
        assert "WHERE (state <> 'superseded'::text)" in indices["uq_arrivals_current_key"]
        assert "WHERE (state = 'running'::text)" in indices["ix_attempts_running"]
        assert "retried_at IS NULL" in indices["ix_dead_letters_open"]

    async def test_a_fresh_database_is_made_once_by_many(self, postgres: PostgresServer) -> None:
        async def look(url: str) -> int:
            async with open_ledger(url) as ledger:
                return (await ledger.counts()).received

        url = postgres.database()
        assert await asyncio.gather(*(look(url) for _ in range(4))) == [0, 0, 0, 0]
        postgres.drop(url)

    async def test_a_fresh_database_is_not_made_by_a_reader(self, postgres: PostgresServer) -> None:
        url = postgres.database()
        with pytest.raises(LedgerError, match=r"at revision none, expected 0.*yet to bring it up to date"):
            async with open_ledger(url, read_only=True):
                pass
        postgres.drop(url)

    def test_writing_is_durable_and_reading_cannot_write(self, postgres: PostgresServer, postgres_url: str) -> None:
        name = postgres_url.rpartition("/")[2]
        postgres.run(f"ALTER DATABASE {name} SET synchronous_commit = off")
        engines = open_engines(postgres_url, read_only=False, busy_timeout=timedelta(seconds=3), readers=1)
        assert engines.write is not None
        names = ("synchronous_commit", "lock_timeout", "transaction_isolation", "transaction_read_only")
        found = []
        for engine in (engines.write, engines.read):
            with engine.begin() as connection:
                found.append([connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names])
        engines.dispose()
        assert found == [["on", "3s", "read committed", "off"], ["on", "3s", "repeatable read", "on"]]

    async def test_a_ledger_for_reading_only_does_not_write(self, postgres_url: str) -> None:
        async with open_ledger(postgres_url) as writer, open_ledger(postgres_url, read_only=True) as reader:
            await done(writer, 1)
            with pytest.raises(LedgerError, match="opened for reading only"):
                await reader.record([arrived(2)])
            assert (await reader.counts()).done == 1


class TestFaults:
    async def test_a_locked_ledger_is_said_and_does_not_keep_readers(self, postgres_url: str) -> None:
        async with open_ledger(postgres_url, busy_timeout=SHORT) as ledger:
            await ledger.record([arrived(1)])
            with closing(psycopg.connect(postgres_url)) as other:
                other.execute(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})".encode())
                with pytest.raises(LedgerError, match="it is locked: another process has been writing") as caught:
                    await ledger.record([arrived(2)])
                assert caught.value.retriable
                assert (await ledger.counts()).received == 1
            assert len((await ledger.record([arrived(2)])).new) == 1

    async def test_a_lost_connection_costs_nothing_that_was_acknowledged(
        self, postgres: PostgresServer, postgres_url: str
    ) -> None:
        async with open_ledger(postgres_url) as ledger:
            await done(ledger, 1)
            cut_off = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rapid'"
            assert len(postgres.run(cut_off)) >= 2
            await done(ledger, 2)
            assert (await ledger.counts()).done == 2

    async def test_a_transaction_that_is_cut_off_leaves_nothing(
        self, postgres: PostgresServer, postgres_url: str
    ) -> None:
        async with open_ledger(postgres_url) as ledger:
            with closing(psycopg.connect(postgres_url)) as other:
                other.execute(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})".encode())
                recording = asyncio.ensure_future(ledger.record([arrived(1)]))
                cut_off = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'advisory'"
                while not await asyncio.to_thread(postgres.run, cut_off):
                    await asyncio.sleep(0.01)
                with pytest.raises(LedgerError, match="going down or coming up"):
                    await recording
            assert (await ledger.counts()).received == 0
            assert len((await ledger.record([arrived(1)])).new) == 1

    async def test_a_full_disk_is_said_and_nothing_is_half_written(
        self, postgres: PostgresServer, postgres_url: str
    ) -> None:
        """The server cannot be given a small disk here, but a trigger says what it says of a full one."""
        async with open_ledger(postgres_url) as ledger:
            name = postgres_url.rpartition("/")[2]
            body = "BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END"
            postgres.run(f"CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $${body}$$", name)
            postgres.run("CREATE TRIGGER no_space BEFORE INSERT ON feed EXECUTE FUNCTION no_space()", name)
            with pytest.raises(LedgerError, match="the disk is full") as caught:
                await ledger.record([arrived(number) for number in range(1, 50)])
            assert caught.value.retriable
            assert (await ledger.counts()).received == 0
            postgres.run("DROP TRIGGER no_space ON feed", name)
            assert len((await ledger.record([arrived(number) for number in range(1, 50)])).new) == 49

    async def test_a_server_that_is_killed_and_away_is_waited_for(self, own_server: PostgresServer) -> None:
        """Killed in the middle of writing, five times: what was acknowledged is there, and the feed goes on waking."""
        said: set[int] = set()
        async with AsyncExitStack() as stack:
            url = own_server.ledger()
            writer = await stack.enter_async_context(open_ledger(url))
            reader = await stack.enter_async_context(open_ledger(url, read_only=True))
            writing = asyncio.create_task(write(writer, said))
            for _ in range(5):
                before = len(said)
                while len(said) < before + 10:
                    await asyncio.sleep(0.01)
                own_server.kill()
                await asyncio.sleep(0.2)
                with pytest.raises(LedgerError):
                    await reader.counts()
                own_server.start()
            writing.cancel()
            await asyncio.wait([writing])
            found = await writer.arrivals(states=[State.DONE], limit=10**6)
            assert said <= {arrival.seq_num for arrival in found}
            assert len(said) >= 50
            _, _, entries = await reader.night("auxtel", DAY_OBS)
            assert {entry["seq_num"] for entry in entries if entry["state"] == "done"} >= said
            assert {entry["revision"] for entry in entries if entry["state"] == "done"} == {1}
            assert await asyncio.wait_for(delay(writer, reader), 30) < 0.9


async def write(ledger: Ledger, said: set[int]) -> None:
    """Take one file after the other to its row, however long the ledger is away; say what was acknowledged."""
    for number in range(1, 10**6):
        await patiently(lambda number=number: ledger.record([arrived(number)]), 60)  # type: ignore[misc]
        waiting = await patiently(lambda: ledger.arrivals(states=[State.WAITING]), 60)
        arrival = next(one for one in waiting if one.seq_num == number)
        attempt = await patiently(lambda arrival=arrival: ledger.begin(arrival), 60)  # type: ignore[misc]
        if attempt is None:  # begun, and the answer was lost with the server
            continue
        complete = lambda attempt=attempt, number=number: ledger.complete(attempt, row_of(number), COLUMNS, timings={})  # noqa: E731
        await patiently(complete, 60)
        said.add(number)


async def delay(writer: Ledger, reader: Ledger) -> float:
    """How long it takes until a reader is told what another connection wrote [s]."""
    while True:  # until it listens again
        after = await reader.last_feed_id()
        waiting = asyncio.create_task(reader.wait_feed(after, timeout=5))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await begun(writer, 10**6 - 1 - after)
        assert await waiting
        if (took := time.monotonic() - began) < 0.9:
            return took


class TestTime:
    async def test_the_feed_wakes_another_process_without_being_looked_at(
        self, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("rapid.ledger.store.LOOK_SELDOM", 3600.0)
        async with open_ledger(postgres_url) as writer, open_ledger(postgres_url, read_only=True) as reader:
            await asyncio.sleep(0.3)
            delays = []
            for number in range(1, 6):
                waiting = asyncio.create_task(reader.wait_feed(await reader.last_feed_id(), timeout=10))
                await asyncio.sleep(0.05)
                before = time.monotonic()
                await writer.record([arrived(number)])
                assert await waiting
                delays.append(time.monotonic() - before)
            assert sorted(delays)[2] < 0.5

    async def test_everything_goes_by_the_clock_of_the_database(
        self, postgres: PostgresServer, postgres_url: str
    ) -> None:
        """A host whose clock is wrong writes the time of the database; the clock of a database is moved by a function."""
        name = postgres_url.rpartition("/")[2]
        postgres.run("CREATE SCHEMA wrong", name)
        postgres.run(
            "CREATE FUNCTION wrong.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
            "'SELECT pg_catalog.now() + interval ''1 day'''",
            name,
        )
        postgres.run(f"ALTER DATABASE {name} SET search_path = wrong, pg_catalog, public", name)
        async with open_ledger(postgres_url) as ledger:
            (arrival,) = (await ledger.record([arrived(1)])).new
            ahead = datetime.now(UTC) + timedelta(days=1)
            assert abs(arrival.recorded_at - ahead) < timedelta(seconds=30)
            assert abs(ledger.now() - ahead) < timedelta(seconds=30)
            assert await ledger.waiting(now=ledger.now()) == [arrival]

    def test_between_two_readings_time_goes_on_and_nobody_sets_it(
        self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = datetime(2020, 1, 1, tzinfo=UTC)
        clock = LedgerClock(lambda _: there)
        assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
        with engine.connect() as connection:
            assert clock.read(connection) == there
        monotonic = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: monotonic + 60)
        assert timedelta(seconds=60) <= clock.now() - there < timedelta(seconds=70)
