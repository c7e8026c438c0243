"""What is measured, as values: a quantity, one measurement of it, and all measurements of one frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameMeasurements", "Level", "Measurement", "Quantity", "Subject", "measured", "not_measured"]


class Level(StrEnum):
    """What a quantity, and a verdict, is about."""

    AMPLIFIER = "amplifier"
    DETECTOR = "detector"
    EXPOSURE = "exposure"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that can be measured.

    Attributes
    ----------
    name
        snake_case.
    unit
        As `astropy.units` spells it; empty for a dimensionless number.
    level, region
        What it is about, and the pixels it is taken from.
    definition
        One sentence.
    source
        Paper, technical note or software whose definition it is; ours where it says so.
    """

    name: str
    unit: str
    level: Level
    region: str
    definition: str
    source: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured value; None, with a reason, when it could not be had.

    ``uncertainty`` is one standard deviation in the unit of the quantity, None where it has no meaning; ``n`` is the number
    of pixels, rows or values it rests on. ``amplifier`` is empty for what is about a whole detector, ``detector`` too for
    what is about an exposure.
    """

    quantity: Quantity
    detector: str
    amplifier: str
    value: float | None
    uncertainty: float | None = None
    n: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            msg = f"{self.name}: {self.value} is not a number; say not_measured(...) with a reason"
            raise ValueError(msg)
        if (self.value is None) != bool(self.reason):
            msg = (
                f"{self.name}: a value goes without a reason, no value with one; found {self.value!r}, {self.reason!r}"
            )
            raise ValueError(msg)
        if self.uncertainty is not None and not 0 <= self.uncertainty < math.inf:
            msg = f"{self.name}: {self.uncertainty} is no uncertainty"
            raise ValueError(msg)

    @property
    def name(self) -> str:
        """Name of the quantity."""
        return self.quantity.name

    @property
    def unit(self) -> str:
        """Unit of value and uncertainty."""
        return self.quantity.unit

    @property
    def region(self) -> str:
        """Pixels it was taken from."""
        return self.quantity.region

    @property
    def definition(self) -> str:
        """What was done, in one sentence."""
        return self.quantity.definition

    @property
    def source(self) -> str:
        """Whose definition it is."""
        return self.quantity.source


def measured(
    quantity: Quantity,
    value: float,
    uncertainty: float | None = None,
    n: int = 0,
    *,
    detector: str = "",
    amplifier: str = "",
) -> Measurement:
    """Return a measurement; a value that is no number becomes one that could not be had."""
    if not math.isfinite(value):
        return not_measured(quantity, "no pixels to measure it on", detector=detector, amplifier=amplifier)
    if uncertainty is not None and not math.isfinite(uncertainty):
        uncertainty = None
    return Measurement(quantity, detector, amplifier, float(value), uncertainty, int(n))


def not_measured(quantity: Quantity, reason: str, *, detector: str = "", amplifier: str = "") -> Measurement:
    """Say that a value could not be had, and why."""
    return Measurement(quantity, detector, amplifier, None, reason=reason)


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """Which frame it is: one detector of one exposure, and how it was taken.

    ``kind`` is the observation type; times [s]; ``begin_tai`` is ISO 8601. What a file does not tell is empty, 0 or None.
    """

    instrument: str
    day_obs: int
    exposure_id: int
    detector: str
    obs_id: str
    seq_num: int
    kind: str
    physical_filter: str
    exposure_time: float | None
    dark_time: float | None
    begin_tai: str

    @property
    def key(self) -> tuple[str, int, str]:
        """What no two frames share."""
        return self.instrument, self.exposure_id, self.detector


@dataclass(frozen=True, slots=True)
class FrameMeasurements:
    """All that was measured on one frame.

    Attributes
    ----------
    amplifiers
        Names of the amplifiers the detector has, in the order of the file: what is expected, measured or not.
    calibrations
        By step of the recipe, what it was corrected with.
    failure
        Why nothing could be measured; empty otherwise.
    overscan_correlations, image_correlations
        Of every amplifier with every other, shape (n, n), read-only; None where they were not asked for. NaN with an
        amplifier that has no signal. They are pictures, not part of what is compared or kept.
    """

    subject: Subject
    amplifiers: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    calibrations: tuple[tuple[str, str], ...] = ()
    failure: str = ""
    image_correlations: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    overscan_correlations: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)

    def by_place(self) -> dict[tuple[str, str], Measurement]:
        """Measurements by name and amplifier."""
        return {(each.name, each.amplifier): each for each in self.measurements}
