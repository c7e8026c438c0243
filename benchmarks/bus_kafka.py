"""How fast announcements on a real Kafka topic become durable, and how soon after one of them a worker starts.

The broker, its clients and the service share the machine. What is published is published before the clock runs. The night
is caught up three times, each time by a new group into an empty ledger; a file is on the disk when it counts. Per CPU
second is what one core does that has nothing else to do: all that the process does, on both of its threads.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Figure, percentile
from benchmarks._bus import FILES, keys_of_exposure, seconds_to_worker, serving
from rapid.app.collecting import collect_seldom
from rapid.log import configure
from rapid.pipeline.register import register
from rapid.ports import Recorded
from tests.support.kafka import KafkaServer, find_kafka, kafka_server
from tests.support.notifications import file_written
from tests.support.taking import kafka_source, quick, taken

EXPOSURES = 1000
"""A night of LSSTCam."""

NIGHTS = 3


def figures() -> Iterator[Figure]:
    """Measure."""
    jars = find_kafka()
    if jars is None:
        raise RuntimeError("no Java or no Apache Kafka on this machine; tools/fetch-kafka gets it")
    with kafka_server(jars) as server, tempfile.TemporaryDirectory() as place, Path(place, "log").open("w") as log:
        configure(stream=log)  # as the service does, which also looks for garbage as seldom
        collect_seldom()
        try:
            yield from _measured(server, Path(place))
        finally:
            configure("error")


def _measured(server: KafkaServer, place: Path) -> Iterator[Figure]:
    files = EXPOSURES * FILES
    topic = asyncio.run(_published(server))
    taken_in = [asyncio.run(_catch_up(server, topic, number)) for number in range(NIGHTS)]
    seconds, cpu_seconds = (percentile([each[kind] for each in taken_in], 50) for kind in (0, 1))
    yield Figure("bus.durable_per_s", round(files / seconds), "1 / s", n=NIGHTS * files)
    yield Figure("bus.durable_per_cpu_s", round(files / cpu_seconds), "1 / s", n=NIGHTS * files)
    yield Figure("bus.lsstcam_night_caught_up", round(seconds, 2), "s", n=NIGHTS)
    (notes := place / "notes").mkdir()
    waited = asyncio.run(_idle(server, notes))
    for percent in (50, 95):
        yield Figure(f"bus.kafka_to_worker_p{percent}", round(percentile(waited, percent), 4), "s", n=len(waited))


async def _published(server: KafkaServer) -> str:
    """Announce a whole night; return the topic that it lies on."""
    topic = await server.topic()
    for exposure in range(1, EXPOSURES + 1, 50):
        exposures = range(exposure, exposure + 50)
        await server.send(topic, [file_written(key) for number in exposures for key in keys_of_exposure(number)])
    return topic


async def _catch_up(server: KafkaServer, topic: str, number: int) -> tuple[float, float]:
    """Take in a night that lies on the bus; return how long it took and what it cost [s, CPU s]."""
    source = kafka_source(server, quick(topic, group=f"night-{number}"))
    left, over = EXPOSURES * FILES, asyncio.Event()

    def told(recorded: Recorded) -> None:
        nonlocal left
        left -= len(recorded.new)
        if not left:
            over.set()

    with tempfile.TemporaryDirectory() as place:
        async with taken(Path(place)) as inbox:
            began, cpu_began = time.perf_counter(), time.process_time()
            taking = asyncio.create_task(register(source, inbox.ledger, offer=len, patience=60.0, told=told))
            await asyncio.wait_for(over.wait(), 1800.0)
            spent = time.perf_counter() - began, time.process_time() - cpu_began
            taking.cancel()
            await asyncio.wait({taking})
    return spent


async def _idle(server: KafkaServer, place: Path) -> list[float]:
    """Announce files one by one; return how long each took to a worker [s]."""
    topic = await server.topic()
    async with serving(kafka_source(server, quick(topic)), place), server.publishing() as producer:
        return await seconds_to_worker(place, lambda key: producer.send(topic, file_written(key)))
