"""The ear: a thread that hears from the kernel what changes below a directory, or else asks for a look now and then.

It never dies of what happens to the directory. Where it might have missed something (it has just begun, the directory
was exchanged under it, the kernel's queue or its number of watches did not suffice, a name could not be read) it asks
for a look everywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog
from watchfiles import watch

__all__ = ["Ear"]

_log = structlog.get_logger(__name__)

STEP = timedelta(milliseconds=25)
"""How often the thread collects what the kernel said: the latency it adds, paid with 40 idle wakes a second."""
GATHER = timedelta(milliseconds=100)
"""Changes that follow one another are handed on together, but not later than this."""
TICK = timedelta(milliseconds=500)
"""How often the ear makes sure that it still listens to the directory that is there now."""
PAUSE = timedelta(seconds=1)
"""Between two attempts to listen, and two looks where nothing can be heard."""


class Ear:
    """Listens to a directory until it is stopped.

    Parameters
    ----------
    root
        The directory; it need not be there yet.
    heard
        Called in the thread of the ear: with paths that changed, or None for "look everywhere".
    polling
        Do not ask the kernel, which hears nothing of other machines on a network file system.
    """

    def __init__(self, root: Path, heard: Callable[[set[str] | None], object], *, polling: bool) -> None:
        self._root, self._heard, self._polling = root, heard, polling
        self._stop = threading.Event()
        self._complaint = ""
        self._thread = threading.Thread(target=self._run, name="directory-ear", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Stop, wait for the thread, and tell whether it ended within the time [s]."""
        self._stop.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._polling and _identity(self._root) is not None:
                self._listen()
            self._stop.wait(PAUSE.total_seconds())
            if not self._stop.is_set():
                self._heard(None)

    def _listen(self) -> None:
        try:
            self._watch(_identity(self._root))
        except (OSError, RuntimeError) as error:
            # watchfiles raises its own RuntimeError for a name that is not UTF-8
            if str(error) != self._complaint:
                _log.warning("cannot hear what changes, looking instead", root=str(self._root), error=str(error))
            self._complaint = str(error)

    def _watch(self, identity: tuple[int, int] | None) -> None:
        """Hand on what changes until stopped or until the directory is another one."""
        begun = False
        for changes in watch(
            self._root,
            watch_filter=None,
            step=_milliseconds(STEP),
            debounce=_milliseconds(GATHER),
            rust_timeout=_milliseconds(TICK),
            yield_on_timeout=True,
            stop_event=self._stop,
            force_polling=False,
            ignore_permission_denied=True,
        ):
            if not begun:
                self._heard(None)  # between the first look and this moment nobody listened
                begun, self._complaint = True, ""
            if changes:
                self._heard({path for _, path in changes})
            if _identity(self._root) != identity:
                return


def _identity(root: Path) -> tuple[int, int] | None:
    try:
        status = root.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _milliseconds(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))
