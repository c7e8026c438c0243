"""How fast announcements on a real Kafka topic become durable, and how soon after one of them a worker starts.

The broker, its clients and the service share the machine. What is published is published before the clock runs.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks import Figure, percentile
from rapid.log import configure
from rapid.pipeline.dispatch import Pipeline
from rapid.pipeline.register import register
from rapid.ports import Outcome, Task
from rapid.workers import local_workers
from tests.support.kafka import KafkaServer, find_kafka, kafka_server
from tests.support.notifications import file_written
from tests.support.pipeline import MemoryGallery, outcome_of
from tests.support.taking import kafka_source, key_of, quick, taken

EXPOSURES, FILES = 1000, 205
"""A night of LSSTCam, guiders and wavefront sensors included."""

SINGLES = 60
PAUSE = 0.25
"""Between announcements to an idle service [s]."""


def figures() -> Iterator[Figure]:
    """Measure."""
    jars = find_kafka()
    if jars is None:
        raise RuntimeError("no Java or no Apache Kafka on this machine; tools/fetch-kafka gets it")
    with kafka_server(jars) as server, tempfile.TemporaryDirectory() as place, Path(place, "log").open("w") as log:
        configure(stream=log)  # every arrival is a line of the log, as it is for the service
        try:
            yield from _measured(server, Path(place))
        finally:
            configure("error")


def _measured(server: KafkaServer, place: Path) -> Iterator[Figure]:
    seconds, files = asyncio.run(_catch_up(server, place)), EXPOSURES * FILES
    yield Figure("bus.durable_per_s", round(files / seconds), "1 / s", n=files)
    yield Figure("bus.lsstcam_night_caught_up", round(seconds, 2), "s", n=1)
    (notes := place / "notes").mkdir()
    waited = asyncio.run(_idle(server, notes))
    for percent in (50, 95):
        yield Figure(f"bus.kafka_to_worker_p{percent}", round(percentile(waited, percent), 4), "s", n=len(waited))


def note_start(task: Task) -> Outcome:
    """Write down that a worker has started."""
    started = time.time()
    Path(task.options["notes"], task.key.rpartition("/")[2]).write_text(repr(started))
    return outcome_of(task)


def no_warm_up() -> None:
    """Compile nothing."""


async def _catch_up(server: KafkaServer, place: Path) -> float:
    """Take in a whole night that lies on the bus [s]."""
    topic = await server.topic()
    for exposure in range(1, EXPOSURES + 1, 50):
        exposures = range(exposure, exposure + 50)
        await server.send(topic, [file_written(key) for number in exposures for key in _keys(number)])
    async with taken(place) as inbox:
        began = time.perf_counter()
        taking = asyncio.create_task(
            register(kafka_source(server, quick(topic), batch_size=2000), inbox.ledger, offer=len, patience=60.0)
        )
        await inbox.until(EXPOSURES * FILES, within=1800.0)
        seconds = time.perf_counter() - began
        taking.cancel()
        await asyncio.wait({taking})
    return seconds


def _keys(number: int) -> Iterator[str]:
    obs_id = f"MC_O_20250701_{number:06d}"
    for detector in range(FILES):
        raft, sensor = divmod(detector, 9)
        name = f"R{raft // 5}{raft % 5}_S{sensor // 3}{sensor % 3}"
        yield f"LSSTCam/20250701/{obs_id}/{obs_id}_{name}.fits"


async def _idle(server: KafkaServer, place: Path) -> list[float]:
    """Announce files one by one; return how long each took to a worker [s]."""
    topic = await server.topic()
    sent: dict[str, float] = {}
    async with _serving(server, topic, place), server.publishing() as producer:
        await producer.send_and_wait(topic, file_written(key_of(SINGLES + 1)))  # the first one wakes everybody up
        await _until(place, 1)
        for number in range(1, SINGLES + 1):
            key = key_of(number)
            sent[key.rpartition("/")[2]] = time.time()
            await producer.send(topic, file_written(key))
            await asyncio.sleep(PAUSE)
        await _until(place, SINGLES + 1)
    return [float((place / name).read_text()) - at for name, at in sent.items()]


async def _until(place: Path, count: int) -> None:
    async with asyncio.timeout(60):
        while _notes(place) < count:  # noqa: ASYNC110  # it is another process that writes them
            await asyncio.sleep(0.05)


def _notes(place: Path) -> int:
    return len(list(place.iterdir()))


@asynccontextmanager
async def _serving(server: KafkaServer, topic: str, place: Path) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory() as state:
        async with taken(Path(state)) as inbox, local_workers(note_start, count=1, warm=no_warm_up) as workers:
            pipeline = Pipeline(
                inbox.ledger, workers, MemoryGallery(), archive="file:///", options={"notes": str(place)}
            )
            source = kafka_source(server, quick(topic))
            async with asyncio.TaskGroup() as group:
                working = group.create_task(pipeline.run())
                taking = group.create_task(register(source, inbox.ledger, offer=pipeline.offer, patience=60.0))
                yield
                taking.cancel()
                pipeline.stop()
                await working
