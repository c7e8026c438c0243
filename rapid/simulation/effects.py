"""What a real detector adds to an ideal one, each to be switched on by itself: crosstalk, nonlinearity, lost charge, bad columns.

All act on the charge as it is read; what was done is told in the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rapid.processing.geometry import Amplifier, Detector
from rapid.processing.jit import compiled
from rapid.simulation.chance import generator
from rapid.simulation.sequences import Door

__all__ = ["BadColumn", "Effects", "bad_columns", "crosstalk_matrix"]

Pixels = NDArray[np.float32]
Values = NDArray[np.float64]

_EFFECTS_SEED = 20250415
_NEIGHBOURS = (1.0, 0.25, 0.1)  # crosstalk to the next amplifier, the second and third, relative
_AFAR = 0.02
_GLOW = 300.0  # electron per second in a bright column


class Effects(Door):
    """Which effects, and how strong.

    Attributes
    ----------
    crosstalk
        Largest coefficient: the fraction of an amplifier's signal [electron] seen in its neighbour at the same time.
    nonlinearity
        Relative loss of signal at 100 000 electron; the loss grows with the square of the signal.
    serial_cti, parallel_cti
        Charge left behind in each transfer, relative.
    bad_columns
        Number of columns of the detector, in one amplifier each, that are dark or bright; half of them each.
    measured_gains
        Take the gains of a photon-transfer run instead of the nominal ones of the geometry tables (LSSTCam only).
    """

    crosstalk: float = Field(default=0.0, ge=0, le=0.01)
    nonlinearity: float = Field(default=0.0, ge=-0.2, le=0.2)
    serial_cti: float = Field(default=0.0, ge=0, le=1e-3)
    parallel_cti: float = Field(default=0.0, ge=0, le=1e-3)
    bad_columns: int = Field(default=0, ge=0, le=100)
    measured_gains: bool = False

    @property
    def change_read_out(self) -> bool:
        """Whether charge moves between pixels or amplifiers while it is read."""
        return self.crosstalk > 0 or self.serial_cti > 0 or self.parallel_cti > 0

    @property
    def quadratic(self) -> float:
        """Coefficient q [1/electron] of the measured signal s - q s^2."""
        return self.nonlinearity / 1.0e5

    def read_out(self, charge: Pixels, detector: Detector) -> list[Pixels]:
        """Return what reaches each amplifier's converter [electron], in the order of the file.

        Parameters
        ----------
        charge
            Of the assembled detector, shape (ny, nx).

        Returns
        -------
        Images of the size of the segments, prescan and overscans included.
        """
        segments = [_transferred(charge, amplifier, self) for amplifier in detector.amplifiers]
        if not self.crosstalk:
            return segments
        matrix = crosstalk_matrix(detector, self.crosstalk).astype(np.float32)
        return [_with_crosstalk(segments, matrix[target], target) for target in range(len(segments))]

    def told(self, detector: Detector) -> dict[str, Any]:
        """Return the truth about the effects, as JSON has it."""
        matrix = crosstalk_matrix(detector, self.crosstalk) if self.crosstalk else None
        return {
            **self.model_dump(),
            "crosstalk_matrix": None if matrix is None else matrix.round(10).tolist(),
            "quadratic_per_electron": self.quadratic,
            "bad_columns": [
                {"x": one.x, "y0": one.y0, "y1": one.y1, "bright": one.bright}
                for one in bad_columns(detector, self.bad_columns)
            ],
        }


@dataclass(frozen=True, slots=True)
class BadColumn:
    """A column of the assembled detector that is dark, or glows: pixels (x, y0) to (x, y1 - 1)."""

    x: int
    y0: int
    y1: int
    bright: bool

    def spoil(self, charge: Pixels, seconds: float) -> None:
        """Take the light from the column, or add its glow [electron]."""
        if self.bright:
            charge[self.y0 : self.y1, self.x] += np.float32(_GLOW * seconds)
        else:
            charge[self.y0 : self.y1, self.x] = 0.0


def bad_columns(detector: Detector, n: int) -> tuple[BadColumn, ...]:
    """Return the bad columns of a detector, which are the same every night; the first n of them."""
    chance = generator(_EFFECTS_SEED, 1, detector.number + 1)
    columns = []
    for index in range(n):
        box = detector.amplifiers[int(chance.integers(len(detector.amplifiers)))].bbox
        x = box.x0 + int(chance.integers(box.width))
        columns.append(BadColumn(x, box.y0, box.y0 + box.height, bright=index % 2 == 1))
    return tuple(columns)


def crosstalk_matrix(detector: Detector, largest: float) -> Values:
    """Return the coefficients (target, source): fractions of the source's electrons, falling off with distance; both signs.

    Amplifiers that are not among the same eight share no electronics and hardly any signal.
    """
    n = len(detector.amplifiers)
    chance = generator(_EFFECTS_SEED, 2, detector.number + 1)
    matrix = np.zeros((n, n))
    for target in range(n):
        for source in range(n):
            apart = abs(target - source)
            near = target // 8 == source // 8 and apart <= len(_NEIGHBOURS)
            weight = 0.0 if apart == 0 else _NEIGHBOURS[apart - 1] if near else _AFAR
            matrix[target, source] = largest * weight * float(chance.uniform(0.5, 1.0)) * (1.0 if near else -1.0)
    return matrix


def _transferred(charge: Pixels, amplifier: Amplifier, effects: Effects) -> Pixels:
    """Read an amplifier's charge into an image of its segment, some of it too late."""
    image = np.zeros((amplifier.raw.height, amplifier.raw.width), dtype=np.float32)
    image[amplifier.data.slices] = charge[amplifier.bbox.slices][amplifier.turn]
    if effects.parallel_cti:
        _leave_behind(image.T, effects.parallel_cti, amplifier.data.height)
    if effects.serial_cti:
        _leave_behind(image, effects.serial_cti, amplifier.data.x0 + amplifier.data.width)
    return image


@compiled
def _leave_behind(image: Pixels, cti: float, transfers: int) -> None:
    """Move the fraction ``cti`` times the number of transfers of each pixel into the next that is read.

    To first order in cti times transfers; beyond the last pixel of the register every one has made as many transfers as it.
    """
    ny, nx = image.shape
    for y in range(ny):
        late = 0.0
        for x in range(nx):
            here = float(image[y, x])
            left = here * cti * min(x + 1, transfers)
            image[y, x] = np.float32(here - left + late)
            late = left


def _with_crosstalk(segments: list[Pixels], coefficients: Pixels, target: int) -> Pixels:
    seen = segments[target].copy()
    for source, coefficient in enumerate(coefficients):
        if coefficient:
            seen += coefficient * segments[source]
    return seen
