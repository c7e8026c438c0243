"""How fast announcements on a real Kafka topic become durable, and how soon after one of them a worker starts.

The broker, its clients and the service share the machine. What is published is published before the clock runs.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Figure, percentile
from benchmarks._bus import FILES, keys_of_exposure, seconds_to_worker, serving
from rapid.log import configure
from rapid.pipeline.register import register
from tests.support.kafka import KafkaServer, find_kafka, kafka_server
from tests.support.notifications import file_written
from tests.support.taking import kafka_source, quick, taken

EXPOSURES = 1000
"""A night of LSSTCam."""


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


async def _catch_up(server: KafkaServer, place: Path) -> float:
    """Take in a whole night that lies on the bus [s]."""
    topic = await server.topic()
    for exposure in range(1, EXPOSURES + 1, 50):
        exposures = range(exposure, exposure + 50)
        await server.send(topic, [file_written(key) for number in exposures for key in keys_of_exposure(number)])
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


async def _idle(server: KafkaServer, place: Path) -> list[float]:
    """Announce files one by one; return how long each took to a worker [s]."""
    topic = await server.topic()
    async with serving(kafka_source(server, quick(topic)), place), server.publishing() as producer:
        return await seconds_to_worker(place, lambda key: producer.send(topic, file_written(key)))
