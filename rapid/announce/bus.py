"""What is published, and where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Announcement", "Bus", "Publish"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """One message, whatever bus it goes over.

    Attributes
    ----------
    schema
        The name of its contract; empty for one that is not ours.
    id
        The same for the same announcement, however often it is sent: by it a receiver drops doubles.
    key
        What is told in order: the exposure.
    route
        The levels of its MQTT topic below the root.
    body
        JSON.
    latest
        The levels of a retained MQTT topic that holds the newest one for newcomers; empty for none.
    """

    schema: str
    id: str
    key: str
    route: tuple[str, ...]
    body: bytes
    latest: tuple[str, ...] = ()


Publish = Callable[[Sequence[Announcement]], Awaitable[None]]
"""Publishes in order and returns when the broker has all of it; with nothing to publish, looks whether it is there.

Raises `rapid.errors.NotAvailable` or `rapid.errors.AccessDenied`; nobody knows then which of them arrived, and all are
published again.
"""


class Bus(Protocol):
    """A bus that can be published on."""

    name: str

    def opened(self) -> AbstractAsyncContextManager[Publish]:
        """Connect; leaving the context disconnects. Raises as `Publish`."""
        ...
