"""What is in a directory: raw files, names that cannot be used, and what is passed over."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rapid.errors import BadName, NotAvailable
from rapid.events import check_key, is_raw_name

__all__ = ["Look", "Seen", "is_announced", "look_again", "look_at", "look_everywhere", "passed_over"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NS = 253_402_300_799 * 10**9
"""The last second of the year 9999 [ns]: a file system may hold later times, Python does not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A raw file as it was at one moment."""

    key: str
    size: int
    mtime_ns: int

    @property
    def content(self) -> str:
        """What tells this content of the file from another."""
        return f"{self.size}-{self.mtime_ns}"

    @property
    def written_at(self) -> datetime:
        """When it was changed last, UTC."""
        return _EPOCH + timedelta(microseconds=min(max(self.mtime_ns, 0), _LAST_NS) // 1000)


@dataclass(slots=True)
class Look:
    """What one look found. Names are relative to the root, with ``/`` between the parts.

    Attributes
    ----------
    files
        Raw files by key.
    refused
        Names that cannot be used, with the reason. A name that is not UTF-8 holds surrogates, as `os.fsdecode` makes them.
    gone
        Of the paths asked for or names known, those where nothing is.
    folders
        Of the paths asked for, those that are directories.
    unread
        Directories that could not be read, with the reason.
    """

    files: dict[str, Seen] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)


def look_everywhere(root: Path, known: Collection[str] = ()) -> Look:
    """Look through the whole directory; of the names known before, those that are there no more are gone.

    Raises
    ------
    NotAvailable
        If it is not there.
    """
    look = Look()
    if not os.path.isdir(root):  # noqa: PTH112 -- Path.is_dir raises where a mount is stale
        missing = f"the directory {root} is not there"
        raise NotAvailable(missing)
    _walk(root, "", look)
    look.gone = {
        name for name in set(known) - look.files.keys() - look.refused.keys() if not os.path.lexists(root / name)
    }
    return look


def look_at(root: Path, paths: Iterable[str]) -> Look:
    """Look at some paths below the root, and below those that are directories."""
    look = Look()
    real_root = os.path.realpath(root)
    for path in paths:
        name = os.path.relpath(path, root)
        if name.startswith("..") or any(map(passed_over, name.split("/"))):
            continue
        if os.path.realpath(root / Path(name).parent) != os.path.normpath(f"{real_root}/{Path(name).parent}"):
            continue  # it came through a link to a directory: it is found where it really is, or is none of ours
        _look_at_one(root, name, look)
    return look


def look_again(root: Path, key: str) -> Seen | None:
    """Look at a file seen before; None when it is gone."""
    look = Look()
    _see(root, key, look)
    return look.files.get(key)


def is_announced(key: str) -> bool:
    """Tell whether a key is that of a raw file, in no place that is passed over."""
    return is_raw_name(key) and not any(map(passed_over, key.split("/")))


def passed_over(name: str) -> bool:
    """Tell whether a file or directory is not looked at: hidden, or by its name not finished."""
    return (name.startswith(".") and name != ".") or name.endswith((".tmp", ".part"))


def _look_at_one(root: Path, name: str, look: Look) -> None:
    path = root / name
    if not os.path.lexists(path):
        look.gone.add(name)
    elif os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 -- these do not raise
        look.folders.add(name)
        _walk(root, "" if name == "." else name, look)
    else:
        _see(root, name, look)


def _walk(root: Path, top: str, look: Look) -> None:
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if passed_over(entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(name)
                    elif entry.is_symlink() or is_raw_name(entry.name):
                        _see(root, name, look)
        except (FileNotFoundError, NotADirectoryError):
            continue  # it went while we looked
        except OSError as error:
            look.unread[folder or "."] = error.strerror or str(error)


def _see(root: Path, name: str, look: Look) -> None:
    try:
        seen = _seen(root, name)
    except BadName as error:
        look.refused[name] = str(error)
    except OSError:
        return  # it went while we looked, or is a link to nothing
    else:
        if seen is not None:
            look.files[name] = seen


def _seen(root: Path, name: str) -> Seen | None:
    """See one file. A link to a directory or a raw inside is passed over: both are found where they are."""
    path, raw = root / name, is_raw_name(name)
    if path.is_symlink():
        inside = _inside(root, path)
        if inside is None and (raw or path.is_dir()):
            raise BadName("a link leads out of the directory", subject=_shown(name), expected=f"a place below {root}")
        if inside is not None and _is_looked_at(inside):
            return None
    if not raw:
        return None
    check_key(name)
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        raise BadName("not a file", subject=_shown(name), expected="a regular file", found="a device, pipe or socket")
    return Seen(name, status.st_size, status.st_mtime_ns)


def _inside(root: Path, path: Path) -> Path | None:
    """Find where in the directory a link leads; None when it leads out."""
    real_root, real = os.path.realpath(root), Path(os.path.realpath(path))
    return real.relative_to(real_root) if real.is_relative_to(real_root) else None


def _is_looked_at(name: Path) -> bool:
    """Tell whether this is a raw that is found under its own name: none that is hidden, or kept under a hash."""
    return is_announced(name.as_posix())


def _shown(name: str) -> str:
    return name if name.isprintable() else repr(name)
