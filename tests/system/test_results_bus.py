"""Results on real buses: a broker that is killed gets everything, in order, and every message is one of the contract."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiomqtt
import pytest
from aiokafka import AIOKafkaConsumer
from jsonschema import Draft202012Validator

from rapid.announce import Announcement, Announcer
from rapid.announce.kafka import KafkaBus
from rapid.announce.mqtt import MqttBus
from rapid.consumers.kafka import Connection, knock
from rapid.errors import AccessDenied, NotAvailable
from rapid.ledger import open_ledger
from rapid.ports import Ledger
from tests.support.announcing import announcing, until
from tests.support.kafka import PASSWORD, USER, KafkaServer, kafka_server
from tests.support.ledgers import buried, done, rejected, sqlite_url
from tests.support.mosquitto import Mosquitto, mosquitto_server, new_root

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapid.announce.announcer.PAUSES", (0.1,))
    monkeypatch.setattr("rapid.announce.announcer.LOOK", 0.2)
    monkeypatch.setattr("rapid.announce.kafka.ANSWER", 2.0)


SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
VERDICT = {
    "instrument": "LATISS", "detector": "R00_S00", "calib": "bias", "day_obs": 20260315, "verdict": "FAIL",
    "rules_version": "2026-03", "rules": [{"name": "read_noise", "verdict": "FAIL", "value": None, "unit": "electron"}],
}  # fmt: skip


def check(bodies: Sequence[bytes]) -> None:
    """Hold messages against their published schemas."""
    for body in bodies:
        said = json.loads(body)
        schema = json.loads((SCHEMAS / f"{said['schema'].replace('/', '-')}.json").read_text())
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(said)


def kafka_bus(server: KafkaServer, topic: str, **other: str) -> KafkaBus:
    if server.secure:
        how = {"security": "SASL_SSL", "username": USER, "password": PASSWORD, "ca_file": server.ca_file} | other
        connection = Connection((server.address,), **how)  # type: ignore[arg-type]
    else:
        connection = Connection((server.address,))
    return KafkaBus(connection.arguments(), topic, knock=partial(knock, connection))


def mqtt_bus(server: Mosquitto, root: str, service: str | None = "rapid", **other: object) -> MqttBus:
    protocol = other.pop("protocol", aiomqtt.ProtocolVersion.V5)
    how = {"hostname": "127.0.0.1", "port": server.port, "protocol": protocol, "timeout": 2.0}
    if server.secure:
        how |= {"tls_context": server.connection().tls_context(), "username": USER, "password": PASSWORD} | other
    return MqttBus(how, root, service=service)


async def read(
    server: KafkaServer, topic: str, count: int, *, within: float = 40.0
) -> list[tuple[bytes, bytes, dict[str, bytes]]]:
    """Read a topic from its beginning until it holds so many different messages: key, body, headers."""
    consumer = AIOKafkaConsumer(topic, auto_offset_reset="earliest", **server.client)
    await consumer.start()
    found: list[tuple[bytes, bytes, dict[str, bytes]]] = []
    try:
        async with asyncio.timeout(within):
            while len({body for _, body, _ in found}) < count:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(record.key, record.value, dict(record.headers)) for record in records]
    finally:
        await consumer.stop()
    return found


@asynccontextmanager
async def ledger_with_announcer(place: Path, bus: object) -> AsyncIterator[tuple[Ledger, Announcer, list[str]]]:
    words: list[str] = []
    async with open_ledger(sqlite_url(place)) as ledger, announcing(ledger, bus, looked=words.append) as announcer:  # type: ignore[arg-type]
        yield ledger, announcer, words


def obs_ids(bodies: Sequence[bytes]) -> list[str]:
    """The exposures, in the order of their first coming."""
    return list(dict.fromkeys(str(json.loads(body)["obs_id"]) for body in bodies if b"obs_id" in body))


def named(count: int) -> list[str]:
    return [f"AT_O_20260315_{number:06d}" for number in range(1, count + 1)]


async def test_everything_reaches_kafka_over_tls_and_keeps_its_contract(
    secure_kafka: KafkaServer, tmp_path: Path
) -> None:
    topic = await secure_kafka.topic()
    async with ledger_with_announcer(tmp_path, kafka_bus(secure_kafka, topic)) as (ledger, announcer, _):
        await done(ledger, 1)
        await buried(ledger, 2)
        await ledger.record([rejected()])
        await ledger.post("verdict", "bias/20260315", VERDICT)
        assert await announcer.catch_up(within=20)
        found = await read(secure_kafka, topic, 5)
    assert len(found) == 5, "nothing was repeated"
    check([body for _, body, _ in found])
    for key, body, headers in found:
        said = json.loads(body)
        assert (headers["schema"].decode(), headers["id"].decode()) == (said["schema"], said["id"])
        if said["schema"] == "exposure.result/1":
            assert key.decode() == said["obs_id"]
    kinds = sorted(json.loads(body).get("kind") or json.loads(body)["schema"] for _, body, _ in found)
    assert kinds == ["calib.verdict/1", "exposure.failed", "exposure.result/1", "exposure.result/1", "message.rejected"]


async def test_a_broker_killed_in_the_middle_gets_all_of_it_in_order(kafka_jars: Path, tmp_path: Path) -> None:
    with kafka_server(kafka_jars) as server:
        topic = await server.topic()
        async with ledger_with_announcer(tmp_path, kafka_bus(server, topic)) as (ledger, announcer, words):
            for number in range(1, 6):
                await done(ledger, number)
            await until(lambda: words)
            await announcer.catch_up(within=20)
            server.kill()
            begin = time.monotonic()
            for number in range(6, 21):
                await done(ledger, number)
            assert time.monotonic() - begin < 5, "the work does not wait for a bus that is away"
            await until(lambda: words[-1])
            server.start()
            found = await read(server, topic, 20)
            assert await announcer.catch_up(within=20)
    assert obs_ids([body for _, body, _ in found]) == named(20)


async def test_a_wrong_password_is_told_from_a_broker_that_is_away(secure_kafka: KafkaServer) -> None:
    with pytest.raises(AccessDenied, match="does not let us in as 'rapid'"):
        async with kafka_bus(secure_kafka, "results", password="wrong").opened():
            pass


async def test_a_topic_that_is_not_there_is_told(kafka: KafkaServer) -> None:
    async with kafka_bus(kafka, "nobody.made.this").opened() as publish:
        with pytest.raises(NotAvailable, match="has no topic"):
            await publish([Announcement("", "a", "k", ("x",), b"{}")])


async def test_a_message_too_large_does_not_hold_up_the_others(kafka: KafkaServer, tmp_path: Path) -> None:
    topic = await kafka.topic(**{"max.message.bytes": "20000"})
    async with ledger_with_announcer(tmp_path, kafka_bus(kafka, topic)) as (ledger, announcer, words):
        for number, size in enumerate((10, 50_000, 2_000_000, 20)):  # one for the broker, one for our own client
            rule = {"name": "r", "verdict": "WARN", "reason": "x" * size}
            await ledger.post("verdict", f"bias/{number}", {**VERDICT, "rules": [rule]})
        found = await read(kafka, topic, 2)
        await until(lambda: not words[-1])
        await done(ledger, 1)
        assert await announcer.catch_up(within=20)
    assert [json.loads(body)["subject"] for _, body, _ in found][-1] == "bias/3"
    assert {json.loads(body)["subject"] for _, body, _ in found} == {"bias/0", "bias/3"}


@pytest.mark.parametrize("protocol", [aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311])
async def test_everything_reaches_mqtt(mosquitto: Mosquitto, tmp_path: Path, protocol: aiomqtt.ProtocolVersion) -> None:
    root = new_root()
    async with mosquitto.client(protocol=aiomqtt.ProtocolVersion.V5) as reader:
        await reader.subscribe(f"{root}/#", qos=1)
        bus = mqtt_bus(mosquitto, root, protocol=protocol)
        async with ledger_with_announcer(tmp_path, bus) as (ledger, announcer, _):
            await done(ledger, 1)
            await buried(ledger, 2)
            await ledger.post("verdict", "bias/20260315", VERDICT)
            assert await announcer.catch_up(within=20)
        found = [await asyncio.wait_for(anext(reader.messages), 10) for _ in range(8)]
    assert all(message.qos == 1 for message in found)
    check([bytes(message.payload) for message in found])
    topics = [str(message.topic).removeprefix(f"{root}/") for message in found]
    assert topics[0] == topics[-1] == "service/rapid/status"
    assert [json.loads(message.payload)["state"] for message in (found[0], found[-1])] == ["online", "offline"]
    assert sorted(topics[1:-1]) == sorted(
        [
            "LATISS/result/AT_O_20260315_000001/R00_S00", "LATISS/result/latest",
            "LATISS/result/AT_O_20260315_000002/R00_S00", "LATISS/result/latest",
            "service/rapid/alert/exposure.failed", "LATISS/verdict/bias/R00_S00",
        ]
    )  # fmt: skip
    if protocol is aiomqtt.ProtocolVersion.V5:
        attached = dict(found[1].properties.UserProperty)
        assert attached == {"id": json.loads(found[1].payload)["id"], "schema": "exposure.result/1"}
        assert found[1].properties.ContentType == "application/json"


async def test_a_newcomer_finds_the_latest_result_and_how_we_are(mosquitto: Mosquitto, tmp_path: Path) -> None:
    root = new_root()
    async with ledger_with_announcer(tmp_path, mqtt_bus(mosquitto, root)) as (ledger, announcer, _):
        for number in (1, 2):
            await done(ledger, number)
        assert await announcer.catch_up(within=20)
        async with mosquitto.client() as reader:
            await reader.subscribe(f"{root}/#")
            found = {}
            for _ in range(2):
                message = await asyncio.wait_for(anext(reader.messages), 10)
                found[str(message.topic).removeprefix(f"{root}/")] = json.loads(message.payload)
    assert found["service/rapid/status"]["state"] == "online"
    assert found["LATISS/result/latest"]["seq_num"] == 2


async def test_an_mqtt_broker_killed_in_the_middle_gets_all_of_it_in_order(
    mosquitto_program: Path, tmp_path: Path
) -> None:
    root, bodies = new_root(), list[bytes]()
    with mosquitto_server(mosquitto_program, secure=True, changes=1) as server:
        async with ledger_with_announcer(tmp_path, mqtt_bus(server, root)) as (ledger, _, words):
            for kill in range(3):
                async with server.client() as reader:
                    await reader.subscribe(f"{root}/+/result/+/R00_S00", qos=1)
                    for number in range(5 * kill + 1, 5 * kill + 6):
                        await done(ledger, number)
                    while len(obs_ids(bodies)) < 5 * (kill + 1):
                        bodies.append(bytes((await asyncio.wait_for(anext(reader.messages), 20)).payload))
                server.kill()
                await until(lambda: words[-1])
                server.start()
            await until(lambda: not words[-1])
    assert obs_ids(bodies) == named(15)
    check(bodies)


async def test_who_is_lost_is_told_by_the_broker(mosquitto: Mosquitto) -> None:
    root = new_root()
    async with mosquitto.client() as reader:
        await reader.subscribe(f"{root}/service/#")
        bus = mqtt_bus(mosquitto, root)
        client = bus._client()
        await client.__aenter__()
        client._client._sock_close()  # as a process does that is killed
        message = await asyncio.wait_for(anext(reader.messages), 10)
    assert json.loads(message.payload) == {"schema": "service.status/1", "state": "lost"}


async def test_an_mqtt_broker_that_does_not_let_us_in_says_so(mosquitto_program: Path) -> None:
    with mosquitto_server(mosquitto_program, secure=True) as server:
        for wrong, said in (({"password": "wrong"}, "does not let us in"), ({"tls_context": None}, "away")):
            with pytest.raises((AccessDenied, NotAvailable), match=said):
                async with mqtt_bus(server, "x", **wrong).opened():
                    pass
        server.kill()
        with pytest.raises(NotAvailable, match="is away"):
            async with mqtt_bus(server, "x").opened():
                pass


async def test_what_an_mqtt_broker_does_not_take_is_not_counted_as_published(mosquitto_program: Path) -> None:
    with mosquitto_server(mosquitto_program) as server:
        server.stop()
        (server.place / "acl").write_text("topic readwrite summit/service/#\ntopic readwrite summit/LATISS/#\n")
        with (server.place / "mosquitto.conf").open("a") as settings:
            settings.write(f"acl_file {server.place}/acl\n")
        server.start()
        async with mqtt_bus(server, "summit", protocol=aiomqtt.ProtocolVersion.V5).opened() as publish:
            await publish([Announcement("", "1", "k", ("LATISS",), b"{}")])
            with pytest.raises(AccessDenied, match="does not take what is published to summit/LSSTCam: Not authorized"):
                await publish([Announcement("", "2", "k", ("LSSTCam",), b"{}")])
