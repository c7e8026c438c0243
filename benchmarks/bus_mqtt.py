"""How fast announcements over MQTT become durable, and how soon after one of them a worker starts.

The broker is a real mosquitto; it, its clients and the service share the machine. What is caught up with was queued by the
broker while nobody was there.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Figure, percentile
from benchmarks._bus import FILES, keys_of_exposure, seconds_to_worker, serving
from rapid.consumers.mqtt import MqttSource
from rapid.log import configure
from rapid.pipeline.register import register
from tests.support.mosquitto import Mosquitto, Told, find_mosquitto, mosquitto_server, new_root
from tests.support.notifications import file_written
from tests.support.taking import taken

EXPOSURES = 50
"""Of LSSTCam: some minutes of observing that were missed."""


def figures() -> Iterator[Figure]:
    """Measure."""
    program = find_mosquitto()
    if program is None:
        raise RuntimeError("no mosquitto on this machine; tools/install-system-parts installs it")
    with (
        mosquitto_server(program) as server,
        tempfile.TemporaryDirectory() as place,
        Path(place, "log").open("w") as log,
    ):
        configure(stream=log)  # every arrival is a line of the log, as it is for the service
        try:
            yield from _measured(server, Path(place))
        finally:
            configure("error")


def _measured(server: Mosquitto, place: Path) -> Iterator[Figure]:
    files = EXPOSURES * FILES
    yield Figure("bus.mqtt_durable_per_s", round(files / asyncio.run(_catch_up(server, place))), "1 / s", n=files)
    (notes := place / "notes").mkdir()
    waited = asyncio.run(_idle(server, notes))
    for percent in (50, 95):
        yield Figure(f"bus.mqtt_to_worker_p{percent}", round(percentile(waited, percent), 4), "s", n=len(waited))


async def _catch_up(server: Mosquitto, place: Path) -> float:
    """Take in what the broker kept for us [s]."""
    root = new_root()
    source = server.source(root)
    await _introduce(source)
    keys = [key for exposure in range(1, EXPOSURES + 1) for key in keys_of_exposure(exposure)]
    await server.send(f"{root}/raw", [file_written(key) for key in keys])
    async with taken(place) as inbox:
        began = time.perf_counter()
        taking = asyncio.create_task(register(source, inbox.ledger, offer=len, patience=60.0))
        await inbox.until(len(keys), within=600.0)
        seconds = time.perf_counter() - began
        taking.cancel()
        await asyncio.wait({taking})
    return seconds


async def _idle(server: Mosquitto, place: Path) -> list[float]:
    """Announce files one by one; return how long each took to a worker [s]."""
    root = new_root()
    source = server.source(root)
    await _introduce(source)
    async with serving(source, place), server.client() as client:
        return await seconds_to_worker(place, lambda key: client.publish(f"{root}/raw", file_written(key), qos=1))


async def _introduce(source: MqttSource) -> None:
    """Let the broker make our session, so that it keeps what comes from now on."""
    source.looked = told = Told()
    async with source.batches():
        await told.until("")
