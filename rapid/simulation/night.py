"""A night, written as raw files at the pace at which a camera would write them."""

from __future__ import annotations

import multiprocessing
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rapid.errors import ConfigError
from rapid.simulation.camera import camera_of
from rapid.simulation.catalogue import Catalogue, SyntheticCatalogue
from rapid.simulation.exposure import warm_up
from rapid.simulation.instruments import instrument
from rapid.simulation.pace import Clock, Pace, SystemClock
from rapid.simulation.plan import NightPlan
from rapid.simulation.reference_file import load_catalogue
from rapid.simulation.reference_table import write_reference
from rapid.simulation.schedule import ScheduledExposure, make_schedule
from rapid.simulation.site import tai
from rapid.simulation.studio import Prepared, Studio, Task, discard, made_of, tasks_of

__all__ = ["SimulatedExposure", "raw_files", "simulate"]

_AHEAD = 8  # raw files that may lie ready before their time
_FIELDS = {"LATISS": 0.09, "LSSTComCam": 0.5, "LSSTCam": 1.8}  # degrees from the boresight to a corner of the camera


@dataclass(frozen=True, slots=True)
class SimulatedExposure:
    """One raw file of an exposure that was written.

    Attributes
    ----------
    key, path
        Place of the raw file in the archive, and on disk.
    truth
        Path of the truth file.
    begin, end, complete
        UTC times of the night: integration begins and ends, the file is complete.
    written_at
        UTC time on the wall at which the file appeared.
    seconds
        Time it took to make.
    detector
        ``R22_S11``.
    """

    obs_id: str
    day_obs: int
    seq_num: int
    kind: str
    incidents: tuple[str, ...]
    key: str
    path: Path
    truth: Path
    begin: datetime
    end: datetime
    complete: datetime
    written_at: datetime
    size: int
    seconds: float
    detector: str


def simulate(
    plan: NightPlan,
    out: Path,
    *,
    seed: int,
    start: datetime | None = None,
    pace: float | None = None,
    catalogue: Path | None = None,
    on_exposure: Callable[[SimulatedExposure], None] | None = None,
    processes: int = 1,
    detectors: Sequence[str] = (),
    reference: Path | None = None,
    clock: Clock | None = None,
) -> list[SimulatedExposure]:
    """Write a night into a directory.

    Parameters
    ----------
    out
        Archive: raw files go to ``{camera}/{day_obs}/{obs_id}/``, their truth to ``truth/{camera}/{day_obs}/``.
    seed
        The same plan, seed and start give the same bytes, with any number of processes.
    start
        Begin of the night, UTC. None: the plan's own, or now when there is a pace; then numbers go on after the files that
        the day already has.
    pace
        None writes at once; 1 is real time, where a file is complete when its exposure has been read out; 10 is ten times faster.
    catalogue
        File of stars; None for the synthetic sky.
    on_exposure
        Called after each raw file that was written.
    detectors
        Names of those that are made; none: those of the plan.
    reference
        File to write the stars of the synthetic sky around the night's fields to, as a reference catalogue (FITS).

    Raises
    ------
    ConfigError
        If the pace or number of processes is not positive, the seed negative, the catalogue of no use, or a target too low.
    UnknownInstrument
        If the camera has no detector of such a name.
    NotAvailable
        If a file cannot be written.
    """
    _check(pace, processes, seed)
    clock = clock or SystemClock()
    chosen = instrument(plan.instrument).chosen(tuple(detectors) or plan.detectors)
    studio = Studio(out, seed, _sky(plan, catalogue), plan.effects)
    if pace is not None:
        get_ready(plan, detectors)
    now = clock.now()
    begin = start or (plan.begins if pace is None else now)
    begin = begin.replace(tzinfo=UTC) if begin.tzinfo is None else begin.astimezone(UTC)
    first = _next_free(out, begin, plan.instrument) if start is None and pace is not None else 1
    night = make_schedule(plan.exposures(), begin, first_seq_num=first, camera=plan.instrument)
    if catalogue is not None:
        _check_fields(night, studio.catalogue, catalogue)
    if reference is not None:
        write_reference(reference, night, chosen, studio.catalogue)
    tasks = [task for schedule in night for task in tasks_of(schedule, chosen)]
    release = _Release(Pace(pace, begin, now), clock, on_exposure)
    if processes == 1:
        return _in_this_process(studio, tasks, release)
    return _in_a_pool(studio, tasks, release, processes)


def get_ready(plan: NightPlan, detectors: Sequence[str] = ()) -> None:
    """Compile, or load, what `simulate` needs to keep pace; it does so itself, which takes seconds of the night."""
    chosen = instrument(plan.instrument).chosen(tuple(detectors) or plan.detectors)
    warm_up(camera_of(plan.instrument, chosen[0]))


def raw_files(plan: NightPlan, detectors: Sequence[str] = ()) -> int:
    """Count the raw files of a night: its exposures times the detectors that are made of each."""
    chosen = instrument(plan.instrument).chosen(tuple(detectors) or plan.detectors)
    return sum(len(made_of(planned, plan.instrument, chosen)) for planned in plan.exposures())


def _sky(plan: NightPlan, catalogue: Path | None) -> Catalogue:
    return SyntheticCatalogue(deep=plan.instrument != "LATISS") if catalogue is None else load_catalogue(catalogue)


