"""What happens to the broker and to us must not happen to the night: every file once, whatever is killed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import aiomqtt
import psutil
import pytest
from structlog.testing import capture_logs

from rapid.consumers.mqtt import MqttSource
from rapid.consumers.mqtt.connection import Version
from rapid.ports import State
from tests.support.mosquitto import Mosquitto, Told, mosquitto_server, new_root
from tests.support.taking import Taken, key_of, notification, taken, taking

pytestmark = pytest.mark.system


@pytest.fixture
def mortal(mosquitto_program: Path) -> Iterator[Mosquitto]:
    """Run a broker that may be killed, and that writes every change down at once; the session's own is not."""
    with mosquitto_server(mosquitto_program, changes=1) as server:
        yield server


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Taken]:
    async with taken(tmp_path) as opened:
        yield opened


@pytest.fixture
def root() -> str:
    return new_root()


@pytest.fixture(autouse=True)
def quick_to_return(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapid.consumers.mqtt.reading.LONGEST_PAUSE", 0.5)


async def introduce(source: MqttSource) -> None:
    """Let the broker make the session, so that it keeps what comes from now on."""
    source.looked = told = Told()
    async with source.batches():
        await told.until("")


async def assert_each_once(inbox: Taken, count: int) -> None:
    arrivals = await inbox.ledger.arrivals(states=list(State), limit=1_000_000)
    assert sorted(arrival.key for arrival in arrivals) == [key_of(number) for number in range(1, count + 1)]
    assert (await inbox.ledger.counts()).dead_letters == 0


async def publish(server: Mosquitto, topic: str, numbers: Sequence[int], pause: float = 0.0) -> None:
    """Publish in a stream, and again what the broker did not acknowledge: who publishes survives it as well."""
    left = list(numbers)
    while left:
        try:
            async with server.client(timeout=2.0) as client:
                while left:
                    await client.publish(topic, notification(left[0]), qos=1)
                    del left[0]
                    await asyncio.sleep(pause)
        except aiomqtt.MqttError:
            await asyncio.sleep(0.1)


# --- the broker ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("end", [Mosquitto.stop, Mosquitto.kill])
async def test_messages_queued_while_we_were_away_survive_the_broker(
    mortal: Mosquitto, inbox: Taken, root: str, version: Version, end: type[Mosquitto.stop]
) -> None:
    source = mortal.source(root, version=version)
    await introduce(source)
    await publish(mortal, f"{root}/raw", range(1, 151))
    await asyncio.sleep(0.3)  # for what was acknowledged last to be on the disk: a power cut may take that away
    end(mortal)
    mortal.start()
    await publish(mortal, f"{root}/raw", range(151, 201))
    async with taking(inbox.ledger, [source]):
        await inbox.until(200)
    await assert_each_once(inbox, 200)


async def _restart_brokers(server: Mosquitto, inbox: Taken, root: str, restarts: int) -> None:
    """Restart the broker in mid-stream, and see that messages flow, so many times."""
    source, each = server.source(root, batch_size=10), 60
    await introduce(source)
    chance = random.Random(restarts)
    async with taking(inbox.ledger, [source]):
        for restart in range(restarts):
            begin = restart * each + 1
            numbers = range(begin, begin + each)
            publishing = asyncio.create_task(publish(server, f"{root}/raw", numbers, pause=0.005))
            await inbox.until(restart * each + chance.randrange(1, each // 2))
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            await asyncio.to_thread(server.start)
            await publishing
            await inbox.until((restart + 1) * each)
    await assert_each_once(inbox, restarts * each)


async def test_a_broker_restarts_in_mid_stream(mortal: Mosquitto, inbox: Taken, root: str) -> None:
    await _restart_brokers(mortal, inbox, root, restarts=3)


@pytest.mark.soak
async def test_a_broker_restarts_in_mid_stream_twenty_times(mortal: Mosquitto, inbox: Taken, root: str) -> None:
    await _restart_brokers(mortal, inbox, root, restarts=20)


async def test_a_broker_that_forgets_us_is_told_on(mortal: Mosquitto, inbox: Taken, root: str) -> None:
    told = Told()
    source = mortal.source(root, looked=told)
    with capture_logs() as logs:
        async with taking(inbox.ledger, [source]):
            for keeps, number in ((True, 1), (False, 2)):
                await told.until("")
                await asyncio.to_thread(mortal.stop)
                await told.until("is away")
                if not keeps:
                    mortal.forget()
                await asyncio.to_thread(mortal.start)
                await told.until("")
                await publish(mortal, f"{root}/raw", [number])
                await inbox.until(number)
    assert [line["kept"] for line in logs if line["event"] == "connected to MQTT"] == [False, True, False]
    assert sum("did not keep our session" in line["event"] for line in logs) == 1


# --- the messages -------------------------------------------------------------------------------------------------


async def test_what_is_announced_three_times_out_of_order_is_one_arrival(
    mosquitto: Mosquitto, inbox: Taken, root: str
) -> None:
    source = mosquitto.source(root, batch_size=50)
    await introduce(source)
    values, order = [notification(number) for number in range(1, 301)], random.Random(3)
    for copy in range(3):
        await mosquitto.send(f"{root}/{copy}", order.sample(values, len(values)))
    async with taking(inbox.ledger, [source]):
        await inbox.until(300)
        await mosquitto.send(f"{root}/raw", [*values[:50], notification(301)])
        await inbox.until(301)
    await assert_each_once(inbox, 301)


# --- ourselves ----------------------------------------------------------------------------------------------------


async def _take_lives(server: Mosquitto, inbox: Taken, root: str, lives: int) -> None:
    """End a source at random moments, again and again; the next one goes on."""
    await introduce(server.source(root))
    count, chance = 40 * lives, random.Random(lives)
    publishing = asyncio.create_task(publish(server, f"{root}/raw", range(1, count + 1), pause=0.005))
    for _ in range(lives):
        async with taking(inbox.ledger, [server.source(root, batch_size=7)]):
            await asyncio.sleep(chance.uniform(0.0, 0.4))
    await publishing
    async with taking(inbox.ledger, [server.source(root)]):
        await inbox.until(count)
    await assert_each_once(inbox, count)


async def test_lives_end_at_random_moments(mosquitto: Mosquitto, inbox: Taken, root: str) -> None:
    await _take_lives(mosquitto, inbox, root, lives=8)


@pytest.mark.soak
async def test_fifty_lives_end_at_random_moments(mosquitto: Mosquitto, inbox: Taken, root: str) -> None:
    await _take_lives(mosquitto, inbox, root, lives=50)


@pytest.mark.parametrize("count", [8_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
async def test_memory_is_flat(mosquitto: Mosquitto, root: str, count: int) -> None:
    source = mosquitto.source(root)
    await introduce(source)
    resident: list[int] = []
    async with source.batches() as batches:
        for start in range(0, count, count // 20):
            values = [notification(number) for number in range(start, start + count // 20)]
            await mosquitto.send(f"{root}/raw", values)
            seen = 0
            while seen < len(values):
                batch = await asyncio.wait_for(anext(batches), 60)
                seen += len(batch.items)
                await batch.settle()
            resident.append(psutil.Process().memory_info().rss)
    half = len(resident) // 2
    grown = max(resident[half:]) - max(resident[:half])
    assert grown < 16 << 20, [f"{value / 2**20:.0f} MB" for value in resident]
