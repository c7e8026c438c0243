"""A night as it is planned, read from YAML.

What is not understood is refused with the path of the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from rapid.errors import ConfigError, UnknownInstrument
from rapid.simulation.effects import Effects
from rapid.simulation.instruments import INSTRUMENTS, instrument
from rapid.simulation.sequences import Door, FlatSequence, FocusSequence, Incident, OnSky, Sequence, Target

__all__ = ["NightPlan", "PlannedExposure", "builtin_plan", "builtin_plans", "load_plan"]


@dataclass(frozen=True, slots=True)
class PlannedExposure:
    """One exposure of a plan.

    Attributes
    ----------
    number
        From 1, through the night.
    kind
        ``bias``, ``dark``, ``flat``, ``science``, ``focus`` or ``spectrum``.
    sequence, place, of
        Number of its sequence from 0, its place there from 1, and how many that has.
    wait
        Seconds between the end of the last readout (the begin of the night) and the begin of this exposure.
    level
        Mean signal of a flat [electron].
    seeing
        FWHM at zenith and 500 nm [arcsec].
    focus
        Hexapod offset from best focus [mm].
    """

    number: int
    kind: str
    sequence: int
    place: int
    of: int
    wait: float
    exposure_time: float
    program: str
    filter: str = "empty_1"
    disperser: str = "empty_1"
    target: Target | None = None
    level: float = 0.0
    seeing: float = 1.0
    beta: float = 3.5
    ellipticity: tuple[float, float] = (0.0, 0.0)
    dither: float = 0.0
    focus: float = 0.0
    incidents: tuple[Incident, ...] = ()


class NightPlan(Door):
    """A night: when it begins (UTC) unless told otherwise, and its sequences in order.

    ``detectors`` are those that are simulated unless told otherwise; none named are all that take pictures. ``effects``
    are what the detectors add to ideal ones.
    """

    name: str = Field(min_length=1, max_length=60)
    description: str = ""
    instrument: Literal["LATISS", "LSSTCam", "LSSTComCam"] = "LATISS"
    detectors: tuple[str, ...] = ()
    effects: Effects = Effects()
    begins: datetime
    sequences: tuple[Sequence, ...] = Field(min_length=1)

    @field_validator("begins")
    @classmethod
    def _in_utc(cls, when: datetime) -> datetime:
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)

    @model_validator(mode="after")
    def _is_of_one_camera(self) -> Self:
        """Hold filters, dispersers and detectors to what the camera has."""
        used = instrument(self.instrument)
        for named in (self.detectors, *(_detectors_of(sequence) for sequence in self.sequences)):
            try:
                used.chosen(named)
            except UnknownInstrument as error:
                raise ValueError(str(error)) from error
        for index, sequence in enumerate(self.sequences):
            name = getattr(sequence, "filter", used.resting_filter)
            if name not in used.passbands:
                msg = f"sequences[{index}].filter: {used.name} has no {name}; it has {', '.join(used.passbands)}"
                raise ValueError(msg)
            if sequence.kind == "spectrum" and used.name != "LATISS":
                msg = f"sequences[{index}].kind: {used.name} has no disperser"
                raise ValueError(msg)
        return self

    def exposures(self) -> tuple[PlannedExposure, ...]:
        """List the exposures of the night in order."""
        resting = INSTRUMENTS[self.instrument].resting_filter
        planned: list[PlannedExposure] = []
        for index, sequence in enumerate(self.sequences):
            for place in range(1, sequence.length() + 1):
                planned.append(_planned(sequence, number=len(planned) + 1, index=index, place=place, resting=resting))
        return tuple(planned)


def load_plan(path: Path) -> NightPlan:
    """Read a plan.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not YAML, or a field is missing, unknown or impossible; the message names it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the plan {path} cannot be read: {error}"
        raise ConfigError(msg) from error
    return _parse(text, str(path))


def builtin_plans() -> tuple[str, ...]:
    """List the plans that come with the package."""
    shelf = files("rapid.simulation").joinpath("plans")
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in shelf.iterdir() if entry.name.endswith(".yaml")))


