"""A reference catalogue in a directory."""

from __future__ import annotations

from pathlib import Path

from rapid.errors import NotAvailable
from rapid.processing.refcat import MANIFEST_NAME, ReferenceCatalogue, decode_manifest
from rapid.processing.refcat.catalogue import CACHE_BYTES

__all__ = ["open_catalogue", "read_bytes"]


def open_catalogue(place: Path, *, cache_bytes: int = CACHE_BYTES) -> ReferenceCatalogue:
    """Open the catalogue in a directory; shards are read when they are needed.

    Raises
    ------
    NotAvailable
        If there is none.
    BadFile
        If its manifest is damaged.
    """
    manifest = decode_manifest(read_bytes(place / MANIFEST_NAME), name=str(place / MANIFEST_NAME))
    return ReferenceCatalogue(manifest, lambda name: read_bytes(place / name), cache_bytes=cache_bytes)


def read_bytes(path: Path) -> bytes:
    """Read a file; `NotAvailable` if that cannot be done."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotAvailable(f"{path}: the file cannot be read: {error.strerror or error}") from error
