"""Real worker processes: killed, late, raising, recycled, orphaned."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import structlog

from rapid.errors import DeadlineExceeded, NotFits, TaskFailed, WorkerDied
from rapid.ports import Task
from rapid.workers import FIRST_START_DEADLINE, START_DEADLINE, local_workers
from tests.support import tasks
from tests.support.pipeline import key_of

pytestmark = pytest.mark.system


def order(content: str, number: int = 1) -> Task:
    return Task("memory:///raw", key_of(number), content)


async def pid_of(workers: object) -> int:
    outcome = await workers.run(order("pid"), deadline=10)  # type: ignore[attr-defined]
    return outcome.row.cells["pid"]


async def test_tasks_run_in_other_processes_and_at_once() -> None:
    async with local_workers(tasks.obey, count=2, warm=tasks.warm) as workers:
        assert await pid_of(workers) in workers.pids
        assert os.getpid() not in workers.pids
        begin = time.monotonic()
        await asyncio.gather(*(workers.run(order("sleep 0.5"), deadline=10) for _ in range(2)))
        assert time.monotonic() - begin < 0.95


async def test_what_a_task_raises_comes_back_as_it_was() -> None:
    async with local_workers(tasks.obey, count=1, warm=tasks.warm) as workers:
        with pytest.raises(NotFits, match="expected SIMPLE; found hello") as bad:
            await workers.run(order("bad"), deadline=10)
        assert not bad.value.retriable
        with pytest.raises(TaskFailed, match="ValueError: no such luck") as failed:
            await workers.run(order("raise"), deadline=10)
        assert "raise ValueError" in failed.value.remote_traceback
        assert (await workers.run(order("fine"), deadline=10)).row.cells == {"content": "fine"}


@pytest.mark.parametrize(("what", "message"), [("die", "signal SIGKILL"), ("exit 3", "exit code 3")])
async def test_a_worker_that_dies_is_replaced(what: str, message: str) -> None:
    async with local_workers(tasks.obey, count=1, warm=tasks.warm) as workers:
        first = await pid_of(workers)
        with pytest.raises(WorkerDied, match=message):
            await workers.run(order(what), deadline=10)
        assert await pid_of(workers) != first


async def test_a_worker_past_its_deadline_is_killed_and_replaced() -> None:
    async with local_workers(tasks.obey, count=1, warm=tasks.warm) as workers:
        first = await pid_of(workers)
        begin = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="not done after 0 s"):
            await workers.run(order("sleep 60"), deadline=0.3)
        assert time.monotonic() - begin < 5
        assert not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE
        assert await pid_of(workers) != first


async def test_a_worker_is_recycled() -> None:
    async with local_workers(tasks.obey, count=1, warm=tasks.warm, recycle_after=2) as workers:
        pids = [await pid_of(workers) for _ in range(4)]
        assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_a_cancelled_task_frees_its_worker() -> None:
    async with local_workers(tasks.obey, count=1, warm=tasks.warm) as workers:
        task = asyncio.create_task(workers.run(order("sleep 60"), deadline=100))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            assert await pid_of(workers) > 0


async def test_one_worker_compiles_before_the_others_load(tmp_path: Path) -> None:
    """A fresh service, for its fork server has to see the environment; monotonic clocks agree between processes."""
    script = tmp_path / "service.py"
    script.write_text(AHEAD, encoding="utf-8")
    notes = tmp_path / "notes"
    notes.mkdir()
    root = Path(__file__).resolve().parent.parent
    environment = os.environ | {"PYTHONPATH": str(root), "WARM_NOTES": str(notes)}
    subprocess.run([sys.executable, str(script)], env=environment, check=True, timeout=60)
    spans = sorted(tuple(map(float, note.read_text(encoding="utf-8").split())) for note in notes.iterdir())
    assert len(spans) == 3
    (_, ready), *others = spans
    assert all(begin >= ready for begin, _ in others)
    assert others[1][0] < others[0][1], "the others start at once"


async def test_the_start_says_what_it_waits_for_and_how_long() -> None:
    with structlog.testing.capture_logs() as told:
        async with local_workers(tasks.obey, count=2, warm=tasks.warm):
            pass
    before, after = [line for line in told if "numeric core" in line["event"]]
    assert (before["event"], before["log_level"]) == ("compiling or loading the numeric core", "info")
    assert after["log_level"] == "info"
    assert 0 <= after["seconds"] < 60


async def test_the_first_worker_alone_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapid.workers.FIRST_START_DEADLINE", 0.0)
    with pytest.raises(WorkerDied, match="does not answer"):
        async with local_workers(tasks.obey, count=1, warm=tasks.warm):
            pass
    assert FIRST_START_DEADLINE >= 3 * START_DEADLINE


async def test_leaving_ends_every_worker() -> None:
    async with local_workers(tasks.obey, count=2, warm=tasks.warm) as workers:
        pids = workers.pids
        assert len(pids) == 2
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


async def test_a_worker_that_died_idle_costs_no_exposure_anything() -> None:
    async with local_workers(tasks.obey, count=2, warm=tasks.warm) as workers:
        first = workers.pids
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pid) for pid in first if psutil.pid_exists(pid)], timeout=5)
        assert (await workers.run(order("fine"), deadline=10)).row.cells == {"content": "fine"}


async def test_idle_workers_that_died_are_mended() -> None:
    async with local_workers(tasks.obey, count=2, warm=tasks.warm) as workers:
        first = workers.pids
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while len(workers.pids - first) < 2:
                workers.mend()
                await asyncio.sleep(0.1)
        assert (await workers.run(order("fine"), deadline=10)).row.cells == {"content": "fine"}


AHEAD = """
import asyncio
from rapid.workers import local_workers
from tests.support import tasks

async def main():
    async with local_workers(tasks.obey, count=3, warm=tasks.slow_warm):
        pass

if __name__ == "__main__":
    asyncio.run(main())
"""

ORPHANS = """
import asyncio
from rapid.log import configure
from rapid.workers import local_workers
from rapid.ports import Task
from tests.support import tasks

configure()  # standard output is for the process ids alone

async def main():
    async with local_workers(tasks.obey, count=2, warm=tasks.warm) as workers:
        busy = asyncio.create_task(workers.run(Task("m", "LATISS/20260315/x/AT_O_20260315_000001_R00_S00.fits", "sleep 1"), deadline=99))
        await asyncio.sleep(0.2)
        print(*workers.pids, flush=True)
        await busy
        await asyncio.sleep(99)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_workers_end_when_their_service_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "service.py"
    script.write_text(ORPHANS, encoding="utf-8")
    root = Path(__file__).resolve().parent.parent
    service = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(root)}, text=True
    )
    with service:
        pids = [int(word) for word in service.stdout.readline().split()]  # type: ignore[union-attr]
        assert len(pids) == 2
        service.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=15)
    assert alive == []
