"""Where bytes are kept under keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = [
    "Store",
    "StoredObject",
]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a store: its key, size [bytes], content tag and time of last change (UTC)."""

    key: str
    size: int
    etag: str
    modified: datetime


class Store(Protocol):
    """A place with keys and bytes: a directory, a bucket, memory.

    A missing key raises `rapid.errors.NotAvailable`, a key that climbs out `rapid.errors.BadName`.
    """

    async def get(self, key: str) -> bytes:
        """Read an object."""
        ...

    async def put(self, key: str, body: bytes, *, media_type: str = "application/octet-stream") -> None:
        """Write an object so that a reader sees all of it or none."""
        ...

    async def head(self, key: str) -> StoredObject:
        """Describe an object."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Go through the objects under a prefix, in no certain order."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...
