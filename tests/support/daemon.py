"""The service as a user starts it: a process of its own, killed and restarted by tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

__all__ = ["Daemon", "daemon", "rapid", "start"]

_ROOT = Path(__file__).resolve().parent.parent.parent

START = 120.0
"""Longest a start may take [s]: the first one on a machine compiles the core."""


def rapid(
    *words: str | Path, check: bool = True, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "rapid", *map(str, words)],
        check=check,
        capture_output=True,
        text=True,
        timeout=600,
        env=_environment(env),
    )


def start(*words: str | Path) -> subprocess.Popen[str]:
    """Start a command; its output is to be read by the caller."""
    return subprocess.Popen(
        [sys.executable, "-m", "rapid", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(),
        start_new_session=True,
    )


@contextmanager
def daemon(archive: Path, state: Path, *words: str, ready: bool = True) -> Iterator[Daemon]:
    """Run `rapid run`; whatever is left of it is killed at the end."""
    service = Daemon(archive, state, *words)
    try:
        if ready:
            service.wait_ready()
        yield service
    finally:
        service.kill()


class Daemon:
    """One life of the service."""

    def __init__(self, archive: Path, state: Path, *words: str) -> None:
        self.lines: list[str] = []
        self.url = ""
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rapid", "run", str(archive), "--state", str(state), "--port", "0", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_ready(self) -> None:
        """Wait until the page answers."""
        if not self._ready.wait(START) or not self.url:
            raise AssertionError("the service did not come up:\n" + "".join(self.lines[-40:]))

    def get(self, path: str) -> Any:
        """Fetch JSON from the page."""
        with urlopen(self.url + path.lstrip("/"), timeout=10) as answer:
            return json.load(answer)

    def text(self, path: str) -> str:
        """Fetch text from the page."""
        with urlopen(self.url + path.lstrip("/"), timeout=10) as answer:
            return str(answer.read().decode())

    def wait(self, what: Callable[[Daemon], bool], seconds: float = 120.0) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not what(self):
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"it never came to be; counts: {self.counts()}\n" + "".join(self.lines[-40:]))
            time.sleep(0.05)

    def counts(self) -> dict[str, int]:
        """Counts of arrivals by state."""
        found: dict[str, int] = self.get("api/v1/status")
        return found

    def wait_settled(self, received: int, seconds: float = 240.0) -> dict[str, int]:
        """Wait until so many arrivals were received and none is left to do."""

        def settled(service: Daemon) -> bool:
            counts = service.counts()
            return counts["received"] >= received and counts["waiting"] == counts["running"] == 0

        self.wait(settled, seconds)
        return self.counts()

    def terminate(self) -> int:
        """Ask it to end, as systemd does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._reader.join(10)
        return code

    def kill(self) -> None:
        """End it without a word."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self._reader.join(10)
        if self.process.stderr:
            self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("page: "):
                self.url = line.split()[1]
                self._ready.set()
        self._ready.set()


def _environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAPID_")}
    return kept | {"PYTHONPATH": str(_ROOT), "COLUMNS": "200", "NO_COLOR": "1"} | dict(more or {})
