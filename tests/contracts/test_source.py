"""What every source promises, asked of a directory, of archives on disk and on S3, of Kafka, MQTT and of a queue."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from rapid.consumers.decoders import Decoder
from rapid.consumers.directory import DirectorySource
from rapid.consumers.kafka import Connection, KafkaSource, Subscription
from rapid.consumers.mqtt.connection import Version
from rapid.consumers.replay import ReplaySource
from rapid.events import FileArrived, check_key, name_facts
from rapid.ports import Batch, Source, Store
from rapid.stores import open_store
from tests.support.kafka import KafkaServer
from tests.support.mosquitto import Mosquitto, Told, new_root
from tests.support.notifications import file_written
from tests.support.s3 import S3Server
from tests.support.sources import QueueSource, arrived

SOON = 20.0
"""Longest wait for what must come [s]: a loaded machine is no failure."""
SILENCE = 0.6
"""How long nothing must come, where nothing more may come [s]."""
COUNT = 30
BATCH = 7


def key_of(number: int) -> str:
    return f"LATISS/20240624/AT_O_20240624_{number:06d}/AT_O_20240624_{number:06d}_R00_S00.fits"


def taken_at(number: int) -> datetime:
    return datetime(2024, 6, 24, tzinfo=UTC) + timedelta(minutes=number)


class Place(Protocol):
    """Somewhere files appear, and a source that looks there."""

    source: Source
    ends: bool

    async def put(self, *numbers: int) -> None: ...


class InDirectory:
    ends = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = DirectorySource(root, is_complete=lambda _: True, batch_size=BATCH)

    async def put(self, *numbers: int) -> None:
        for number in numbers:
            self._write(number)

    def _write(self, number: int) -> None:
        path = self.root / key_of(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"raw" * number)
        when = taken_at(number).timestamp()
        os.utime(path, (when, when))


class InStore:
    ends = True

    def __init__(self, store: Store) -> None:
        self.store = store
        self.source = ReplaySource(store, instrument="LATISS", day_obs=20240624, batch_size=BATCH)

    async def put(self, *numbers: int) -> None:
        for number in numbers:
            await self.store.put(key_of(number), b"raw" * number)


class InQueue:
    ends = False

    def __init__(self) -> None:
        self.source = QueueSource(batch_size=BATCH)

    async def put(self, *numbers: int) -> None:
        self.source.push(*(arrived(key_of(number)) for number in numbers))


class InKafka:
    ends = False

    def __init__(self, server: KafkaServer) -> None:
        self.server, self.topic = server, f"lsst.s3.{uuid4().hex[:12]}"
        self.source = KafkaSource(
            Connection((server.address,)),
            Subscription((self.topic,), group=self.topic, start="earliest", metadata_age=timedelta(milliseconds=200)),
            decode=Decoder("kafka").decode,
            batch_size=BATCH,
        )
        self.made = False

    async def put(self, *numbers: int) -> None:
        if not self.made:
            await self.server.topic(name=self.topic)
            self.made = True
        values = [file_written(key_of(number), size=3 * number, at=taken_at(number)) for number in numbers]
        await self.server.send(self.topic, values)


class InMqtt:
    ends = False

    def __init__(self, server: Mosquitto, version: Version) -> None:
        self.server, self.root, self.told = server, new_root(), Told()
        self.source = server.source(self.root, version=version, batch_size=BATCH, looked=self.told)
        self.known = False

    async def put(self, *numbers: int) -> None:
        if not self.known:
            async with self.source.batches():  # a broker keeps messages for whom it has met
                await self.told.until("")
            self.known = True
        values = [file_written(key_of(number), size=3 * number, at=taken_at(number)) for number in numbers]
        await self.server.send(f"{self.root}/raw", values)


@pytest.fixture(params=["directory", "replay of a directory", "replay of S3", "kafka", "mqtt 5", "mqtt 3.1.1", "queue"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    makers: dict[str, Callable[[], Place]] = {
        "directory": lambda: InDirectory(tmp_path),
        "replay of a directory": lambda: InStore(open_store(str(tmp_path))),
        "replay of S3": lambda: InStore(_bucket(request.getfixturevalue("s3"))),
        "kafka": lambda: InKafka(request.getfixturevalue("kafka")),
        "mqtt 5": lambda: InMqtt(request.getfixturevalue("mosquitto"), "5"),
        "mqtt 3.1.1": lambda: InMqtt(request.getfixturevalue("mosquitto"), "3.1.1"),
        "queue": InQueue,
    }
    return makers[request.param]()


def _bucket(server: S3Server) -> Store:
    return open_store(f"s3://{server.bucket()}/archive", server.options)


@pytest.fixture
async def full(place: Place) -> Place:
    await place.put(*range(1, COUNT + 1))
    return place


async def next_of(batches: AsyncIterator[Batch]) -> Batch:
    return await asyncio.wait_for(anext(batches), SOON)


async def take(batches: AsyncIterator[Batch], count: int) -> list[FileArrived]:
    """Read batches until there are so many announcements."""
    items: list[FileArrived] = []
    while len(items) < count:
        for item in (await next_of(batches)).items:
            assert isinstance(item, FileArrived)
            items.append(item)
    return items


async def assert_nothing_more(place: Place, batches: AsyncIterator[Batch]) -> None:
    if place.ends:
        with pytest.raises(StopAsyncIteration):
            await next_of(batches)
    else:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(batches), SILENCE)


ALL = [key_of(number) for number in range(1, COUNT + 1)]


async def test_every_file_is_announced_once_and_in_order(full: Place) -> None:
    async with full.source.batches() as batches:
        items = await take(batches, COUNT)
        await assert_nothing_more(full, batches)
    assert [item.key for item in items] == ALL


async def test_an_announcement_is_whole(full: Place) -> None:
    async with full.source.batches() as batches:
        items = await take(batches, COUNT)
    now = datetime.now(UTC)
    for item in items:
        assert check_key(item.key) == item.key
        assert item.facts == name_facts(item.key)
        assert item.facts is not None
        assert item.facts.day_obs == 20240624
        assert item.source == full.source.name
        assert item.content
        assert item.written_at.tzinfo is UTC
        assert now - timedelta(minutes=2) < item.seen_at <= now
        if not isinstance(full, InQueue):
            assert item.size == 3 * item.facts.seq_num
            assert not item.live


async def test_batches_are_bounded_and_not_empty(full: Place) -> None:
    sizes = []
    async with full.source.batches() as batches:
        while sum(sizes) < COUNT:
            sizes.append(len((await next_of(batches)).items))
    assert all(1 <= size <= BATCH for size in sizes)


async def test_what_was_not_settled_is_announced_again_in_the_next_life(full: Place) -> None:
    async with full.source.batches() as batches:
        first = await next_of(batches)
        await first.settle()
        lost = [item.key for item in (await next_of(batches)).items]
    due = set(ALL) - {item.key for item in first.items}
    async with full.source.batches() as batches:
        while due:
            due -= {item.key for item in (await next_of(batches)).items}
    assert lost


async def test_settling_twice_or_late_does_no_harm(full: Place) -> None:
    async with full.source.batches() as batches:
        batch = await next_of(batches)
        await batch.settle()
        await batch.settle()
        rest = await take(batches, COUNT - len(batch.items))
    await batch.settle()
    assert [item.key for item in (*batch.items, *rest)] == ALL


async def test_leaving_ends_the_iterator_and_its_threads(full: Place) -> None:
    before = set(threading.enumerate())
    async with full.source.batches() as batches:
        await next_of(batches)
    with pytest.raises(StopAsyncIteration):
        await next_of(batches)
    with pytest.raises(StopAsyncIteration):
        await next_of(batches)
    left = {thread.name for thread in set(threading.enumerate()) - before}
    not_ours = ("asyncio", "store", "Thread")  # of the loop, of stores, which outlive a source, and of the S3 server
    assert [name for name in left if not name.startswith(not_ours)] == []


async def test_leaving_ends_a_wait_for_the_next_batch(place: Place) -> None:
    async with place.source.batches() as batches:
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0.05)
        assert place.ends or not waiting.done()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, SOON)


async def test_leaving_because_of_an_error_hands_it_on(full: Place) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 -- the block is what is tested
        async with full.source.batches() as batches:
            await next_of(batches)
            raise ZeroDivisionError


async def test_a_source_that_is_never_read_can_be_left(full: Place) -> None:
    async with full.source.batches():
        pass
    async with full.source.batches() as batches:
        assert [item.key for item in await take(batches, COUNT)] == ALL


async def test_giving_up_a_wait_loses_nothing(full: Place) -> None:
    """Whoever iterates may do so with a time limit."""
    items: list[str] = []
    async with full.source.batches() as batches:
        async with asyncio.timeout(SOON):
            while len(items) < COUNT:
                with suppress(TimeoutError):
                    items += [item.key for item in (await asyncio.wait_for(anext(batches), 0.0005)).items]
    assert items == ALL


async def test_a_place_with_nothing_in_it_announces_nothing(place: Place) -> None:
    async with place.source.batches() as batches:
        await assert_nothing_more(place, batches)


async def test_what_comes_later_is_announced_unless_the_source_has_an_end(full: Place) -> None:
    async with full.source.batches() as batches:
        await full.put(COUNT + 1)
        expected = ALL if full.ends else [*ALL, key_of(COUNT + 1)]
        assert sorted(item.key for item in await take(batches, len(expected))) == expected
        await assert_nothing_more(full, batches)
