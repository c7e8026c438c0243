"""Records in Avro are read with SAL's schemas, and with nothing else."""

from __future__ import annotations

import json
from io import BytesIO

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.consumers.decoders.avro import AvroSchema
from rapid.errors import BadMessage
from tests.support.announcements import Json
from tests.support.registry import sal_schema, written

ALL = {
    "aBoolean": "boolean",
    "anInt": "int",
    "aLong": "long",
    "aFloat": "float",
    "aDouble": "double",
    "aString": "string",
    "someInts": {"type": "array", "items": "int"},
    "perhaps": ["null", "string"],
}
ALL_TEXT = sal_schema("MTCamera.logevent_all", ALL)
ALL_SCHEMA = AvroSchema(ALL_TEXT)

INT = st.integers(-(1 << 31), (1 << 31) - 1)
RECORDS = st.fixed_dictionaries(
    {
        "aBoolean": st.booleans(),
        "anInt": INT,
        "aLong": st.integers(-(1 << 63), (1 << 63) - 1),
        "aFloat": st.floats(width=32, allow_nan=False),
        "aDouble": st.floats(allow_nan=False),
        "aString": st.text(),
        "someInts": st.lists(INT),
        "perhaps": st.none() | st.text(),
    }
)


@settings(deadline=None)
@given(RECORDS)
def test_what_was_written_is_read(fields: dict[str, Json]) -> None:
    assert ALL_SCHEMA.read(written(ALL_TEXT, fields)) == fields


def test_a_schema_knows_its_name() -> None:
    assert ALL_SCHEMA.name == "lsst.sal.MTCamera.logevent_all"
    assert AvroSchema('{"type": "record", "name": "a.b.C", "namespace": "x", "fields": []}').name == "a.b.C"
    assert AvroSchema('{"type": "record", "name": "C", "fields": []}').name == "C"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    try:
        fields = ALL_SCHEMA.read(payload)
    except BadMessage:
        return
    assert fields.keys() == ALL.keys()


@settings(deadline=None)
@given(RECORDS, st.data())
def test_a_shortened_or_lengthened_record_is_refused(fields: dict[str, Json], data: st.DataObject) -> None:
    payload = written(ALL_TEXT, fields)
    with pytest.raises(BadMessage, match="1 bytes left over"):
        ALL_SCHEMA.read(payload + b"\0")
    end = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(BadMessage, match="does not fit its schema"):
        ALL_SCHEMA.read(payload[:end])


def test_a_count_or_length_that_is_a_lie_costs_nothing() -> None:
    huge = BytesIO()
    fastavro.schemaless_writer(huge, "long", (1 << 62) - 1)
    for kind in ("string", {"type": "array", "items": "int"}):
        schema = AvroSchema(sal_schema("MTCamera.logevent_x", {"it": kind}))
        with pytest.raises(BadMessage, match="does not fit its schema"):
            schema.read(huge.getvalue() + b"abc")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not an Avro schema; expected JSON; found EOF"),
        ("{" * 1000, "not an Avro schema; expected JSON"),
        ('"string"', "not the schema of an event; expected a record; found 'string'"),
        ('{"type": "enum"}', "not the schema of an event; expected a record; found {'type': 'enum'}"),
        ('{"type": "record", "fields": []}', "not an Avro schema; expected a name and a namespace"),
        ('{"type": "record", "name": "a b", "fields": []}', "not an Avro schema; expected a name; found 'a b'"),
        ('{"type": "record", "name": "R"}', "not an Avro schema; expected a list of fields"),
        ('{"type": "record", "name": "R", "fields": [7]}', "not an Avro schema; expected fields with names"),
    ],
)
def test_what_is_no_schema_of_an_event_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadMessage) as caught:
        AvroSchema(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "kind",
    [
        "null",
        "lsst.sal.MTCamera.logevent_x",
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "array", "items": "int"}},
        {"type": "record", "name": "Inner", "fields": []},
        {"type": "map", "values": "int"},
        {"type": "fixed", "name": "F", "size": 0},
        ["null", {"type": "array", "items": "int"}],
        None,
        7,
    ],
)
def test_a_type_that_sal_does_not_write_is_refused(kind: Json) -> None:
    with pytest.raises(BadMessage) as caught:
        AvroSchema(sal_schema("MTCamera.logevent_x", {"it": kind}))
    assert "it: a field that SAL does not write; expected a primitive or an array of primitives" in str(caught.value)


def test_two_fields_of_one_name_are_refused() -> None:
    field = {"name": "it", "type": "int"}
    with pytest.raises(BadMessage, match="R: not an Avro schema; expected each field once"):
        AvroSchema(json.dumps({"type": "record", "name": "R", "fields": [field, field]}))


def test_what_a_reader_does_not_need_is_passed_over() -> None:
    field = {"name": "it", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0, "units": "ms"}
    schema = AvroSchema(json.dumps({"type": "record", "name": "R", "doc": "x", "fields": [field]}))
    assert schema.read(written('{"type": "long"}', 1 << 60)) == {"it": 1 << 60}
