"""From the entries of the detectors of an exposure to the line of the exposure itself."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rapid.events import ExposureName, camera_of
from rapid.gather.progress import Progress
from rapid.ports import JsonValue, State

__all__ = ["COUNTS", "WHOLE", "Summary", "exposure_entry", "summarize"]

Entry = Mapping[str, JsonValue]
Columns = Mapping[str, Mapping[str, str]]

WHOLE = ""
"""What stands for the name of a detector in the line of an exposure of several."""

MEDIAN_ERROR = 1.2533 * 1.4826
"""Standard error of the median of n values of a normal distribution, times sqrt(n), over their MAD: sqrt(pi/2) sigma."""

FEWEST = 3
"""With fewer values their scatter says nothing of the error of their median."""

_HEADER = "exposure"
"""The group of the columns that come from the header: on them the detectors agree."""


def _column(label: str, kind: str, description: str, *, unit: str = "", group: str = "detectors") -> dict[str, str]:
    return {"label": label, "unit": unit, "description": description, "type": kind, "group": group}


COUNTS: Columns = {
    "detectors_expected": _column("Detectors", "integer", "Detectors that the exposure has, or should have"),
    "detectors_done": _column("Detectors done", "integer", "Detectors that were measured"),
    "detectors_failed": _column("Detectors failed", "integer", "Detectors whose file could not be used"),
    "detectors_missing": _column("Detectors missing", "integer", "Detectors whose file had not come at the deadline"),
    "detectors_late": _column("Detectors late", "integer", "Detectors that were not measured at the deadline"),
    "failed_detector_names": _column("Failed detectors", "word", "Names of the detectors that failed"),
    "missing_detector_names": _column("Missing detectors", "word", "Names of the detectors that are missing"),
    "late_detector_names": _column("Late detectors", "word", "Names of the detectors that were late"),
}
"""The columns that say how much of an exposure there is."""


@dataclass(slots=True)
class Summary:
    """The cells of an exposure, with their notes, uncertainties and the columns that no detector has."""

    cells: dict[str, JsonValue] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    uncertainties: dict[str, float] = field(default_factory=dict)
    columns: dict[str, Mapping[str, str]] = field(default_factory=dict)


def exposure_entry(
    name: ExposureName, progress: Progress, entries: Sequence[Entry], columns: Columns
) -> tuple[dict[str, JsonValue], Columns]:
    """Make the table entry of an exposure, and describe the columns that only it has.

    Of one detector that has no file there is only to say that it is missing: the entry stands where its own would.

    Parameters
    ----------
    progress
        What became of the detectors.
    entries
        The entries of the detectors; those that are done are summed up.
    columns
        What the columns of the camera mean.
    """
    done = [entry for entry in entries if entry["state"] == State.DONE]
    summary = Summary() if progress.single else summarize(done, columns)
    if not progress.single:
        _count(summary, progress)
    entry: dict[str, JsonValue] = {
        "camera": camera_of(name.instrument),
        "instrument": name.instrument,
        "obs_id": name.obs_id,
        "day_obs": name.day_obs,
        "seq_num": name.seq_num,
        "detector_name": progress.expected[0] if progress.single else WHOLE,
        "state": State.DONE.value if done else State.FAILED.value,
        "error": "" if done else _why_nothing(progress),
        "arrival_id": None,
        "cells": summary.cells,
        "notes": summary.notes,
        "uncertainties": summary.uncertainties,
        "channels": {},
        "failures": dict(progress.failed) if done else {},
        "timings": {},
    }
    return entry, summary.columns


def summarize(done: Sequence[Entry], columns: Columns) -> Summary:
    """Sum up the detectors of an exposure that were measured.

    What the header says is taken over where they agree. Of every number that was measured there is the median over the
    detectors that have it (of whole numbers the lower one, which is one of them), its standard error, the median absolute
    deviation as ``{name}_mad`` and the number of those detectors as ``{name}_n``. Words and truth values that differ are
    left out; a detector without the value does not count.
    """
    summary = Summary()
    for column_name, column in columns.items():
        cells = [_mapping(entry, "cells") for entry in done]
        values = [own[column_name] for own in cells if own.get(column_name) is not None]
        if not any(column_name in own for own in cells):
            continue
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if column["group"] == _HEADER or len(numbers) < len(values):
            _agree(summary, column_name, values)
        elif column["type"] in {"number", "integer"}:
            _spread(summary, column_name, column, numbers, done)
    return summary


def _agree(summary: Summary, name: str, values: Sequence[JsonValue]) -> None:
    if values and all(value == values[0] for value in values):
        summary.cells[name] = values[0]


def _spread(
    summary: Summary, name: str, column: Mapping[str, str], numbers: Sequence[int | float], done: Sequence[Entry]
) -> None:
    label, unit = column["label"], column["unit"]
    summary.cells[f"{name}_n"] = len(numbers)
    summary.columns[f"{name}_n"] = _column(
        f"{label} detectors", "integer", f"Detectors that have {label}", group="spread"
    )
    if not numbers:
        summary.cells[name] = None
        summary.notes[name] = _commonest(done, name)
        return
    median = statistics.median_low(numbers) if column["type"] == "integer" else float(statistics.median(numbers))
    mad = float(statistics.median(abs(number - median) for number in numbers))
    summary.cells[name] = median
    summary.cells[f"{name}_mad"] = mad
    summary.columns[f"{name}_mad"] = _column(
        f"{label} MAD", "number", f"Median absolute deviation of {label} over the detectors", unit=unit, group="spread"
    )
    if len(numbers) >= FEWEST:
        summary.uncertainties[name] = MEDIAN_ERROR * mad / len(numbers) ** 0.5


def _commonest(done: Sequence[Entry], name: str) -> str:
    """Say why no detector has a value: what most of them say."""
    reasons = Counter(str(reason) for entry in done if (reason := _mapping(entry, "notes").get(name)))
    return min(reasons, key=lambda reason: (-reasons[reason], reason), default="no detector has it")


def _count(summary: Summary, progress: Progress) -> None:
    """Say how much of the exposure there is, before everything else."""
    total = len(progress.expected)
    failed = [name for name, _ in progress.failed]
    counts: dict[str, JsonValue] = {"detectors_expected": total, "detectors_done": len(progress.done)}
    for kind, names in (("failed", failed), ("missing", progress.missing), ("late", progress.working)):
        counts[f"detectors_{kind}"] = len(names)
        if names:
            counts[f"{kind}_detector_names"] = " ".join(names)
    summary.cells = counts | summary.cells
    summary.columns = {name: COUNTS[name] for name in counts} | summary.columns
    summary.notes |= dict(_doubts(progress, total))


def _doubts(progress: Progress, total: int) -> Iterator[tuple[str, str]]:
    if progress.missing:
        yield "detectors_missing", f"{len(progress.missing)} of {total} files had not come at the deadline"
    if progress.working:
        yield "detectors_late", f"{len(progress.working)} of {total} detectors were not measured at the deadline"
    if progress.failed:
        yield "detectors_failed", f"{len(progress.failed)} of {total} detectors failed"


def _why_nothing(progress: Progress) -> str:
    """Say why nothing of an exposure was measured."""
    if progress.failed:
        name, reason = progress.failed[0]
        more = f" (and {len(progress.failed) - 1} more detectors)" if len(progress.failed) > 1 else ""
        return f"{name}: {reason}{more}"
    if progress.working:
        return "no detector was measured before the deadline"
    return "no file has come" if progress.single else f"none of {len(progress.expected)} files has come"


def _mapping(entry: Entry, name: str) -> Mapping[str, JsonValue]:
    found = entry[name]
    return found if isinstance(found, Mapping) else {}
