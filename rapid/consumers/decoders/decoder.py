"""Decoding with the schema registry and the archive at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from rapid.consumers.decoders.archive import ANY_ARCHIVE, ArchivePlace
from rapid.consumers.decoders.dispatch import decode, needs_schema
from rapid.consumers.decoders.message import Decoded, Message, Receipt
from rapid.consumers.decoders.s3 import lacks_etag
from rapid.consumers.decoders.wire import RecordSchema, framed_schema_id
from rapid.errors import BadMessage, BadName, NotAvailable
from rapid.events import FileArrived, Rejected
from rapid.ports import StoredObject

__all__ = ["Decoder", "Look", "Schemas"]


class Schemas(Protocol):
    """Who knows schemas by their ids."""

    async def schema(self, schema_id: int) -> RecordSchema:
        """Return a schema; raises `NotAvailable` (not now) or `BadMessage` (never)."""
        ...

    def doubt(self, schema_id: int) -> None:
        """Hear that what was written with a schema does not fit it."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


Look = Callable[[str], Awaitable[StoredObject]]
"""Looks at an object of the archive, as `rapid.ports.Store.head` does."""


class Decoder:
    """Decodes the messages of one source.

    The same file is the same content, whoever tells of it: an announcement without an etag, or from a bus that tags contents
    in another way than the archive does, takes its tag from the archive. When the archive does not have it, or does not
    answer, the announcement is passed on as it is; the look that the work begins with will tell.

    Parameters
    ----------
    source
        Its name.
    archive
        Which objects are of the archive.
    schemas
        The schema registry; without one, a message in the Confluent wire format is a dead letter.
    look
        How an object of the archive is looked at.
    look_always
        Whether to look at every file: where announcements are tagged by a store and the archive is a directory.
    patience
        Longest that a look may take.
    clock
        Tells the time, UTC.
    """

    def __init__(
        self,
        source: str,
        *,
        archive: ArchivePlace = ANY_ARCHIVE,
        schemas: Schemas | None = None,
        look: Look | None = None,
        look_always: bool = False,
        patience: timedelta = timedelta(seconds=5),
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._source, self._archive, self._schemas, self._clock = source, archive, schemas, clock
        self._look, self._look_always, self._patience = look, look_always, patience.total_seconds()

    async def decode(self, message: Message) -> tuple[Decoded, ...]:
        """Decode a message into one value or more; what cannot be decoded is `rapid.events.Rejected`.

        Raises
        ------
        NotAvailable
            If the schema registry is away: nothing is wrong with the message, hold it back and come again.
        """
        receipt = Receipt(message, self._source, self._clock(), self._archive)
        if self._schemas is None or not needs_schema(message):
            return await self._looked_at(decode(receipt))
        try:
            schema_id = framed_schema_id(message.value or b"")
            schema = await self._schemas.schema(schema_id)
        except BadMessage as error:
            return (receipt.reject(error),)
        decoded = decode(receipt, schema)
        if any(isinstance(item, Rejected) for item in decoded):
            self._schemas.doubt(schema_id)
        return decoded

    async def _looked_at(self, decoded: tuple[Decoded, ...]) -> tuple[Decoded, ...]:
        if self._look is None:
            return decoded
        return tuple([await self._tagged(value, self._look) for value in decoded])

    async def _tagged(self, value: Decoded, look: Look) -> Decoded:
        if not isinstance(value, FileArrived) or not (self._look_always or lacks_etag(value)):
            return value
        try:
            async with asyncio.timeout(self._patience):
                found = await look(value.key)
        except (NotAvailable, BadName, TimeoutError):
            return value
        return replace(value, content=found.etag, size=found.size) if found.etag else value
