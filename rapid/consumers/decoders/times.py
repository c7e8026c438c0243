"""Times as the bus writes them, as UTC: SAL's seconds of TAI since 1970, and ISO 8601.

Source: ts_xml and ts_salobj, every ``timestamp*`` field and ``private_sndStamp``; leap seconds as ERFA has them (IERS
Bulletin C).
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated

import erfa
from pydantic import BeforeValidator

__all__ = ["IsoTime", "TaiStamp", "utc_of_iso", "utc_of_milliseconds", "utc_of_tai"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1972, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


def utc_of_tai(stamp: float) -> datetime | None:
    """Convert a stamp [s] to UTC; 0 is SAL's "not set" and gives None. Good to a microsecond.

    Raises
    ------
    ValueError
        If it is before 1972, when UTC had no whole leap seconds, after 2200, or no number.
    """
    if stamp == 0:
        return None
    changes, offsets = _leap_seconds()
    index = bisect_right(changes, stamp) - 1
    if index < 0 or not stamp < _LAST.timestamp():
        raise ValueError(f"{stamp!r} is not a time in TAI seconds between {_FIRST:%Y} and {_LAST:%Y}")
    return _EPOCH + timedelta(seconds=stamp - offsets[index])


def utc_of_iso(text: str) -> datetime:
    """Read an ISO time; one without a zone is UTC, as object stores write it.

    Raises
    ------
    ValueError
        If it is no time.
    """
    when = datetime.fromisoformat(text)
    try:
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is a time that UTC cannot hold") from error


def utc_of_milliseconds(stamp: int) -> datetime | None:
    """Convert the stamp of a Kafka record [ms since 1970, UTC].

    None for one that Python cannot hold, or before 1970, as -1 for "not set": whoever sends chooses it freely.
    """
    try:
        return _EPOCH + timedelta(milliseconds=stamp) if stamp >= 0 else None
    except OverflowError:
        return None


@cache
def _leap_seconds() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Tell from which TAI stamps on TAI - UTC has which value [s]."""
    table = [
        (datetime(int(year), int(month), 1, tzinfo=UTC), float(offset))
        for year, month, offset in erfa.leap_seconds.get()
        if year >= _FIRST.year
    ]
    return tuple(when.timestamp() + offset for when, offset in table), tuple(offset for _, offset in table)


def _checked_stamp(stamp: object) -> datetime | None:
    if isinstance(stamp, bool) or not isinstance(stamp, int | float):
        raise ValueError("expected TAI seconds as a number")  # noqa: TRY004 -- pydantic takes a ValueError for a bad field
    return utc_of_tai(stamp)


TaiStamp = Annotated[datetime | None, BeforeValidator(_checked_stamp)]
"""A field that holds TAI seconds on the wire and UTC in the model."""


def _checked_text(text: object) -> datetime:
    if not isinstance(text, str):
        raise ValueError("expected an ISO time as text")  # noqa: TRY004 -- as above
    when = utc_of_iso(text)
    if not _FIRST <= when < _LAST:
        raise ValueError(f"{text} is not a time between {_FIRST:%Y} and {_LAST:%Y}")
    return when


IsoTime = Annotated[datetime, BeforeValidator(_checked_text)]
"""A field that holds an ISO time between 1972 and 2200 on the wire and UTC in the model."""
