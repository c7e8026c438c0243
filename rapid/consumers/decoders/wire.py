"""The Confluent wire format: a zero byte, four bytes of schema id, Avro.

Source: Confluent Platform documentation, "Schema Registry: wire format"; ts_salobj writes SAL events in it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Protocol

from rapid.errors import BadMessage

__all__ = ["RecordSchema", "framed_schema_id", "is_framed", "payload_of"]

_HEADER = struct.Struct(">bI")


class RecordSchema(Protocol):
    """What reads the record that follows the header."""

    name: str

    def read(self, payload: bytes) -> Mapping[str, object]:
        """Read one record; `BadMessage` when it does not fit."""
        ...


def is_framed(value: bytes) -> bool:
    """Tell whether a message claims to be in the wire format: no JSON begins with a zero byte."""
    return value[:1] == b"\0"


def framed_schema_id(value: bytes) -> int:
    """Return the id of the schema that a framed message was written with.

    Raises
    ------
    BadMessage
        If it ends before the id does.
    """
    if len(value) < _HEADER.size:
        raise BadMessage(
            "the message ends inside the header of the wire format",
            expected=f"{_HEADER.size} bytes or more",
            found=str(len(value)),
        )
    schema_id: int = _HEADER.unpack_from(value)[1]
    return schema_id


def payload_of(value: bytes) -> bytes:
    """Return what follows the header."""
    return value[_HEADER.size :]
