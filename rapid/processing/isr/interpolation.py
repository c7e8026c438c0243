"""Values for pixels that have none, from those around them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.isr.flags import append_marked, new_marks
from rapid.processing.jit import compiled

__all__ = ["REACH", "interpolate", "interpolate_masked"]

REACH: Final = 16
"""Pixels up to which a good one is looked for: beyond, it says nothing about this one."""

_WRONG: Final = np.uint8(1)
_BLANK: Final = np.uint8(2)
"""What is said of a pixel by arrays that are True or False."""


def interpolate(
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    *,
    blank: NDArray[np.bool_] | None = None,
    reach: int = REACH,
) -> NDArray[np.bool_]:
    """Fill bad pixels from the good ones around them, **in place**.

    Along the row, the column and both diagonals the nearest good pixels on either side give a linear interpolation; the
    four are averaged with the inverse fourth power of the gap between them as weight, as the error of a linear
    interpolation grows with its square: the narrow way across a bad column counts, the long way along it does not. Where
    no direction has both sides, at the rim, the nearest good pixels in reach are averaged likewise. A plane is reproduced
    exactly where there are both sides. Filled values are for pictures and for filters that need every pixel: their noise
    is not that of a pixel.

    Parameters
    ----------
    image
        Shape (ny, nx), float32. Pixels that are not finite are bad, and only the pixels that are bad are changed.
    bad
        True where a value means nothing, same shape.
    blank
        True where nothing is to be filled, same shape: bad pixels that nobody looks for, as those of a dead amplifier.
    reach
        Distance [pixel] in which good ones are looked for.

    Returns
    -------
    array
        True where a value was filled in, same shape; a bad pixel with no good one in reach keeps what it holds.

    Raises
    ------
    InputError
        If the shapes differ, or the image is not float32 that may be written to.
    """
    empty = np.zeros_like(bad) if blank is None else blank
    if (
        not image.shape == bad.shape == empty.shape
        or image.ndim != 2
        or image.dtype != np.float32
        or not image.flags.writeable
    ):
        raise InputError(
            "this image cannot be filled",
            subject="interpolation",
            expected=f"{bad.shape} float32, writeable",
            found=f"{image.shape} {image.dtype.name}",
        )
    marks = np.where(empty, _BLANK, bad * _WRONG).astype(np.uint8)
    places = _filled(image, marks, _WRONG, _BLANK, reach)
    filled = np.zeros(image.shape, np.bool_)
    filled.reshape(-1)[places] = True
    return filled


def interpolate_masked(
    image: NDArray[np.float32], mask: NDArray[np.uint16], *, wrong: int, blank: int, filled: int, reach: int = REACH
) -> int:
    """Fill the pixels that have one of the bits `wrong` but none of `blank`, **in place**, as `interpolate` does.

    The bits `filled` are set where a value was filled in; the number of those pixels is returned.
    """
    places = _filled(image, mask, np.uint16(wrong), np.uint16(blank), reach)
    mask[np.divmod(places, mask.shape[1])] |= np.uint16(filled)
    return places.size


_Marks = NDArray[np.uint8] | NDArray[np.uint16]
_Bits = np.uint8 | np.uint16
"""What is known of each pixel, and the bits that are meant."""


@compiled
def _filled(image: NDArray[np.float32], marks: _Marks, wrong: _Bits, blank: _Bits, reach: int) -> NDArray[np.int64]:
    """Fill what can be; return the places, counted along rows."""
    nx = image.shape[1]
    places = _to_fill(image, marks, wrong, blank)
    values = np.empty(places.size, np.float32)
    for i in range(places.size):
        values[i] = _from_around(image, marks, wrong | blank, places[i] // nx, places[i] % nx, reach)
    n = 0
    for i in range(places.size):
        if np.isfinite(values[i]):
            image[places[i] // nx, places[i] % nx] = values[i]
            places[n] = places[i]
            n += 1
    return places[:n]


@compiled
def _to_fill(image: NDArray[np.float32], marks: _Marks, wrong: _Bits, blank: _Bits) -> NDArray[np.int64]:
    ny, nx = image.shape
    places, n = np.empty(64, np.int64), 0
    found = new_marks(nx)
    for y in range(ny):
        line, known = image[y], marks[y]
        for x in range(nx):
            no_number = line[x] - line[x] != np.float32(0.0)
            found[x] = (no_number | ((known[x] & wrong) != 0)) & ((known[x] & blank) == 0)
        places, n = append_marked(found, y * nx, places, n)
    return places[:n]


@compiled
def _from_around(image: NDArray[np.float32], marks: _Marks, bits: _Bits, y: int, x: int, reach: int) -> float:  # noqa: PLR0917 - compiled functions take their arguments by position
    both, both_weight, one, one_weight = 0.0, 0.0, 0.0, 0.0
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        ahead = _distance(image, marks, bits, y, x, dy, dx, reach)
        behind = _distance(image, marks, bits, y, x, -dy, -dx, reach)
        after = np.float64(image[y + ahead * dy, x + ahead * dx])
        before = np.float64(image[y - behind * dy, x - behind * dx])
        gap = ahead + behind
        weight = 1.0 / max(gap * gap * (dy * dy + dx * dx), 1) ** 2
        if ahead and behind:
            both += weight * (before * ahead + after * behind) / gap
            both_weight += weight
        elif ahead or behind:
            one += weight * (after if ahead else before)
            one_weight += weight
    if both_weight > 0.0:
        return both / both_weight
    return one / one_weight if one_weight > 0.0 else np.nan


@compiled
def _distance(  # noqa: PLR0917 - as above
    image: NDArray[np.float32], marks: _Marks, bits: _Bits, y: int, x: int, dy: int, dx: int, reach: int
) -> int:
    """Count the steps to the nearest good pixel; 0 when there is none in reach."""
    for step in range(1, reach + 1):
        row, column = y + step * dy, x + step * dx
        if row < 0 or row >= image.shape[0] or column < 0 or column >= image.shape[1]:
            return 0
        if not marks[row, column] & bits and np.isfinite(image[row, column]):
            return step
    return 0
