"""What an analysis hands back: typed findings, and panels to be drawn.

A *finding* is one number (or word) with its name, unit and quality. A *panel* is a small value to be drawn
by whoever shows it: an image, a series, a table of text. Neither knows how it will look.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ContourPanel",
    "Finding",
    "ImagePanel",
    "Line",
    "Mark",
    "Panel",
    "Picture",
    "Quality",
    "Result",
    "SeriesPanel",
    "SurfacePanel",
    "TextPanel",
    "Value",
    "missing",
]

Value = float | int | str | bool | None


class Quality(StrEnum):
    """How far a finding may be trusted."""

    GOOD = "good"
    SUSPECT = "suspect"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One measured or derived value.

    Attributes
    ----------
    name
        snake_case, unique within a row.
    value
        A finite number, a word, a truth value, or None when it could not be had. NaN and infinity are refused.
    unit
        Parsed by `astropy.units`; empty for a dimensionless number or a word.
    description
        One sentence for the head of the column.
    label
        The column's title on a page.
    uncertainty
        One standard deviation, in `unit`; None where it has no meaning.
    n
        Number of items (stars, pixels) it rests on; None where it has no meaning.
    quality, reason
        `reason` says why a value is missing or suspect, and is empty for a good one.
    """

    name: str
    value: Value
    unit: str = ""
    description: str = ""
    label: str = ""
    uncertainty: float | None = None
    n: int | None = None
    quality: Quality = Quality.GOOD
    reason: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.value, float) and not math.isfinite(self.value):
            msg = f"finding {self.name}: {self.value} is not a number; use missing(...) with a reason"
            raise ValueError(msg)
        if (self.value is None) != (self.quality is Quality.MISSING):
            msg = f"finding {self.name}: value {self.value!r} does not go with quality {self.quality}"
            raise ValueError(msg)
        if self.quality is not Quality.GOOD and not self.reason:
            msg = f"finding {self.name} is {self.quality} and does not say why"
            raise ValueError(msg)


def missing(name: str, reason: str, *, unit: str = "", description: str = "", label: str = "") -> Finding:
    """Say that a value could not be had, and why."""
    return Finding(name, None, unit, description, label, quality=Quality.MISSING, reason=reason)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on an image panel, in pixels of the frame: a circle, box, cross or hatch with an optional label.

    ``x, y`` is its centre, ``size`` its diameter or width, and ``height`` the height of a box or hatch that is not
    square. A hatch is a box over pixels that mean nothing, as those of a dead amplifier.
    """

    kind: str
    x: float
    y: float
    size: float
    label: str = ""
    height: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One curve or set of points of a series panel."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    label: str = ""
    points: bool = False


@dataclass(frozen=True, slots=True)
class ImagePanel:
    """An image to be shown: value = `offset` + `step` * `pixels`.

    Attributes
    ----------
    pixels
        uint8 or uint16, shape (ny, nx), row 0 at the bottom.
    low, high
        The values shown black and white.
    x0, y0, binning
        Frame pixel of the centre of the first panel pixel, and frame pixels per panel pixel.
    stretch
        ``linear``, ``asinh`` (turning from linear to logarithmic at 1/50 of the range) or ``equalised`` (`pixels`
        already are display levels).
    blank
        The pixel that says "no data here"; None when every pixel has a value.
    """

    title: str
    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    offset: float = 0.0
    step: float = 1.0
    low: float = 0.0
    high: float = 255.0
    unit: str = ""
    x0: float = 0.0
    y0: float = 0.0
    binning: int = 1
    stretch: str = "linear"
    marks: tuple[Mark, ...] = ()
    blank: int | None = None


@dataclass(frozen=True, slots=True)
class ContourPanel:
    """Level lines of a small map [unit], shape (ny, nx), row 0 at the bottom."""

    title: str
    values: NDArray[np.float32]
    levels: tuple[float, ...]
    unit: str = ""
    x0: float = 0.0
    y0: float = 0.0


@dataclass(frozen=True, slots=True)
class SurfacePanel:
    """A small map [unit], shape (ny, nx), to be shown as a relief."""

    title: str
    values: NDArray[np.float32]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class SeriesPanel:
    """Curves and points over one pair of axes."""

    title: str
    lines: tuple[Line, ...]
    x_label: str
    y_label: str
    x_lines: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TextPanel:
    """Rows of (label, value) to be read."""

    title: str
    rows: tuple[tuple[str, str], ...]


Panel = ImagePanel | ContourPanel | SurfacePanel | SeriesPanel | TextPanel


@dataclass(frozen=True, slots=True)
class Picture:
    """Panels in a grid, shown together in one channel."""

    channel: str
    title: str
    panels: tuple[Panel, ...]
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Result:
    """What one analysis found on one frame.

    Attributes
    ----------
    findings
        Go into the row of the exposure.
    pictures
        At most one a channel.
    sidecar
        Numbers behind the pictures, written beside them as JSON: name to a finite number, word, or list of them.
    """

    findings: tuple[Finding, ...] = ()
    pictures: tuple[Picture, ...] = ()
    sidecar: Mapping[str, object] = field(default_factory=dict)
