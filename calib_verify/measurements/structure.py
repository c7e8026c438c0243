"""Structure of an amplifier: its rows, its columns, and the corner that is read first."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Amplifier, Box, ReadCorner
from rapid.processing.jit import compiled

__all__ = ["CORNER", "profiles", "read_corner_box", "scatter"]

CORNER: Final = 200
"""Side of the box at the corner that is read first [pixel], as cp_verify has it."""


def profiles(
    image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of the rows and of the columns of an image, shape (ny, nx).

    Pixels with any of the excluded bits, and those that are not finite, are left out; NaN where none is left.
    """
    rows, columns = np.zeros((2, image.shape[0])), np.zeros((2, image.shape[1]))
    _add(image, mask, np.uint16(excluded), rows, columns)
    with np.errstate(invalid="ignore"):
        return rows[0] / rows[1], columns[0] / columns[1]


def scatter(profile: NDArray[np.float64]) -> tuple[float, float, int]:
    """Return the standard deviation of a profile, its standard error for Gaussian values, and their number."""
    values = profile[np.isfinite(profile)]
    if values.size < 2:
        return math.nan, math.nan, values.size
    spread = float(values.std(ddof=1))
    return spread, spread / math.sqrt(2 * (values.size - 1)), values.size


def read_corner_box(amplifier: Amplifier, side: int = CORNER) -> Box:
    """Return the box at the corner of an amplifier's place where reading begins."""
    box, corner = amplifier.bbox, amplifier.read_corner
    right = corner in {ReadCorner.LOWER_RIGHT, ReadCorner.UPPER_RIGHT}
    upper = corner in {ReadCorner.UPPER_LEFT, ReadCorner.UPPER_RIGHT}
    return Box(
        box.x0 + box.width - side if right else box.x0,
        box.y0 + box.height - side if upper else box.y0,
        side,
        side,
    )


@compiled
def _add(
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    excluded: np.uint16,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
) -> None:
    for y in range(image.shape[0]):
        total, n = 0.0, 0.0
        for x in range(image.shape[1]):
            usable = np.isfinite(image[y, x]) and not (mask[y, x] & excluded)
            value = float(image[y, x]) if usable else 0.0
            weight = 1.0 if usable else 0.0
            total += value
            n += weight
            columns[0, x] += value
            columns[1, x] += weight
        rows[0, y] += total
        rows[1, y] += n
