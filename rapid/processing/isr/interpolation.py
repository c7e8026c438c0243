"""Values for pixels that have none, from those around them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.jit import compiled

__all__ = ["REACH", "interpolate"]

REACH: Final = 16
"""Pixels up to which a good one is looked for: beyond, it says nothing about this one."""


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
    wrong = bad | empty | ~np.isfinite(image)
    rows, columns = (np.ascontiguousarray(places) for places in np.nonzero(wrong & ~empty))
    values = np.empty(rows.size, np.float32)
    _fill(image, wrong, rows, columns, reach, values)
    found = np.isfinite(values)
    image[rows[found], columns[found]] = values[found]
    filled = np.zeros(image.shape, np.bool_)
    filled[rows[found], columns[found]] = True
    return filled


@compiled
def _fill(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    reach: int,
    values: NDArray[np.float32],
) -> None:
    for i in range(rows.size):
        y, x = rows[i], columns[i]
        both, both_weight, one, one_weight = 0.0, 0.0, 0.0, 0.0
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            ahead = _distance(bad, y, x, dy, dx, reach)
            behind = _distance(bad, y, x, -dy, -dx, reach)
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
            values[i] = both / both_weight
        elif one_weight > 0.0:
            values[i] = one / one_weight
        else:
            values[i] = np.nan


@compiled
def _distance(bad: NDArray[np.bool_], y: int, x: int, dy: int, dx: int, reach: int) -> int:  # noqa: PLR0917 - compiled
    """Count the steps to the nearest good pixel; 0 when there is none in reach."""
    for step in range(1, reach + 1):
        row, column = y + step * dy, x + step * dx
        if row < 0 or row >= bad.shape[0] or column < 0 or column >= bad.shape[1]:
            return 0
        if not bad[row, column]:
            return step
    return 0
