"""Two processes on one ledger, and the sudden end of one."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from rapid.ledger import is_shared, open_ledger
from rapid.ports import Ledger, State
from tests.support.ledgers import DAY_OBS, NOON, sqlite_url

ROOT = Path(__file__).resolve().parents[2]
LATER = NOON.replace(year=2100)


@asynccontextmanager
async def writer(url: str, mode: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).parent / "writer.py"), url, mode,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process) -> list[str]:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 30)).decode().split()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return sqlite_url(tmp_path) if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


async def test_a_reader_sees_at_once_what_another_process_writes(url: str) -> None:
    async with writer(url, "trickle") as process:
        await line_of(process)
        async with open_ledger(url, read_only=True) as reader:
            after, seen = 0, {}
            while len(seen) < 5:
                assert await reader.wait_feed(after, timeout=20)
                events = await reader.feed(after)
                seen.update({event.seq_num: time.time() for event in events if event.kind == "exposure"})
                after = events[-1].id
            assert await reader.wait_feed(after, timeout=0.1) is False
            assert (await reader.counts()).waiting == 5
        written = {int(seq_num): float(at) for _, seq_num, at in [await line_of(process) for _ in range(4)]}
        delays = sorted(seen[seq_num] - written[seq_num] for seq_num in written)
        assert delays[1] < 0.5
        assert await process.wait() == 0


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_acknowledged_is_lost_by_a_kill(url: str, seed: int) -> None:
    """Three lives on one ledger, each killed in the middle of writing."""
    chance, said = random.Random(seed), defaultdict(set)
    for _ in range(3):
        async with writer(url, "flood") as process:
            for _ in range(chance.randrange(1, 60)):
                what, *numbers = await line_of(process)
                said[what].update(map(int, numbers))
            await asyncio.sleep(chance.random() * 0.01)
            process.kill()
            assert process.stdout is not None
            for line in (await process.stdout.read()).decode().splitlines():
                what, *numbers = line.split()
                said[what].update(map(int, numbers))
        await check_all_is_there(url, said)
        if not is_shared(url):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
                assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert file.execute("PRAGMA foreign_key_check").fetchall() == []


async def check_all_is_there(url: str, said: dict[str, set[int]]) -> None:
    async with open_ledger(url) as ledger:
        assert said["recorded"] <= await numbers_in(ledger, *State)
        assert said["done"] <= await numbers_in(ledger, State.DONE)
        assert said["failed"] <= await numbers_in(ledger, State.FAILED)
        running = await ledger.arrivals(states=[State.RUNNING], limit=10**6)
        # What a killed process was at is nobody's in a file, and its own for a (very short) lease where several share.
        assert await ledger.recover() + await ledger.reclaim([]) == len(running)
        waiting = {arrival.id: arrival for arrival in await ledger.waiting(now=LATER)}
        assert all(waiting[one.id].attempts == one.attempts for one in running)
        assert said["begun"] <= {one.seq_num for one in waiting.values() if one.attempts}
        _, _, entries = await ledger.night("auxtel", DAY_OBS)
        assert {entry["seq_num"] for entry in entries if entry["state"] == "done"} >= said["done"]
        counts = await ledger.counts()
        assert counts.received % 3 == 0
        assert len(entries) == counts.received


async def numbers_in(ledger: Ledger, *states: State) -> set[int]:
    return {arrival.seq_num or 0 for arrival in await ledger.arrivals(states=states, limit=10**6)}
