"""Step four of the walk, composed: a task becomes findings, pictures and catalogues, in one pure, killable worker."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.metadata import entry_points
from typing import cast

from astropy.time import Time
from pyarrow import Table

from rapid.errors import ConfigError, InputError, Net, NotAvailable
from rapid.events import camera_of
from rapid.ports import EncodedCatalogue, EncodedPicture, JsonValue, Outcome, Row, Task
from rapid.processing.analysis import ENTRY_POINT_GROUP, Analysis
from rapid.processing.catalogue import catalogue_of, findings_of_frame, write_parquet
from rapid.processing.describe import describe
from rapid.processing.exposure import ExposureInfo
from rapid.processing.findings import Finding, Result
from rapid.processing.frame import Study
from rapid.processing.measure import study as measure
from rapid.processing.refcat import MANIFEST_NAME, ReferenceCatalogue, Selection, decode_manifest
from rapid.processing.warm import warm as warm_core
from rapid.stores import local_path, read
from rapid.tv.render import encode

__all__ = ["analyses", "shutter_closed_at", "study_task", "warm"]


def study_task(task: Task) -> Outcome:
    """Do one task: read the raw, measure it, run every analysis that applies, draw their pictures, make the catalogues.

    An analysis that raises does not take the others with it, nor does a catalogue: it is named in the row's ``failures``.

    Raises
    ------
    InputError
        If the file cannot be used; the message names it and says what was expected and found.
    NotAvailable
        If the file is gone or its store away.
    """
    cpu = time.process_time()
    seconds: dict[str, float] = {}
    with _timed(seconds, "fetch"):
        source = local_path(task.archive, task.key) or read(task.archive, task.key, task.options)
    study = measure(source, name=task.key, catalogue=_catalogue(task))
    seconds |= study.seconds
    results, failures = _analyse(study, seconds)
    info = study.frame.info
    pictures = _draw(results, _caption(info), seconds)
    findings = _findings(info, results)
    catalogues = _list(study, findings, seconds, failures)
    return Outcome(
        row=_row(info, findings, failures),
        columns=_columns(findings),
        pictures=pictures,
        shutter_closed_at=shutter_closed_at(info),
        seconds=seconds,
        cpu_seconds=time.process_time() - cpu,
        catalogues=catalogues,
    )


def warm() -> None:
    """Load and compile everything a task needs, before the night and not in it: a whole frame is studied and drawn."""
    study = warm_core()
    results, _ = _analyse(study, {})
    _draw(results, "warm-up", {})
    _list(study, _findings(study.frame.info, results), {}, {})


@cache
def analyses() -> tuple[Analysis, ...]:
    """Find the installed analyses, in order of their names.

    Raises
    ------
    ConfigError
        If an entry point of the group ``rapid.analyses`` is not an analysis, or two have one name.
    """
    found: dict[str, Analysis] = {}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value)):
        candidate = point.load()
        if not isinstance(candidate, Analysis):
            msg = (
                f"entry point {point.name} = {point.value} is not an analysis: it needs name, version, applies and run"
            )
            raise ConfigError(msg)
        if candidate.name in found:
            msg = f"two installed analyses are called {candidate.name}; the second is {point.value}"
            raise ConfigError(msg)
        found[candidate.name] = candidate
    return tuple(found.values())


def shutter_closed_at(info: ExposureInfo) -> datetime:
    """Return when the shutter closed, UTC; the header says it in TAI."""
    return cast("datetime", Time(info.end_tai, format="isot", scale="tai").utc.to_datetime(timezone=UTC))


@dataclass(frozen=True, slots=True)
class _LazyCatalogue:
    """A reference catalogue that is opened when the first frame is compared: one that is away costs no exposure."""

    url: str
    options: tuple[tuple[str, str], ...]

    def cone(self, ra: float, dec: float, radius: float, *, year: float) -> Selection:
        return _opened_catalogue(self.url, self.options).cone(ra, dec, radius, year=year)


def _catalogue(task: Task) -> _LazyCatalogue | None:
    return _LazyCatalogue(task.catalogue, tuple(sorted(task.catalogue_options.items()))) if task.catalogue else None


@lru_cache(maxsize=1)
def _opened_catalogue(url: str, options: tuple[tuple[str, str], ...]) -> _OpenedCatalogue:
    return _OpenedCatalogue(url, dict(options))


class _OpenedCatalogue:
    """A catalogue kept open; the shards it keeps are those of the last fields.

    One that was made anew while we run does not go with the manifest we have: when parts of it cannot be used, the manifest
    is read again, once for each question.
    """

    def __init__(self, url: str, options: dict[str, str]) -> None:
        self._url, self._options = url, options
        self._catalogue = self._open()

    def cone(self, ra: float, dec: float, radius: float, *, year: float) -> Selection:
        try:
            selection = self._catalogue.cone(ra, dec, radius, year=year)
        except (InputError, NotAvailable):
            self._catalogue = self._open()
            return self._catalogue.cone(ra, dec, radius, year=year)
        return self._again(selection, ra, dec, radius, year) if selection.faults else selection

    def _again(self, selection: Selection, ra: float, dec: float, radius: float, year: float) -> Selection:
        try:
            opened = self._open()
        except (InputError, NotAvailable):
            return selection  # what could be had is better than nothing
        if opened.manifest != self._catalogue.manifest:
            self._catalogue = opened
        return self._catalogue.cone(ra, dec, radius, year=year)

    def _open(self) -> ReferenceCatalogue:
        manifest = decode_manifest(self._fetch(MANIFEST_NAME), name=f"{self._url}/{MANIFEST_NAME}")
        return ReferenceCatalogue(manifest, self._fetch)

    def _fetch(self, name: str) -> bytes:
        return read(self._url, name, self._options)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begin = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - begin


def _analyse(study: Study, seconds: dict[str, float]) -> tuple[dict[str, Result], dict[str, str]]:
    """Run what applies; return results and, for those that raised, what they said."""
    results: dict[str, Result] = {}
    failures: dict[str, str] = {}
    for analysis in analyses():
        with _timed(seconds, analysis.name), Net() as net:
            if analysis.applies(study.frame.info):
                results[analysis.name] = analysis.run(study)
        if net.caught is not None:
            failures[analysis.name] = _said(net.caught)
    return results, failures


def _draw(results: Mapping[str, Result], caption: str, seconds: dict[str, float]) -> tuple[EncodedPicture, ...]:
    """Encode every picture, each with the sidecar of the analysis it came from."""
    drawn = []
    for result in results.values():
        for picture in result.pictures:
            with _timed(seconds, f"draw_{picture.channel}"):
                encoded = encode(picture, caption=caption)
            sidecar = cast("Mapping[str, JsonValue]", result.sidecar)
            drawn.append(replace(encoded, sidecar=dict(sidecar)))
    return tuple(drawn)


def _findings(info: ExposureInfo, results: Mapping[str, Result]) -> dict[str, Sequence[Finding]]:
    return {"exposure": describe(info), **{name: result.findings for name, result in results.items()}}


def _list(
    study: Study, findings: Mapping[str, Sequence[Finding]], seconds: dict[str, float], failures: dict[str, str]
) -> tuple[EncodedCatalogue, ...]:
    """Encode the catalogues: sources, where any were looked for, and findings; one that cannot be made is told."""
    makers: dict[str, Callable[[], Table | None]] = {
        "sources": lambda: catalogue_of(study),
        "findings": lambda: findings_of_frame(study.frame.info, findings),
    }
    made = []
    for name, make in makers.items():
        with _timed(seconds, "catalogues"), Net() as net:
            table = make()
            if table is not None:
                made.append(EncodedCatalogue(name, write_parquet(table)))
        if net.caught is not None:
            failures[f"catalogue of {name}"] = _said(net.caught)
    return tuple(made)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _row(info: ExposureInfo, findings: Mapping[str, Sequence[Finding]], failures: Mapping[str, str]) -> Row:
    every = [finding for group in findings.values() for finding in group]
    return Row(
        camera=camera_of(info.instrument),
        instrument=info.instrument,
        obs_id=info.obs_id,
        day_obs=info.day_obs,
        seq_num=info.seq_num,
        detector_name=info.detector_name,
        cells={finding.name: finding.value for finding in every},
        notes={finding.name: finding.reason for finding in every if finding.reason},
        uncertainties={finding.name: finding.uncertainty for finding in every if finding.uncertainty is not None},
        failures=dict(failures),
    )


def _columns(findings: Mapping[str, Sequence[Finding]]) -> dict[str, dict[str, str]]:
    """Describe the columns of a row. A missing value has no type: another row will say."""
    return {
        finding.name: {
            "label": finding.label or finding.name.replace("_", " "),
            "unit": finding.unit,
            "description": finding.description,
            "type": _type_name(finding),
            "group": group,
        }
        for group, members in findings.items()
        for finding in members
    }


def _type_name(finding: Finding) -> str:
    if finding.value is None:
        return ""
    return {bool: "truth", int: "integer", float: "number", str: "word"}[type(finding.value)]


def _caption(info: ExposureInfo) -> str:
    day = str(info.day_obs)
    parts = [
        f"{info.instrument} {day[:4]}-{day[4:6]}-{day[6:]} seq {info.seq_num}",
        info.observation_type,
        info.physical_filter,
        f"{round(info.exposure_time, 2):g} s" if math.isfinite(info.exposure_time) else "",
        info.object,
    ]
    return " \u00b7 ".join(part for part in parts if part and "unknown" not in part.casefold())
