"""Making the files of an exposure ahead of their time, under hidden names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rapid.errors import NotAvailable
from rapid.simulation.camera import latiss
from rapid.simulation.catalogue import Catalogue
from rapid.simulation.exposure import render
from rapid.simulation.schedule import ScheduledExposure

__all__ = ["Prepared", "Studio", "discard", "key_of"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Files that lie ready under hidden names.

    ``moves`` are those names and the final ones, in the order in which they are to appear: truth, sidecar, raw file.
    ``size`` is that of the raw file; ``seconds`` is the time it took.
    """

    schedule: ScheduledExposure
    moves: tuple[tuple[Path, Path], ...]
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Studio:
    """All that is needed to make an exposure, in whatever process that is done."""

    out: Path
    seed: int
    catalogue: Catalogue

    def prepare(self, schedule: ScheduledExposure) -> Prepared:
        """Make the files of an exposure under hidden names.

        Raises
        ------
        NotAvailable
            If one cannot be written; then none of them is left.
        """
        started = perf_counter()
        made = render(schedule, camera=latiss(), catalogue=self.catalogue, seed=self.seed)
        raw = self.out / key_of(schedule)
        truth = self.out / "truth" / "LATISS" / str(schedule.day_obs) / f"{schedule.obs_id}.json"
        bodies = ((truth, made.truth), (raw.with_suffix(".json"), made.sidecar), (raw, made.fits))
        moves = tuple((path.with_name(f".{path.name}.part"), path) for path, _ in bodies)
        try:
            for (hidden, _), (_, body) in zip(moves, bodies, strict=True):
                hidden.parent.mkdir(parents=True, exist_ok=True)
                hidden.write_bytes(body)
        except OSError as error:
            _remove(moves)
            msg = f"the simulated night cannot be written: {error}"
            raise NotAvailable(msg) from error
        return Prepared(schedule, moves, len(made.fits), perf_counter() - started)


def key_of(schedule: ScheduledExposure) -> str:
    """Return the key of an exposure's raw file in its archive."""
    return f"LATISS/{schedule.day_obs}/{schedule.obs_id}/{schedule.obs_id}_R00_S00.fits"


def discard(prepared: Iterable[Prepared]) -> None:
    """Remove files that were made and never appeared."""
    for one in prepared:
        _remove(one.moves)


def _remove(moves: Iterable[tuple[Path, Path]]) -> None:
    for hidden, _ in moves:
        if hidden.parent.is_dir():
            hidden.unlink(missing_ok=True)
