"""The noise that blocks of an amplifier share: its rows have an error of their level in common, and so have its columns.

The level of a row is taken from some sixty pixels of serial overscan, that of a column from some forty of parallel overscan:
what these are wrong by is small in a pixel, and the same in all the blocks of the row or column, where it does not average
out. Without it a sky looks as if it were tilted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.isr.blocks import Blocks

__all__ = ["BlockNoise", "Equations", "measure_block_noise", "normal_equations"]

_TO_SIGMA: Final = 1.4826
"""Standard deviation of Gaussian values over the median of their distances from the middle."""


@dataclass(frozen=True, slots=True)
class BlockNoise:
    """Variances of what the ``rows`` and ``columns`` of blocks of an amplifier have in common, in the image's unit squared."""

    rows: float = 0.0
    columns: float = 0.0

    def of_means(self, blocks: Blocks, amplifiers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the variance of its mean over each of the amplifiers, shape (amplifiers,)."""
        parts = (blocks.amplifier == number for number in amplifiers.tolist())
        sizes = ((np.unique(blocks.y[part]).size, np.unique(blocks.x[part]).size) for part in parts)
        return np.array([self.rows / rows + self.columns / columns for rows, columns in sizes])


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """Normal equations of a generalised least squares fit: their matrix, right side, and chi squared of no fit at all."""

    matrix: NDArray[np.float64]
    right: NDArray[np.float64]
    total: float


def measure_block_noise(
    blocks: Blocks, residuals: NDArray[np.float64], weights: NDArray[np.float64], n_fitted: int
) -> BlockNoise:
    """Measure what rows and columns have in common, from what a fit of the sky left of the blocks.

    Means over rows and columns scatter by more than the blocks in them explain; it is the bulk of them that counts, so that
    those with a bright star do not.

    Parameters
    ----------
    residuals, weights
        Of the fit, shape (blocks,); weights are inverse variances, not necessarily on the right scale.
    n_fitted
        Parameters of the fit.

    Returns
    -------
    BlockNoise
        On the scale of the weights: divided by the reduced chi squared of blocks about their row and column, where that is
        above 1.
    """
    rows, columns = _Groups.along(blocks, blocks.y), _Groups.along(blocks, blocks.x)
    in_rows, in_columns = rows.means(residuals, weights), columns.means(residuals, weights)
    own = residuals - in_rows[rows.index] - in_columns[columns.index]
    freedom = max(residuals.size - in_rows.size - in_columns.size - n_fitted, 1)
    scale = float(np.sum(weights * own**2)) / freedom
    excess = (
        _excess(means, scale / group.means_weight(weights), freedom=1 - n_fitted / residuals.size)
        for means, group in ((in_rows, rows), (in_columns, columns))
    )
    return BlockNoise(*(each / max(scale, 1.0) for each in excess))


def normal_equations(
    design: NDArray[np.float64],
    levels: NDArray[np.float64],
    weights: NDArray[np.float64],
    blocks: Blocks,
    noise: BlockNoise,
) -> Equations:
    """Build the normal equations of blocks that share noise in their rows and columns.

    With V = W^-1 + Z T Z^T, where Z says which row and column of its amplifier a block is of and T has their variances,
    V^-1 = W - W Z (T^-1 + Z^T W Z)^-1 Z^T W (Woodbury): one small system for each amplifier.

    Parameters
    ----------
    design
        Columns to be fitted, shape (blocks, parameters).
    levels, weights
        Of the blocks; weights are the inverse variances of what each has for itself.
    """
    both = np.column_stack([design, levels])
    weighted = weights[:, None] * both
    matrix = weighted.T @ both
    for part, shared, variances in _shared(blocks, noise):
        inner = (weights[part, None] * shared).T @ shared
        inner[np.diag_indices_from(inner)] += 1.0 / variances
        outer = shared.T @ weighted[part]
        matrix -= outer.T @ np.linalg.solve(inner, outer)
    return Equations(matrix[:-1, :-1], matrix[:-1, -1], float(matrix[-1, -1]))


def _shared(
    blocks: Blocks, noise: BlockNoise
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """Give for each amplifier its blocks, which row and column each of them is of, and the variances of these."""
    if not (noise.rows > 0 or noise.columns > 0):
        return
    for number in np.unique(blocks.amplifier).tolist():
        part = np.flatnonzero(blocks.amplifier == number)
        kinds = ((blocks.y[part], noise.rows), (blocks.x[part], noise.columns))
        shared = [(place[:, None] == np.unique(place), variance) for place, variance in kinds if variance > 0]
        variances = np.concatenate([np.full(which.shape[1], variance) for which, variance in shared])
        yield part, np.hstack([which for which, _ in shared]).astype(np.float64), variances


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Which row, or column, of which amplifier each block is of."""

    index: NDArray[np.int64]
    n: int

    @classmethod
    def along(cls, blocks: Blocks, places: NDArray[np.float64]) -> _Groups:
        _, place = np.unique(places, return_inverse=True)
        _, index = np.unique(blocks.amplifier * places.size + place, return_inverse=True)
        return cls(index.astype(np.int64), int(index.max()) + 1)

    def means(self, values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(self.index, weights * values, self.n) / self.means_weight(weights), np.float64)

    def means_weight(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(self.index, weights, self.n), np.float64)


def _excess(means: NDArray[np.float64], expected: NDArray[np.float64], *, freedom: float) -> float:
    """Return the variance of means beyond that which is expected of each, by their bulk."""
    middle = float(np.median(np.abs(means)))
    return max((_TO_SIGMA * middle) ** 2 / freedom - float(np.median(expected)), 0.0)
