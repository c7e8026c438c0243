"""Opening SQLite, what it promises, and what is said when it cannot."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from rapid.errors import ConfigError, LedgerError
from rapid.ledger import open_ledger
from rapid.ledger.databases import open_engines
from rapid.ledger.store import SqlLedger
from rapid.ports import Ledger, State
from tests.support.ledgers import arrived, done, sqlite_url

SHORT = timedelta(milliseconds=50)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ledger.sqlite", "not a URL; expected sqlite:////absolute/path"),
        ("mysql://rapid:secret@db/ledger", "no ledger is kept in mysql; expected sqlite:////.*or postgresql://"),
        ("postgresql://rapid:secret@db", "names no database; expected postgresql://user@host:port/database"),
        ("postgresql://rapid:secret@db:port/ledger", "cannot be read; expected postgresql://user@host:port/database"),
        ("sqlite://", "to outlive its process.*found 'sqlite://'"),
        ("sqlite://host/ledger.sqlite", "is a file.*found 'sqlite://host/ledger.sqlite'"),
        ("sqlite:///:memory:", "to outlive its process"),
        ("sqlite:////somewhere/x?mode=memory", r"no options.*found 'sqlite:////somewhere/x\?mode=memory'"),
        ("sqlite:////what?/ledger.sqlite", "no options"),
    ],
)
async def test_another_address_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        async with open_ledger(url):
            pass
    assert "secret" not in str(caught.value)


async def test_directories_are_made_and_odd_names_taken(tmp_path: Path) -> None:
    place = tmp_path / "a b" / "50% #1 %41" / "ledger.sqlite"
    async with open_ledger(f"sqlite:///{place}") as ledger:
        await done(ledger, 1)
    assert place.is_file()
    async with open_ledger(f"sqlite:///{place}", read_only=True) as ledger:
        assert (await ledger.counts()).done == 1


async def test_a_relative_place_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_ledger("sqlite:///here/ledger.sqlite"):
        assert (tmp_path / "here" / "ledger.sqlite").is_file()


async def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"directory of the ledger cannot be made: .*file: File exists"):
        async with open_ledger(sqlite_url(tmp_path / "file")):
            pass


def test_writing_is_durable_and_reading_cannot_write(tmp_path: Path) -> None:
    engines = open_engines(sqlite_url(tmp_path), read_only=False, busy_timeout=timedelta(seconds=3), readers=1)
    assert engines.write is not None
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")
    found = []
    for engine in (engines.write, engines.read):
        with engine.begin() as connection:
            found.append([connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names])
    engines.dispose()
    full = 2
    assert found == [["wal", full, 1, 3000, 0], ["wal", full, 1, 3000, 1]]


async def test_a_ledger_for_reading_only_does_not_write(tmp_path: Path) -> None:
    async with open_ledger(sqlite_url(tmp_path)) as writer:
        await done(writer, 1)
        async with open_ledger(sqlite_url(tmp_path), read_only=True) as reader:
            with pytest.raises(LedgerError, match="opened for reading only"):
                await reader.record([arrived(2)])
            assert (await reader.counts()).received == 1


async def test_a_ledger_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is none yet"):
        async with open_ledger(sqlite_url(tmp_path), read_only=True):
            pass
    assert not (tmp_path / "ledger.sqlite").exists()


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_file_that_is_no_database_is_said(tmp_path: Path, read_only: bool) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"SIMPLE  =                    T" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite: the file is not a database; move it away"):
        async with open_ledger(sqlite_url(tmp_path), read_only=read_only):
            pass


async def test_a_directory_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").mkdir()
    with pytest.raises(LedgerError, match="cannot be opened; expected a file"):
        async with open_ledger(sqlite_url(tmp_path)):
            pass


async def test_a_corrupt_database_is_said(tmp_path: Path) -> None:
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        await ledger.record([arrived(number) for number in range(1, 500)])
    place = tmp_path / "ledger.sqlite"
    whole = place.read_bytes()
    head = 8 * 4096
    place.write_bytes(whole[:head] + b"\xa5" * (len(whole) - head))
    with pytest.raises(LedgerError, match="it is corrupt; restore it from a copy"):
        await read_everything(tmp_path)


async def read_everything(directory: Path) -> None:
    async with open_ledger(sqlite_url(directory)) as ledger:
        await ledger.arrivals(states=list(State))
        await ledger.feed(0)


async def test_a_locked_database_is_said_and_does_not_keep_readers(tmp_path: Path) -> None:
    async with open_ledger(sqlite_url(tmp_path), busy_timeout=SHORT) as ledger:
        await ledger.record([arrived(1)])
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            before = time.monotonic()
            with pytest.raises(
                LedgerError, match="it is locked: another process has been writing for too long"
            ) as caught:
                await ledger.record([arrived(2)])
            assert time.monotonic() - before >= SHORT.total_seconds()
            assert caught.value.retriable
            assert (await ledger.counts()).received == 1
        assert len((await ledger.record([arrived(2)])).new) == 1


async def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path) -> None:
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        await ledger.record([arrived(1)])
        limit_pages(ledger, 40)
        with pytest.raises(LedgerError, match="the disk is full"):
            await ledger.record([arrived(number) for number in range(2, 2000)])
        assert (await ledger.counts()).received == 1
        limit_pages(ledger, 1_000_000)
        assert len((await ledger.record([arrived(number) for number in range(2, 2000)])).new) == 1998


def limit_pages(ledger: Ledger, pages: int) -> None:
    """Say how large the database may become."""
    assert isinstance(ledger, SqlLedger)
    assert ledger._engines.write is not None
    with ledger._engines.write.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


async def test_two_that_write_take_turns(tmp_path: Path) -> None:
    async with open_ledger(sqlite_url(tmp_path)) as one, open_ledger(sqlite_url(tmp_path)) as other:
        await asyncio.gather(
            *(done(one, number) for number in range(1, 30)), *(done(other, number) for number in range(30, 60))
        )
        assert (await one.counts()).done == 59
        assert [event.id for event in await one.feed(0)] == list(range(1, 1 + await other.last_feed_id()))


async def test_a_cancelled_write_is_whole(tmp_path: Path) -> None:
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        for number in range(0, 3000, 300):
            recording = asyncio.ensure_future(ledger.record([arrived(number + one) for one in range(1, 301)]))
            await asyncio.sleep(0.001 * (number / 300))
            recording.cancel()
        counts = await ledger.counts()
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        settled = await ledger.counts()
        assert settled.received % 300 == 0
        assert settled.received >= counts.received
        assert len(await ledger.feed(0, limit=10_000)) == settled.received + (1 if settled.received else 0)
