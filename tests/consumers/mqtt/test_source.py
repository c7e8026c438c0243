"""A source is closed, whatever its reading is in the middle of."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from rapid.consumers.decoders import Decoder
from rapid.consumers.mqtt import Connection, MqttSource, Subscription
from rapid.consumers.mqtt.reading import Reading


async def test_a_cancellation_that_is_swallowed_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(_: Reading) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    monkeypatch.setattr(Reading, "run", run)
    source = MqttSource(Connection("b:1883"), Subscription(("a/#",)), decode=Decoder("mqtt").decode)
    async with asyncio.timeout(10):
        async with source.batches():
            await asyncio.sleep(0)
