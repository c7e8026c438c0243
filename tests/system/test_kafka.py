"""The Kafka source against a real broker: where it begins, what it is let into, what it survives."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from rapid import metrics
from rapid.consumers.decoders import Decoded, Decoder, Message
from rapid.consumers.kafka import KafkaSource, knock
from rapid.errors import AccessDenied, NotAvailable
from rapid.events import Event, FileArrived, JobEnded, Rejected, exposure_name
from rapid.pipeline.hearing import Hearing
from rapid.pipeline.register import register
from rapid.ports import Batch, Standing
from tests.support.certificates import Authority
from tests.support.kafka import KafkaServer
from tests.support.taking import Taken, connection_to, kafka_source, key_of, notification, quick, taken, taking

pytestmark = pytest.mark.system

SOON = 30.0


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Taken]:
    async with taken(tmp_path) as opened:
        yield opened


async def committed(server: KafkaServer, group: str, topic: str, partition: int = 0) -> int | None:
    """Ask the broker how far a group is."""
    consumer = AIOKafkaConsumer(group_id=group, enable_auto_commit=False, **server.client)
    await consumer.start()
    try:
        found: int | None = await consumer.committed(TopicPartition(topic, partition))
    finally:
        await consumer.stop()
    return found


async def until(holds: Callable[[], bool], within: float = SOON) -> None:
    async with asyncio.timeout(within):
        while not holds():
            await asyncio.sleep(0.02)


async def items_of(batches: AsyncIterator[Batch], count: int) -> list[FileArrived | Rejected]:
    items: list[FileArrived | Rejected] = []
    async with asyncio.timeout(SOON):
        while len(items) < count:
            items += (batch := await anext(batches)).items
            await batch.settle()
    return items


def total(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


# --- nothing is committed that the ledger does not hold -----------------------------------------------------------


async def test_offsets_follow_the_ledger(kafka: KafkaServer, inbox: Taken) -> None:
    topic = await kafka.topic()
    await kafka.send(topic, [notification(number) for number in range(1, 201)])
    source = kafka_source(kafka, quick(topic), batch_size=30)
    async with taking(inbox.ledger, [source]):
        await inbox.until(200)
    assert await committed(kafka, source.group, topic) == 200


async def test_what_is_not_settled_is_not_committed(kafka: KafkaServer) -> None:
    topic = await kafka.topic()
    await kafka.send(topic, [notification(number) for number in range(1, 31)])
    source = kafka_source(kafka, quick(topic), batch_size=10)
    async with source.batches() as batches:
        first, second, third = [await asyncio.wait_for(anext(batches), SOON) for _ in range(3)]
        await third.settle()
        await first.settle()
    assert second.items
    assert await committed(kafka, source.group, topic) == 10


async def test_a_dead_letter_and_what_asks_for_nothing_are_committed_too(kafka: KafkaServer, inbox: Taken) -> None:
    topic = await kafka.topic()
    await kafka.send(topic, [b"{", b"", notification(1), b'{"Records": []}', b"\xff\xfe"])
    source = kafka_source(kafka, quick(topic))
    async with taking(inbox.ledger, [source]):
        await inbox.until(1)
    assert await committed(kafka, source.group, topic) == 5
    letters = await inbox.ledger.dead_letters()
    assert {bytes(letter.body) for letter in letters} == {b'{"Records": []}', b"{", b"\xff\xfe"}
    assert all(f"{topic}[0]@" in letter.subject for letter in letters)


async def test_malformed_messages_do_not_hide_good_ones(kafka: KafkaServer, inbox: Taken) -> None:
    topic = await kafka.topic()
    good = [notification(number) for number in range(1, 1001)]
    values = [
        value for number in range(1000) for value in (good[number], *[b"no %d" % (10 * number + n) for n in range(10)])
    ]
    await kafka.send(topic, values)
    async with taking(inbox.ledger, [kafka_source(kafka, quick(topic), batch_size=2000)]):
        await inbox.until(1000)
        async with asyncio.timeout(SOON):
            while (await inbox.ledger.counts()).dead_letters < 10_000:
                await asyncio.sleep(0.1)
    assert (await inbox.ledger.counts()).received == 1000


# --- where it begins ----------------------------------------------------------------------------------------------


async def test_latest_passes_over_what_lay_there_and_nothing_that_comes_while_it_is_away(kafka: KafkaServer) -> None:
    topic = await kafka.topic()
    await kafka.send(topic, [notification(number) for number in range(1, 6)])
    source = kafka_source(kafka, quick(topic, start="latest"))
    async with source.batches():
        async with asyncio.timeout(SOON):
            while await committed(kafka, source.group, topic) != 5:
                await asyncio.sleep(0.1)
    await kafka.send(topic, [notification(6)])
    async with source.batches() as batches:
        (item,) = await items_of(batches, 1)
    assert isinstance(item, FileArrived)
    assert item.key == key_of(6)


@pytest.mark.parametrize("by_pattern", [False, True])
async def test_a_topic_made_later_is_read_from_its_first_message(kafka: KafkaServer, by_pattern: bool) -> None:
    there = await kafka.topic()
    later = f"{there}.later"
    known = {"patterns": (f"{there}.*",)} if by_pattern else {}
    names = () if by_pattern else (there, later)
    source = kafka_source(kafka, quick(*names, group=there, start="latest", **known))
    async with source.batches() as batches:
        async with asyncio.timeout(SOON):
            while await committed(kafka, source.group, there) is None:
                await asyncio.sleep(0.1)
        await kafka.topic(name=later)
        await kafka.send(later, [notification(1), notification(2)])
        items = await items_of(batches, 2)
    assert [item.key for item in items if isinstance(item, FileArrived)] == [key_of(1), key_of(2)]


async def test_partitions_added_later_are_read_from_their_first_message(kafka: KafkaServer) -> None:
    topic = await kafka.topic()
    source = kafka_source(kafka, quick(topic, start="latest"))
    async with source.batches() as batches:
        async with asyncio.timeout(SOON):
            while await committed(kafka, source.group, topic) is None:
                await asyncio.sleep(0.1)
        await kafka.grow(topic, 3)
        await kafka.send(topic, [notification(1)], partition=2)
        (item,) = await items_of(batches, 1)
    assert isinstance(item, FileArrived)


async def test_messages_thrown_away_by_the_broker_are_counted_as_lost(kafka: KafkaServer) -> None:
    topic = await kafka.topic()
    source = kafka_source(kafka, quick(topic))
    await kafka.send(topic, [notification(number) for number in range(1, 21)])
    async with source.batches() as batches:
        await items_of(batches, 20)
    await kafka.send(topic, [notification(number) for number in range(21, 41)])
    await kafka.throw_away(topic, before=35)
    before = total("rapid_bus_lost_total", source="kafka")
    async with source.batches() as batches:
        items = await items_of(batches, 5)
    assert [item.key for item in items if isinstance(item, FileArrived)] == [key_of(number) for number in range(36, 41)]
    assert total("rapid_bus_lost_total", source="kafka") - before == 15
    assert await committed(kafka, source.group, topic) == 40


async def test_a_topic_made_anew_is_read_from_its_first_message(kafka: KafkaServer) -> None:
    topic = await kafka.topic()
    source = kafka_source(kafka, quick(topic, start="latest"))
    async with source.batches() as batches:
        async with asyncio.timeout(SOON):
            while await committed(kafka, source.group, topic) is None:
                await asyncio.sleep(0.1)
        await kafka.send(topic, [notification(number) for number in range(1, 21)])
        await items_of(batches, 20)
        await kafka.drop(topic)
        await asyncio.sleep(0.5)
        await kafka.topic(name=topic)
        await kafka.send(topic, [notification(21), notification(22)])
        items = await items_of(batches, 2)
    assert [item.key for item in items if isinstance(item, FileArrived)] == [key_of(21), key_of(22)]


async def test_what_came_while_we_were_away_is_backlog(kafka: KafkaServer) -> None:
    topic = await kafka.topic()
    await kafka.send(topic, [notification(1)])
    for window, live in ((timedelta(minutes=1), True), (timedelta(microseconds=1), False)):
        source = kafka_source(kafka, quick(topic, private=True), live_window=window)
        async with source.batches() as batches:
            (item,) = await items_of(batches, 1)
        assert isinstance(item, FileArrived)
        assert item.live is live


# --- who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_scram_over_tls(secure_kafka: KafkaServer, inbox: Taken, mechanism: str) -> None:
    topic = await secure_kafka.topic()
    await secure_kafka.send(topic, [notification(number) for number in range(1, 11)])
    connection = connection_to(secure_kafka, mechanism=mechanism)
    await knock(connection)
    async with taking(inbox.ledger, [KafkaSource(connection, quick(topic), decode=Decoder("kafka").decode)]):
        await inbox.until(10)


async def test_a_wrong_password_is_told_from_a_broker_that_is_away(secure_kafka: KafkaServer, tmp_path: Path) -> None:
    good = connection_to(secure_kafka)
    (tmp_path / "other.pem").write_bytes(Authority("somebody else").certificate)
    refused = {
        "does not let us in as 'rapid' by SCRAM-SHA-512": replace(good, password="guessed"),
        "does not let us in as 'nobody' by SCRAM-SHA-512": replace(good, username="nobody"),
        "does not let us in as 'rapid' by PLAIN": replace(good, mechanism="PLAIN"),
        "do not agree on TLS": replace(good, ca_file=tmp_path / "other.pem"),
    }
    for words, connection in refused.items():
        with pytest.raises(AccessDenied, match=words):
            await knock(connection)
    with pytest.raises(NotAvailable, match=r"Kafka at 127\.0\.0\.1:1 is away"):
        await knock(replace(good, servers=("127.0.0.1:1",)))


async def test_one_broker_that_lets_us_in_is_enough(kafka: KafkaServer) -> None:
    await knock(replace(connection_to(kafka), servers=("127.0.0.1:1", kafka.address)))


async def test_the_source_says_why_it_hears_nothing(secure_kafka: KafkaServer) -> None:
    said: list[str] = []
    wrong = replace(connection_to(secure_kafka), password="guessed")
    source = KafkaSource(wrong, quick("t"), decode=Decoder("kafka").decode, looked=said.append)
    async with source.batches():
        await until(lambda: bool(said))
    assert "does not let us in" in said[0]
    assert total("rapid_bus_connected", source="kafka") == 0


async def test_a_broker_that_is_absent_at_the_start_is_waited_for(kafka: KafkaServer, inbox: Taken) -> None:
    topic = await kafka.topic()
    await kafka.send(topic, [notification(1)])
    said: list[str] = []
    connection = replace(connection_to(kafka), servers=("127.0.0.1:1",))
    source = KafkaSource(connection, quick(topic), decode=Decoder("kafka").decode, looked=said.append)
    async with source.batches():
        await until(lambda: bool(said))
        assert "is away" in said[0]
    async with taking(inbox.ledger, [kafka_source(kafka, quick(topic), looked=said.append)]):
        await inbox.until(1)
        await until(lambda: said[-1] == "")


# --- slow work, several members -----------------------------------------------------------------------------------


async def test_a_batch_that_nobody_takes_costs_no_membership(kafka: KafkaServer) -> None:
    topic = await kafka.topic()
    await kafka.send(topic, [notification(number) for number in range(1, 31)])
    source = kafka_source(kafka, quick(topic, max_poll_interval=timedelta(seconds=1.5)), batch_size=10)
    before = total("rapid_bus_rebalances_total", source="kafka")
    async with source.batches() as batches:
        first = await asyncio.wait_for(anext(batches), SOON)
        await asyncio.sleep(4.0)
        await first.settle()
        rest = await items_of(batches, 20)
    assert [item.key for item in rest if isinstance(item, FileArrived)] == [key_of(number) for number in range(11, 31)]
    assert total("rapid_bus_rebalances_total", source="kafka") - before == 1
    assert await committed(kafka, source.group, topic) == 30


async def test_two_members_share_and_take_over(kafka: KafkaServer, inbox: Taken) -> None:
    topic = await kafka.topic(4)
    sources = [kafka_source(kafka, quick(topic), batch_size=20) for _ in range(2)]
    async with taking(inbox.ledger, sources) as tasks:
        for start in range(1, 401, 100):
            await kafka.send(topic, [notification(number) for number in range(start, start + 100)])
            if start == 201:
                tasks[0].cancel()
        await inbox.until(400)
    assert await inbox.count() == 400
    assert sum([await committed(kafka, sources[0].group, topic, n) or 0 for n in range(4)]) == 400


# --- what cannot be decoded now -----------------------------------------------------------------------------------


async def test_a_message_that_cannot_be_decoded_now_is_held_back_alone(kafka: KafkaServer) -> None:
    files, waits = await kafka.topic(), await kafka.topic()
    decoder, away = Decoder("kafka"), True

    async def decode(message: Message) -> tuple[Decoded, ...]:
        if away and message.topic == waits:
            raise NotAvailable("the registry is away")
        return await decoder.decode(message)

    await kafka.send(waits, [notification(1), notification(2)])
    source = kafka_source(kafka, quick(files, waits), decode=decode)
    async with source.batches() as batches:
        await kafka.send(files, [notification(3)])
        (passed,) = await items_of(batches, 1)
        assert isinstance(passed, FileArrived)
        assert passed.key == key_of(3)
        away = False
        held = await items_of(batches, 2)
    assert [item.key for item in held if isinstance(item, FileArrived)] == [key_of(1), key_of(2)]
    assert await committed(kafka, source.group, waits) == 2


async def test_events_are_told_and_lag_is_shown(kafka: KafkaServer) -> None:
    topic = await kafka.topic(name=f"lsst.sal.ATCamera.logevent_endReadout.{time.time_ns()}")
    heard: list[Event] = []

    async def decode(message: Message) -> tuple[Decoded, ...]:
        return (JobEnded(f"{message.offset}", 0, "{}", message.timestamp, "kafka"),)

    await kafka.send(topic, [b"{}"] * 3)
    source = kafka_source(kafka, quick(topic), decode=decode, heard=heard.append)
    async with source.batches() as batches:
        while len(heard) < 3:
            batch = await anext(batches)
            assert not batch.items
            await batch.settle()
        assert [event.job_id for event in heard if isinstance(event, JobEnded)] == ["0", "1", "2"]
        await until(
            lambda: metrics.REGISTRY.get_sample_value("rapid_bus_lag", {"source": "kafka", "topic": topic}) == 0
        )
    assert await committed(kafka, source.group, topic) == 3
    assert total("rapid_bus_last_message_timestamp_seconds", source="kafka") == pytest.approx(time.time(), abs=120)


async def test_what_is_said_of_an_exposure_is_written_down_before_it_is_committed(
    kafka: KafkaServer, inbox: Taken
) -> None:
    """Events alone, without any file: while the ledger does not take them the group does not go on."""
    camera = await kafka.topic()
    name = exposure_name("MC_O_20260112_000123")
    assert name is not None
    event = {"schema": "exposure.readout/1", "instrument": "LSSTCam", "obs_id": name.obs_id, "id": "1"}
    await kafka.send(camera, [json.dumps(event).encode()] * 3)
    hearing, source = Hearing(), kafka_source(kafka, quick(camera))
    source.heard = hearing.heard
    known: list[Standing] = []
    open_ended = asyncio.Event()

    async def write_down() -> None:
        await open_ended.wait()
        await hearing.write_down(inbox.ledger.exposures, patience=0)
        known.append(await inbox.ledger.exposures.standing(name))

    taking_in = asyncio.create_task(
        register(source, inbox.ledger, offer=lambda _: None, patience=0, before_settling=write_down)
    )
    await asyncio.sleep(3)
    assert await committed(kafka, source.group, camera) in {None, 0}
    open_ended.set()
    await until(lambda: bool(known))
    assert known[0].read_out_at is not None
    async with asyncio.timeout(SOON):
        while await committed(kafka, source.group, camera) != 3:
            await asyncio.sleep(0.1)
    taking_in.cancel()
    await asyncio.wait([taking_in])
