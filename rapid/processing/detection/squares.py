"""Squares of pixels without their sky: the image that is searched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["Squares", "sky_free_squares"]


@dataclass(frozen=True, slots=True)
class Squares:
    """An image in squares of ``side`` pixels.

    Attributes
    ----------
    light
        Sum of each square above the sky [electron], float32, shape (ny, nx); 0 where hidden.
    hidden
        Squares with a pixel that means nothing, same shape.
    full
        Squares with a saturated pixel, same shape.
    side
        Pixels.
    """

    light: NDArray[np.float32]
    hidden: NDArray[np.bool_]
    full: NDArray[np.bool_]
    side: int


def sky_free_squares(
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    mesh: NDArray[np.float32],
    side: int,
    *,
    hide: int,
    saturated: int,
) -> Squares:
    """Sum squares of pixels and take off the sky, in one pass over the image.

    What does not fill a square at the upper and right edge is left out.

    Parameters
    ----------
    image
        electron, shape (ny, nx); a square with a NaN is hidden.
    mask
        Bits of every pixel, same shape.
    mesh
        Coarse map of the sky [electron], linear between and beyond the centres of its boxes.
    side
        Of a square [pixel].
    hide, saturated
        Bits that make a square hidden, or full.
    """
    shape = (image.shape[0] // side, image.shape[1] // side)
    light = np.empty(shape, np.float32)
    hidden, full = np.empty(shape, np.bool_), np.empty(shape, np.bool_)
    rows = _places(shape[0], side, image.shape[0], mesh.shape[0])
    columns = _places(shape[1], side, image.shape[1], mesh.shape[1])
    _sum(image, mask, np.ascontiguousarray(mesh), rows, columns, side, np.uint16(hide), np.uint16(saturated), light,
         hidden, full)  # fmt: skip
    return Squares(light, hidden, full, side)


def _places(n: int, side: int, size: int, boxes: int) -> NDArray[np.float32]:
    """Where the centres of squares are among the centres of the boxes of the sky: shape (n, 2), index and part."""
    place = (np.arange(n) * side + side / 2) * boxes / size - 0.5
    index = np.clip(place.astype(np.int64), 0, max(boxes - 2, 0))
    return np.column_stack([index, place - index]).astype(np.float32)


@compiled
def _sum(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    mesh: NDArray[np.float32],
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    side: int,
    hide: np.uint16,
    saturated: np.uint16,
    light: NDArray[np.float32],
    hidden: NDArray[np.bool_],
    full: NDArray[np.bool_],
) -> None:
    width = light.shape[1] * side
    total, bits = np.empty(width, np.float32), np.empty(width, np.uint16)
    line, sky = np.empty(mesh.shape[1], np.float32), np.empty(light.shape[1], np.float32)
    area = np.float32(side * side)
    for row in range(light.shape[0]):
        _sky_line(mesh, rows[row], columns, line, sky)
        _add_rows(image, mask, row * side, side, total, bits)
        for column in range(light.shape[1]):
            value, seen = np.float32(0.0), np.uint16(0)
            for x in range(column * side, (column + 1) * side):
                value += total[x]
                seen |= bits[x]
            value -= area * sky[column]
            gone = (seen & hide) != 0 or not np.isfinite(value)
            light[row, column] = np.float32(0.0) if gone else value
            hidden[row, column] = gone
            full[row, column] = (seen & saturated) != 0


@compiled
def _add_rows(  # noqa: PLR0917 - as above
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    first: int,
    count: int,
    total: NDArray[np.float32],
    bits: NDArray[np.uint16],
) -> None:
    """Sum the light and join the bits of some rows."""
    for x in range(total.size):
        total[x] = image[first, x]
        bits[x] = mask[first, x]
    for y in range(first + 1, first + count):
        for x in range(total.size):
            total[x] += image[y, x]
            bits[x] |= mask[y, x]


@compiled
def _sky_line(
    mesh: NDArray[np.float32],
    row: NDArray[np.float32],
    columns: NDArray[np.float32],
    line: NDArray[np.float32],
    sky: NDArray[np.float32],
) -> None:
    """Read the sky at the centres of a row of squares."""
    index = int(row[0])
    after = min(index + 1, mesh.shape[0] - 1)
    for box in range(line.size):
        line[box] = mesh[index, box] + row[1] * (mesh[after, box] - mesh[index, box])
    for column in range(sky.size):
        box = int(columns[column, 0])
        sky[column] = line[box] + columns[column, 1] * (line[min(box + 1, line.size - 1)] - line[box])
