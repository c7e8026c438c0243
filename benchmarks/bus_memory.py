"""Whether the memory of the service stays as it is while a million announcements go from a real Kafka topic to the ledger.

Half a million files, each announced twice. Memory is what the process holds resident after each fiftieth of the
announcements; in the first half caches fill (the pages of the ledger, above all), so the second half is held against it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import psutil

from benchmarks import Figure
from benchmarks._bus import keys_of_exposure
from rapid.app.collecting import collect_seldom
from rapid.log import configure
from rapid.pipeline.register import register
from rapid.ports import Recorded
from tests.support.kafka import KafkaServer, find_kafka, kafka_server
from tests.support.notifications import file_written
from tests.support.taking import kafka_source, quick, taken

MESSAGES, STEPS = 1_000_000, 50
MEGABYTE = 1e6


def figures() -> Iterator[Figure]:
    """Measure."""
    jars = find_kafka()
    if jars is None:
        raise RuntimeError("no Java or no Apache Kafka on this machine; tools/fetch-kafka gets it")
    with kafka_server(jars) as server, tempfile.TemporaryDirectory() as place:
        configure("error")
        collect_seldom()
        resident = asyncio.run(_take_in(server, Path(place)))
    first, second = resident[: STEPS // 2], resident[STEPS // 2 :]
    yield Figure("bus.memory_growth", round((max(second) - max(first)) / MEGABYTE, 1), "Mbyte", n=MESSAGES)
    yield Figure("bus.memory_most", round(max(resident) / MEGABYTE), "Mbyte", n=MESSAGES)


async def _take_in(server: KafkaServer, place: Path) -> list[int]:
    """Announce and take in, step by step; return the resident memory after each step [byte]."""
    topic, announcements = await server.topic(), _announcements()
    done = 0
    resident: list[int] = []
    moved = asyncio.Event()

    def told(recorded: Recorded) -> None:
        nonlocal done
        done += len(recorded.new) + recorded.duplicates
        moved.set()

    async with taken(place) as inbox, server.publishing() as producer:
        source = kafka_source(server, quick(topic))
        taking = asyncio.create_task(register(source, inbox.ledger, offer=len, patience=60.0, told=told))
        for step in range(STEPS):
            values = islice(announcements, MESSAGES // STEPS)
            await asyncio.gather(*[await producer.send(topic, value) for value in values])
            while done < (step + 1) * MESSAGES // STEPS:
                moved.clear()
                await asyncio.wait_for(moved.wait(), 120)
            resident.append(psutil.Process().memory_info().rss)
        taking.cancel()
        await asyncio.wait({taking})
    return resident


def _announcements() -> Iterator[bytes]:
    """Announce every file, and then all of them once more."""
    for _ in range(2):
        files = (key for exposure in count(1) for key in keys_of_exposure(exposure))
        yield from map(file_written, islice(files, MESSAGES // 2))
