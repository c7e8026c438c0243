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

from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from rapid.consumers.decoders.documents import Count, complaint, read_object
from rapid.consumers.decoders.message import Decoded, Receipt
from rapid.consumers.decoders.times import utc_of_iso
from rapid.consumers.scan import passed_over
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
    Records: list[_Record]


_NOTIFICATION = TypeAdapter(_Notification)
_RECORD = TypeAdapter(_Record)


def decode_s3(receipt: Receipt) -> tuple[Decoded, ...] | None:
    """Decode a notification, record by record: one that is broken does not take the others with it.

    None when the message is JSON and no notification.

    Raises
    ------
    BadMessage
        If it is not JSON, or its records are no list or none.
    """
    value = receipt.message.value or b""
    try:
        records = _NOTIFICATION.validate_json(value)["Records"]
    except ValidationError:
        return _record_by_record(read_object(value), receipt)
    if not records:
        raise BadMessage("a notification without records", expected="one or more")
    return tuple([_announced(record, receipt, number) for number, record in enumerate(records)])


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
    if not is_raw_name(key) or any(map(passed_over, key.split("/"))):
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


def _record_by_record(fields: Mapping[str, object], receipt: Receipt) -> tuple[Decoded, ...] | None:
    if "Records" not in fields:
        return None
    records = fields["Records"]
    if not isinstance(records, list) or not records:
        raise BadMessage("a notification without records", expected="a list of one or more")
    return tuple([_checked(record, receipt, number) for number, record in enumerate(records)])


def _checked(record: object, receipt: Receipt, number: int) -> Decoded:
    try:
        return _announced(_RECORD.validate_python(record), receipt, number)
    except ValidationError as error:
        return receipt.reject(BadMessage("not a usable record", found=complaint(error)), f"record {number}")


def _announced(record: _Record, receipt: Receipt, number: int) -> Decoded:
    kind = record["eventName"].removeprefix("s3:")
    said = record["s3"]["object"]
    try:
        name = unquote_plus(said["key"], errors="strict")
        key = receipt.archive.key_of(record["s3"]["bucket"]["name"], name)
        if key is None:
            return receipt.ignore(Why.ARCHIVE, f"{record['s3']['bucket']['name']}/{name}")
        check_key(key)
    except UnicodeDecodeError:
        return receipt.reject(
            BadMessage("not a usable key", subject=repr(said["key"][:120]), expected="percent-encoded UTF-8"),
            f"record {number}",
        )
    except BadName as error:
        return receipt.reject(str(error), f"record {number}")
    if kind.startswith("ObjectCreated:"):
        return _created(key, record, receipt)
    if kind.startswith(("ObjectRemoved:", "ObjectLifecycle:Expiration", "LifecycleExpiration:")):
        return _removed(key, receipt)
    return receipt.ignore(Why.EVENT, kind)


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
