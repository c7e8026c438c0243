"""How values are stored that a database has no type for, the same in every database."""

from __future__ import annotations

import json
from datetime import UTC, datetime

__all__ = ["stored_json", "stored_time"]

_LENGTH = len("2026-03-15T12:00:00.000000")
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def stored_time(value: datetime) -> str:
    """Write a moment: ISO 8601 in UTC, with microseconds, so that it sorts as time does.

    Raises
    ------
    ValueError
        If it has no zone: nobody could say which moment it is.
    """
    if value.tzinfo is None:
        msg = f"a time without a zone cannot be recorded: {value.isoformat()}"
        raise ValueError(msg)
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:_LENGTH] + "Z"


def stored_json(value: object) -> str:
    """Write a JSON value; most are empty.

    Raises
    ------
    ValueError
        If it holds NaN or infinity: they are not JSON, and a browser would choke.
    """
    return "{}" if value == {} else _encode(value)
