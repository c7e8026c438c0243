"""Squares of pixels without their sky: the image that is searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.buffers import buffer
from rapid.processing.jit import compiled

__all__ = ["Squares", "sky_free_squares"]

_PAIR: Final = 2


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
    light, hidden, full = (buffer(shape, kind) for kind in (np.float32, np.bool_, np.bool_))
    bits = np.uint16(hide), np.uint16(saturated)
    if side == _PAIR:
        _sum_pairs(image, mask, *bits, light, hidden, full)
    else:
        _sum(image, mask, side, *bits, light, hidden, full)
    rows, columns = (
        _places(n, side, size, boxes) for n, size, boxes in zip(shape, image.shape, mesh.shape, strict=True)
    )
    _subtract(light, hidden, np.ascontiguousarray(mesh), rows, columns, np.float32(side**2))
    return Squares(light, hidden, full, side)


_Places = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Where the centres of squares are among the centres of the boxes of the sky: index of the one before, and part to the next."""


def _places(n: int, side: int, size: int, boxes: int) -> _Places:
    place = (np.arange(n) * side + side / 2) * boxes / size - 0.5
    index = np.clip(place.astype(np.int64), 0, max(boxes - 2, 0))
    return index, (place - index).astype(np.float32)


@compiled
def _sum_pairs(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    hide: np.uint16,
    saturated: np.uint16,
    light: NDArray[np.float32],
    hidden: NDArray[np.bool_],
    full: NDArray[np.bool_],
) -> None:
    """Sum squares of two pixels, the commonest: without a branch or an inner loop, at the speed of memory."""
    for row in range(light.shape[0]):
        below, above = image[2 * row], image[2 * row + 1]
        bits_below, bits_above = mask[2 * row], mask[2 * row + 1]
        sums, gone, bright = light[row], hidden[row], full[row]
        for x in range(sums.size):
            value = (below[2 * x] + above[2 * x]) + (below[2 * x + 1] + above[2 * x + 1])
            seen = bits_below[2 * x] | bits_above[2 * x] | bits_below[2 * x + 1] | bits_above[2 * x + 1]
            lost = ((seen & hide) != 0) | (value - value != np.float32(0.0))
            sums[x] = np.float32(0.0) if lost else value
            gone[x] = lost
            bright[x] = (seen & saturated) != 0


@compiled
def _sum(  # noqa: PLR0917 - as above
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    side: int,
    hide: np.uint16,
    saturated: np.uint16,
    light: NDArray[np.float32],
    hidden: NDArray[np.bool_],
    full: NDArray[np.bool_],
) -> None:
    width = light.shape[1] * side
    total, bits = np.empty(width, np.float32), np.empty(width, np.uint16)
    values, seen = np.empty(light.shape[1], np.float32), np.empty(light.shape[1], np.uint16)
    for row in range(light.shape[0]):
        _add_rows(image, mask, row * side, side, total, bits)
        _add_columns(total, bits, side, values, seen)
        sums, gone, bright = light[row], hidden[row], full[row]
        for x in range(sums.size):
            lost = ((seen[x] & hide) != 0) | (values[x] - values[x] != np.float32(0.0))
            sums[x] = np.float32(0.0) if lost else values[x]
            gone[x] = lost
            bright[x] = (seen[x] & saturated) != 0


@compiled
def _add_columns(
    total: NDArray[np.float32],
    bits: NDArray[np.uint16],
    side: int,
    values: NDArray[np.float32],
    seen: NDArray[np.uint16],
) -> None:
    """Sum the light and join the bits of some columns."""
    if side == 1:
        values[:], seen[:] = total, bits
        return
    for column in range(values.size):
        value, join = np.float32(0.0), np.uint16(0)
        for x in range(column * side, (column + 1) * side):
            value += total[x]
            join |= bits[x]
        values[column], seen[column] = value, join


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
def _subtract(  # noqa: PLR0917 - as above
    light: NDArray[np.float32],
    hidden: NDArray[np.bool_],
    mesh: NDArray[np.float32],
    rows: _Places,
    columns: _Places,
    area: np.float32,
) -> None:
    line, sky = np.empty(mesh.shape[1], np.float32), np.empty(light.shape[1], np.float32)
    begins = np.searchsorted(columns[0], np.arange(mesh.shape[1] + 1))
    for row in range(light.shape[0]):
        index = rows[0][row]
        low, high = mesh[index], mesh[min(index + 1, mesh.shape[0] - 1)]
        for box in range(line.size):
            line[box] = low[box] + rows[1][row] * (high[box] - low[box])
        _draw(line, begins, columns[1], sky)
        sums, gone = light[row], hidden[row]
        for x in range(sums.size):
            above = sums[x] - area * sky[x]
            sums[x] = np.float32(0.0) if gone[x] else above


@compiled
def _draw(
    line: NDArray[np.float32], begins: NDArray[np.int64], part: NDArray[np.float32], sky: NDArray[np.float32]
) -> None:
    """Draw the line through the centres of boxes at the centres of a row of squares; ``begins`` are the first of each box."""
    for box in range(line.size):
        low = line[box]
        rise = line[min(box + 1, line.size - 1)] - low
        for x in range(begins[box], begins[box + 1]):
            sky[x] = low + part[x] * rise
