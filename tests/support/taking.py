"""A Kafka source with a real ledger behind it, as the daemon has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rapid.consumers.decoders import Decoder
from rapid.consumers.kafka import Connection, KafkaSource, Subscription
from rapid.ledger import open_ledger
from rapid.pipeline.register import register
from rapid.ports import Ledger
from tests.support.kafka import PASSWORD, USER, KafkaServer
from tests.support.notifications import file_written

__all__ = ["Taken", "connection_to", "kafka_source", "key_of", "notification", "quick", "taken", "taking"]


def key_of(number: int, detector: str = "R00_S00") -> str:
    """Name the raw of an exposure of a long night."""
    obs_id = f"AT_O_20240624_{number:06d}"
    return f"LATISS/20240624/{obs_id}/{obs_id}_{detector}.fits"


def notification(number: int) -> bytes:
    """Announce it."""
    return file_written(key_of(number), size=number)


def connection_to(server: KafkaServer, **other: Any) -> Connection:
    """Say how a broker is reached."""
    if not server.secure:
        return Connection((server.address,), **other)
    known = {"username": USER, "password": PASSWORD, "ca_file": server.ca_file}
    return Connection((server.address,), "SASL_SSL", **known | other)


def quick(*topics: str, **other: Any) -> Subscription:
    """Read topics from the start in a group of their own, and notice everything soon."""
    known = {
        "group": f"group-of-{topics[0]}" if topics else "group",
        "start": "earliest",
        "session_timeout": timedelta(seconds=2),
        "metadata_age": timedelta(milliseconds=300),
    }
    return Subscription(topics, **known | other)


def kafka_source(server: KafkaServer, subscription: Subscription, **other: Any) -> KafkaSource:
    """Make a source."""
    known = {"decode": Decoder("kafka").decode, "inspection": timedelta(milliseconds=200)}
    return KafkaSource(connection_to(server), subscription, **known | other)


class Taken:
    """What a ledger has, asked until it has enough."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def count(self) -> int:
        """Count the arrivals."""
        return (await self.ledger.counts()).received

    async def until(self, count: int, *, within: float = 60.0) -> None:
        """Wait until there are so many."""
        async with asyncio.timeout(within):
            while await self.count() < count:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def taken(place: Path) -> AsyncIterator[Taken]:
    """Open a ledger in a directory."""
    async with open_ledger(f"sqlite:///{place / 'ledger.sqlite'}") as ledger:
        yield Taken(ledger)


@asynccontextmanager
async def taking(ledger: Ledger, sources: Iterable[KafkaSource]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Take in what sources announce until the block ends."""
    tasks = [asyncio.create_task(register(source, ledger, offer=lambda _: None, patience=600.0)) for source in sources]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
