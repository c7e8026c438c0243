"""From files to a report, with nothing else running."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from calib_verify.measurements import KINDS, FrameMeasurements, MeasuredFrame, Subject, measure_file, measure_pair
from calib_verify.policy import Baseline, Policy, Waiver, judge_run, load_policy
from calib_verify.report import Report, RunReport
from calib_verify.run_state import RunKey, RunState, run_of
from rapid.processing.frame import Frame
from rapid.processing.isr import Calibrations

__all__ = ["Progress", "judge", "measure", "raw_files", "verify"]

Progress = Callable[[Path, int, int], None]
"""Told of every file when it is done: which one, how many are, of how many."""

_SUFFIXES: Final = (".fits", ".fits.gz", ".fits.fz", ".fz")

_DETECTOR: Final = re.compile(r"[-_](R\d\d_?S[\dGW]\d)")

_NO_CALIBRATIONS: Final = Calibrations()


def verify(
    paths: Path | str | Iterable[Path | str],
    *,
    policy: Policy | str = "standard",
    calibrations: Mapping[str, Calibrations] | None = None,
    baseline: Baseline | None = None,
    waivers: Sequence[Waiver] = (),
    expected: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure and judge raw files of biases, darks and flats.

    Parameters
    ----------
    paths
        Files, and directories of them.
    policy
        What they are judged by, or its name.
    calibrations
        By detector, what they are corrected with: the certified ones for external verification, those made of the same run
        for internal one.
    baseline, waivers
        What is usual, and what is known and answered for.
    expected
        Exposures that each run should have.
    progress
        Told of every file that is done.

    Returns
    -------
    Report
        One verdict a run: the biases, the darks, the flats of a filter, of one camera and day.

    Raises
    ------
    ConfigError
        If there is no such policy.
    NotAvailable
        If a file is not there.
    """
    chosen = load_policy(policy) if isinstance(policy, str) else policy
    frames = measure(paths, calibrations=calibrations, progress=progress)
    return judge(frames, chosen, baseline=baseline, waivers=waivers, expected=expected)


def measure(
    paths: Path | str | Iterable[Path | str],
    *,
    calibrations: Mapping[str, Calibrations] | None = None,
    progress: Progress | None = None,
) -> Iterator[FrameMeasurements]:
    """Measure raw files one after the other, detector by detector; two flats at a time are in memory at most.

    Flats that follow each other, alike in filter and exposure time, are measured as a pair too: what a pair tells is told
    with the second of them.
    """
    given = calibrations or {}
    files = sorted(raw_files(paths), key=lambda path: (_detector(path), path.name))
    waiting: MeasuredFrame | None = None
    for number, path in enumerate(files, start=1):
        found = measure_file(path, name=path.name, calibrations=given.get(_detector(path), _NO_CALIBRATIONS))
        if waiting and waiting.pairing and found.pairing and _go_together(waiting, found):
            found = _paired(waiting.pairing, found.pairing, found.measurements)
        waiting = found
        if progress is not None:
            progress(path, number, len(files))
        yield found.measurements


def judge(
    frames: Iterable[FrameMeasurements],
    policy: Policy,
    *,
    baseline: Baseline | None = None,
    waivers: Sequence[Waiver] = (),
    expected: int | None = None,
) -> Report:
    """Judge what was measured, now or in any night before; the order of the frames does not matter."""
    states: dict[RunKey, RunState] = {}
    skipped = []
    now = datetime.now(UTC)
    for frame in frames:
        if frame.failure and frame.subject.kind and frame.subject.kind not in KINDS:
            skipped.append((frame.subject.obs_id, frame.failure))
            continue
        key = run_of(frame.subject)
        states[key] = states.get(key, RunState(key)).add(frame, at=now)
    runs = []
    for key in sorted(states):
        members = tuple(states[key].frames.values())
        verdict = judge_run(members, policy, baseline=baseline, waivers=waivers, expected=expected)
        runs.append(RunReport(key, states[key], verdict))
    return Report(tuple(runs), tuple(sorted(skipped)))


def raw_files(paths: Path | str | Iterable[Path | str]) -> list[Path]:
    """List files, and those in directories that go by the name of FITS; each once, in the order of their names.

    Stamps of guiders are left out of directories: they lie beside every exposure of the camera and are no calibrations.
    """
    given = [paths] if isinstance(paths, Path | str) else list(paths)
    found: set[Path] = set()
    for path in map(Path, given):
        if path.is_dir():
            found.update(each for each in path.rglob("*") if _is_raw(each.name) and each.is_file())
        else:
            found.add(path)
    return sorted(found)


def _is_raw(name: str) -> bool:
    return name.endswith(_SUFFIXES) and "_guider." not in name


def _detector(path: Path) -> str:
    """Return the detector in the name of a file, as ``R22_S11``; empty where there is none."""
    match = _DETECTOR.search(path.name)
    return f"{match[1][:3]}_{match[1][-3:]}" if match else ""


def _go_together(first: MeasuredFrame, second: MeasuredFrame) -> bool:
    def what(subject: Subject) -> tuple[str, str, str, float | None]:
        return subject.instrument, subject.detector, subject.physical_filter, subject.exposure_time

    one, other = first.measurements.subject, second.measurements.subject
    return what(one) == what(other) and one.exposure_id != other.exposure_id


def _paired(first: Frame, second: Frame, found: FrameMeasurements) -> MeasuredFrame:
    """Add what a pair tells; neither of its frames is paired again."""
    places = found.by_place()
    gains = [places["nominal_gain", amplifier].value or 0.0 for amplifier in found.amplifiers]
    return MeasuredFrame(replace(found, measurements=(*found.measurements, *measure_pair(first, second, gains))))
