"""What is known of an exposure as a whole: what was said of it, where its detectors stand, what was made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rapid.events import ExpectedSensors, ExpectedSensorsWritten, ExposureName, ExposureSeen
from rapid.ports.entries import FeedEvent, State
from rapid.ports.work import JsonValue

__all__ = ["DetectorStanding", "Exposures", "Heard", "Product", "Standing"]

Heard = ExposureSeen | ExpectedSensors | ExpectedSensorsWritten
"""What is said of an exposure apart from its files, and is worth writing down."""


@dataclass(frozen=True, slots=True)
class DetectorStanding:
    """Where one detector of an exposure stands in the night table.

    ``name`` tells a guider file (``R00_SG0_guider``) from a science raw; ``key`` is its file and ``recorded_at`` when that
    was written down; ``revision`` counts its results.
    """

    name: str
    state: State
    error: str
    revision: int
    key: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an exposure stands: all that the ledger knows of it, at one moment.

    Attributes
    ----------
    name
        Which exposure.
    sensors, origin
        The detectors that will have a file, and who said so; both empty when nobody did.
    list_key
        Where in the archive the camera's own list of them lies; empty when that was not announced.
    started_at, exposure_time
        When the shutter opened, UTC, and for how long it was asked to [s]; None when not heard.
    read_out_at
        When the readout ended, UTC; None when not heard.
    detectors
        Those of which a file is known.
    work_began_at
        When the first of them was taken up by a worker, UTC; None before that.
    revision, fingerprint, said_at
        Of the product that was said last: its number (0 for none), what it was made of, and when.
    due_at
        When it is to be looked at again, whatever happens until then; None when only news can change it.
    """

    name: ExposureName
    sensors: tuple[tuple[str, str], ...] = ()
    origin: str = ""
    list_key: str = ""
    started_at: datetime | None = None
    exposure_time: float | None = None
    read_out_at: datetime | None = None
    detectors: tuple[DetectorStanding, ...] = ()
    work_began_at: datetime | None = None
    revision: int = 0
    fingerprint: str = ""
    said_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """What is shown of an exposure as a whole: a table entry, and what tells one content of it from another.

    ``entry`` has the keys of `rapid.ports.Ledger.night` but ``revision``, which the ledger counts; ``columns`` describes
    those of its cells that no detector has.
    """

    entry: Mapping[str, JsonValue]
    columns: Mapping[str, Mapping[str, str]]
    fingerprint: str


class Exposures(Protocol):
    """The exposures of a ledger. Every method is durable when it returns."""

    async def hear(self, events: Sequence[Heard]) -> None:
        """Write down what was said of exposures; in whatever order and however often it is said, the same is known then.

        The camera's own list of detectors (origin ``expectedSensors``) goes before any other.
        """
        ...

    async def touched(
        self, after: int, *, without: Sequence[str] = (), limit: int = 500
    ) -> tuple[int, Sequence[ExposureName]]:
        """Read which exposures had a change after an entry of the feed, `without` those of some cameras.

        Returns the last entry that was looked at (`after`, when there is none), and their names, each once.
        """
        ...

    async def due(self) -> Sequence[tuple[ExposureName, datetime]]:
        """List the exposures that are to be looked at at a certain time, and when."""
        ...

    async def wait(self, name: ExposureName, until: datetime | None) -> None:
        """Remember when an exposure is to be looked at again; None when only news can change it."""
        ...

    async def standing(self, name: ExposureName) -> Standing:
        """Tell where an exposure stands; one that nobody has heard of stands nowhere."""
        ...

    async def entries(self, name: ExposureName) -> Sequence[Mapping[str, JsonValue]]:
        """Fetch the table entries of its detectors, in order of their names."""
        ...

    async def say(
        self, name: ExposureName, product: Product, *, after: int, until: datetime | None = None
    ) -> FeedEvent | None:
        """Show a product in table and feed, as the revision that follows `after`; look again at `until`.

        None, and nothing is changed, when another revision was said meanwhile.
        """
        ...

    async def in_progress(self, *, limit: int = 100) -> Sequence[Standing]:
        """Tell of the exposures that are waited for, newest first."""
        ...
