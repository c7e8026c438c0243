"""What lies in the archive is entered once, the newest first, and nothing that is known or still being written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rapid.consumers.reconcile import ReconcileSource, current_nights
from rapid.errors import NotAvailable
from rapid.events import FileArrived, Rejected
from rapid.ports import StoredObject
from rapid.stores import open_store

NIGHT, BEFORE = 20260315, 20260314
NOW = datetime(2026, 3, 16, 4, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)


def key_of(seq_num: int, day_obs: int = NIGHT, detector: str = "R00_S00") -> str:
    obs_id = f"AT_O_{day_obs}_{seq_num:06d}"
    return f"LATISS/{day_obs}/{obs_id}/{obs_id}_{detector}.fits"


class Archive:
    """An archive that is only listed."""

    def __init__(self, *found: StoredObject) -> None:
        self.found = list(found)
        self.asked: list[str] = []
        self.away = ""

    async def list(self, prefix: str = "") -> Any:
        self.asked.append(prefix)
        if self.away:
            raise NotAvailable(self.away)
        for item in self.found:
            if item.key.startswith(f"{prefix}/"):
                yield item


def stored(key: str, etag: str = "a", *, modified: datetime = LONG_AGO) -> StoredObject:
    return StoredObject(key, 10, etag, modified)


class Memory:
    """What was announced before; it learns from every question."""

    def __init__(self, *known: tuple[str, str]) -> None:
        self.known = set(known)

    async def __call__(self, files: Sequence[tuple[str, str]]) -> list[bool]:
        return [file in self.known for file in files]


def source(archive: Any, memory: Memory | None = None, **other: Any) -> ReconcileSource:
    known: dict[str, Any] = {"instruments": ("LATISS",), "nights": lambda: (NIGHT, BEFORE), "clock": lambda: NOW}
    return ReconcileSource(archive, known=memory or Memory(), **(known | other))


async def taken(from_source: ReconcileSource) -> list[FileArrived | Rejected]:
    async with from_source.batches() as batches:
        return [item async for batch in batches for item in batch.items]


def keys(items: Sequence[FileArrived | Rejected]) -> list[str]:
    return [item.key for item in items if isinstance(item, FileArrived)]


async def test_the_newest_exposure_of_the_newest_night_comes_first() -> None:
    mixed = [(3, NIGHT), (7, BEFORE), (12, NIGHT), (1, NIGHT), (9, BEFORE)]
    archive = Archive(*[stored(key_of(*place)) for place in mixed])
    found = keys(await taken(source(archive, batch_size=2)))
    assert found == [key_of(*place) for place in [(12, NIGHT), (3, NIGHT), (1, NIGHT), (9, BEFORE), (7, BEFORE)]]
    assert archive.asked == [f"LATISS/{NIGHT}", f"LATISS/{BEFORE}"]


async def test_what_is_known_with_its_content_is_passed_over() -> None:
    archive = Archive(stored(key_of(1), "a"), stored(key_of(2), "b"), stored(key_of(3)))
    found = await taken(source(archive, Memory((key_of(1), "a"), (key_of(2), "a"))))
    assert keys(found) == [key_of(3), key_of(2)]


async def test_an_announcement_says_what_a_bus_would_have_said() -> None:
    (item,) = await taken(source(Archive(stored(key_of(1), "tag"))))
    assert isinstance(item, FileArrived)
    assert (item.key, item.content, item.size, item.written_at) == (key_of(1), "tag", 10, LONG_AGO)
    assert (item.source, item.live, item.seen_at) == ("reconcile", False, NOW)
    assert item.facts is not None
    assert (item.facts.obs_id, item.facts.detector_name) == ("AT_O_20260315_000001", "R00_S00")


async def test_what_was_written_a_while_ago_is_still_live() -> None:
    archive = Archive(stored(key_of(1), modified=NOW - timedelta(minutes=5)))
    (item,) = await taken(source(archive))
    assert isinstance(item, FileArrived)
    assert item.live


async def test_a_fresh_file_is_left_to_who_announces_it() -> None:
    fresh = stored(key_of(1), modified=NOW - timedelta(seconds=19))
    assert not await taken(source(Archive(fresh), settle=timedelta(seconds=20)))
    assert await taken(source(Archive(fresh), settle=timedelta(seconds=19)))


async def test_a_file_that_is_not_whole_waits_until_it_is_plainly_broken() -> None:
    async def never(_key: str) -> bool:
        return False

    young, old = (stored(key_of(n), modified=NOW - timedelta(minutes=minutes)) for n, minutes in ((1, 9), (2, 10)))
    assert keys(await taken(source(Archive(young, old), is_whole=never))) == [key_of(2)]


async def test_only_raw_files_are_entered() -> None:
    beside = ["AT_O_20260315_000001_expectedSensors.json", ".AT_O_20260315_000001_R00_S00.fits", "notes.txt"]
    archive = Archive(*[stored(f"LATISS/{NIGHT}/AT_O_20260315_000001/{name}") for name in beside])
    assert not await taken(source(archive))


async def test_a_key_nobody_may_use_becomes_a_dead_letter() -> None:
    (item,) = await taken(source(Archive(stored(f"LATISS/{NIGHT}/a\u202eb.fits"))))
    assert isinstance(item, Rejected)
    assert "printable" in item.reason


async def test_it_looks_again_and_again() -> None:
    archive, memory = Archive(stored(key_of(1))), Memory()
    looked: list[str] = []
    again = source(archive, memory, every=timedelta(milliseconds=10), looked=looked.append)
    async with asyncio.timeout(10), again.batches() as batches:
        batch = await anext(batches)
        assert keys(batch.items) == [key_of(1)]
        memory.known.add((key_of(1), "a"))
        archive.away = "the store does not answer"
        while "the store does not answer" not in looked:
            await asyncio.sleep(0.005)
        archive.away = ""
        archive.found.append(stored(key_of(2)))
        batch = await anext(batches)
        assert keys(batch.items) == [key_of(2)]
    assert "" in looked


async def test_once_is_the_end_and_an_archive_that_is_away_is_an_error() -> None:
    archive = Archive()
    assert await taken(source(archive)) == []
    archive.away = "the store does not answer"
    with pytest.raises(NotAvailable, match="does not answer"):
        await taken(source(archive))


async def test_progress_is_told() -> None:
    told: list[int] = []
    archive = Archive(*[stored(key_of(n)) for n in range(5)])
    await taken(source(archive, nights=lambda: (NIGHT,), batch_size=2, checked=told.append))
    assert told == [-5, 2, 2, 1]


async def test_a_night_that_is_not_there_is_empty(tmp_path: Any) -> None:
    assert await taken(source(open_store(str(tmp_path)))) == []


@pytest.mark.parametrize(
    ("now", "nights"),
    [
        (datetime(2026, 3, 16, 11, 59, tzinfo=UTC), (20260315, 20260314)),
        (datetime(2026, 3, 16, 12, 0, tzinfo=UTC), (20260316, 20260315)),
        (datetime(2026, 3, 1, 0, 0, tzinfo=UTC), (20260228, 20260227)),
    ],
)
def test_a_night_rolls_over_at_noon_utc(now: datetime, nights: tuple[int, ...]) -> None:
    assert current_nights(now) == nights
