"""Decoding with the schema registry at hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from rapid.consumers.decoders.archive import ANY_ARCHIVE, ArchivePlace
from rapid.consumers.decoders.dispatch import decode, needs_schema
from rapid.consumers.decoders.message import Decoded, Message, Receipt
from rapid.consumers.decoders.wire import RecordSchema, framed_schema_id
from rapid.errors import BadMessage
from rapid.events import Rejected

__all__ = ["Decoder", "Schemas"]


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


class Decoder:
    """Decodes the messages of one source.

    Parameters
    ----------
    source
        Its name.
    archive
        Which objects are of the archive.
    schemas
        The schema registry; without one, a message in the Confluent wire format is a dead letter.
    clock
        Tells the time, UTC.
    """

    def __init__(
        self,
        source: str,
        *,
        archive: ArchivePlace = ANY_ARCHIVE,
        schemas: Schemas | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._source, self._archive, self._schemas, self._clock = source, archive, schemas, clock

    async def decode(self, message: Message) -> tuple[Decoded, ...]:
        """Decode a message into one value or more; what cannot be decoded is `rapid.events.Rejected`.

        Raises
        ------
        NotAvailable
            If the schema registry is away: nothing is wrong with the message, hold it back and come again.
        """
        receipt = Receipt(message, self._source, self._clock(), self._archive)
        if self._schemas is None or not needs_schema(message):
            return decode(receipt)
        try:
            schema_id = framed_schema_id(message.value or b"")
            schema = await self._schemas.schema(schema_id)
        except BadMessage as error:
            return (receipt.reject(error),)
        decoded = decode(receipt, schema)
        if any(isinstance(item, Rejected) for item in decoded):
            self._schemas.doubt(schema_id)
        return decoded
