"""From a message to values: what it is, is told by its bytes first and by its topic second."""

from __future__ import annotations

from collections.abc import Mapping

from rapid.consumers.decoders.announced import decode_announced, is_latest
from rapid.consumers.decoders.documents import read_object
from rapid.consumers.decoders.message import Decoded, Message, Receipt
from rapid.consumers.decoders.s3 import decode_s3, is_test_event
from rapid.consumers.decoders.sal import SalTopic, decode_sal, decode_visit, is_heard, is_visit_copy, sal_topic
from rapid.consumers.decoders.sensors import expected_sensors, is_expected_sensors
from rapid.consumers.decoders.wire import RecordSchema, framed_schema_id, is_framed, payload_of
from rapid.errors import BadMessage, BadName
from rapid.events import Why

__all__ = ["MESSAGE_LIMIT", "decode", "needs_schema"]

MESSAGE_LIMIT = 8 << 20
"""Longest message that is looked into [bytes]: eight times what a Kafka broker takes unless told otherwise."""

_STORE_TOPIC = "lsst.s3."


def decode(receipt: Receipt, schema: RecordSchema | None = None) -> tuple[Decoded, ...]:
    """Decode a message. It never fails: what cannot be decoded is `rapid.events.Rejected`, with all its bytes.

    Parameters
    ----------
    receipt
        The message, who took it and when.
    schema
        What a message in the Confluent wire format was written with; it is looked at for no other message.

    Returns
    -------
    tuple
        At least one value: a store may tell of several objects at once.
    """
    value = receipt.message.value
    if not value:
        return (receipt.ignore(Why.TOMBSTONE, str(receipt.message.origin)),)
    if len(value) > MESSAGE_LIMIT:
        error = BadMessage("the message is too long", expected=f"{MESSAGE_LIMIT} bytes or less", found=str(len(value)))
        return (receipt.reject(error),)
    if is_latest(receipt.message.topic):
        return (receipt.ignore(Why.LATEST, receipt.message.topic),)
    try:
        return (_framed(value, receipt, schema),) if _is_avro(value, receipt.message.topic) else _json(value, receipt)
    except (BadMessage, BadName) as error:
        return (receipt.reject(str(error)),)


def needs_schema(message: Message) -> bool:
    """Tell whether decoding a message would look at its schema.

    What nobody listens to is not asked about, and neither is rubbish among the notifications of a store: while the
    registry is away, neither must hold back what comes after it.
    """
    value = message.value or b""
    if len(value) > MESSAGE_LIMIT or not _is_avro(value, message.topic):
        return False
    topic = sal_topic(message.topic)
    return topic is None or is_heard(topic)


def _is_avro(value: bytes, topic: str) -> bool:
    return is_framed(value) and not topic.startswith(_STORE_TOPIC)


def _framed(value: bytes, receipt: Receipt, schema: RecordSchema | None) -> Decoded:
    schema_id = framed_schema_id(value)
    topic = sal_topic(receipt.message.topic)
    if topic is not None and not is_heard(topic):
        return receipt.ignore(Why.EVENT, str(topic))
    if schema is None:
        raise BadMessage("no schema registry to ask for the schema of this message", subject=f"schema {schema_id}")
    described = sal_topic(schema.name)
    if described is None and topic is None:
        return receipt.ignore(Why.EVENT, schema.name)
    if described is None or (topic is not None and topic != described):
        expected, found = str(topic), str(described or schema.name)
        raise BadMessage(
            "the schema is that of another event", subject=f"schema {schema_id}", expected=expected, found=found
        )
    return decode_sal(described, schema.read(payload_of(value)), receipt)


def _json(value: bytes, receipt: Receipt) -> tuple[Decoded, ...]:
    topic = sal_topic(receipt.message.topic)
    if topic is None:
        notified = decode_s3(receipt)  # the many come first, and are read only once
        if notified is not None:
            return notified
    return (_document(read_object(value), topic, receipt),)


def _document(fields: Mapping[str, object], topic: SalTopic | None, receipt: Receipt) -> Decoded:
    if topic is not None:
        return decode_sal(topic, _bare(fields), receipt)
    if "schema" in fields:
        return decode_announced(fields, receipt)
    if is_expected_sensors(fields):
        return expected_sensors(fields, source=receipt.source)
    if is_visit_copy(fields):
        return decode_visit(fields, receipt)
    if is_test_event(fields):
        return receipt.ignore(Why.TEST, receipt.message.topic)
    if receipt.message.topic.startswith(_STORE_TOPIC):
        raise BadMessage("not a notification of an object store", expected="Records")
    return receipt.ignore(Why.EVENT, receipt.message.topic)


def _bare(fields: Mapping[str, object]) -> Mapping[str, object]:
    """Take an event out of the envelope (``id``, ``message``) that Rubin's Avro readers put around it."""
    inner = fields.get("message")
    return inner if fields.keys() == {"id", "message"} and isinstance(inner, dict) else fields
