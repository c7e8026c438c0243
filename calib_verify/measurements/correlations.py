"""How amplifiers go together: Pearson correlations of their pixels, all pairs at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["correlations", "largest"]

_ROWS: Final = 50
"""Rows that are worked on at a time: sixteen amplifiers of them fit into the second cache as float64."""


def correlations(parts: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
    """Return Pearson's correlation of every image with every other one.

    Parameters
    ----------
    parts
        Images of one shape (ny, nx).

    Returns
    -------
    array
        Shape (n, n), read-only, 1 on the diagonal; NaN with an image that is constant or has a pixel that is not finite. For
        independent noise the standard error is 1 / sqrt(ny nx).
    """
    n, (height, width) = len(parts), parts[0].shape
    total, products = np.zeros(n), np.zeros((n, n))
    origin = np.array([float(part[height // 2, width // 2]) for part in parts])
    block = np.empty((n, min(_ROWS, height) * width))
    for first in range(0, height, _ROWS):
        last = min(first + _ROWS, height)
        here = block[:, : (last - first) * width]
        for row, part, level in zip(here, parts, origin, strict=True):
            np.subtract(part[first:last], level, out=row.reshape(last - first, width))
        total += here.sum(axis=1)
        products += here @ here.T
    size = height * width
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = products / size - np.outer(total, total) / size**2
        spread = np.sqrt(np.diagonal(covariance))
        result = np.asarray(covariance / np.outer(spread, spread), np.float64)
    result.flags.writeable = False
    return result


def largest(matrix: NDArray[np.float64]) -> float:
    """Return the correlation of two different images that is furthest from 0, with its sign; NaN when there is none."""
    upper = matrix[np.triu_indices(len(matrix), 1)]
    upper = upper[np.isfinite(upper)]
    return float(upper[np.abs(upper).argmax()]) if upper.size else math.nan
