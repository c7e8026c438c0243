"""Worker processes on this machine: killable, replaced when they die, gone when the service is gone."""

from __future__ import annotations

import asyncio
import multiprocessing as mp
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess

import structlog

from rapid import metrics
from rapid.errors import DeadlineExceeded, InputError, Net, NotAvailable, RapidError, TaskFailed, WorkerDied
from rapid.ports import Outcome, Task

__all__ = ["LocalWorkers", "Study", "local_workers"]

_log = structlog.get_logger(__name__)

START_DEADLINE = 180.0
"""Longest a new worker may take until it is ready [s]: it loads what the first one compiled."""

FIRST_START_DEADLINE = 600.0
"""The same for the first worker [s]: it may have to compile the numeric core, and keeps it on disk for the others."""

SINGLE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""One process is one core: threads inside would only compete with the neighbours."""

LONGEST_PAUSE = 30.0
"""Between two tries to start a worker [s]."""

READY = "ready"

Study = Callable[[Task], Outcome]
Reply = Outcome | RapidError


@asynccontextmanager
async def local_workers(
    study: Study, *, count: int, warm: Callable[[], None], recycle_after: int = 500
) -> AsyncIterator[LocalWorkers]:
    """Open `count` worker processes that run `study`; leaving the context ends them.

    Both callables must be module-level functions: a worker is a fresh process and finds them by name.
    """
    workers = LocalWorkers(study, count=count, warm=warm, recycle_after=recycle_after)
    try:
        await workers.start()
        yield workers
    finally:
        await workers.stop()


class LocalWorkers:
    """A fixed number of worker processes, each with one task at a time.

    A worker that dies or is past a deadline is killed and replaced; one that has done `recycle_after` tasks is
    replaced too, so that a slow leak never ends a night. When the service ends, however it ends, its workers see
    their pipe close and end as well.
    """

    def __init__(self, study: Study, *, count: int, warm: Callable[[], None], recycle_after: int = 500) -> None:
        self._body = partial(_work, study=study, warm=warm)
        self._module = study.__module__
        self._count = count
        self._recycle_after = recycle_after
        self._context = mp.get_context("forkserver")
        self._idle: asyncio.Queue[_Slot] = asyncio.Queue()
        self._slots = [_Slot(number) for number in range(count)]
        self._threads = ThreadPoolExecutor(max_workers=count, thread_name_prefix="rapid-worker")
        self._stopping = threading.Event()

    @property
    def capacity(self) -> int:
        """How many tasks run at once."""
        return self._count

    @property
    def pids(self) -> frozenset[int]:
        """Process ids of the workers alive now."""
        workers = [slot.worker for slot in self._slots]
        return frozenset(w.process.pid for w in workers if w and w.process.pid and w.process.is_alive())

    async def start(self) -> None:
        """Start every worker and wait until each is ready.

        One goes ahead: what it compiles is kept on disk, and the others load it instead of compiling it as well.

        Raises
        ------
        WorkerDied
            If a worker does not come up.
        """
        for name in SINGLE_THREAD:
            os.environ.setdefault(name, "1")
        self._context.set_forkserver_preload([self._module])
        first, *others = self._slots
        begin = time.monotonic()
        _log.info("compiling or loading the numeric core")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._fill, first, FIRST_START_DEADLINE)
        _log.info("numeric core is ready", seconds=round(time.monotonic() - begin, 1))
        await asyncio.gather(*(loop.run_in_executor(self._threads, self._fill, slot) for slot in others))
        for slot in self._slots:
            self._idle.put_nowait(slot)

    async def run(self, task: Task, *, deadline: float) -> Outcome:
        """Do one task in the next idle worker; see `rapid.ports.Workers.run`."""
        slot = await self._idle.get()
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, self._run, slot, task, deadline)
        future.add_done_callback(lambda _: self._give_back(slot))
        try:
            reply = await asyncio.shield(future)
        except asyncio.CancelledError:
            slot.kill()
            raise
        if isinstance(reply, RapidError):
            raise reply
        return reply

    def mend(self) -> None:
        """Replace idle workers that died unseen, killed for want of memory say; call it now and then."""
        for _ in range(self._idle.qsize()):
            slot = self._idle.get_nowait()
            if not slot.alive:
                metrics.WORKER_RESTARTS.labels(why="idle").inc()
                _log.warning("idle worker replaced", slot=slot.number)
                slot.discard()
            self._give_back(slot)

    async def stop(self) -> None:
        """End every worker; tasks in work are cut off."""
        self._stopping.set()
        for slot in self._slots:
            slot.kill()
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        for slot in self._slots:
            slot.close()

    def _give_back(self, slot: _Slot) -> None:
        """Let a slot be used again, with a new worker in it where the old one is gone."""
        if self._stopping.is_set():
            return
        if slot.worker is not None:
            self._idle.put_nowait(slot)
            return
        loop = asyncio.get_running_loop()
        filled = loop.run_in_executor(self._threads, self._worker_of, slot)
        filled.add_done_callback(lambda _: self._idle.put_nowait(slot))

    def _worker_of(self, slot: _Slot) -> _Worker | None:
        """Return the live worker of a slot, started anew where there is none; blocks until it is up, None at the end.

        It costs no exposure an attempt that a worker does not come up: somebody has taken the memory, and may give it back.
        """
        pause = 1.0
        while not self._stopping.is_set():
            if slot.alive:
                return slot.worker
            slot.discard()
            try:
                self._fill(slot)
            except (WorkerDied, OSError) as error:
                if not self._stopping.wait(pause):
                    _log.error("worker does not come up, trying again", slot=slot.number, why=str(error), pause=pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        return None

    def _fill(self, slot: _Slot, deadline: float = START_DEADLINE) -> None:
        """Start a worker in a slot; blocks until it is ready."""
        here, there = self._context.Pipe()
        process = self._context.Process(
            target=self._body, args=(there,), name=f"rapid-worker-{slot.number}", daemon=True
        )
        process.start()
        there.close()
        slot.worker = _Worker(process, here)
        ready = wait([here, process.sentinel], deadline)
        with suppress(EOFError, OSError):
            if here in ready and here.recv() == READY:
                return
        why = _obituary(slot.worker)
        slot.discard()
        raise WorkerDied(f"a worker did not come up: {why}")

    def _run(self, slot: _Slot, task: Task, deadline: float) -> Reply:
        """Hand a task to the slot's worker and wait for the reply; blocks, in a thread of its own."""
        while (worker := self._worker_of(slot)) is not None:
            reply = _exchange(worker, task, deadline)
            if reply is not None:
                worker.tasks += 1
                self._judge(slot, worker, task, reply)
                return reply
        return WorkerDied(f"{task.key}: the service is stopping")

    def _judge(self, slot: _Slot, worker: _Worker, task: Task, reply: Reply) -> None:
        """End a worker that failed its task by dying or dawdling, and one that has done enough."""
        if isinstance(reply, WorkerDied | DeadlineExceeded):
            metrics.WORKER_RESTARTS.labels(why="died" if isinstance(reply, WorkerDied) else "deadline").inc()
            _log.warning("worker replaced", slot=slot.number, key=task.key, why=str(reply))
            slot.discard()
        elif worker.tasks >= self._recycle_after:
            metrics.WORKER_RESTARTS.labels(why="recycled").inc()
            slot.discard()


