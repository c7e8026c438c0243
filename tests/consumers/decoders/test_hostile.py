"""Whatever a stranger sends: a decoder answers with values, never with an exception, and keeps what it refuses."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rapid.consumers.decoders import MESSAGE_LIMIT, Decoded
from rapid.consumers.decoders.avro import AvroSchema
from rapid.consumers.decoders.contract import CONTRACT
from rapid.consumers.decoders.sal import sal_topic
from rapid.events import FileArrived, Ignored, Rejected, check_key
from tests.support.announcements import KEY, STAMP, Json, decoded, end_readout, frame, notification, record
from tests.support.registry import sal_schema

EVENTS = [
    "startIntegration",
    "endReadout",
    "endOfImageTelemetry",
    "imageReadoutParameters",
    "imageStored",
    "fitsFilesWritten",
    "fileTransferPerImageSummary",
    "largeFileObjectAvailable",
]
TOPICS = [
    "lsst.s3.raw.lsstcam",
    "summit/LSSTCam/file/x/R22_S11",
    "",
    *(f"lsst.sal.MTCamera.logevent_{event}" for event in EVENTS),
    "lsst.sal.MTOODS.logevent_imageInOODS",
    "lsst.sal.ScriptQueue.logevent_nextVisit",
    "lsst.sal.OCPS.logevent_job_result",
]
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 1 << 64, STAMP, 1e308])
TEXTS = st.text() | st.sampled_from(
    ["", KEY, "MC_O_20260112_000123", "\x00", "../..", "%FF", "a:b", "R22S11", "s3://raw/x"]
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = st.text(max_size=5) | st.sampled_from(
    [
        "Records",
        "s3",
        "object",
        "bucket",
        "key",
        "name",
        "eventName",
        "schema",
        "fileType",
        "expectedSensors",
        "imageName",
    ]
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
)


UNHURRIED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Nothing here depends on how fast the machine is."""


def holds(values: tuple[Decoded, ...], body: bytes) -> None:
    """Check what must be true of every answer."""
    assert values
    for value in values:
        if isinstance(value, Rejected):
            assert value.body == body
            assert value.origin is not None
            assert 0 < len(value.reason) <= 600
            assert value.reason.isprintable()
            assert value.subject.isprintable()
        elif isinstance(value, Ignored):
            assert value.subject.isprintable()
        elif isinstance(value, FileArrived):
            assert check_key(value.key) == value.key
            assert 0 <= value.size < 1 << 63


@UNHURRIED
@given(st.sampled_from(TOPICS), st.binary(max_size=300))
@example("", b"\0")
@example("", b"{")
@example(
    "lsst.s3.raw.lsstcam", b'{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "\\ud800"}}}]}'
)
def test_any_bytes(topic: str, body: bytes) -> None:
    if body:
        holds(decoded(body, topic), body)


@UNHURRIED
@given(st.sampled_from(TOPICS), JSON)
def test_any_json(topic: str, value: Json) -> None:
    body = json.dumps(value).encode()
    holds(decoded(body, topic), body)


@UNHURRIED
@given(st.sampled_from(TOPICS[:1]), st.data())
def test_a_notification_with_any_field_changed(topic: str, data: st.DataObject) -> None:
    body = json.dumps(_changed(notification(record(), record()), data)).encode()
    holds(decoded(body, topic), body)


@UNHURRIED
@given(st.sampled_from(TOPICS[3:]), st.data())
def test_an_event_with_any_field_changed(topic: str, data: st.DataObject) -> None:
    fields = end_readout(
        obsid="x", obsId="x", url="u", groupId="g", scriptSalIndex=1, position=[0.0, 0.0], ccdLocation="R22S11"
    )
    body = json.dumps(_changed(fields, data)).encode()
    holds(decoded(body, topic), body)


