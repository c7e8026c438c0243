"""Which exposure is next: a live lane, newest first, and a backlog lane with a guaranteed share."""

from __future__ import annotations

import heapq
from bisect import insort
from dataclasses import dataclass
from datetime import datetime, timedelta

from rapid.ports import Arrival

__all__ = ["Lanes", "LanesPolicy"]


@dataclass(frozen=True, slots=True)
class LanesPolicy:
    """How the lanes share the workers.

    Attributes
    ----------
    backlog_share
        Part of the starts that the backlog gets while both lanes have something, 0 to 1. An observer waits for
        the newest frame, yet a night that was missed must be caught up before the next one.
    live_window
        A live arrival that has waited longer than this is no longer what the observer looks at: it goes to the
        backlog, so that it cannot be overtaken for ever.
    """

    backlog_share: float = 0.25
    live_window: timedelta = timedelta(minutes=10)


class Lanes:
    """The queue of what may be started now or later.

    Not thread-safe: it belongs to one event loop. Memory is bounded by what the ledger says is waiting.

    Parameters
    ----------
    longest_wait
        Nobody is put off for longer. A moment that lies further ahead was written down before the clock was set back:
        what waits for it may start at once.
    """

    def __init__(self, policy: LanesPolicy, *, longest_wait: timedelta = timedelta(days=1)) -> None:
        self._policy, self._longest_wait = policy, longest_wait
        self._live: list[tuple[datetime, int, Arrival]] = []
        self._backlog: list[tuple[datetime, int, Arrival]] = []
        self._later: list[tuple[datetime, int, Arrival]] = []
        self._credit = 0.0

    def __len__(self) -> int:
        return len(self._live) + len(self._backlog) + len(self._later)

    def sizes(self) -> dict[str, int]:
        """Count what waits in each lane; ``later`` are retries whose time has not come."""
        return {"live": len(self._live), "backlog": len(self._backlog), "later": len(self._later)}

    def push(self, arrival: Arrival, *, now: datetime) -> None:
        """Put an arrival in its lane."""
        if not self._is_due(arrival.not_before, now):
            heapq.heappush(self._later, (arrival.not_before, arrival.id, arrival))
        elif arrival.live and now - arrival.written_at < self._policy.live_window:
            insort(self._live, (arrival.written_at, arrival.id, arrival))
        else:
            heapq.heappush(self._backlog, (arrival.written_at, arrival.id, arrival))

    def pop(self, *, now: datetime) -> Arrival | None:
        """Take what is to be started next, or None when nothing may start now."""
        self._settle(now)
        if self._backlog and (not self._live or self._credit >= 1.0):
            if self._live:
                self._credit -= 1.0
            return heapq.heappop(self._backlog)[2]
        if not self._live:
            return None
        if self._backlog:
            self._credit += self._policy.backlog_share / (1.0 - min(self._policy.backlog_share, 0.99))
        return self._live.pop()[2]

    def next_at(self) -> datetime | None:
        """When the earliest of the retries may start; None when there is none."""
        return self._later[0][0] if self._later else None

    def oldest(self) -> dict[str, datetime]:
        """Tell for each lane that is not empty since when what has waited longest in it is known."""
        lanes = {"live": self._live, "backlog": self._backlog, "later": self._later}
        return {name: min(entry[2].recorded_at for entry in lane) for name, lane in lanes.items() if lane}

    def _settle(self, now: datetime) -> None:
        """Let retries whose time has come back in, and move what is no longer fresh to the backlog."""
        while self._later and self._is_due(self._later[0][0], now):
            self.push(heapq.heappop(self._later)[2], now=now)
        while self._live and now - self._live[0][0] >= self._policy.live_window:
            stale = self._live.pop(0)
            heapq.heappush(self._backlog, stale)

    def _is_due(self, not_before: datetime, now: datetime) -> bool:
        return not now < not_before <= now + self._longest_wait
