"""What is to be done, what came of it, who does it, and where it is put on show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

__all__ = [
    "EncodedCatalogue",
    "EncodedPicture",
    "Gallery",
    "JsonValue",
    "Outcome",
    "Row",
    "Task",
    "Workers",
]

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


@dataclass(frozen=True, slots=True)
class Task:
    """One raw file to be studied.

    ``archive`` is the URL of the store it is in, ``options`` are the store's own. ``catalogue`` is the URL of the reference
    catalogue, empty for none, with the options of its store.
    """

    archive: str
    key: str
    content: str
    options: Mapping[str, str] = field(default_factory=dict)
    catalogue: str = ""
    catalogue_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A picture ready to be shown. ``suffix`` is ``png`` or ``jpg``; ``sidecar`` its numbers, or empty."""

    channel: str
    suffix: str
    body: bytes
    width: int
    height: int
    sidecar: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncodedCatalogue:
    """A table of what is on a frame, ready to be handed out: the bytes of a Parquet file under a name, as ``sources``."""

    name: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the night table.

    Attributes
    ----------
    camera
        Lower-case name of the page it belongs to: ``auxtel``.
    cells
        Column name to value: finite numbers, words, truth values or None. Types never change within a column.
    notes
        Column name to why its value is missing or suspect.
    uncertainties
        Column name to one standard deviation, in the column's unit.
    channels
        Channel name to the key of its picture in the gallery.
    failures
        Name of an analysis that raised, to its message; of a catalogue that could not be made as well.
    catalogues
        Name of a catalogue to its key in the gallery.
    """

    camera: str
    instrument: str
    obs_id: str
    day_obs: int
    seq_num: int
    detector_name: str
    cells: Mapping[str, JsonValue]
    notes: Mapping[str, str] = field(default_factory=dict)
    uncertainties: Mapping[str, float] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    catalogues: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker hands back: the row to be (without keys), its pictures and catalogues, and where the time went.

    ``columns`` describes the columns this row uses: name to {label, unit, description, type, group}.
    ``shutter_closed_at`` is UTC. ``seconds`` is wall time [s] by stage, ``cpu_seconds`` the whole task's.
    """

    row: Row
    columns: Mapping[str, Mapping[str, str]]
    pictures: tuple[EncodedPicture, ...]
    shutter_closed_at: datetime
    seconds: Mapping[str, float]
    cpu_seconds: float
    catalogues: tuple[EncodedCatalogue, ...] = ()


class Workers(Protocol):
    """Whoever does the work, away from the event loop."""

    @property
    def capacity(self) -> int:
        """How many tasks run at once."""
        ...

    async def run(self, task: Task, *, deadline: float) -> Outcome:
        """Do one task; a worker past the deadline [s] is killed and replaced.

        Raises
        ------
        InputError
            As the task raised it.
        TaskError
            If the worker died, was too late, or the task raised anything else.
        """
        ...


class Gallery(Protocol):
    """Where results are put on show."""

    async def publish(self, outcome: Outcome) -> Row:
        """Write pictures and catalogues and then the row object; return the row with their keys."""
        ...

    async def publish_night(
        self,
        camera: str,
        day_obs: int,
        columns: Mapping[str, Mapping[str, str]],
        entries: Sequence[Mapping[str, JsonValue]],
    ) -> None:
        """Write the table of a night in RubinTV's own form."""
        ...