@UNHURRIED
@given(st.sampled_from(sorted(CONTRACT)), st.data())
def test_a_message_of_the_contract_with_any_fields(schema: str, data: st.DataObject) -> None:
    fields = {
        name: data.draw(LEAVES | st.lists(LEAVES, max_size=2))
        for name in CONTRACT[schema].model_fields
        if data.draw(st.booleans())
    }
    good = {
        "id": "i",
        "instrument": "LSSTCam",
        "obs_id": "MC_O_20260112_000123",
        "detector": "R22_S11",
        "size": 1,
        "uri": KEY,
    }
    body = json.dumps(good | fields | {"schema": schema}).encode()
    holds(decoded(body, "summit/x"), body)


@UNHURRIED
@given(st.binary(max_size=100))
def test_any_avro(payload: bytes) -> None:
    topic = TOPICS[4]
    kinds = {"imageName": "string", "timestampEndOfReadout": "double", "imageIndex": "int", "additionalKeys": "string"}
    schema = AvroSchema(sal_schema("MTCamera.logevent_endReadout", kinds))
    body = frame(1, payload)
    holds(decoded(body, topic, schema=schema), body)


@UNHURRIED
@given(st.text())
def test_any_topic(topic: str) -> None:
    sal_topic(topic)
    body = json.dumps(end_readout()).encode()
    holds(decoded(body, topic), body)


def test_ten_thousand_bad_messages_hide_no_good_one() -> None:
    chance = random.Random(20260112)
    good = [json.dumps(notification(record(KEY.replace("000123", f"{n:06}")))).encode() for n in range(1000)]
    bad = [_damaged(chance.choice(good), chance) for _ in range(10_000)]
    mixed = good + bad
    chance.shuffle(mixed)
    values = [value for body in mixed for value in decoded(body)]
    arrived = {value.key for value in values if isinstance(value, FileArrived)}
    letters = [value.body for value in values if isinstance(value, Rejected)]
    assert arrived == {KEY.replace("000123", f"{n:06}") for n in range(1000)}
    assert sorted(letters) == sorted(bad)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MESSAGE_LIMIT,
        b'{"a":' * 1_000_000,
        b'{"Records": [' + b"{}," * 1_000_000 + b"{}]}",
        b'{"Records": [{"s3": {"object": {"key": "' + b"%" * 4_000_000 + b'"}}}]}',
        b'{"imageName": "' + b":" * 4_000_000 + b'"}',
        b'{"a": ' + b"9" * 4_000_000 + b"}",
    ],
    ids=["deep lists", "deep objects", "many records", "a long key", "a long list", "a long number"],
)
@pytest.mark.parametrize("topic", ["lsst.s3.raw.lsstcam", "lsst.sal.MTCamera.logevent_endReadout"])
def test_what_is_huge_is_refused_soon(topic: str, body: bytes) -> None:
    begun = time.process_time()
    values = decoded(body, topic)
    assert time.process_time() - begun < 10
    assert all(isinstance(value, Rejected | Ignored) for value in values)


def test_what_is_too_long_is_not_looked_into() -> None:
    body = b"{" + b" " * MESSAGE_LIMIT
    (letter,) = decoded(body)
    assert isinstance(letter, Rejected)
    assert (
        letter.reason == f"the message is too long; expected {MESSAGE_LIMIT} bytes or less; found {MESSAGE_LIMIT + 1}"
    )
    assert letter.body is body


def _changed(value: Json, data: st.DataObject) -> Json:
    """Replace one thing somewhere inside by something else."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        name = data.draw(st.sampled_from(sorted(value)))
        return value | {name: _changed(value[name], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 4)):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], _changed(value[place], data), *value[place + 1 :]]
    return data.draw(JSON)


def _damaged(body: bytes, chance: random.Random) -> bytes:
    """Spoil a notification: cut it short, or rename what it cannot do without."""
    if chance.random() < 0.5:
        return body[: chance.randrange(1, len(body))]
    needed = chance.choice([b'"Records"', b'"s3"', b'"object"', b'"key"', b'"bucket"', b'"name"', b'"eventName"'])
    return body.replace(needed, needed[:-1] + b'?"', 1)
