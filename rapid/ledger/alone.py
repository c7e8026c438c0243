"""One service to a ledger: the lock beside a database that is one service's own, and whether somebody holds it.

The system lets the lock go when its process ends, however it ends: after a ``kill -9`` nobody holds it.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import TextIO

from rapid.ledger.databases import is_shared

__all__ = ["beside_database", "is_served", "lock"]

_TRIES = 5
_PAUSE = 0.02
"""Between two tries [s]: whoever only looks, see `is_served`, holds the lock for some microseconds."""


def beside_database(url: str, suffix: str) -> Path:
    """Name a file that goes with the SQLite database of this address, such as its ``lock``."""
    return Path(url.removeprefix("sqlite:///")).with_suffix(f".{suffix}")


def lock(file: TextIO) -> None:
    """Hold a lock until the file is closed, and write into it who does.

    Raises
    ------
    BlockingIOError
        If another process holds it.
    """
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_PAUSE)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()


def is_served(url: str) -> bool | None:
    """Tell whether a service works on the ledger of this address; nothing is written.

    None where the lock does not tell: a shared ledger has leases instead, and a lock may be forbidden to read.

    Raises
    ------
    ConfigError
        If no ledger is kept there.
    """
    if is_shared(url):
        return None
    try:
        with beside_database(url, "lock").open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return False
