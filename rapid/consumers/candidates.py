"""Which files are ready to be announced, and when to look at the others again. Knows no clock and no disk."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from rapid.consumers.scan import Seen

__all__ = ["Candidate", "Candidates", "Verdict"]


class Verdict(Enum):
    """What became of a candidate that was looked at again."""

    READY = "ready"
    NOT_YET = "not yet"
    GONE = "gone"


@dataclass(slots=True)
class Candidate:
    """A file that was noticed and not yet announced.

    Attributes
    ----------
    seen
        Its content, as last seen.
    noticed_at
        When this content was noticed, UTC.
    since
        Monotonic time [s] from which on it did not change.
    live
        Whether it was written just now, or comes from a catch-up.
    look_at
        Monotonic time [s] of the next look.
    incomplete
        Whether this content was looked into and found not to be whole.
    """

    seen: Seen
    noticed_at: datetime
    since: float
    live: bool
    look_at: float
    incomplete: bool = False


class Candidates:
    """The files of a directory between being noticed and being announced.

    Parameters
    ----------
    quiet
        A whole file must not have changed for so long [s].
    give_up_after
        A file that is not whole is announced all the same when it has not changed for so long [s]: it is broken, or its
        end cannot be known (gzip), and somebody has to say so.
    """

    def __init__(self, *, quiet: float, give_up_after: float) -> None:
        self._quiet, self._give_up_after = quiet, give_up_after
        self._announced: dict[str, str] = {}
        self._pending: dict[str, Candidate] = {}
        self._queues: dict[bool, list[tuple[float, int, str]]] = {True: [], False: []}

    def __len__(self) -> int:
        return len(self._pending)

    def notice(self, seen: Seen, *, at: datetime, now: float, live: bool, age: float = 0.0) -> None:
        """Take a file in, unless it was announced as it is.

        Parameters
        ----------
        at, now
            The moment, as UTC and on the monotonic clock [s].
        live
            See `Candidate.live`. A candidate that was live once stays it.
        age
            For how long it is known not to have changed [s].
        """
        if self._announced.get(seen.key) == seen.content:
            self._pending.pop(seen.key, None)
            return
        known = self._pending.get(seen.key)
        if known is None or known.seen != seen:
            since = now - max(age, 0.0)
            live = live or (known is not None and known.live)
            candidate = Candidate(seen, at, since, live, max(now, since + self._quiet))
            self._pending[seen.key] = candidate
            self._queue(candidate)
        elif live and not known.live:
            known.live = True
            self._queue(known)

    def forget(self, key: str) -> None:
        """Forget a file that is gone: should it come back, it is announced again."""
        self._announced.pop(key, None)
        self._pending.pop(key, None)

    def known(self) -> set[str]:
        """All keys that are remembered: never more than there are files in the directory."""
        return self._announced.keys() | self._pending.keys()

    def due(self, now: float, limit: int) -> list[Candidate]:
        """Take the candidates that are to be looked at, the live ones first, each group in the order it was written.

        Each of them must be judged, or it is not looked at again.
        """
        found: list[Candidate] = []
        for live in (True, False):
            queue = self._queues[live]
            while queue and queue[0][0] <= now and len(found) < limit:
                look_at, _, key = heapq.heappop(queue)
                candidate = self._pending.get(key)
                if candidate and candidate.live == live and candidate.look_at == look_at:
                    found.append(candidate)
        return found

    def next_look(self) -> float | None:
        """Tell when the next candidate is due; it may have gone since."""
        return min((queue[0][0] for queue in self._queues.values() if queue), default=None)

    def wants_inside(self, candidate: Candidate, now: float) -> bool:
        """Tell whether a look into the file would change anything."""
        return not candidate.incomplete and now - candidate.since < self._give_up_after

    def judge(
        self, candidate: Candidate, seen: Seen | None, *, whole: bool | None, at: datetime, now: float
    ) -> Verdict:
        """Decide about a candidate that was due.

        Parameters
        ----------
        seen
            The file as it is now; None when it is gone.
        whole
            Whether its structure is complete; None when it was not looked into.
        at, now
            The moment, as UTC and on the monotonic clock [s].
        """
        if self._pending.get(candidate.seen.key) is not candidate:
            return Verdict.NOT_YET
        if seen is None:
            self.forget(candidate.seen.key)
            return Verdict.GONE
        if seen != candidate.seen:
            self.notice(seen, at=at, now=now, live=candidate.live)
            return Verdict.NOT_YET
        if whole or now - candidate.since >= self._give_up_after:  # being due, it was quiet
            del self._pending[seen.key]
            self._announced[seen.key] = seen.content
            return Verdict.READY
        candidate.incomplete = candidate.incomplete or whole is False
        candidate.look_at = now + self._quiet
        self._queue(candidate)
        return Verdict.NOT_YET

    def _queue(self, candidate: Candidate) -> None:
        entry = (candidate.look_at, candidate.seen.mtime_ns, candidate.seen.key)
        heapq.heappush(self._queues[candidate.live], entry)