# --- in order and in time ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Release:
    """Lets prepared files appear at their time."""

    pace: Pace
    clock: Clock
    on_exposure: Callable[[SimulatedExposure], None] | None

    def wait(self, prepared: Prepared) -> float:
        return self.pace.wait(prepared.schedule.complete, self.clock.now())

    def __call__(self, prepared: Prepared) -> SimulatedExposure:
        """Sleep until the file is due, and let it appear."""
        while (left := self.wait(prepared)) > 0.0:
            self.clock.sleep(left)
        for hidden, path in prepared.moves:
            hidden.touch()  # made ahead of its time: the file is as old as its appearance, not as its making
            hidden.replace(path)
        exposure = _written(prepared, self.clock.now())
        if self.on_exposure is not None:
            self.on_exposure(exposure)
        return exposure


def _in_this_process(studio: Studio, night: Iterable[Task], release: _Release) -> list[SimulatedExposure]:
    """Make exposures ahead of time whenever the next release leaves enough time for it."""
    todo, ready, done = deque(night), deque[Prepared](), list[SimulatedExposure]()
    slowest = 0.0
    with ExitStack() as cleaning:
        cleaning.callback(lambda: discard(ready))
        while todo or ready:
            has_time = not ready or (len(ready) < _AHEAD and release.wait(ready[0]) > slowest)
            if todo and has_time:
                ready.append(studio.prepare(todo.popleft()))
                slowest = max(slowest, ready[-1].seconds)
            else:
                done.append(release(ready[0]))
                ready.popleft()
    return done


def _in_a_pool(studio: Studio, night: Iterable[Task], release: _Release, processes: int) -> list[SimulatedExposure]:
    """Make exposures in several processes; they are released here, in order."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_open_studio, initargs=(studio,)) as pool:
        waiting = deque[Future[Prepared]]()
        try:
            return [release(prepared) for prepared in _prepared_in_order(pool, night, waiting, processes)]
        finally:
            for future in waiting:
                future.cancel()
            discard(future.result() for future in waiting if not future.cancelled() and future.exception() is None)


def _prepared_in_order(
    pool: ProcessPoolExecutor, night: Iterable[Task], waiting: deque[Future[Prepared]], processes: int
) -> Iterator[Prepared]:
    for task in night:
        waiting.append(pool.submit(_prepare_in_pool, task))
        if len(waiting) >= processes + _AHEAD:
            yield waiting[0].result()
            waiting.popleft()
    while waiting:
        yield waiting[0].result()
        waiting.popleft()


_studio: Studio | None = None


def _open_studio(studio: Studio) -> None:
    global _studio  # noqa: PLW0603 - a process of the pool has one studio for all its exposures
    _studio = studio


def _prepare_in_pool(task: Task) -> Prepared:
    assert _studio is not None  # noqa: S101 - set by the initializer of the pool
    return _studio.prepare(task)


# --- checks --------------------------------------------------------------------------------------------------------


def _written(prepared: Prepared, now: datetime) -> SimulatedExposure:
    schedule = prepared.schedule
    truth, _, raw = (path for _, path in prepared.moves[-3:])
    return SimulatedExposure(
        obs_id=schedule.obs_id,
        day_obs=schedule.day_obs,
        seq_num=schedule.seq_num,
        kind=schedule.plan.kind,
        incidents=tuple(incident.kind for incident in schedule.plan.incidents),
        key=prepared.task.key,
        path=raw,
        truth=truth,
        begin=schedule.begin,
        end=schedule.end,
        complete=schedule.complete,
        written_at=now,
        size=prepared.size,
        seconds=prepared.seconds,
        detector=prepared.task.detector,
    )


def _check(pace: float | None, processes: int, seed: int) -> None:
    if pace is not None and not 0.0 < pace < float("inf"):
        msg = f"the pace is a positive factor (1 is real time), or none for at once; found {pace}"
        raise ConfigError(msg)
    if processes < 1:
        msg = f"expected at least 1 process; found {processes}"
        raise ConfigError(msg)
    if seed < 0:
        msg = f"expected a seed of 0 or more; found {seed}"
        raise ConfigError(msg)


def _check_fields(night: Sequence[ScheduledExposure], catalogue: Catalogue, path: Path) -> None:
    fields = [e for e in night if e.at_begin is not None]
    if fields and not any(
        len(catalogue.around(e.at_begin.ra, e.at_begin.dec, _FIELDS[e.camera], e.begin_tai))
        for e in fields
        if e.at_begin
    ):
        msg = f"the catalogue {path} has no star in any field of the plan; give its targets ra and dec that it covers"
        raise ConfigError(msg)


def _next_free(out: Path, begin: datetime, camera: str) -> int:
    """Return the sequence number after the last that the day of the first exposure already has."""
    day_obs = (tai([begin])[0] - timedelta(hours=12)).strftime("%Y%m%d")
    code = instrument(camera).code
    taken = [
        re.fullmatch(rf"{code}_O_{day_obs}_(\d{{6}})", entry.name)
        for entry in (out / camera / day_obs).glob(f"{code}_O_*")
    ]
    return max((int(match[1]) for match in taken if match), default=0) + 1
