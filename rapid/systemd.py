"""The few words that systemd understands, sent over its notification socket.

The protocol is one datagram of ``KEY=value`` lines to the address in ``NOTIFY_SOCKET``; see ``sd_notify(3)``.
Outside of systemd there is no such address and everything here does nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from rapid.errors import ConfigError

__all__ = ["Notifier", "keep_watchdog", "watchdog_interval"]


@dataclass(frozen=True, slots=True)
class Notifier:
    """Says how the service is, to the systemd that started it.

    Every method returns whether the message went out. One that did not is no error: a service must not end because
    the one who watches it is busy or gone.

    Parameters
    ----------
    address
        A path, or ``@name`` for a socket in the abstract namespace; empty when nobody listens.
    """

    address: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Take the address from ``NOTIFY_SOCKET``.

        Raises
        ------
        ConfigError
            If it is neither a path nor an abstract name.
        """
        address = environ.get("NOTIFY_SOCKET", "")
        if address and address[0] not in "/@":
            message = f"NOTIFY_SOCKET: expected a path or @name; found {address!r}"
            raise ConfigError(message)
        return cls(address)

    def ready(self, status: str = "") -> bool:
        """Say that the start is over."""
        return self._send("READY=1", *_status(status))

    def status(self, text: str) -> bool:
        """Show one line of text in ``systemctl status``."""
        return self._send(*_status(text))

    def watchdog(self) -> bool:
        """Put the watchdog off for one more interval."""
        return self._send("WATCHDOG=1")

    def stopping(self, status: str = "") -> bool:
        """Say that the end has begun and the rest may take its time."""
        return self._send("STOPPING=1", *_status(status))

    def _send(self, *lines: str) -> bool:
        if not self.address or not lines:
            return False
        # a leading NUL byte is what makes a name abstract, @ is only how it is written down
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as out:
            try:
                out.sendto("\n".join(lines).encode(), address)
            except OSError:
                return False
        return True


def watchdog_interval(environ: Mapping[str, str] = os.environ, *, pid: int | None = None) -> timedelta | None:
    """Return how often to call `Notifier.watchdog`: half of what systemd allows. None when it does not watch us.

    Parameters
    ----------
    pid
        Our process id, unless it is the real one.

    Raises
    ------
    ConfigError
        If ``WATCHDOG_USEC`` is not a positive whole number of microseconds.
    """
    allowed, whom = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not allowed or (whom and whom != str(os.getpid() if pid is None else pid)):
        return None
    if not (allowed.isascii() and allowed.isdigit()) or int(allowed) == 0:
        message = f"WATCHDOG_USEC: expected a positive number of microseconds; found {allowed!r}"
        raise ConfigError(message)
    return timedelta(microseconds=int(allowed)) / 2


async def keep_watchdog(notifier: Notifier, alive: Callable[[], bool], *, every: timedelta) -> None:
    """Put the watchdog off for as long as the service is alive; runs until cancelled.

    Once `alive` says no, systemd hears nothing and restarts the service when its interval is over, unless the
    service comes back before.
    """
    while True:
        if alive():
            notifier.watchdog()
        await asyncio.sleep(every.total_seconds())


def _status(text: str) -> tuple[str, ...]:
    """Write a status as one line: a line break would begin another key."""
    return (f"STATUS={' '.join(text.split())}",) if text.strip() else ()
