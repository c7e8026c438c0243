"""An archive that is away, and files that are announced before they are there: the service looks, waits, looks again."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from rapid.events import is_raw_name
from rapid.ledger import open_ledger
from tests.support.daemon import daemon
from tests.support.faults import assert_explained
from tests.support.kafka import KafkaServer
from tests.support.ledgers import sqlite_url
from tests.support.notifications import file_written

pytestmark = pytest.mark.system

SETTINGS = """
[archive]
watch = false

[pipeline]
backoff = "1s"

[workers]
count = 1

[kafka]
servers = ["{server}"]
topics = ["{topic}"]
group = "{topic}"
start = "earliest"
session_timeout = "2s"
announced = "s3://raw"
"""


class Summit:
    """An archive that files come to, a topic where they are announced, and the service that hears of them."""

    def __init__(self, kafka: KafkaServer, night: Path, place: Path) -> None:
        self._kafka, self._night, self.place = kafka, night, place
        self.topic = asyncio.run(kafka.topic())
        self.archive, self.state = place / "raw", place / "state"
        self.archive.mkdir()
        (place / "rapid.toml").write_text(SETTINGS.format(server=kafka.address, topic=self.topic))
        files = sorted(path for path in night.glob("LATISS/*/*/*") if is_raw_name(path.name))
        self.keys = [path.relative_to(night).as_posix() for path in files]

    def announce(self, *keys: str) -> None:
        asyncio.run(self._kafka.send(self.topic, [file_written(key) for key in keys]))

    def deliver(self, *keys: str, into: Path | None = None) -> None:
        for key in keys:
            place = (into or self.archive) / key
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._night / key, place)

    def assert_explained(self, keys: list[str], *, failed: tuple[str, ...] = ()) -> None:
        async def ask() -> None:
            async with open_ledger(sqlite_url(self.state), read_only=True) as ledger:
                await assert_explained(ledger, keys, failed=failed)

        asyncio.run(ask())


@pytest.fixture
def summit(kafka: KafkaServer, night: Path, tmp_path: Path) -> Summit:
    return Summit(kafka, night, tmp_path)


@pytest.mark.parametrize("seconds", [3.0, pytest.param(60.0, marks=pytest.mark.soak)])
def test_an_archive_that_is_away_and_files_that_come_late_or_never(summit: Summit, seconds: float) -> None:
    there, away, late, never = summit.keys[:2], summit.keys[2:4], summit.keys[4], summit.keys[5]
    with daemon(summit.archive, summit.state, "--config", str(summit.place / "rapid.toml")) as service:
        summit.deliver(*there)
        summit.announce(*there)
        service.wait_settled(2)

        elsewhere = summit.archive.rename(summit.place / "unmounted")
        summit.deliver(*away, into=elsewhere)
        summit.announce(*away)
        service.wait(lambda _: service.counts()["received"] == 4)
        time.sleep(seconds)
        counts = service.counts()
        assert (counts["done"], counts["failed"], counts["dead_letters"]) == (2, 0, 0)
        elsewhere.rename(summit.archive)
        assert service.wait_settled(4)["done"] == 4

        summit.announce(late)
        service.wait(lambda _: service.counts()["received"] == 5)
        time.sleep(0.5)
        summit.deliver(late)
        assert service.wait_settled(5)["done"] == 5

        summit.announce(never)
        assert service.wait_settled(6)["failed"] == 1
        summit.assert_explained(summit.keys[:6], failed=(never,))
        summit.deliver(never)
        summit.announce(never)
        service.wait(lambda _: service.counts()["done"] == 6)
        assert service.terminate() == 0
    summit.assert_explained(summit.keys[:6])
