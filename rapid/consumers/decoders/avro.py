"""Avro records of SAL events, read with the schema they were written with.

Source: Apache Avro 1.11 specification; ts_salobj writes records of primitives and arrays of primitives, and nothing else is
taken: a schema that nests or refers to itself could make a short message long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO

import fastavro
from pydantic_core import from_json

from rapid.errors import BadMessage

__all__ = ["AvroSchema"]

_PRIMITIVES = frozenset({"boolean", "int", "long", "float", "double", "bytes", "string"})
_NAME = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z", re.ASCII)
_DAMAGE = (EOFError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What fastavro raises about bytes that do not fit the schema (1.9 to 1.13)."""


class AvroSchema:
    """The schema of a record.

    Parameters
    ----------
    text
        The schema as JSON.

    Attributes
    ----------
    name
        Full name of the record: ``lsst.sal.MTCamera.logevent_endReadout``.

    Raises
    ------
    BadMessage
        If it is none, or one that SAL does not write.
    """

    def __init__(self, text: str) -> None:
        record = _record(text)
        self.name = _full_name(record)
        fields = [_field(field) for field in _listed(record.get("fields"), "fields")]
        if len({str(field["name"]) for field in fields}) != len(fields):
            raise BadMessage("not an Avro schema", subject=self.name, expected="each field once")
        plain = {"type": "record", "name": self.name, "fields": fields}
        try:
            self._schema = fastavro.parse_schema(plain)
        except (fastavro.schema.SchemaParseException, ValueError, TypeError) as error:
            raise BadMessage("not a usable Avro schema", subject=self.name, found=str(error)) from error

    def read(self, payload: bytes) -> Mapping[str, object]:
        """Read one record.

        Raises
        ------
        BadMessage
            If the bytes do not fit the schema, or some are left.
        """
        stream = BytesIO(payload)
        try:
            record = fastavro.schemaless_reader(stream, self._schema, None)
        except _DAMAGE as error:
            raise BadMessage(
                "the message does not fit its schema",
                subject=self.name,
                found=f"{type(error).__name__} {error}".strip(),
            ) from error
        if stream.tell() != len(payload) or not isinstance(record, dict):
            left = len(payload) - stream.tell()
            raise BadMessage("the message does not fit its schema", subject=self.name, found=f"{left} bytes left over")
        return record


def _record(text: str) -> dict[str, object]:
    try:
        found = from_json(text, allow_inf_nan=True)
    except ValueError as error:
        raise BadMessage("not an Avro schema", expected="JSON", found=str(error)) from error
    if not isinstance(found, dict) or found.get("type") != "record":
        raise BadMessage("not the schema of an event", expected="a record", found=repr(found)[:80])
    return found


def _full_name(record: Mapping[str, object]) -> str:
    name, namespace = record.get("name"), record.get("namespace", "")
    if not isinstance(name, str) or not isinstance(namespace, str):
        raise BadMessage("not an Avro schema", expected="a name and a namespace")
    full = name if "." in name or not namespace else f"{namespace}.{name}"
    if not _NAME.match(full):
        raise BadMessage("not an Avro schema", expected="a name", found=repr(full)[:80])
    return full


def _field(field: object) -> dict[str, object]:
    """Keep name and type of a field; defaults, documentation and logical types do not matter to who reads."""
    if not isinstance(field, dict) or not isinstance(field.get("name"), str):
        raise BadMessage("not an Avro schema", expected="fields with names")
    return {"name": field["name"], "type": _type(field.get("type"), field["name"])}


def _type(kind: object, field: str) -> object:
    if isinstance(kind, dict):
        if kind.get("type") == "array":
            return {"type": "array", "items": _primitive(kind.get("items"), field)}
        kind = kind.get("type")
    if isinstance(kind, list):
        return [branch if branch == "null" else _primitive(branch, field) for branch in kind]
    return _primitive(kind, field)


def _primitive(kind: object, field: str) -> object:
    if isinstance(kind, dict):
        kind = kind.get("type")
    if not isinstance(kind, str) or kind not in _PRIMITIVES:
        expected = "a primitive or an array of primitives"
        raise BadMessage(
            "a field that SAL does not write", subject=field[:80], expected=expected, found=repr(kind)[:80]
        )
    return kind


def _listed(fields: object, what: str) -> list[object]:
    if not isinstance(fields, list):
        raise BadMessage("not an Avro schema", expected=f"a list of {what}")
    return fields
