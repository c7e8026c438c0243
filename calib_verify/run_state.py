"""What has arrived of a run: states that can be merged in any order, and any number of times.

The frames of a state form a set in which each has one place; where two claim it, the better one stays, whoever came first.
So states are a semilattice: merging is commutative, associative and idempotent, and neither doubles nor disorder matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Self

from calib_verify.measurements import FrameMeasurements, Subject
from calib_verify.measurements.records import frame_to_text

__all__ = ["RunKey", "RunState", "run_of"]


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """What the frames of a run have in common; ``physical_filter`` is that of flats, and empty for others."""

    instrument: str
    day_obs: int
    kind: str
    physical_filter: str


def run_of(subject: Subject) -> RunKey:
    """Say which run a frame belongs to."""
    return RunKey(
        subject.instrument, subject.day_obs, subject.kind, subject.physical_filter if subject.kind == "flat" else ""
    )


@dataclass(frozen=True, slots=True)
class RunState:
    """The frames of one run that have arrived, by exposure and detector, and when the last one did."""

    key: RunKey
    frames: Mapping[tuple[int, str], FrameMeasurements] = field(default_factory=lambda: MappingProxyType({}))
    last_arrival: datetime | None = None

    def add(self, frame: FrameMeasurements, *, at: datetime) -> Self:
        """Return the state with one more frame, which arrived at a time of the caller's clock.

        Raises
        ------
        ValueError
            If the frame is of another run.
        """
        if run_of(frame.subject) != self.key:
            msg = f"a frame of {run_of(frame.subject)} is no part of {self.key}"
            raise ValueError(msg)
        place = frame.subject.exposure_id, frame.subject.detector
        return self.merge(type(self)(self.key, MappingProxyType({place: frame}), at))

    def merge(self, other: Self) -> Self:
        """Return what both have seen.

        Raises
        ------
        ValueError
            If they are of different runs.
        """
        if other.key != self.key:
            msg = f"a state of {other.key} cannot be merged with one of {self.key}"
            raise ValueError(msg)
        frames = dict(self.frames)
        for place, frame in other.frames.items():
            frames[place] = _better(frames[place], frame) if place in frames else frame
        arrivals = [each for each in (self.last_arrival, other.last_arrival) if each is not None]
        ordered = MappingProxyType({place: frames[place] for place in sorted(frames)})
        return type(self)(self.key, ordered, max(arrivals, default=None))

    @property
    def exposures(self) -> tuple[int, ...]:
        """Numbers of the exposures of which something arrived."""
        return tuple(sorted({exposure for exposure, _ in self.frames}))

    def is_complete(
        self,
        *,
        now: datetime,
        quiet: timedelta,
        exposures: int | None = None,
        detectors: Iterable[str] = (),
    ) -> bool:
        """Tell whether nothing more is waited for: everything expected is there, or nothing came for a time.

        Parameters
        ----------
        now, quiet
            Of the caller's clock, and how long without an arrival is the end.
        exposures, detectors
            How many are expected, and which of each; without a number only quiet ends a run.
        """
        if self.last_arrival is None:
            return False
        if now - self.last_arrival >= quiet:
            return True
        if exposures is None or len(self.exposures) < exposures:
            return False
        return all((exposure, detector) in self.frames for exposure in self.exposures for detector in detectors)


def _better(one: FrameMeasurements, other: FrameMeasurements) -> FrameMeasurements:
    """Choose between two that claim one place: measured before failed, more measurements before fewer; else by their text."""
    return max(one, other, key=lambda frame: (not frame.failure, len(frame.measurements), frame_to_text(frame)))