def builtin_plan(name: str) -> NightPlan:
    """Return one of the plans that come with the package.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    if name not in builtin_plans():
        msg = f"no plan is called {name!r}; those that come with the package are {', '.join(builtin_plans())}"
        raise ConfigError(msg)
    shelf = files("rapid.simulation").joinpath("plans")
    return _parse(shelf.joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"plan {name}")


def _parse(text: str, origin: str) -> NightPlan:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        msg = f"{origin}: not YAML: {error}"
        raise ConfigError(msg) from error
    if not isinstance(content, dict):
        msg = f"{origin}: expected a mapping with name, begins and sequences; found {type(content).__name__}"
        raise ConfigError(msg)
    try:
        return NightPlan.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{origin}: {line}" for line in _complaints(error))) from error


def _complaints(error: ValidationError) -> list[str]:
    """One line a field: its path, what was expected, what was found."""
    lines = []
    entries = error.errors()
    for entry in entries:
        place = entry["loc"]
        if entry["type"] == "too_short" and any(
            other["loc"][: len(place)] == place != other["loc"] for other in entries
        ):
            continue  # it is short of items only because those in it are wrong
        found = entry["input"]
        shown = "" if isinstance(found, dict | list) or entry["type"] == "missing" else f"; found {found!r}"
        lines.append(f"{_field_path(place)}: {entry['msg'].removeprefix('Value error, ')}{shown}")
    return lines


def _field_path(place: tuple[int | str, ...]) -> str:
    """Write ``sequences[3].count``; the names of the alternatives that pydantic puts after an index are left out."""
    path = ""
    for before, part in zip((None, *place), place, strict=False):
        if isinstance(part, int):
            path += f"[{part}]"
        elif not isinstance(before, int):
            path += f".{part}" if path else part
        elif part not in _KINDS:
            path += f".{part}"
    return path or "the plan"


_KINDS = frozenset(
    {
        *("bias", "dark", "flat", "science", "focus", "spectrum"),
        *("clouds", "dead_amplifier", "dead_detector", "missing_detector", "truncated_file"),
    }
)


def _detectors_of(sequence: Sequence) -> tuple[str, ...]:
    """List the detectors that the incidents of a sequence name."""
    named = (getattr(incident, "detector", None) for incident in sequence.incidents)
    return tuple(name for name in named if name is not None)


def _planned(sequence: Sequence, *, number: int, index: int, place: int, resting: str) -> PlannedExposure:
    of = sequence.length()
    happening = tuple(i for i in sequence.incidents if i.exposures is None or place in i.exposures)
    common: dict[str, Any] = {
        "number": number,
        "kind": sequence.kind,
        "sequence": index,
        "place": place,
        "of": of,
        "wait": sequence.overhead if place == 1 else sequence.pause,
        "exposure_time": getattr(sequence, "exposure_time", 0.0),
        "program": sequence.program,
        "incidents": happening,
        "filter": resting,
    }
    if isinstance(sequence, FlatSequence):
        common |= {"filter": sequence.filter, "level": _trend(sequence.level, place, of)}
    elif isinstance(sequence, OnSky):
        common |= _on_sky(sequence, place, of)
    return PlannedExposure(**common)


def _on_sky(sequence: OnSky, place: int, of: int) -> dict[str, Any]:
    swept = sequence.offsets[place - 1] if isinstance(sequence, FocusSequence) else 0.0
    return {
        "filter": sequence.filter,
        "disperser": getattr(sequence, "disperser", "empty_1"),
        "target": sequence.target,
        "seeing": _trend(sequence.seeing, place, of),
        "beta": sequence.beta,
        "ellipticity": sequence.ellipticity,
        "dither": sequence.dither,
        "focus": sequence.focus + swept,
    }


def _trend(value: float | tuple[float, float], place: int, of: int) -> float:
    """Return the value at a place between the first and the last of a sequence."""
    if not isinstance(value, tuple):
        return value
    fraction = (place - 1) / (of - 1) if of > 1 else 0.0
    return value[0] + fraction * (value[1] - value[0])
