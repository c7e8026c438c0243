"""A message as a bus delivers it, and what a decoder needs to know besides its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rapid.consumers.decoders.archive import ANY_ARCHIVE, ArchivePlace
from rapid.errors import BadMessage
from rapid.events import Event, Ignored, Origin, Rejected, Why

__all__ = ["Decoded", "Message", "Receipt"]

Decoded = Event | Ignored | Rejected
"""What one announcement of a message becomes."""

_REASON_LIMIT = 600


@dataclass(frozen=True, slots=True)
class Message:
    """One message, whatever bus it came over.

    Attributes
    ----------
    topic
        Where it was published.
    value
        Its bytes; None or empty is a tombstone.
    partition, offset
        Its place in the topic; None over MQTT.
    key
        What it was partitioned by.
    timestamp
        When the broker or the sender says it was sent, UTC.
    headers
        Whatever the sender attached.
    """

    topic: str
    value: bytes | None
    partition: int | None = None
    offset: int | None = None
    key: bytes | None = None
    timestamp: datetime | None = None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def origin(self) -> Origin:
        """Where it lay."""
        return Origin(self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message together with who took it, when (UTC), and for which archive."""

    message: Message
    source: str
    seen_at: datetime
    archive: ArchivePlace = ANY_ARCHIVE

    @property
    def sent_at(self) -> datetime:
        """When the message was sent, as far as the bus knows; otherwise when it was seen."""
        return self.message.timestamp or self.seen_at

    def reject(self, error: BadMessage | str, part: str = "") -> Rejected:
        """Make a dead letter of the whole message; `part` says which part of it cannot be used."""
        origin = self.message.origin
        subject = f"{origin} {part}" if part else str(origin)
        return Rejected(
            self.source, subject, _plain(str(error)), self.seen_at, body=self.message.value or b"", origin=origin
        )

    def ignore(self, why: Why, subject: str) -> Ignored:
        """Pass over an announcement."""
        return Ignored(self.source, _plain(subject), why)


def _plain(text: str) -> str:
    """Cut what a stranger wrote to a length, and to what any terminal and database takes."""
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= _REASON_LIMIT else shown[: _REASON_LIMIT - 3] + "..."
