"""Announcements as the bus delivers them, made out of little."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from rapid.consumers.decoders import ANY_ARCHIVE, ArchivePlace, Decoded, Message, Receipt, decode
from rapid.consumers.decoders.wire import RecordSchema

__all__ = [
    "KEY",
    "NOW",
    "SENT",
    "STAMP",
    "Json",
    "decoded",
    "end_readout",
    "frame",
    "notification",
    "record",
]

Json = object

NOW = datetime(2026, 1, 13, 6, 0, tzinfo=UTC)
SENT = datetime(2026, 1, 13, 5, 59, 30, tzinfo=UTC)
KEY = "LSSTCam/20260112/MC_O_20260112_000123/MC_O_20260112_000123_R22_S11.fits"
STAMP = 1768282355.374
"""TAI seconds of 2026-01-13T05:31:58.374 UTC."""


def decoded(
    value: bytes | Json,
    topic: str = "lsst.s3.raw.lsstcam",
    *,
    archive: ArchivePlace = ANY_ARCHIVE,
    schema: RecordSchema | None = None,
) -> tuple[Decoded, ...]:
    """Decode bytes, or what is written as JSON first."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    message = Message(topic, body, 0, 17, timestamp=SENT)
    return decode(Receipt(message, "kafka", NOW, archive), schema)


def record(
    key: str = KEY, *, event: str = "ObjectCreated:Put", bucket: str = "raw", time: Json = None, **said: Json
) -> dict[str, Json]:
    """Make the record of a store about one object; what is None is left out."""
    tagged = {"size": 14797440, "eTag": "0cc175b9c0f1b6a831c399e269772661", "sequencer": "5A3D096863AA680C"} | said
    about = {name: value for name, value in tagged.items() if value is not None}
    when = {} if time is None else {"eventTime": time}
    entity = {"bucket": {"name": bucket}, "object": {"key": key} | about}
    return {"eventVersion": "2.2", "eventSource": "ceph:s3", "eventName": event, **when, "s3": entity}


def notification(*records: Json) -> dict[str, Json]:
    """Make the notification that holds these records."""
    return {"Records": list(records or (record(),))}


def end_readout(**changes: Json) -> dict[str, Json]:
    """Make the fields of an ``endReadout``; what is None is left out."""
    fields = {
        "private_sndStamp": STAMP + 0.002,
        "private_seqNum": 210345,
        "additionalKeys": "imageType:groupId:reason:program",
        "additionalValues": r"OBJECT:2026-01-13T05\:31\:02.417:focus\: sweep:BLOCK-365",
        "imagesInSequence": 2,
        "imageName": "MC_O_20260112_000123",
        "imageIndex": 1,
        "requestedExposureTime": 30.0,
        "timestampEndOfReadout": STAMP,
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def frame(schema_id: int, payload: bytes) -> bytes:
    """Put the header of the wire format before a record."""
    return b"\0" + schema_id.to_bytes(4, "big") + payload
