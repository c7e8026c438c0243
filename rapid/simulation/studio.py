"""Making the files of an exposure ahead of their time, under hidden names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rapid.errors import NotAvailable
from rapid.processing.geometry import DetectorKind, detectors
from rapid.simulation.camera import camera_of
from rapid.simulation.catalogue import Catalogue
from rapid.simulation.effects import Effects
from rapid.simulation.exposure import ExposureFiles, render
from rapid.simulation.guider import render_guider
from rapid.simulation.hdus import json_bytes
from rapid.simulation.plan import PlannedExposure
from rapid.simulation.schedule import ScheduledExposure
from rapid.simulation.sequences import MissingDetector

__all__ = ["Prepared", "Studio", "Task", "discard", "expected_sensors", "key_of", "made_of", "tasks_of"]


@dataclass(frozen=True, slots=True)
class Task:
    """One detector of an exposure that is to be made; the first of them brings the list of all that are expected."""

    schedule: ScheduledExposure
    detector: str
    expected: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Key of the raw file in its archive."""
        return key_of(self.schedule, self.detector)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Files that lie ready under hidden names.

    ``moves`` are those names and the final ones, in the order in which they are to appear: the list of expected sensors where
    there is one, truth, sidecar, raw file. ``size`` is that of the raw file; ``seconds`` is the time it took.
    """

    task: Task
    moves: tuple[tuple[Path, Path], ...]
    size: int
    seconds: float

    @property
    def schedule(self) -> ScheduledExposure:
        """The exposure it belongs to."""
        return self.task.schedule


@dataclass(frozen=True, slots=True)
class Studio:
    """All that is needed to make an exposure, in whatever process that is done."""

    out: Path
    seed: int
    catalogue: Catalogue
    effects: Effects

    def prepare(self, task: Task) -> Prepared:
        """Make the files of one detector of an exposure under hidden names.

        Raises
        ------
        NotAvailable
            If one cannot be written; then none of them is left.
        """
        started = perf_counter()
        made = self._make(task)
        raw = self.out / task.key
        bodies = [(_truth_path(self.out, task), made.truth), (raw.with_suffix(".json"), made.sidecar), (raw, made.fits)]
        if task.expected:
            bodies.insert(0, (raw.with_name(f"{task.schedule.obs_id}_expectedSensors.json"), expected_sensors(task)))
        moves = tuple((path.with_name(f".{path.name}.part"), path) for path, _ in bodies)
        try:
            for (hidden, _), (_, body) in zip(moves, bodies, strict=True):
                hidden.parent.mkdir(parents=True, exist_ok=True)
                hidden.write_bytes(body)
        except OSError as error:
            _remove(moves)
            msg = f"the simulated night cannot be written: {error}"
            raise NotAvailable(msg) from error
        return Prepared(task, moves, len(made.fits), perf_counter() - started)

    def _make(self, task: Task) -> ExposureFiles:
        schedule, name = task.schedule, task.schedule.camera
        if detectors(name)[task.detector].kind is DetectorKind.GUIDER:
            return render_guider(schedule, task.detector, catalogue=self.catalogue, seed=self.seed)
        camera = camera_of(name, task.detector, measured_gains=self.effects.measured_gains)
        return render(schedule, camera=camera, catalogue=self.catalogue, seed=self.seed, effects=self.effects)


def tasks_of(schedule: ScheduledExposure, names: Sequence[str]) -> list[Task]:
    """List what is to be made of an exposure; the first task brings the list of expected sensors of an LSST camera."""
    planned, camera = schedule.plan, schedule.camera
    missing = _missing(planned)
    expected = tuple(name for name in _taking_part(planned, camera, names) if missing.get(name, True))
    made = made_of(planned, camera, names)
    listed = expected if camera != "LATISS" else ()
    return [Task(schedule, name, listed if name == made[0] else ()) for name in made]


def made_of(planned: PlannedExposure, camera: str, names: Sequence[str]) -> list[str]:
    """List the detectors of an exposure that are made: those that take part, but the missing ones."""
    missing = _missing(planned)
    return [name for name in _taking_part(planned, camera, names) if name not in missing]


def _taking_part(planned: PlannedExposure, camera: str, names: Sequence[str]) -> list[str]:
    """List the detectors that take part in an exposure: guiders on the sky only."""
    known = detectors(camera)
    return [name for name in names if planned.target is not None or known[name].kind is not DetectorKind.GUIDER]


def _missing(planned: PlannedExposure) -> dict[str, bool]:
    """Return the missing detectors and whether the camera expects them all the same."""
    return {one.detector: one.expected for one in planned.incidents if isinstance(one, MissingDetector)}


def expected_sensors(task: Task) -> bytes:
    """Write the list of the detectors whose files are to come, as the camera's control system does."""
    known, obs_id = detectors(task.schedule.camera), task.schedule.obs_id
    kinds = {name: "GUIDER" if known[name].kind is DetectorKind.GUIDER else "SCIENCE" for name in sorted(task.expected)}
    name = f"{obs_id}_expectedSensors.json"
    return json_bytes(
        {"fileName": name, "fileType": "expectedSensors", "obsId": obs_id, "version": 1.0, "expectedSensors": kinds}
    )


def key_of(schedule: ScheduledExposure, detector: str) -> str:
    """Return the key of a detector's raw file in its archive."""
    guider = "_guider" if detectors(schedule.camera)[detector].kind is DetectorKind.GUIDER else ""
    return f"{schedule.camera}/{schedule.day_obs}/{schedule.obs_id}/{schedule.obs_id}_{detector}{guider}.fits"


def _truth_path(out: Path, task: Task) -> Path:
    schedule = task.schedule
    name = schedule.obs_id if schedule.camera == "LATISS" else f"{schedule.obs_id}_{task.detector}"
    return out / "truth" / schedule.camera / str(schedule.day_obs) / f"{name}.json"


def discard(prepared: Iterable[Prepared]) -> None:
    """Remove files that were made and never appeared."""
    for one in prepared:
        _remove(one.moves)


def _remove(moves: Iterable[tuple[Path, Path]]) -> None:
    for hidden, _ in moves:
        if hidden.parent.is_dir():
            hidden.unlink(missing_ok=True)
