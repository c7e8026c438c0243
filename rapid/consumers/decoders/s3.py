"""Notifications of an object store: Ceph, MinIO and AWS.

They have one shape with local habits: MinIO writes ``s3:`` before the name of the event and encodes keys, Ceph may leave
out the etag of a multipart upload and write "0.000000" for the time. Sources: the notification documents of Ceph, MinIO and
AWS, and messages as the observatory's own consumers expect them (ctrl_oods, embargo-butler).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, NotRequired
from urllib.parse import unquote_plus

from pydantic import ConfigDict, FailFast, StringConstraints, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from rapid.consumers.decoders.documents import Count, complaint, read_object
from rapid.consumers.decoders.message import Decoded, Receipt
from rapid.consumers.decoders.times import utc_of_iso
from rapid.consumers.scan import is_announced
from rapid.errors import BadMessage, BadName
from rapid.events import (
    ExpectedSensorsWritten,
    FileArrived,
    FileRemoved,
    Ignored,
    NameFacts,
    Why,
    check_key,
    exposure_name,
    is_raw_name,
    name_facts,
)

__all__ = ["arrival_of", "decode_s3", "is_test_event", "lacks_etag"]

_UNSAID = "?"
"""How a content begins that was not made of an etag: no etag does."""
_EXPECTED = "_expectedSensors.json"
_RECORDS = 1000
"""Most records in a notification; stores send one, and none sends more than this."""

_Tag = Annotated[str, StringConstraints(max_length=256)]


@with_config(ConfigDict(extra="ignore", strict=True))
class _Bucket(TypedDict):
    name: str


@with_config(ConfigDict(extra="ignore", strict=True))
class _Object(TypedDict):
    key: str
    size: NotRequired[Count | None]
    eTag: NotRequired[_Tag | None]
    sequencer: NotRequired[_Tag | None]


@with_config(ConfigDict(extra="ignore", strict=True))
class _Entity(TypedDict):
    bucket: _Bucket
    object: _Object


@with_config(ConfigDict(extra="ignore", strict=True))
class _Record(TypedDict):
    eventName: str
    eventTime: NotRequired[Any]  # a broken time is no reason to lose a file
    s3: _Entity


@with_config(ConfigDict(extra="ignore", strict=True))
class _Notification(TypedDict):
    Records: Annotated[list[_Record], FailFast()]


_NOTIFICATION = TypeAdapter(_Notification)
_RECORD = TypeAdapter(_Record)


def decode_s3(receipt: Receipt) -> tuple[Decoded, ...] | None:
    """Decode a notification, record by record: one that is broken does not take the others with it.

    The broken ones are one dead letter together, as it holds all of the message. None when the message is JSON and no
    notification.

    Raises
    ------
    BadMessage
        If it is not JSON, or its records are no list, or none, or too many.
    """
    value = receipt.message.value or b""
    try:
        records: object = _NOTIFICATION.validate_json(value)["Records"]
        checked = True
    except ValidationError:
        fields = read_object(value)
        if "Records" not in fields:
            return None
        records, checked = fields["Records"], False
    if not isinstance(records, list) or not 0 < len(records) <= _RECORDS:
        found = f"{len(records)}" if isinstance(records, list) else type(records).__name__
        raise BadMessage("not a notification", expected=f"a list of 1 to {_RECORDS} records", found=found)
    return _decoded(records, receipt, checked=checked)


def is_test_event(fields: Mapping[str, object]) -> bool:
    """Tell whether a store only says that its notifications work."""
    return fields.get("Event") == "s3:TestEvent"


def lacks_etag(file: FileArrived) -> bool:
    """Tell whether the announcement gave no etag, so that `content` stands for it until somebody looks at the object."""
    return file.content.startswith(_UNSAID)


def arrival_of(
    key: str, receipt: Receipt, *, etag: str | None, size: int, written_at: datetime | None, otherwise: str = ""
) -> FileArrived | Ignored:
    """Announce an object of the archive if it is a raw file.

    Parameters
    ----------
    key
        Its key, checked.
    etag
        As the store gives it, with or without quotes; None or empty when it was not said.
    written_at
        UTC; when not said, the time of the message stands for it.
    otherwise
        What tells one content from another where there is no etag.
    """
    if not is_announced(key):
        return receipt.ignore(Why.OBJECT, key)
    tag = (etag or "").strip('"')
    return FileArrived(
        key=key,
        content=tag or f"{_UNSAID}{size}-{otherwise}",
        size=size,
        written_at=min(written_at or receipt.sent_at, receipt.seen_at),  # no file is announced before it is written
        seen_at=receipt.seen_at,
        source=receipt.source,
        live=True,
        facts=name_facts(key),
    )


def _decoded(records: list[Any], receipt: Receipt, *, checked: bool) -> tuple[Decoded, ...]:
    found: list[Decoded] = []
    broken: list[tuple[int, BadMessage | BadName]] = []
    for number, record in enumerate(records):
        try:
            found.append(_announced(record if checked else _checked(record), receipt))
        except (BadMessage, BadName) as error:
            broken.append((number, error))
    if broken:
        number, first = broken[0]
        more = f" (and {len(broken) - 1} more broken records)" if len(broken) > 1 else ""
        found.append(receipt.reject(f"{first}{more}", f"record {number}"))
    return tuple(found)


def _checked(record: object) -> _Record:
    try:
        return _RECORD.validate_python(record)
    except ValidationError as error:
        raise BadMessage("not a usable record", found=complaint(error)) from error


def _announced(record: _Record, receipt: Receipt) -> Decoded:
    kind, bucket = record["eventName"].removeprefix("s3:"), record["s3"]["bucket"]["name"]
    name = _unquoted(record["s3"]["object"]["key"])
    key = receipt.archive.key_of(bucket, name)
    if key is None:
        return receipt.ignore(Why.ARCHIVE, f"{bucket}/{name}")
    check_key(key)
    if kind.startswith("ObjectCreated:"):
        return _created(key, record, receipt)
    if kind.startswith(("ObjectRemoved:", "ObjectLifecycle:Expiration", "LifecycleExpiration:")):
        return _removed(key, receipt)
    return receipt.ignore(Why.EVENT, kind)


def _unquoted(written: str) -> str:
    try:
        return unquote_plus(written, errors="strict")
    except UnicodeDecodeError as error:
        expected = "percent-encoded UTF-8"
        raise BadMessage("not a usable key", subject=repr(written[:120]), expected=expected) from error


def _created(key: str, record: _Record, receipt: Receipt) -> Decoded:
    said, written_at = record["s3"]["object"], _time(record.get("eventTime"))
    if key.endswith(_EXPECTED):
        return _expectation(key, said, receipt)
    size = said.get("size") or 0
    otherwise = said.get("sequencer") or (written_at or receipt.sent_at).isoformat()
    return arrival_of(key, receipt, etag=said.get("eTag"), size=size, written_at=written_at, otherwise=otherwise)


def _expectation(key: str, said: _Object, receipt: Receipt) -> ExpectedSensorsWritten | Ignored:
    name = exposure_name(key.rpartition("/")[2].removesuffix(_EXPECTED))
    if name is None:
        return receipt.ignore(Why.INSTRUMENT, key)
    return ExpectedSensorsWritten(name, key, (said.get("eTag") or "").strip('"'), receipt.seen_at, receipt.source)


def _removed(key: str, receipt: Receipt) -> FileRemoved | Ignored:
    if not is_raw_name(key):
        return receipt.ignore(Why.OBJECT, key)
    facts: NameFacts | None = name_facts(key)
    return FileRemoved(key, receipt.seen_at, receipt.source, facts)


def _time(text: object) -> datetime | None:
    """Read the time of an event; None for what is no time, as "0.000000"."""
    if not isinstance(text, str):
        return None
    with suppress(ValueError):
        return utc_of_iso(text)
    return None
