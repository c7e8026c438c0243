"""The MQTT source against a real broker: what is acknowledged when, what it is let into, what it waits for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import pytest

from rapid import metrics
from rapid.consumers.decoders import Decoded, Decoder, Message
from rapid.consumers.mqtt import Connection, MqttSource, Subscription
from rapid.consumers.mqtt.connection import Version
from rapid.errors import NotAvailable
from rapid.events import Event, FileArrived, Rejected, ServiceStatus
from rapid.ports import Batch
from tests.support.certificates import Authority
from tests.support.mosquitto import Mosquitto, Told, mosquitto_server, new_root
from tests.support.notifications import file_written
from tests.support.taking import Taken, key_of, notification, taken, taking

pytestmark = pytest.mark.system

SOON = 20.0
SILENCE = 0.5
"""How long nothing must come, where nothing more may come [s]."""


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Taken]:
    async with taken(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def secure_mosquitto(mosquitto_program: Path) -> Iterator[Mosquitto]:
    with mosquitto_server(mosquitto_program, secure=True) as server:
        yield server


@pytest.fixture
def root() -> str:
    return new_root()


async def introduce(source: MqttSource) -> None:
    """Let the broker make the session, so that it keeps what comes from now on."""
    told = Told()
    hearing, source.looked = source.looked, told
    async with source.batches():
        await told.until("")
    source.looked = hearing


async def next_of(batches: AsyncIterator[Batch]) -> Batch:
    return await asyncio.wait_for(anext(batches), SOON)


async def items_of(batches: AsyncIterator[Batch], count: int, *, settle: bool = True) -> list[FileArrived | Rejected]:
    items: list[FileArrived | Rejected] = []
    while len(items) < count:
        items += (batch := await next_of(batches)).items
        if settle:
            await batch.settle()
    return items


async def assert_silent(batches: AsyncIterator[Batch]) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(batches), SILENCE)


def acknowledged(server: Mosquitto, source: MqttSource) -> int:
    """Count, in the broker's log, what it was told we have."""
    return server.log().count(f"Received PUBACK from {source.subscription.identifier} ")


async def until_acknowledged(server: Mosquitto, source: MqttSource, count: int) -> None:
    async with asyncio.timeout(SOON):
        while acknowledged(server, source) < count:
            await asyncio.sleep(0.05)
    assert acknowledged(server, source) == count


