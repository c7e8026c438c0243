"""Raw files that can be read, and what came in and cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rapid.events.keys import NameFacts

__all__ = ["FileArrived", "FileRemoved", "Ignored", "Origin", "Rejected", "Why"]


@dataclass(frozen=True, slots=True)
class FileArrived:
    """A raw file can be read.

    Attributes
    ----------
    key
        Its place in the archive, relative, with ``/`` between the parts; checked by `check_key`.
    content
        What tells one content of the key from another: the store's etag, or size and modification time.
    size
        Bytes.
    written_at
        When the file was complete, UTC.
    seen_at
        When the source noticed it, UTC.
    source
        Who said so: ``directory``, ``replay``, ``kafka`` ...
    live
        False for what a catch-up or a replay brings: it goes to the backlog lane.
    facts
        What the name says; None for a name that is not one of the observatory's.
    """

    key: str
    content: str
    size: int
    written_at: datetime
    seen_at: datetime
    source: str
    live: bool
    facts: NameFacts | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where on a bus a message lay; a bus without partitions and offsets (MQTT) has only its topic."""

    topic: str
    partition: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        if self.partition is None or self.offset is None:
            return self.topic
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that came in and cannot be used: it is kept as a dead letter.

    ``subject`` names it, ``body`` is all of it that there is, ``reason`` says what was expected and found; ``origin`` is
    where on a bus it lay, None for what did not come over one.
    """

    source: str
    subject: str
    reason: str
    seen_at: datetime
    body: bytes = b""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class FileRemoved:
    """An object of the archive was removed; its results stay."""

    key: str
    seen_at: datetime
    source: str
    facts: NameFacts | None


class Why(StrEnum):
    """Why an announcement is passed over; a closed set, so that it can be counted by label."""

    TOMBSTONE = "tombstone"
    """A message without a value."""
    TEST = "test event"
    """A store tells that its notifications work."""
    EVENT = "unknown event"
    """A document, or an event of a component, that says nothing about exposures here."""
    OBJECT = "not a raw file"
    """An object of the archive that is no raw file, as a header sidecar."""
    ARCHIVE = "another archive"
    """An object of a bucket, or below a prefix, that is not the configured archive."""
    INSTRUMENT = "unknown instrument"
    """An exposure or visit of no camera known here, or of none at all."""
    LATEST = "latest"
    """The retained copy for newcomers of what was announced before: never work."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An announcement that is in order and asks for nothing: counted, and forgotten."""

    source: str
    subject: str
    why: Why
