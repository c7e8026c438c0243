"""A raw file that can be read, as an object store or our own contract announces it: what `rapid bus publish` sends.

Sources: the notification documents of Ceph and MinIO; our contract is ``docs/schemas/exposure.file-1.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

from rapid.announce.bus import Announcement
from rapid.announce.composing import level
from rapid.events import FileArrived

__all__ = ["FileAnnouncer", "contract_announcer", "store_announcer"]

FileAnnouncer = Callable[[FileArrived], Announcement | None]

_WAVEFRONT_SLOTS = frozenset({"SW0", "SW1"})


def store_announcer(bucket: str, prefix: str = "") -> FileAnnouncer:
    """Announce files as a store does, as the objects ``prefix/key`` of a bucket; every raw file can be.

    Its route below the root of MQTT is ``s3/{bucket}``.
    """

    def announce(file: FileArrived) -> Announcement:
        key = f"{prefix}/{file.key}".lstrip("/")
        about = {"key": quote(key), "size": file.size, "eTag": file.content}
        record = {
            "eventVersion": "2.2",
            "eventSource": "rapid:bus",
            "eventTime": file.written_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "eventName": "ObjectCreated:Put",
            "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": about},
        }
        body = json.dumps({"Records": [record]}).encode()
        return Announcement("", f"{key}:{file.content}", key, ("s3", level(bucket)), body)

    return announce


def contract_announcer(place: str = "") -> FileAnnouncer:
    """Announce files by our own contract; a file that does not bear a name of the observatory cannot be (None).

    Parameters
    ----------
    place
        What comes before the key to make a URI, as ``s3://bucket/prefix``; empty for the key alone.
    """

    def announce(file: FileArrived) -> Announcement | None:
        facts = file.facts
        if facts is None:
            return None
        said = {
            "schema": "exposure.file/1",
            "id": f"{facts.obs_id}:{facts.detector_name}:{file.content}"[:256],
            "instrument": facts.instrument,
            "obs_id": facts.obs_id,
            "detector": facts.detector_name,
            "kind": "guider" if facts.guider else _kind(facts.detector_name),
            "uri": f"{place.rstrip('/')}/{quote(file.key)}" if place else file.key,
            "size": file.size,
            "etag": file.content,
            "sent_utc": datetime.now(UTC).isoformat(),
        }
        route = (level(facts.instrument), "file", facts.obs_id, facts.detector_name)
        return Announcement(str(said["schema"]), str(said["id"]), facts.obs_id, route, json.dumps(said).encode())

    return announce


def _kind(detector_name: str) -> str:
    return "wavefront" if detector_name.rpartition("_")[2] in _WAVEFRONT_SLOTS else "science"
