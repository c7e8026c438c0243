"""What an object store says on a bus."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import md5

__all__ = ["file_written"]


def file_written(key: str, *, etag: str = "", size: int = 1, at: datetime | None = None, bucket: str = "raw") -> bytes:
    """Say, as Ceph does, that an object can be read."""
    at = at or datetime.now(UTC)
    entity = {
        "bucket": {"name": bucket},
        "object": {"key": key, "size": size, "eTag": etag or md5(key.encode()).hexdigest()},
    }
    record = {
        "eventVersion": "2.2",
        "eventSource": "ceph:s3",
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", **entity},
    }
    return json.dumps({"Records": [record]}).encode()
