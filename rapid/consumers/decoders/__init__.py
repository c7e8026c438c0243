"""What the bus says, as values: pure functions from the bytes of a message to events, dead letters, or nothing to do.

`decode` needs nothing but the message; `Decoder` also asks a schema registry (`rapid.consumers.decoders.registry`, which
needs the extra ``kafka``) for the schemas of Avro messages.
"""

from rapid.consumers.decoders.archive import ANY_ARCHIVE, ArchivePlace
from rapid.consumers.decoders.decoder import Decoder, Schemas
from rapid.consumers.decoders.dispatch import MESSAGE_LIMIT, decode
from rapid.consumers.decoders.message import Decoded, Message, Receipt
from rapid.consumers.decoders.s3 import lacks_etag
from rapid.consumers.decoders.sensors import expected_sensors

__all__ = [
    "ANY_ARCHIVE",
    "MESSAGE_LIMIT",
    "ArchivePlace",
    "Decoded",
    "Decoder",
    "Message",
    "Receipt",
    "Schemas",
    "decode",
    "expected_sensors",
    "lacks_etag",
]
