"""Avro messages are decoded with the registry's schemas; what cannot be, says whether waiting would help."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from rapid.consumers.decoders import MESSAGE_LIMIT, ArchivePlace, Decoder, Message, lacks_etag
from rapid.consumers.decoders.registry import SchemaRegistry
from rapid.errors import NotAvailable
from rapid.events import ExposureSeen, FileArrived, Ignored, Origin, Rejected, Stage, Why
from rapid.ports import StoredObject
from rapid.stores import open_store
from tests.support.announcements import KEY, NOW, SENT, STAMP, frame, notification, record
from tests.support.registry import Answer, RegistryServer, registry_server, sal_schema, written

TOPIC = "lsst.sal.MTCamera.logevent_endReadout"
FIELDS = {"private_sndStamp": "double", "imageName": "string", "timestampEndOfReadout": "double", "new": "string"}
TEXT = sal_schema("MTCamera.logevent_endReadout", FIELDS)
RECORD = {"private_sndStamp": STAMP, "imageName": "MC_O_20260112_000123", "timestampEndOfReadout": STAMP, "new": "x"}
PAYLOAD = written(TEXT, RECORD)


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with registry_server() as started:
        yield started


@pytest_asyncio.fixture
async def decoder(server: RegistryServer) -> AsyncIterator[Decoder]:
    async with SchemaRegistry(server.url, timeout=timedelta(seconds=0.3), doubt=timedelta(0)) as registry:
        yield Decoder("kafka", archive=ArchivePlace.of("s3://raw"), schemas=registry, clock=lambda: NOW)


def message(value: bytes | None, topic: str = TOPIC) -> Message:
    return Message(topic, value, 0, 17, timestamp=SENT)


async def test_an_event_in_avro_is_the_event_in_json(server: RegistryServer, decoder: Decoder) -> None:
    schema_id = server.register(f"{TOPIC}-value", TEXT)
    (one,) = await decoder.decode(message(frame(schema_id, PAYLOAD)))
    assert isinstance(one, ExposureSeen)
    assert (one.stage, one.name.seq_num, one.source) == (Stage.READ_OUT, 123, "kafka")


async def test_a_notification_needs_no_registry(server: RegistryServer, decoder: Decoder) -> None:
    server.stop()
    (one,) = await decoder.decode(message(json.dumps(notification()).encode(), "lsst.s3.raw.lsstcam"))
    assert isinstance(one, FileArrived)
    assert one.key == KEY


@pytest.mark.parametrize("value", [None, b""])
async def test_a_tombstone_is_ignored(decoder: Decoder, value: bytes | None) -> None:
    assert await decoder.decode(message(value)) == (Ignored("kafka", f"{TOPIC}[0]@17", Why.TOMBSTONE),)


async def test_a_registry_that_is_away_holds_the_message_back(server: RegistryServer, decoder: Decoder) -> None:
    schema_id = server.register("s", TEXT)
    server.stop()
    with pytest.raises(NotAvailable):
        await decoder.decode(message(frame(schema_id, PAYLOAD)))
    server.start()
    (one,) = await decoder.decode(message(frame(schema_id, PAYLOAD)))
    assert isinstance(one, ExposureSeen)


async def test_a_registry_that_is_slow_holds_the_message_back(server: RegistryServer, decoder: Decoder) -> None:
    server.register("s", TEXT)
    server.next.append(Answer(delay=5))
    with pytest.raises(NotAvailable):
        await decoder.decode(message(frame(1, PAYLOAD)))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (frame(9, PAYLOAD), "schema 9: the schema registry knows no such schema"),
        (b"\0\0\0", "the message ends inside the header of the wire format; expected 5 bytes or more; found 3"),
        (frame(1, PAYLOAD[:-1]), "lsst.sal.MTCamera.logevent_endReadout: the message does not fit its schema"),
        (frame(1, PAYLOAD + b"x"), "does not fit its schema; found 1 bytes left over"),
        (frame(1, b""), "does not fit its schema; found EOFError"),
    ],
)
async def test_a_bad_message_is_kept_whole(server: RegistryServer, decoder: Decoder, value: bytes, reason: str) -> None:
    server.register("s", TEXT)
    (letter,) = await decoder.decode(message(value))
    assert isinstance(letter, Rejected)
    assert reason in letter.reason
    assert (letter.body, letter.origin, letter.seen_at) == (value, Origin(TOPIC, 0, 17), NOW)


async def test_the_schema_of_another_event_is_refused_until_the_registry_is_right_again(
    server: RegistryServer, decoder: Decoder
) -> None:
    wrong = sal_schema("ATCamera.logevent_endReadout", FIELDS)
    server.register("s", wrong)
    (letter,) = await decoder.decode(message(frame(1, PAYLOAD)))
    assert isinstance(letter, Rejected)
    assert letter.reason == (
        "schema 1: the schema is that of another event; expected MTCamera.logevent_endReadout; "
        "found ATCamera.logevent_endReadout"
    )
    server.next.append(Answer(200, b'{"schema": ' + _quoted(TEXT) + b"}"))
    (one,) = await decoder.decode(message(frame(1, PAYLOAD)))
    assert isinstance(one, ExposureSeen)


async def test_a_schema_is_not_doubted_for_what_fits_it(server: RegistryServer, decoder: Decoder) -> None:
    server.register("s", TEXT)
    for _ in range(3):
        await decoder.decode(message(frame(1, PAYLOAD)))
    assert len(server.asked) == 1


async def test_a_record_that_is_no_sal_event_is_ignored(server: RegistryServer, decoder: Decoder) -> None:
    text = '{"type": "record", "name": "Measurement", "fields": [{"name": "value", "type": "double"}]}'
    server.register("s", text)
    assert await decoder.decode(message(frame(1, bytes(8)), "elsewhere")) == (
        Ignored("kafka", "Measurement", Why.EVENT),
    )


async def test_the_schema_of_something_else_is_no_event(server: RegistryServer, decoder: Decoder) -> None:
    server.register("s", '{"type": "record", "name": "Measurement", "fields": [{"name": "value", "type": "double"}]}')
    (letter,) = await decoder.decode(message(frame(1, bytes(8))))
    assert isinstance(letter, Rejected)
    assert (
        "the schema is that of another event; expected MTCamera.logevent_endReadout; found Measurement" in letter.reason
    )


@pytest.mark.parametrize(
    ("topic", "outcome"),
    [
        ("lsst.sal.MTCamera.logevent_shutterDetailedState", Ignored),
        ("lsst.sal.MTMount.azimuth", Ignored),
        ("lsst.s3.raw.lsstcam", Rejected),
    ],
)
async def test_what_needs_no_schema_does_not_wait_for_the_registry(
    server: RegistryServer, decoder: Decoder, topic: str, outcome: type
) -> None:
    server.stop()
    (one,) = await decoder.decode(message(frame(1, PAYLOAD), topic))
    assert type(one) is outcome


async def test_a_huge_message_does_not_wait_for_the_registry(server: RegistryServer, decoder: Decoder) -> None:
    server.stop()
    (letter,) = await decoder.decode(message(frame(1, bytes(MESSAGE_LIMIT))))
    assert isinstance(letter, Rejected)
    assert "the message is too long" in letter.reason


async def test_without_a_registry_avro_is_a_dead_letter() -> None:
    (letter,) = await Decoder("kafka", clock=lambda: NOW).decode(message(frame(5, PAYLOAD)))
    assert isinstance(letter, Rejected)
    assert letter.reason == "schema 5: no schema registry to ask for the schema of this message"


# --- a look at the archive ---------------------------------------------------------------------------------------


def announced(etag: str | None) -> Message:
    return message(json.dumps(notification(record(eTag=etag))).encode(), "lsst.s3.raw.lsstcam")


async def only_file(decoder: Decoder, announcement: Message) -> FileArrived:
    (one,) = await decoder.decode(announcement)
    assert isinstance(one, FileArrived)
    return one


async def test_a_missing_etag_is_taken_from_the_archive() -> None:
    looks: list[str] = []

    async def look(key: str) -> StoredObject:
        looks.append(key)
        return StoredObject(key, 5, "of-the-store", NOW)

    decoder = Decoder("kafka", look=look, clock=lambda: NOW)
    file = await only_file(decoder, announced(None))
    assert (file.content, file.size) == ("of-the-store", 5)
    assert (await only_file(decoder, announced("said"))).content == "said"
    assert looks == [KEY]


async def test_a_file_of_a_directory_is_tagged_as_the_directory_does(tmp_path: Path) -> None:
    (tmp_path / KEY).parent.mkdir(parents=True)
    (tmp_path / KEY).write_bytes(b"raw")
    status = (tmp_path / KEY).stat()
    store = open_store(str(tmp_path))
    file = await only_file(Decoder("kafka", look=store.head, look_always=True), announced("of-the-bucket"))
    assert (file.content, file.size) == (f"3-{status.st_mtime_ns}", 3)


async def test_an_archive_that_does_not_have_it_changes_nothing(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    decoder = Decoder("kafka", look=store.head, look_always=True)
    assert (await only_file(decoder, announced("said"))).content == "said"
    assert lacks_etag(await only_file(decoder, announced(None)))


async def test_an_archive_that_does_not_answer_changes_nothing() -> None:
    async def look(key: str) -> StoredObject:
        await asyncio.sleep(60)
        raise AssertionError(key)

    decoder = Decoder("kafka", look=look, patience=timedelta(seconds=0.01))
    assert lacks_etag(await only_file(decoder, announced(None)))


async def test_what_is_no_file_is_not_looked_at() -> None:
    async def look(key: str) -> StoredObject:
        raise AssertionError(key)

    decoder = Decoder("kafka", look=look, look_always=True)
    (one,) = await decoder.decode(message(b"{}", "lsst.s3.raw.lsstcam"))
    assert isinstance(one, Rejected)


def _quoted(text: str) -> bytes:
    return json.dumps(text).encode()
