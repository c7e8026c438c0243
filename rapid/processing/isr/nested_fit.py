"""Least squares for designs of which one is the beginning of the next, from one factor of the largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

__all__ = ["NestedFit"]

_LEAST_PIVOT: Final = 1e-5
"""Of the normalised matrix: what is left of a column when all before it are taken away."""


@dataclass(frozen=True, slots=True, eq=False)
class NestedFit:
    """Weighted least squares for the first columns of a design, whatever their number, from one Cholesky factor.

    ``factor`` is that of the normal matrix with its columns divided by ``norms``; ``projected`` what each further column
    explains of the levels, so that its square is what chi squared falls by. ``sizes`` are those that can be solved for.
    """

    factor: NDArray[np.float64]
    norms: NDArray[np.float64]
    projected: NDArray[np.float64]
    sizes: list[int]

    @classmethod
    def of(cls, normal: NDArray[np.float64], right: NDArray[np.float64], sizes: list[int]) -> Self:
        """Factor the normal matrix of the largest design; `sizes` are those of all of them, ascending."""
        norms = np.sqrt(np.maximum(np.diagonal(normal), np.finfo(np.float64).tiny))
        factor, usable = _factor(normal / norms / norms[:, None], sizes)
        norms = norms[: len(factor)]
        projected = solve_triangular(factor, right[: len(factor)] / norms, lower=True)
        return cls(factor, norms, projected, usable)

    def explained(self) -> NDArray[np.float64]:
        """Return what chi squared falls by with the columns of each size."""
        return np.asarray(np.cumsum(self.projected**2)[np.array(self.sizes) - 1], np.float64)

    def solution(self, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the values of the first columns and their covariance."""
        norms = self.norms[:size]
        inverse = solve_triangular(self.factor[:size, :size], np.eye(size), lower=True) / norms
        return inverse.T @ self.projected[:size], inverse.T @ inverse


def _factor(normal: NDArray[np.float64], sizes: list[int]) -> tuple[NDArray[np.float64], list[int]]:
    """Factor as much of the matrix as is regular: the sky of few amplifiers cannot be of any order."""
    for n in range(len(sizes), 1, -1):
        try:
            factor = np.linalg.cholesky(normal[: sizes[n - 1], : sizes[n - 1]])
        except np.linalg.LinAlgError:
            continue
        if np.diagonal(factor).min() > _LEAST_PIVOT:
            return np.asarray(factor, np.float64), sizes[:n]
    return np.asarray(np.sqrt(normal[: sizes[0], : sizes[0]]), np.float64), sizes[:1]