@dataclass(slots=True)
class _Worker:
    process: ForkServerProcess
    pipe: Connection
    tasks: int = 0


class _Slot:
    """A place for one worker."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.worker: _Worker | None = None

    @property
    def alive(self) -> bool:
        """Whether there is a worker, and it lives."""
        return self.worker is not None and self.worker.process.is_alive()

    def kill(self) -> None:
        """End the worker now; whoever waits for it sees it die."""
        worker = self.worker
        if worker is not None:
            with suppress(ProcessLookupError, ValueError):
                worker.process.kill()

    def discard(self) -> None:
        """End the worker and forget it."""
        self.kill()
        self.close()
        self.worker = None

    def close(self) -> None:
        """Wait for a worker that was killed, and close its pipe."""
        if self.worker is not None:
            self.worker.process.join(5)
            self.worker.pipe.close()


def _exchange(worker: _Worker, task: Task, deadline: float) -> Reply | None:
    """Send a task and wait for its reply, the death of the worker, or the deadline; None when it never got the task."""
    try:
        worker.pipe.send(task)
    except OSError:
        return None
    try:
        ready = wait([worker.pipe, worker.process.sentinel], deadline)
        if not ready:
            return DeadlineExceeded(f"{task.key}: not done after {deadline:.0f} s; its worker was killed")
        if worker.pipe in ready:
            reply: Reply = worker.pipe.recv()
            return reply
    except (EOFError, OSError):
        pass
    return WorkerDied(f"{task.key}: {_obituary(worker)}")


def _obituary(worker: _Worker) -> str:
    """Say how a worker ended."""
    worker.process.join(1)
    code = worker.process.exitcode
    if code is None:
        return "its worker does not answer"
    if code < 0:
        return f"its worker was ended by signal {signal.Signals(-code).name}"
    return f"its worker ended with exit code {code}"


def _work(pipe: Connection, *, study: Study, warm: Callable[[], None]) -> None:
    """Be a worker: do tasks until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the service decides who ends when
    warm()
    with suppress(EOFError, OSError):
        pipe.send(READY)
        while True:
            pipe.send(_reply(study, pipe.recv()))


def _reply(study: Study, task: Task) -> Reply:
    with Net() as net:
        return study(task)
    error = net.caught
    if isinstance(error, InputError | NotAvailable):
        return error
    return TaskFailed(f"{task.key}: {type(error).__name__}: {error}", net.detail)
