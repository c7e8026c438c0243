"""Two services on one PostgreSQL over one archive: together they do the work, and none of it twice."""

from __future__ import annotations

import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, daemon
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.system

LEASE = 3.0


@dataclass(frozen=True)
class Tried:
    """One attempt as the ledger has it; times are text that sorts as time does."""

    arrival_id: int
    state: str
    holder: str
    started_at: str
    ended_at: str | None

    def is_of(self, service: Daemon) -> bool:
        return self.holder.split(":")[1] == str(service.process.pid)


def attempts_in(postgres: PostgresServer, url: str) -> list[Tried]:
    query = "SELECT arrival_id, state, holder, started_at, ended_at FROM attempts ORDER BY id"
    return [Tried(*line) for line in postgres.run(query, url.rpartition("/")[2])]  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path, postgres_url: str) -> Path:
    place = tmp_path / "rapid.toml"
    place.write_text(
        f'ledger = "{postgres_url}"\n'
        f'[pipeline]\nlease = "{LEASE:.0f}s"\n'
        f'[archive]\nrescan = "1s"\n'
        f'[gallery]\nurl = "{tmp_path / "gallery"}"\n'
    )
    return place


def test_one_of_two_services_is_killed_and_nothing_is_done_twice(
    night: Path, tmp_path: Path, postgres: PostgresServer, postgres_url: str, settings: Path
) -> None:
    archive = tmp_path / "raw"
    archive.mkdir()
    raws = sorted(night.glob("LATISS/*/*/*.fits"))[:8]
    words = ("--config", str(settings), "--workers", "1")
    with (
        daemon(archive, tmp_path / "a", *words, ready=False) as one,
        daemon(archive, tmp_path / "b", *words, ready=False) as other,
    ):
        one.wait_ready()
        other.wait_ready()
        deliver(raws[:4], night, archive)
        other.wait_settled(4)
        with held(other):  # all that comes now is taken by the one that is to be killed
            deliver(raws[4:], night, archive)
            one.wait(lambda _: stopped_at_work(one, postgres, postgres_url))
        (left,) = attempts_of(one, "running", postgres, postgres_url)
        one.kill()
        counts = other.wait_settled(len(raws))
        (listed,) = other.get("api/v1/nights")["nights"]
        rows = other.get(f"api/v1/nights/auxtel/{listed['day_obs']}")["rows"]
        assert other.terminate() == 0

    tried = attempts_in(postgres, postgres_url)
    assert (counts["received"], counts["done"] + counts["failed"]) == (len(raws), len(raws))
    assert sorted(row["seq_num"] for row in rows) == sorted(int(raw.stem.split("_")[3]) for raw in raws)
    assert {row["revision"] for row in rows if row["state"] == "done"} == {1}
    assert {attempt.is_of(other) for attempt in tried} == {True, False}
    (interrupted,) = [attempt for attempt in tried if attempt.state == "interrupted"]
    assert (interrupted.holder, interrupted.started_at) == (left.holder, left.started_at)
    assert interrupted.ended_at is not None
    lasted = datetime.fromisoformat(interrupted.ended_at) - datetime.fromisoformat(interrupted.started_at)
    assert lasted.total_seconds() >= LEASE
    assert_never_two_at_once(tried)


def attempts_of(service: Daemon, state: str, postgres: PostgresServer, url: str) -> list[Tried]:
    return [tried for tried in attempts_in(postgres, url) if tried.state == state and tried.is_of(service)]


def deliver(raws: list[Path], night: Path, archive: Path) -> None:
    for raw in raws:
        place = archive / raw.relative_to(night)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(raw, place)


@contextmanager
def held(service: Daemon) -> Iterator[None]:
    """Keep a service from doing anything; it has nothing at hand, so nothing of it runs out meanwhile."""
    service.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.process.send_signal(signal.SIGCONT)


def stopped_at_work(service: Daemon, postgres: PostgresServer, url: str) -> bool:
    """Stop a service in the middle of an attempt; let it go on when it has just ended."""
    if not attempts_of(service, "running", postgres, url):
        return False
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(0.2)  # what it had told the database by then is done
    if attempts_of(service, "running", postgres, url):
        return True
    service.process.send_signal(signal.SIGCONT)
    return False


def assert_never_two_at_once(tried: list[Tried]) -> None:
    """Attempts at one file follow one another, and one at most ended well."""
    by_arrival = defaultdict(list)
    for attempt in tried:
        by_arrival[attempt.arrival_id].append(attempt)
    for attempts in by_arrival.values():
        assert [attempt.state for attempt in attempts].count("done") <= 1
        for first, second in pairwise(attempts):
            assert first.ended_at is not None
            assert first.ended_at <= second.started_at
