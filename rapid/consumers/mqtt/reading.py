"""One life of an MQTT source: connect, read, hand over, acknowledge, and begin anew when the broker went away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import aiomqtt
import structlog

from rapid import metrics
from rapid.consumers.batches import Handover
from rapid.consumers.decoders import Decoded, Message
from rapid.consumers.mqtt.acknowledging import Acknowledging
from rapid.consumers.mqtt.session import Session, connected
from rapid.consumers.sorting import Said
from rapid.errors import AccessDenied, NotAvailable
from rapid.events import FileArrived

if TYPE_CHECKING:
    from rapid.consumers.mqtt.source import MqttSource

__all__ = ["Reading", "message_of"]

_log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Between two attempts to connect [s]."""
STEADY = 60.0
"""A connection that held so long [s] was a good one: the pauses begin anew."""
HOLD_BACK: Final = 2.0
"""When a message that could not be decoded yet is looked at again [s]."""


class Reading:
    """What a source knows between being opened and being closed.

    Parameters
    ----------
    source
        Whose life it is.
    """

    def __init__(self, source: MqttSource) -> None:
        self.handover = Handover()
        self._source = source
        self._pause = FIRST_PAUSE
        self._known = False

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            begun = time.monotonic()
            try:
                await self._read_until_it_fails()
            except* (AccessDenied, NotAvailable) as errors:
                self._complain(errors)
            if time.monotonic() - begun > STEADY:
                self._pause = FIRST_PAUSE
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _complain(self, errors: BaseExceptionGroup[AccessDenied | NotAvailable]) -> None:
        """Say why the connection ended: a broker that is away, or that does not let us in."""
        why = "; ".join(dict.fromkeys(map(str, _leaves(errors))))
        metrics.BUS_CONNECTED.labels(source=self._source.name).set(0)
        self._source.looked(why)
        _log.warning("no messages from MQTT, trying again", why=why, pause=self._pause)

    async def _read_until_it_fails(self) -> None:
        source = self._source
        async with connected(source.connection, source.subscription) as session, asyncio.TaskGroup() as group:
            self._greet(session)
            group.create_task(self._watch(session))
            group.create_task(self._read(session))

    def _greet(self, session: Session) -> None:
        """Note that we are connected, and whether the broker forgot us since it met us in this life."""
        facts = {"server": self._source.connection.server, "session": self._source.subscription.identifier}
        if self._known and not session.kept:
            _log.error("the broker did not keep our session, what was announced meanwhile is lost on this bus", **facts)
        _log.info("connected to MQTT", **facts, kept=session.kept)
        self._known = True

    async def _watch(self, session: Session) -> None:
        """Look now and then whether the broker is there, also while nobody takes a batch."""
        while session.alive:
            metrics.BUS_CONNECTED.labels(source=self._source.name).set(1)
            self._source.looked("")
            await asyncio.sleep(self._source.inspection.total_seconds())
        raise NotAvailable(f"the connection to MQTT at {self._source.connection.server} ended")

    async def _read(self, session: Session) -> None:
        acknowledging = Acknowledging(session.acknowledge)
        while True:
            messages = await session.take(self._source.batch_size)
            said = await self._understand(messages)
            for event in said.events:
                self._source.heard(event)
            batch = acknowledging.batch(said.items, [message.mid for message in messages if message.qos])
            if batch.items or said.events:
                await self.handover.give(batch)
            else:
                await batch.settle()

    async def _understand(self, messages: Sequence[aiomqtt.Message]) -> Said:
        """Decode messages, in order."""
        source, said = self._source, Said()
        for message in messages:
            decoded = await self._decode(message)
            said.add(decoded, source=source.name, live_window=source.live_window)
        metrics.BUS_LAST_MESSAGE.labels(source=source.name).set(time.time())
        return said

    async def _decode(self, message: aiomqtt.Message) -> Sequence[Decoded]:
        """Decode a message. While that cannot be done those behind it wait, for there is one order only."""
        while True:
            try:
                decoded = await self._source.decode(message_of(message))
            except NotAvailable as error:
                _log.warning("a message is held back", topic=str(message.topic), why=str(error))
                await asyncio.sleep(HOLD_BACK)
            else:
                return [_aged(value) for value in decoded] if message.retain else decoded


def message_of(message: aiomqtt.Message) -> Message:
    """Turn a message of the library into what decoders take; MQTT does not say when it was sent."""
    attached = getattr(message.properties, "UserProperty", ())
    headers = tuple((name, value.encode()) for name, value in attached)
    return Message(topic=str(message.topic), value=bytes(message.payload), headers=headers)


def _aged(value: Decoded) -> Decoded:
    """Take what the broker had retained for what it is: said some time ago."""
    return replace(value, live=False) if isinstance(value, FileArrived) else value


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
