"""Offsets between amplifiers: what is left of their levels, told from the sky by fitting both at once.

Levels of small blocks are fitted by a pedestal for each amplifier and one sky for all, a polynomial as high as the data
ask for (Bayesian information criterion, Schwarz 1978). All pixels count, not only those at the borders, no sky is
subtracted beforehand that could have taken the pedestals with it, and each pedestal comes with its error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from rapid.processing.geometry import Box
from rapid.processing.isr.blocks import Blocks, measure_blocks

__all__ = ["AmplifierOffsets", "fit_amplifier_offsets", "subtract_offsets"]

HIGHEST_ORDER: Final = 12
"""Of the polynomial: waves as short as two thirds of the detector's side over two; beyond, amplifiers have no say of their own."""

_FEWEST: Final = 20
"""Blocks that an amplifier must have for a pedestal."""

_HUBER: Final = 2.0
"""Residuals beyond so many standard deviations count less (Huber 1964): blocks with the wings of a star or galaxy in them."""

_REWEIGHTED: Final = 2

_LEAST_PIVOT: Final = 1e-5
"""Of the normalised matrix: what is left of a column when all before it are taken away."""


@dataclass(frozen=True, slots=True, eq=False)
class AmplifierOffsets:
    """Pedestals of the amplifiers of a detector, in the unit of the image.

    Attributes
    ----------
    pedestals, errors
        Shape (n,), read-only; the pedestals that could be had sum up to zero, the others are NaN.
    covariance
        Of the pedestals, shape (n, n), read-only; NaN where there is none.
    order
        Of the sky's polynomial; -1 when there is no fit.
    reduced_chi2
        Of the fit. Above 1 the sky had more structure than a polynomial can follow; the errors were raised for it.
    n_blocks
        On which the fit rests.
    reasons
        For each amplifier why it has no pedestal; empty where it has one.
    """

    pedestals: NDArray[np.float64]
    errors: NDArray[np.float64]
    covariance: NDArray[np.float64]
    order: int
    reduced_chi2: float
    n_blocks: int
    reasons: tuple[str, ...]


def fit_amplifier_offsets(
    image: NDArray[np.float32], bad: NDArray[np.bool_], boxes: Sequence[Box], *, highest_order: int = HIGHEST_ORDER
) -> AmplifierOffsets:
    """Fit a pedestal to each amplifier, and one smooth sky to all.

    Parameters
    ----------
    image
        Assembled detector, any unit, shape (ny, nx); pixels that are not finite are left out.
    bad
        True where a pixel is no sky, same shape: masked, at the rim, or of a source. Sources that nobody masked are
        clipped, and the blocks they spoil count less.
    boxes
        Of the amplifiers in the image.
    highest_order
        Up to which the sky's polynomial is tried.

    Returns
    -------
    AmplifierOffsets
        On a uniform sky with a noise of s a pixel the errors are about 3.5 s / sqrt(pixels of an amplifier) for order 0
        and grow to ten times that at order 8. All missing, with reasons, when fewer than two amplifiers have a sky.

    Raises
    ------
    InputError
        If the shapes differ or a box lies outside.
    """
    blocks = measure_blocks(image, bad, boxes)
    counts = np.bincount(blocks.amplifier, minlength=len(boxes))
    known = np.flatnonzero(counts >= _FEWEST)
    if known.size < 2:
        return _nothing([f"only {n} blocks of sky, and no other amplifier to compare with" for n in counts.tolist()])
    design, sizes = _design(blocks, known, image.shape, highest_order)
    used = np.isin(blocks.amplifier, known)
    return _fitted(design[used], sizes, blocks.level[used], blocks.error[used], known=known, counts=counts)


def subtract_offsets(
    image: NDArray[np.float32], boxes: Sequence[Box], offsets: AmplifierOffsets, *, significance: float = 3.0
) -> NDArray[np.bool_]:
    """Subtract the pedestals that stand out by `significance` of their errors, **in place**; say which ones."""
    with np.errstate(invalid="ignore"):
        chosen = np.abs(offsets.pedestals) > significance * offsets.errors
    for number in np.flatnonzero(chosen).tolist():
        image[boxes[number].slices] -= np.float32(offsets.pedestals[number])
    return np.asarray(chosen, np.bool_)