def total(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def keys(items: list[FileArrived | Rejected]) -> list[str]:
    return [item.key for item in items if isinstance(item, FileArrived)]


# --- nothing is acknowledged that the ledger does not hold --------------------------------------------------------


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_acknowledgements_follow_the_ledger(
    mosquitto: Mosquitto, inbox: Taken, root: str, version: Version
) -> None:
    source = mosquitto.source(root, version=version, batch_size=30)
    await introduce(source)
    await mosquitto.send(f"{root}/raw", [notification(number) for number in range(1, 201)])
    async with taking(inbox.ledger, [source]):
        await inbox.until(200)
        await until_acknowledged(mosquitto, source, 200)
    async with source.batches() as batches:
        await assert_silent(batches)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_what_is_not_settled_comes_again(mosquitto: Mosquitto, root: str, version: Version) -> None:
    source = mosquitto.source(root, version=version, batch_size=10)
    await introduce(source)
    await mosquitto.send(f"{root}/raw", [notification(number) for number in range(1, 31)])
    async with source.batches() as batches:
        held = [await next_of(batches)]
        while sum(len(batch.items) for batch in held) < 30:
            held.append(await next_of(batches))
        for batch in held[1:]:
            await batch.settle()
        await asyncio.sleep(0.2)
        assert acknowledged(mosquitto, source) == 0
    for batch in held:  # too late: the connection they came over is no more
        await batch.settle()
    async with source.batches() as batches:
        again = await items_of(batches, 30)
        await until_acknowledged(mosquitto, source, 30)
    assert keys(again) == [key_of(number) for number in range(1, 31)]


async def test_a_dead_letter_keeps_the_bytes_and_the_topic_and_is_acknowledged(
    mosquitto: Mosquitto, inbox: Taken, root: str
) -> None:
    source = mosquitto.source(root)
    await introduce(source)
    bad = [b"{", b"\xff\xfe", b'{"Records": [{}]}', b'{"schema": "exposure.file/1", "id": "x"}']
    await mosquitto.publish([(f"{root}/{number}", value) for number, value in enumerate([*bad, notification(1), b""])])
    async with taking(inbox.ledger, [source]):
        await inbox.until(1)
        await until_acknowledged(mosquitto, source, 6)
    letters = await inbox.ledger.dead_letters()
    assert {bytes(letter.body): letter.subject.split()[0] for letter in letters} == {
        value: f"{root}/{number}" for number, value in enumerate(bad)
    }


async def test_ten_thousand_malformed_messages_do_not_hide_a_thousand_good_ones(
    mosquitto: Mosquitto, inbox: Taken, root: str
) -> None:
    source = mosquitto.source(root)
    await introduce(source)
    values = [
        value
        for number in range(1, 1001)
        for value in (notification(number), *[b"no %d" % (10 * number + n) for n in range(10)])
    ]
    await mosquitto.send(f"{root}/raw", values)
    async with taking(inbox.ledger, [source]):
        await inbox.until(1000)
        async with asyncio.timeout(SOON):
            while (await inbox.ledger.counts()).dead_letters < 10_000:
                await asyncio.sleep(0.1)
        await until_acknowledged(mosquitto, source, 11_000)
    assert await inbox.count() == 1000


# --- what comes, and what it is ------------------------------------------------------------------------------------


async def test_what_came_while_we_were_away_is_backlog_when_it_is_old(mosquitto: Mosquitto, root: str) -> None:
    source = mosquitto.source(root)
    await introduce(source)
    now = datetime.now(UTC)
    old, new = (file_written(key_of(number), at=now - timedelta(minutes=age)) for number, age in ((1, 11), (2, 1)))
    await mosquitto.send(f"{root}/raw", [old, new])
    async with source.batches() as batches:
        items = await items_of(batches, 2)
    assert [item.live for item in items if isinstance(item, FileArrived)] == [False, True]


def contract_file(number: int) -> bytes:
    """Announce a raw by our own contract."""
    obs_id, key = f"AT_O_20240624_{number:06d}", key_of(number)
    fields = {
        "schema": "exposure.file/1",
        "id": f"{obs_id}:R00_S00:{number}",
        "instrument": "LATISS",
        "obs_id": obs_id,
        "detector": "R00_S00",
        "uri": f"s3://raw/{key}",
        "size": number,
        "etag": f"tag-{number}",
    }
    return json.dumps(fields).encode()


async def test_a_retained_latest_is_never_work(mosquitto: Mosquitto, root: str) -> None:
    before = total("rapid_bus_ignored_total", source="mqtt", why="latest")
    await mosquitto.send(f"{root}/LATISS/exposure/latest", [contract_file(1)], retain=True)
    source = mosquitto.source(root)
    for life in (1, 2):
        async with source.batches() as batches:
            await mosquitto.send(f"{root}/LATISS/exposure/latest", [contract_file(1)], retain=True)
            await mosquitto.send(f"{root}/LATISS/file/x/R00_S00", [contract_file(10 + life)])
            assert keys(await items_of(batches, 1)) == [key_of(10 + life)]
    assert total("rapid_bus_ignored_total", source="mqtt", why="latest") - before >= 2


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_retained_file_is_news_of_the_past(mosquitto: Mosquitto, root: str, version: Version) -> None:
    await mosquitto.send(f"{root}/LATISS/file/x/R00_S00", [contract_file(1)], retain=True)
    async with mosquitto.source(root, version=version).batches() as batches:
        (item,) = await items_of(batches, 1)
    assert isinstance(item, FileArrived)
    assert not item.live


async def test_messages_without_a_guarantee_are_taken_too(mosquitto: Mosquitto, root: str) -> None:
    told = Told()
    source = mosquitto.source(root, looked=told)
    async with source.batches() as batches:
        await told.until("")
        await mosquitto.send(f"{root}/raw", [notification(1), notification(2)], qos=0)
        await mosquitto.send(f"{root}/raw", [notification(3)], qos=2)
        assert keys(await items_of(batches, 3)) == [key_of(1), key_of(2), key_of(3)]
        await until_acknowledged(mosquitto, source, 1)


async def test_no_more_comes_than_the_receive_maximum(mosquitto: Mosquitto, root: str) -> None:
    source = mosquitto.source(root, receive_maximum=7)
    await introduce(source)
    await mosquitto.send(f"{root}/raw", [notification(number) for number in range(1, 31)])
    async with source.batches() as batches:
        held: list[Batch] = []
        while sum(len(batch.items) for batch in held) < 7:
            held.append(await next_of(batches))
        await assert_silent(batches)
        assert sum(len(batch.items) for batch in held) == 7
        for batch in held:
            await batch.settle()
        rest = await items_of(batches, 23)
    assert keys(rest) == [key_of(number) for number in range(8, 31)]


async def test_what_is_no_file_is_told(mosquitto: Mosquitto, root: str) -> None:
    heard: list[Event] = []
    source = mosquitto.source(root, heard=heard.append, status_topic=f"{root}/service/x/status")
    async with source.batches():
        async with asyncio.timeout(SOON):
            while not heard:
                await asyncio.sleep(0.02)
    assert isinstance(heard[0], ServiceStatus)
    assert (heard[0].service, heard[0].state) == ("x", "online")
    assert total("rapid_bus_last_message_timestamp_seconds", source="mqtt") == pytest.approx(time.time(), abs=60)


async def test_a_message_that_cannot_be_decoded_now_is_waited_for(
    mosquitto: Mosquitto, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapid.consumers.mqtt.reading.HOLD_BACK", 0.05)
    decoder, asked = Decoder("mqtt"), 0

    async def decode(message: Message) -> tuple[Decoded, ...]:
        nonlocal asked
        asked += 1
        if asked <= 3:
            raise NotAvailable("the registry is away")
        return await decoder.decode(message)

    source = mosquitto.source(root, decode=decode)
    await introduce(source)
    await mosquitto.send(f"{root}/raw", [notification(1), notification(2)])
    async with source.batches() as batches:
        assert keys(await items_of(batches, 2)) == [key_of(1), key_of(2)]
        await until_acknowledged(mosquitto, source, 2)
    assert asked == 5


# --- who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_password_over_tls(secure_mosquitto: Mosquitto, inbox: Taken, root: str, version: Version) -> None:
    source = secure_mosquitto.source(root, version=version)
    await introduce(source)
    await secure_mosquitto.send(f"{root}/raw", [notification(number) for number in range(1, 11)])
    async with taking(inbox.ledger, [source]):
        await inbox.until(10)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_wrong_password_is_told_from_a_broker_that_is_away(
    secure_mosquitto: Mosquitto, tmp_path: Path, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapid.consumers.mqtt.client.ANSWER", 1.0)
    good = secure_mosquitto.connection(version=version)
    (tmp_path / "other.pem").write_bytes(Authority("somebody else").certificate)
    refused = {
        "does not let us in as 'rapid'": replace(good, password="guessed"),
        "does not let us in as 'nobody'": replace(good, username="nobody"),
        "does not let us in as None": replace(good, username=None, password=None),
        "do not agree on TLS": replace(good, ca_file=tmp_path / "other.pem"),
        "is away": replace(good, tls=False),
        "127.0.0.1:1 is away": replace(good, server="127.0.0.1:1"),
    }
    for words, connection in refused.items():
        said = await _first_word(connection)
        assert words in said
        assert "guessed" not in said
    assert total("rapid_bus_connected", source="mqtt") == 0


async def test_a_certificate_of_another_host_is_not_taken(secure_mosquitto: Mosquitto) -> None:
    elsewhere = f"localhost:{secure_mosquitto.port}"  # the certificate is of the address
    assert "do not agree on TLS" in await _first_word(replace(secure_mosquitto.connection(), server=elsewhere))


async def _first_word(connection: Connection) -> str:
    told = Told()
    source = MqttSource(connection, Subscription(("a",)), decode=Decoder("mqtt").decode, looked=told)
    async with source.batches():
        async with asyncio.timeout(SOON):
            while not told.words:
                await asyncio.sleep(0.01)
    return told.words[0]


async def test_a_broker_may_ask_for_our_certificate(
    mosquitto_program: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapid.consumers.mqtt.client.ANSWER", 1.0)
    with mosquitto_server(mosquitto_program, mutual=True) as server:
        assert await _first_word(server.connection(certificate_file=server.place / "server.pem")) == ""
        assert "127.0.0.1" in await _first_word(server.connection())


async def test_two_services_of_one_name_throw_one_another_out_and_lose_nothing(
    mosquitto: Mosquitto, inbox: Taken, root: str
) -> None:
    told = Told()
    sources = [mosquitto.source(root, looked=told), mosquitto.source(root)]
    await introduce(sources[0])
    async with taking(inbox.ledger, sources):
        for number in range(1, 41):
            await mosquitto.send(f"{root}/raw", [notification(number)])
        await inbox.until(40)
        await told.until("is away")
    assert await inbox.count() == 40


# --- a broker that is not there -----------------------------------------------------------------------------------


async def test_a_broker_that_is_absent_at_the_start_is_waited_for(
    mosquitto_program: Path, inbox: Taken, root: str
) -> None:
    with mosquitto_server(mosquitto_program) as server:
        server.stop()
        told = Told()
        async with taking(inbox.ledger, [server.source(root, looked=told)]):
            await told.until("is away")
            server.start()
            await told.until("")
            await server.send(f"{root}/raw", [notification(1)])
            await inbox.until(1)


async def test_a_broker_that_hangs_can_be_left(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-way through a connection nothing may be left behind: neither a task nor a socket."""
    monkeypatch.setattr("rapid.consumers.mqtt.client.ANSWER", 1.0)
    connections: list[asyncio.StreamWriter] = []
    closed = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while await reader.read(1000):
            pass
        writer.close()
        closed.set()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        source = MqttSource(Connection(f"127.0.0.1:{port}"), Subscription((root,)), decode=Decoder("mqtt").decode)
        async with source.batches():
            async with asyncio.timeout(SOON):
                while not connections:
                    await asyncio.sleep(0.01)
        await asyncio.wait_for(closed.wait(), SOON)


# --- what is said of ourselves -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_our_status_is_told_to_those_who_are_there_and_those_who_come(
    mosquitto: Mosquitto, root: str, version: Version
) -> None:
    topic = f"{root}/service/rapid/status"
    source = mosquitto.source(root, version=version, status_topic=topic)
    async with mosquitto.client() as watcher:
        await watcher.subscribe(topic, 1)
        async with source.batches():
            assert await _state(watcher) == ("online", False)
            async with mosquitto.client() as newcomer:
                await newcomer.subscribe(topic, 1)
                assert await _state(newcomer) == ("online", True)
        assert await _state(watcher) == ("offline", False)


async def _state(client: aiomqtt.Client) -> tuple[str, bool]:
    message = await asyncio.wait_for(anext(client.messages), SOON)
    return json.loads(bytes(message.payload))["state"], message.retain
