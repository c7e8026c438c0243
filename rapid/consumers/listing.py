"""Raw files as a store lists them, for the sources that go through one."""

from __future__ import annotations

from datetime import datetime

from rapid.errors import BadName
from rapid.events import FileArrived, Rejected, check_key, name_facts
from rapid.ports import StoredObject

__all__ = ["announced"]


def announced(found: StoredObject, *, source: str, at: datetime, live: bool) -> FileArrived | Rejected:
    """Turn what was listed at a moment into the announcement of it, or into why it cannot be one."""
    try:
        check_key(found.key)
    except BadName as error:
        return Rejected(source, repr(found.key)[1:-1], str(error), at, found.key.encode())
    return FileArrived(
        key=found.key,
        content=found.etag,
        size=found.size,
        written_at=found.modified,
        seen_at=at,
        source=source,
        live=live,
        facts=name_facts(found.key),
    )
