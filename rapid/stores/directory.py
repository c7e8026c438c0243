"""A store that is a directory.

obstore writes a file beside its place and renames it, so a reader sees all of it or none. What it does not do is done
here: links are not followed out of the root, odd names do not end a listing, and the content tag does not depend on
the inode.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore

from rapid.errors import BadName, NotAvailable
from rapid.events import check_key
from rapid.ports import StoredObject
from rapid.stores.objects import Objects

__all__ = ["Directory"]

_LONGEST_PART = 250
"""Bytes in one part of a local key: 255 of the file system, less what obstore appends to a file not yet renamed."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NS = 253_402_300_799 * 10**9
"""The last second of the year 9999 [ns]."""
_UNFINISHED = re.compile(r"#\d+$")
"""obstore's mark on a file that is being written."""


class Directory(Objects):
    """A store that is a directory: links are checked before anything is touched, and it is walked by ourselves."""

    def __init__(self, root: Path) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            backend = LocalStore(prefix=root)
        except (OSError, BaseError) as error:
            unusable = f"the directory {root} cannot be used: {str(error).partition(chr(10))[0]}"
            raise NotAvailable(unusable) from error
        super().__init__(backend, root.as_uri(), attributes=False)
        self._root = root

    def get(self, key: str) -> bytes:
        """Read an object."""
        path = self.file(key)
        with self._door("read", key):
            return path.read_bytes()

    def put(self, key: str, body: bytes, media_type: str) -> None:
        """Write an object so that a reader sees all of it or none."""
        self._inside(key)
        super().put(key, body, media_type)

    def head(self, key: str) -> StoredObject:
        """Describe an object."""
        path = self.file(key)
        with self._door("describe", key):
            return _described(key, path.stat())

    def list(self, place: str) -> Iterator[StoredObject]:
        """Go through the files below a place; what has no usable key is left out, links to directories are not followed."""
        top = self._inside(place) if place else self._root
        if not self._root.is_dir():
            gone = f"{self.url} is not there"
            raise NotAvailable(gone)
        cut = len(os.fspath(self._root).rstrip("/")) + 1
        for entry in _entries(top):
            try:
                yield self._found(entry, entry.path[cut:])
            except (BadName, NotAvailable, OSError):
                continue  # no key of ours, no file, or gone meanwhile

    def _found(self, entry: os.DirEntry[str], key: str) -> StoredObject:
        """Describe what a walk found: only a link needs the long way."""
        if entry.is_symlink() or not entry.is_file():
            return self.head(key)
        return _described(_checked(key), entry.stat())

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        self._inside(key)
        super().delete(key)

    def file(self, key: str) -> Path:
        """Find the regular file of a key: a pipe of that name would keep its reader forever.

        Raises
        ------
        BadName
            If the key, or a link on its way, leads out of the directory.
        NotAvailable
            If there is no such file.
        """
        path = self._inside(key)
        with self._door("reach", key):
            if not stat.S_ISREG(path.stat().st_mode):
                raise FileNotFoundError
        return path

    def _inside(self, key: str) -> Path:
        path = self._root / _checked(key)
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self._root)):
            raise BadName("a link leads out of the directory", subject=key, expected=f"a place below {self._root}")
        return path


def _checked(key: str) -> str:
    for part in check_key(key).split("/"):
        if len(part.encode()) > _LONGEST_PART or _UNFINISHED.search(part):
            raise BadName(
                "not a name for a file",
                subject=repr(key[:120]),
                expected=f"parts of at most {_LONGEST_PART} bytes that do not end in # and digits",
            )
    return key


def _entries(top: Path) -> Iterator[os.DirEntry[str]]:
    """Go through everything below a directory but the directories, in no certain order."""
    folders = [os.fspath(top)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                found = list(entries)
        except OSError:
            continue  # not a directory, or gone meanwhile, or not ours to read
        folders += [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]
        yield from (entry for entry in found if not entry.is_dir(follow_symlinks=False))


def _described(key: str, status: os.stat_result) -> StoredObject:
    """Describe a file. Its tag is the one the directory source gives it, so both speak of one content."""
    return StoredObject(
        key=key,
        size=status.st_size,
        etag=f"{status.st_size}-{status.st_mtime_ns}",
        modified=_time(status.st_mtime_ns),
    )


def _time(ns: int) -> datetime:
    """Turn nanoseconds since 1970 into a time; a file system may hold later ones than Python."""
    return _EPOCH + timedelta(microseconds=min(max(ns, 0), _LAST_NS) // 1000)
