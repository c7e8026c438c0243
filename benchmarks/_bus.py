"""What the benchmarks of the buses share: a service whose workers do nothing but write down when they start."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from rapid.pipeline.dispatch import Pipeline
from rapid.pipeline.register import register
from rapid.ports import Outcome, Source, Task
from rapid.workers import local_workers
from tests.support.pipeline import MemoryGallery, outcome_of
from tests.support.taking import key_of, taken

__all__ = ["FILES", "keys_of_exposure", "seconds_to_worker", "serving", "started"]

SINGLES = 60
PAUSE = 0.25
"""Between announcements to an idle service [s]."""
FILES = 205
"""Of an exposure of LSSTCam, guiders and wavefront sensors included."""


async def seconds_to_worker(place: Path, announce: Callable[[str], Awaitable[object]]) -> list[float]:
    """Announce files one by one to an idle service; return how long each took to a worker [s].

    Parameters
    ----------
    place
        Where the workers write down when they start; see `serving`.
    announce
        Announces the file of a key; from its call on the clock runs.
    """
    sent: dict[str, float] = {}
    await announce(key_of(SINGLES + 1))  # the first one wakes everybody up
    await started(place, 1)
    for number in range(1, SINGLES + 1):
        key = key_of(number)
        sent[key.rpartition("/")[2]] = time.time()
        await announce(key)
        await asyncio.sleep(PAUSE)
    await started(place, SINGLES + 1)
    return [float((place / name).read_text()) - at for name, at in sent.items()]


async def started(place: Path, count: int) -> None:
    """Wait until workers have started on so many."""
    async with asyncio.timeout(60):
        while _notes(place) < count:  # noqa: ASYNC110  # it is another process that writes them
            await asyncio.sleep(0.05)


def keys_of_exposure(number: int) -> Iterator[str]:
    """Name the files of an exposure of LSSTCam."""
    obs_id = f"MC_O_20250701_{number:06d}"
    for detector in range(FILES):
        raft, sensor = divmod(detector, 9)
        name = f"R{raft // 5}{raft % 5}_S{sensor // 3}{sensor % 3}"
        yield f"LSSTCam/20250701/{obs_id}/{obs_id}_{name}.fits"


@asynccontextmanager
async def serving(source: Source, place: Path) -> AsyncIterator[None]:
    """Serve what a source announces, with one worker that writes into a directory when it starts on a file."""
    with tempfile.TemporaryDirectory() as state:
        async with taken(Path(state)) as inbox, local_workers(_note_start, count=1, warm=_no_warm_up) as workers:
            pipeline = Pipeline(
                inbox.ledger, workers, MemoryGallery(), archive="file:///", options={"notes": str(place)}
            )
            async with asyncio.TaskGroup() as group:
                working = group.create_task(pipeline.run())
                taking = group.create_task(register(source, inbox.ledger, offer=pipeline.offer, patience=60.0))
                yield
                taking.cancel()
                pipeline.stop()
                await working


def _notes(place: Path) -> int:
    return len(list(place.iterdir()))


def _note_start(task: Task) -> Outcome:
    """Write down that a worker has started."""
    began = time.time()
    Path(task.options["notes"], task.key.rpartition("/")[2]).write_text(repr(began))
    return outcome_of(task)


def _no_warm_up() -> None:
    """Compile nothing."""
