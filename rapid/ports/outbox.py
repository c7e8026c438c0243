"""What is said to other systems, and how far each of them was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from rapid.ports.entries import DeadLetter, FeedEvent
from rapid.ports.work import JsonValue

__all__ = ["Bulletin", "Outbox", "Place"]


@dataclass(frozen=True, slots=True)
class Bulletin:
    """Something to be told that is no row of a night table: ``kind`` is ``alert`` or ``verdict``.

    ``subject`` is its name, the same however often it is posted; the body is what is told.
    """

    id: int
    at: datetime
    kind: str
    subject: str
    body: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader has come: the last id it is done with, in each of the three logs."""

    feed: int = 0
    dead_letters: int = 0
    bulletins: int = 0


class Outbox(Protocol):
    """The append-only logs of a ledger (feed, dead letters, bulletins), and the places of those who read them for good."""

    @property
    def lease(self) -> timedelta | None:
        """How long a service that is not heard of keeps its places; None where no other one can work on this ledger."""
        ...

    async def feed(self, after: int, *, limit: int = 500) -> Sequence[FeedEvent]:
        """Read the feed after an id, in order."""
        ...

    async def last_feed_id(self) -> int:
        """Newest id of the feed, 0 for an empty one."""
        ...

    async def wait_feed(self, after: int, *, timeout: float) -> bool:
        """Return True as soon as the feed has something after this id; False on time-out [s]."""
        ...

    async def columns(self, camera: str) -> Mapping[str, Mapping[str, str]]:
        """Describe all columns that the rows of a camera ever had."""
        ...

    async def dead_letters_after(self, after: int, *, limit: int = 500) -> Sequence[DeadLetter]:
        """Read the dead letters after an id, in order, whatever became of them."""
        ...

    async def bulletins(self, after: int, *, limit: int = 500) -> Sequence[Bulletin]:
        """Read the bulletins after an id, in order."""
        ...

    async def post(self, kind: Literal["alert", "verdict"], subject: str, body: Mapping[str, JsonValue]) -> bool:
        """Write a bulletin down, durably; False, and nothing is changed, when one of this kind and subject is there."""
        ...

    async def take_place(self, reader: str, *, start: Literal["latest", "earliest"] = "latest") -> Place | None:
        """Go on where a reader of this name stopped, and hold its place for a `lease`.

        One that is new begins behind what is there now (``latest``) or before it (``earliest``), and that is written
        down. None while another service holds the place.
        """
        ...

    async def move_on(self, reader: str, place: Place) -> bool:
        """Remember how far a reader has come; False, and nothing is changed, if another service has its place by now."""
        ...

    async def leave_place(self, reader: str) -> None:
        """Let another service have the place of a reader, if it is ours."""
        ...
