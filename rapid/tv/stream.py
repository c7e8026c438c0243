"""The feed as server-sent events: a browser that lost its connection resumes where it stopped.

Every event carries its feed id; a client that comes back with ``Last-Event-ID`` gets exactly what it missed. An id
that the feed has not reached (the ledger was replaced) or that is no id is answered by ``event: reset``, and the
client fetches the table anew. A stream holds one page of the feed at most: a slow client reads later, it is not
queued for. ``event: beat`` comes whenever nothing else did, so that a page can tell silence from a dead line.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from rapid.errors import LedgerError
from rapid.log import logger
from rapid.ports import FeedEvent, Ledger
from rapid.tv.documents import json_bytes

__all__ = ["EventStream", "FeedWatch", "feed_blocks"]

log = logger(__name__)

HEARTBEAT = 5.0
"""Seconds of silence after which a beat is sent: a page calls a line dead after three of them."""

PAGE = 200
"""Events read at once, for a client that has much to catch up with."""

RETRY = 1000
"""What a browser is told to wait before it connects again [ms]."""

SEND_TIMEOUT = 60.0
"""Seconds a client may leave a full socket unread before it is let go; it resumes when it comes back."""

WATCH = 30.0
"""Longest single wait on the ledger [s]."""

_ID = re.compile(r"[0-9]{1,18}")


class FeedWatch:
    """One watcher of the feed, for all streams together.

    Parameters
    ----------
    ledger
        Whose feed it is.
    pause
        Seconds to wait after the ledger could not be reached.
    """

    def __init__(self, ledger: Ledger, *, pause: float = 1.0) -> None:
        self._ledger = ledger
        self._pause = pause
        self._last = 0
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """The server is going: streams end."""
        return self._closed

    def close(self) -> None:
        """End all streams, now."""
        self._closed = True
        self._changed.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                if await self._ledger.wait_feed(self._last, timeout=WATCH):
                    self._advance(await self._ledger.last_feed_id())
            except LedgerError as error:
                log.warning("feed cannot be watched", error=str(error), retry_in=self._pause)
                await asyncio.sleep(self._pause)

    async def wait(self, after: int, *, timeout: float) -> bool:
        """Return True when the feed has something after this id or the server is going; False on time-out [s]."""
        if self._last > after or self._closed:
            return True
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _advance(self, last: int) -> None:
        self._last = last
        if not self._closed:
            self._changed.set()
            self._changed = asyncio.Event()


async def feed_blocks(
    ledger: Ledger, watch: FeedWatch, *, after: str | None, camera: str | None = None, heartbeat: float = HEARTBEAT
) -> AsyncIterator[bytes]:
    """Write the feed as server-sent events until the watch is closed or the ledger is lost.

    Parameters
    ----------
    after
        Id of the last event that the client has, as the client wrote it; None for only what is to come.
    camera
        Leave the events of other cameras out.
    heartbeat
        Seconds of silence between beats.
    """
    yield f"retry: {RETRY}\n\n".encode()
    try:
        position, unknown = await _start(ledger, after)
        if unknown:
            yield _block("reset", {"as_of": position}, event_id=position)
        while not watch.closed:
            page = await ledger.feed(position, limit=PAGE)
            position = page[-1].id if page else position
            if blocks := b"".join(_event(event) for event in page if camera in {None, event.camera}):
                yield blocks
            if not page and not await watch.wait(position, timeout=heartbeat):
                yield _beat(position)
    except LedgerError as error:
        # the browser comes back after RETRY with its last id, and misses nothing
        log.warning("stream ended: the ledger is away", error=str(error))


class EventStream(StreamingResponse):
    """The answer to one browser that listens."""

    media_type = "text/event-stream"

    def __init__(self, blocks: AsyncIterator[bytes]) -> None:
        super().__init__(blocks, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send blocks until there are no more or the client is gone or stuck."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:
            log.warning("stream ended: its client does not read", client=str(scope.get("client")))


async def _start(ledger: Ledger, after: str | None) -> tuple[int, bool]:
    """Find where to begin, and whether what the client has is unknown here."""
    last = await ledger.last_feed_id()
    if after is None:
        return last, False
    if _ID.fullmatch(after) is None or int(after) > last:
        return last, True
    return int(after), False


def _event(event: FeedEvent) -> bytes:
    data = {
        "at": event.at.isoformat(),
        "camera": event.camera,
        "day_obs": event.day_obs,
        "seq_num": event.seq_num,
        "body": event.body,
    }
    return _block(event.kind, data, event_id=event.id)


def _beat(position: int) -> bytes:
    """Say that all is quiet: a comment for proxies, an event for pages, and no id, for nothing happened."""
    return b": heartbeat\n" + _block("beat", {"last_id": position, "now": datetime.now(UTC).isoformat()})


def _block(name: str, data: object, *, event_id: int | None = None) -> bytes:
    line = b"" if event_id is None else f"id: {event_id}\n".encode()
    return line + f"event: {name}\ndata: ".encode() + json_bytes(data, sort=False) + b"\n\n"
