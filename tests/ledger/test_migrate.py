"""An old database becomes a new one; a newer one is left alone."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from rapid.errors import ConfigError, LedgerError
from rapid.ledger import migrate, open_ledger
from rapid.ledger.databases import open_engines
from rapid.ledger.migrate import upgrade
from rapid.ledger.schema import metadata
from rapid.ports import State
from tests.support.ledgers import COLUMNS, DAY_OBS, NOON, arrived, key_of, row_of, sqlite_url

HEAD = max(path.name[1:5] for path in Path(migrate.__file__).with_name("migrations").glob("versions/r*.py"))


def made(directory: Path, revision: str) -> Path:
    """Make a database of a revision."""
    engines = open_engines(sqlite_url(directory), read_only=False, busy_timeout=timedelta(seconds=1), readers=1)
    assert engines.write is not None
    with engines.write.begin() as connection:
        upgrade(connection, to=revision)
    engines.dispose()
    return Path(engines.place)


def shape(engine: sa.Engine) -> dict[str, object]:
    """Describe everything that alembic does not compare: indices with their conditions, checks, row numbers."""
    inspector = sa.inspect(engine)
    with engine.connect() as connection:
        query = "SELECT name, tbl_name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' ORDER BY name"
        found = connection.exec_driver_sql(query).all()
    tables = [name for name, table, _ in found if name == table and name != "sqlite_sequence"]
    return {
        "indices": {name: sql and " ".join(sql.split()) for name, table, sql in found if name not in tables},
        "checks": {
            table: sorted((check["name"], check["sqltext"]) for check in inspector.get_check_constraints(table))
            for table in tables
        },
        "foreign keys": {
            table: [(key["name"], key["constrained_columns"], key["referred_table"]) for key in foreign]
            for table in tables
            if (foreign := inspector.get_foreign_keys(table))
        },
        "autoincrement": {name: "AUTOINCREMENT" in sql for name, _, sql in found if name in tables},
    }


def test_the_revisions_lead_to_the_schema(tmp_path: Path) -> None:
    migrated = sa.create_engine(f"sqlite:///{made(tmp_path, 'head')}")
    declared = sa.create_engine(f"sqlite:///{tmp_path / 'declared.sqlite'}")
    metadata.create_all(declared)
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert shape(migrated) == shape(declared)
    assert len(shape(migrated)["autoincrement"]) == len(metadata.tables)  # type: ignore[arg-type]
    migrated.dispose()
    declared.dispose()


async def test_an_old_database_is_upgraded_with_its_data(tmp_path: Path) -> None:
    place = made(tmp_path, "0001")
    at = "2026-03-15T12:00:00.000000Z"
    with closing(sqlite3.connect(place)) as old:
        line = (key_of(1), "a", 10, "directory", 1, "LATISS", "AT_O_20260315_000001", DAY_OBS, 1, "R00_S00", at, at, at)
        marks = ", ".join("?" * (len(line) + 5))
        names = (
            "key, content, size, source, live, instrument, obs_id, day_obs, seq_num, detector_name, "
            "written_at, seen_at, recorded_at, state, attempts, interruptions, not_before, error"
        )
        old.execute(f"INSERT INTO arrivals ({names}) VALUES ({marks})", (*line, "waiting", 2, 1, at, "gone"))
        claim = ("AT_O_20260315_000001", "R00_S00", "LATISS", key_of(1))
        old.execute("INSERT INTO claims (obs_id, detector_name, instrument, key) VALUES (?, ?, ?, ?)", claim)
        old.commit()
    async with open_ledger(f"sqlite:///{place}") as ledger:
        (arrival,) = await ledger.waiting(now=NOON)
        assert (arrival.key, arrival.state, arrival.attempts) == (key_of(1), State.WAITING, 2)
        attempt = await ledger.begin(arrival)
        assert attempt is not None
        event = await ledger.complete(attempt, row_of(1), COLUMNS, timings={})
        assert event is not None
        assert event.body["arrival_id"] == arrival.id


async def test_what_an_older_release_buried_stays_buried(tmp_path: Path) -> None:
    place = made(tmp_path, "0002")
    at = "2026-03-15T12:00:00.000000Z"
    with closing(sqlite3.connect(place)) as old:
        line = (1, "odd.fits", "a", 10, "directory", 1, at, at, at, "failed", 3, 0, at, "broken")
        names = "id, key, content, size, source, live, written_at, seen_at, recorded_at, state, attempts, "
        marks = ", ".join("?" * len(line))
        old.execute(f"INSERT INTO arrivals ({names} interruptions, not_before, error) VALUES ({marks})", line)
        letter = ("file", "directory", "odd.fits", "broken", "", b"", at, 1)
        names = "kind, source, subject, reason, detail, body, at, arrival_id"
        old.execute(f"INSERT INTO dead_letters ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", letter)
        old.commit()
    async with open_ledger(f"sqlite:///{place}") as ledger:
        later = replace(arrived("odd.fits"), seen_at=NOON + timedelta(hours=1))
        assert (await ledger.record([later])).duplicates == 1
        assert [letter.reason for letter in await ledger.dead_letters()] == ["broken"]


async def test_an_old_database_is_not_upgraded_by_a_reader(tmp_path: Path) -> None:
    made(tmp_path, "0001")
    with pytest.raises(LedgerError, match=rf"at revision 0001, expected {HEAD}.*yet to bring it up to date"):
        async with open_ledger(sqlite_url(tmp_path), read_only=True):
            pass


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_newer_database_is_left_alone(tmp_path: Path, read_only: bool) -> None:
    place = made(tmp_path, "head")
    with closing(sqlite3.connect(place)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        newer.commit()
    with pytest.raises(ConfigError, match=rf"written by a newer release.*revision 9999.*up to {HEAD}"):
        async with open_ledger(sqlite_url(tmp_path), read_only=read_only):
            pass
    with closing(sqlite3.connect(place)) as newer:
        assert newer.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


async def test_a_fresh_database_is_made_once_by_many(tmp_path: Path) -> None:
    async def look() -> int:
        async with open_ledger(sqlite_url(tmp_path)) as ledger:
            return (await ledger.counts()).received

    assert await asyncio.gather(*(look() for _ in range(4))) == [0, 0, 0, 0]
