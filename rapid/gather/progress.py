"""Where an exposure stands and whether its product is due: pure functions of what is known, and of the time.

There is no other state. In whatever order things became known, however often, and whoever looks, the same facts at the
same time mean the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from rapid.gather.expectation import Configured, detector_of, expected_detectors
from rapid.ports import DetectorStanding, Standing, State

__all__ = ["Deadlines", "Progress", "Step", "progress_of", "step"]

_DAY = timedelta(days=1)
"""No exposure takes longer, whatever was said of it."""

_LATEST = datetime.max.replace(tzinfo=UTC) - 2 * _DAY
"""What was said to be later counts as this: the longest exposure and its deadline still fit behind it."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long an exposure is waited for.

    Attributes
    ----------
    files
        Its files, after the readout ended or the last of them came, whichever is later.
    processing
        Their results, after the first of its detectors was taken up by a worker: the backlog is not late because it is long.
    pause
        Between two products of one exposure that is not complete: late detectors come one by one.
    """

    files: timedelta = timedelta(seconds=30)
    processing: timedelta = timedelta(seconds=120)
    pause: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """The detectors of an exposure, by what became of them; all names sorted.

    ``expected`` are all; ``done`` and ``failed`` are finished, ``working`` have a file, ``missing`` have none.
    ``failed`` are pairs of a name and the reason.
    """

    expected: tuple[str, ...]
    done: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    working: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every detector is finished, well or ill."""
        return not self.working and not self.missing

    @property
    def single(self) -> bool:
        """Whether its one detector is all of the exposure."""
        return len(self.expected) <= 1


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about an exposure now.

    ``due`` is whether a product is to be said that differs from the last one, ``fingerprint`` what tells it from that;
    ``until`` is when to look again if nothing happens, None when only news can change anything.
    """

    progress: Progress
    due: bool
    fingerprint: str
    until: datetime | None


def progress_of(standing: Standing, configured: Configured) -> Progress:
    """Tell what became of each detector. One with several files (a guider's stamps and its raw) is what the worst of them is."""
    by_name: dict[str, list[DetectorStanding]] = {}
    for found in standing.detectors:
        by_name.setdefault(detector_of(found.name), []).append(found)
    expected = tuple(sorted(expected_detectors(standing, configured)))
    states = {name: {found.state for found in files} for name, files in by_name.items()}
    working = tuple(name for name in expected if states.get(name, set()) & {State.WAITING, State.RUNNING})
    failed = tuple(
        (name, next(found.error for found in by_name[name] if found.state is State.FAILED))
        for name in expected
        if State.FAILED in states.get(name, set()) and name not in working
    )
    finished_ill = {name for name, _ in failed}
    return Progress(
        expected=expected,
        done=tuple(name for name in expected if name in states and name not in finished_ill and name not in working),
        failed=failed,
        working=working,
        missing=tuple(name for name in expected if name not in states),
    )


def step(standing: Standing, configured: Configured, deadlines: Deadlines, *, now: datetime) -> Step:
    """Decide what is to be done about an exposure at a moment."""
    progress = progress_of(standing, configured)
    fingerprint = _fingerprint(standing, progress)
    stay = Step(progress, due=False, fingerprint=fingerprint, until=None)
    if progress.single and not progress.missing:
        return stay
    ends = [
        end for end in (_files_due(standing, progress, deadlines), _results_due(standing, progress, deadlines)) if end
    ]
    if not _is_ready(standing, progress, deadlines, now):
        return replace(stay, until=min((end for end in ends if end > now), default=None))
    if fingerprint == standing.fingerprint:
        return stay
    if not progress.complete and standing.said_at is not None and now < standing.said_at + deadlines.pause:
        return replace(stay, until=standing.said_at + deadlines.pause)
    return replace(stay, due=True)


def _is_ready(standing: Standing, progress: Progress, deadlines: Deadlines, now: datetime) -> bool:
    """Tell whether what there is shall be shown: all of it, all that came in time, or all that was measured in time."""
    files_due = _files_due(standing, progress, deadlines)
    results_due = _results_due(standing, progress, deadlines)
    no_more_files = not progress.missing or (files_due is not None and now >= files_due)
    return (no_more_files and not progress.working) or (results_due is not None and now >= results_due)


def _files_due(standing: Standing, progress: Progress, deadlines: Deadlines) -> datetime | None:
    """Say until when missing files are waited for; None when none is, or nothing says when they would come."""
    moments = [found.recorded_at for found in standing.detectors]
    if standing.read_out_at is not None:
        moments.append(standing.read_out_at)
    elif standing.started_at is not None:
        moments.append(min(standing.started_at, _LATEST) + _lasts(standing.exposure_time))
    return min(max(moments), _LATEST) + deadlines.files if moments and progress.missing else None


def _lasts(seconds: float | None) -> timedelta:
    """Say how long an exposure takes; no ledger of another time makes that longer than a day, or less than nothing."""
    return timedelta(seconds=min(max(seconds or 0.0, 0.0), _DAY.total_seconds()))


def _results_due(standing: Standing, progress: Progress, deadlines: Deadlines) -> datetime | None:
    """Say until when results are waited for; None when none is, or no worker has begun with the exposure."""
    if not progress.working or standing.work_began_at is None:
        return None
    return standing.work_began_at + deadlines.processing


def _fingerprint(standing: Standing, progress: Progress) -> str:
    """Tell one product from another: by what is expected and what is finished, not by what is still to come."""
    finished = [
        f"{found.name} {found.state} {found.revision} {found.error}"
        for found in standing.detectors
        if found.state in {State.DONE, State.FAILED}
    ]
    return hashlib.sha256("\n".join([" ".join(progress.expected), *sorted(finished)]).encode()).hexdigest()[:32]