def _design(
    blocks: Blocks, known: NDArray[np.int64], shape: tuple[int, ...], highest: int
) -> tuple[NDArray[np.float64], list[int]]:
    """Return the columns, pedestals first, then the sky by order; and how many there are up to each order."""
    pedestals = (blocks.amplifier[:, None] == known).astype(np.float64)
    along_x = legvander(2.0 * blocks.x / (shape[1] - 1) - 1.0, highest)
    along_y = legvander(2.0 * blocks.y / (shape[0] - 1) - 1.0, highest)
    terms = [(order - j, j) for order in range(1, highest + 1) for j in range(order + 1)]
    sky = [along_x[:, i] * along_y[:, j] for i, j in terms]
    sizes = [known.size + order * (order + 3) // 2 for order in range(highest + 1)]
    return np.column_stack([pedestals, *sky]), sizes


def _fitted(
    design: NDArray[np.float64],
    sizes: list[int],
    levels: NDArray[np.float64],
    errors: NDArray[np.float64],
    *,
    known: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> AmplifierOffsets:
    n = levels.size
    levels = levels - levels.mean()
    sizes = [size for size in sizes if size <= n // 2]
    weights = _robust_weights(design, sizes, levels, errors)
    nested = _Nested.of(design, sizes, levels, weights)
    total = float(levels @ (weights * levels))
    explained = np.cumsum(nested.projected**2)[np.array(nested.sizes) - 1]
    chi2 = np.maximum(total - explained, np.finfo(np.float64).eps * total)
    criteria = n * np.log(chi2 / n) + np.array(nested.sizes) * math.log(n)
    order = int(np.argmin(criteria))
    values, covariance = nested.solution(nested.sizes[order])
    reduced = float(chi2[order]) / (n - values.size)
    to_zero_sum = np.eye(known.size) - 1.0 / known.size
    pedestals, spread = np.full(counts.size, np.nan), np.full((counts.size, counts.size), np.nan)
    pedestals[known] = to_zero_sum @ values[: known.size]
    part = covariance[: known.size, : known.size] * max(reduced, 1.0)
    spread[np.ix_(known, known)] = to_zero_sum @ part @ to_zero_sum
    reasons = ["" if count >= _FEWEST else f"only {count} blocks of sky" for count in counts.tolist()]
    return _frozen(pedestals, spread, reasons, order=order, reduced=reduced, n=n)


@dataclass(frozen=True, slots=True, eq=False)
class _Nested:
    """Weighted least squares for the first columns of a design, whatever their number, from one Cholesky factor.

    ``factor`` is that of the normal matrix with its columns divided by ``norms``; ``projected`` what each further column
    explains of the levels, so that its square is what chi squared falls by. ``sizes`` are those that can be solved for.
    """

    factor: NDArray[np.float64]
    norms: NDArray[np.float64]
    projected: NDArray[np.float64]
    sizes: list[int]

    @classmethod
    def of(
        cls, design: NDArray[np.float64], sizes: list[int], levels: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> _Nested:
        columns = design[:, : sizes[-1]]
        weighted = weights[:, None] * columns
        normal, right = weighted.T @ columns, weighted.T @ levels
        norms = np.sqrt(np.maximum(np.diagonal(normal), np.finfo(np.float64).tiny))
        factor, usable = _factor(normal / norms / norms[:, None], sizes)
        norms = norms[: len(factor)]
        projected = solve_triangular(factor, right[: len(factor)] / norms, lower=True)
        return cls(factor, norms, projected, usable)

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
    return np.asarray(np.sqrt(normal[: sizes[0], : sizes[0]]), np.float64), sizes[
        :1
    ]  # pedestals only: the matrix is diagonal


def _robust_weights(
    design: NDArray[np.float64], sizes: list[int], levels: NDArray[np.float64], errors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return inverse variances, less for blocks that even the highest order cannot follow."""
    base = 1.0 / errors**2
    weights = base
    for _ in range(_REWEIGHTED):
        nested = _Nested.of(design, sizes, levels, weights)
        values, _ = nested.solution(nested.sizes[-1])
        residuals = np.abs(levels - design[:, : values.size] @ values) / errors
        scale = max(1.4826 * float(np.median(residuals)), 1.0)
        weights = base * np.minimum(1.0, _HUBER * scale / np.maximum(residuals, 1e-300))
    return weights


def _nothing(reasons: list[str]) -> AmplifierOffsets:
    n = len(reasons)
    return _frozen(np.full(n, np.nan), np.full((n, n), np.nan), reasons, order=-1, reduced=math.nan, n=0)


def _frozen(
    pedestals: NDArray[np.float64],
    covariance: NDArray[np.float64],
    reasons: list[str],
    *,
    order: int,
    reduced: float,
    n: int,
) -> AmplifierOffsets:
    errors = np.sqrt(np.diagonal(covariance))
    for array in (pedestals, errors, covariance):
        array.flags.writeable = False
    return AmplifierOffsets(pedestals, errors, covariance, order, reduced, n, tuple(reasons))
