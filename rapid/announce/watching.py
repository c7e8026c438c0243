"""What of the service's own state is worth an alert: a camera from which nothing more comes, a part that does not work.

An alert is posted in the ledger, from where it goes to every bus, also to one that is away just now. Its name is made of what
it is about, so that a restart, or a second service on the same ledger, does not post it again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import structlog

from rapid.errors import LedgerError
from rapid.ports import FeedEvent, JsonValue, Outbox

__all__ = ["CameraWatch", "ComponentWatch", "Posting", "watch"]

_log = structlog.get_logger(__name__)

LOOK = timedelta(seconds=5)
"""Between two looks."""

PATIENCE = timedelta(seconds=30)
"""A part may fail for so long without an alert: a broker that is started again takes less."""

LOOK_BACK = 500
"""Entries of the feed that a new life looks back, so that a camera which fell silent before is missed all the same."""


@dataclass(frozen=True, slots=True)
class Posting:
    """An alert to be posted."""

    name: str
    body: Mapping[str, JsonValue]


class CameraWatch:
    """Misses cameras that were observing tonight. Pure: is told what was seen and what time it is.

    Parameters
    ----------
    silence
        How long nothing may come.
    """

    def __init__(self, silence: timedelta) -> None:
        self._silence = silence
        self._last: dict[str, FeedEvent] = {}
        self._missed: dict[str, str] = {}

    def saw(self, event: FeedEvent) -> Posting | None:
        """Take an entry of the feed in; an alert that is over is cleared. What is worked up of other nights says nothing."""
        if event.kind != "exposure" or event.day_obs != _day_obs(event.at):
            return None
        self._last[event.camera] = event
        about = self._missed.pop(event.camera, "")
        if not about:
            return None
        body = _alert("camera.silent", event.camera, f"{event.camera} is observing again", about, over=True)
        return Posting(f"{about}/cleared", body)

    def missed(self, now: datetime) -> list[Posting]:
        """Miss the cameras that are silent for too long, once each."""
        return [self._miss(event) for event in self._last.values() if self._is_overdue(event, now)]

    def _is_overdue(self, event: FeedEvent, now: datetime) -> bool:
        return event.camera not in self._missed and now - event.at > self._silence and event.day_obs == _day_obs(now)

    def _miss(self, event: FeedEvent) -> Posting:
        about = f"camera.silent/{event.camera}/{event.id}"
        self._missed[event.camera] = about
        minutes = self._silence.total_seconds() / 60
        last = f"{event.body['obs_id']} at {event.at:%H:%M:%S} UTC"
        reason = f"nothing came from {event.camera} for more than {minutes:g} min; the last was {last}"
        return Posting(about, _alert("camera.silent", event.camera, reason, about, severity="warning"))


class ComponentWatch:
    """Tells of parts of the service that fail for longer than a moment. Pure.

    Parameters
    ----------
    patience
        How long a part may fail without an alert.
    """

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience
        self._process = f"{socket.gethostname()}:{os.getpid()}"
        self._since: dict[str, datetime] = {}
        self._raised: dict[str, str] = {}

    def looked(self, failing: Mapping[str, str], now: datetime) -> list[Posting]:
        """Take in what fails now, by name, and why."""
        self._since = {name: self._since.get(name, now) for name in failing}
        over = [self._clear(name) for name in list(self._raised) if name not in failing]
        late = [name for name in failing if name not in self._raised and now - self._since[name] >= self._patience]
        return [*over, *(self._raise(name, failing[name]) for name in late)]

    def _raise(self, name: str, why: str) -> Posting:
        about = f"component.failing/{name}/{self._process}/{self._since[name]:%Y%m%dT%H%M%S.%fZ}"
        self._raised[name] = about
        return Posting(about, _alert("component.failing", name, why or f"{name} does not report", about))

    def _clear(self, name: str) -> Posting:
        about = self._raised.pop(name)
        return Posting(f"{about}/cleared", _alert("component.failing", name, f"{name} works again", about, over=True))


async def watch(
    ledger: Outbox, failing: Callable[[], Mapping[str, str]], *, silence: timedelta, patience: timedelta = PATIENCE
) -> NoReturn:
    """Look now and then, and post what is worth it, for ever. While the ledger is away nothing can be posted, nor is it lost.

    Parameters
    ----------
    failing
        Tells which parts of the service fail now, and why.
    silence
        How long nothing may come from a camera that was observing.
    patience
        How long a part may fail.
    """
    cameras, components = CameraWatch(silence), ComponentWatch(patience)
    place, postings = -1, list[Posting]()
    while True:
        try:
            if place < 0:
                place = max(await ledger.last_feed_id() - LOOK_BACK, 0)
            events = await ledger.feed(place)
            postings += [posting for event in events if (posting := cameras.saw(event)) is not None]
            place = events[-1].id if events else place
            postings += [*cameras.missed(datetime.now(UTC)), *components.looked(failing(), datetime.now(UTC))]
            while postings:
                await ledger.post("alert", postings[0].name, postings[0].body)
                del postings[0]
        except LedgerError as error:
            _log.warning("alerts cannot be posted, they wait", why=str(error), waiting=len(postings))
        await asyncio.sleep(LOOK.total_seconds())


def _alert(
    kind: str, subject: str, reason: str, about: str, *, severity: str = "error", over: bool = False
) -> dict[str, JsonValue]:
    state = "cleared" if over else "raised"
    return {
        "kind": kind,
        "state": state,
        "severity": "warning" if over else severity,
        "subject": subject,
        "reason": reason,
        "about": about,
    }


def _day_obs(at: datetime) -> int:
    """Give the observing day, which rolls over at UTC-12 h (SITCOMTN-032)."""
    return int((at - timedelta(hours=12)).strftime("%Y%m%d"))
