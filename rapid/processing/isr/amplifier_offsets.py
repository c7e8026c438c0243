"""Offsets between amplifiers: what is left of their levels, told from the sky by fitting both at once.

Levels of small blocks are fitted by a pedestal for each amplifier and one sky for all, a polynomial as high as the data
ask for (Bayesian information criterion, Schwarz 1978). All pixels count, not only those at the borders, no sky is
subtracted beforehand that could have taken the pedestals with it, and each pedestal comes with its error. What the rows and
columns of an amplifier have in common, since their levels come from a few pixels of overscan, is weighed as such; its mean
is part of the pedestal, which is what the level of the amplifier is off by in this image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from rapid.processing.geometry import Box
from rapid.processing.isr.block_noise import measure_block_noise, normal_equations
from rapid.processing.isr.blocks import BLOCK, Blocks, measure_blocks
from rapid.processing.isr.nested_fit import NestedFit
from rapid.processing.source_light import SourceLight

__all__ = ["AmplifierOffsets", "fit_amplifier_offsets", "subtract_offsets"]

HIGHEST_ORDER: Final = 12
"""Of the polynomial: waves as short as two thirds of the detector's side over two; beyond, amplifiers have no say of their own."""

_FEWEST: Final = 20
"""Blocks that an amplifier must have for a pedestal."""

_HUBER: Final = 2.0
"""Residuals beyond so many standard deviations count less (Huber 1964): blocks with the wings of a star or galaxy in them."""

_REWEIGHTED: Final = 2


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
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    boxes: Sequence[Box],
    *,
    light: SourceLight | None = None,
    highest_order: int = HIGHEST_ORDER,
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
    light
        Of known sources, in the unit of the image: what they hide is left out, and what they add is taken off. Without it
        the errors of a field of stars are half as large again, and those of a crowded one several times as large.
    highest_order
        Up to which the sky's polynomial is tried.

    Returns
    -------
    AmplifierOffsets
        On a uniform sky with a noise of s a pixel the errors are about s / sqrt(pixels of an amplifier) for order 0
        and grow to ten times that at order 8. All missing, with reasons, when fewer than two amplifiers have a sky.

    Raises
    ------
    InputError
        If the shapes differ or a box lies outside.
    """
    blocks = _blocks_of_sky(image, bad, boxes, light)
    counts = np.bincount(blocks.amplifier, minlength=len(boxes))
    known = np.flatnonzero(counts >= _FEWEST)
    if known.size < 2:
        return _nothing([f"only {n} blocks of sky, and no other amplifier to compare with" for n in counts.tolist()])
    design, sizes = _design(blocks, known, image.shape, highest_order)
    used = np.isin(blocks.amplifier, known)
    return _fitted(blocks.chosen(used), design[used], sizes, known=known, counts=counts)


def subtract_offsets(
    image: NDArray[np.float32], boxes: Sequence[Box], offsets: AmplifierOffsets, *, significance: float = 3.0
) -> NDArray[np.bool_]:
    """Subtract the pedestals that stand out by `significance` of their errors, **in place**; say which ones."""
    with np.errstate(invalid="ignore"):
        chosen = np.abs(offsets.pedestals) > significance * offsets.errors
    for number in np.flatnonzero(chosen).tolist():
        image[boxes[number].slices] -= np.float32(offsets.pedestals[number])
    return np.asarray(chosen, np.bool_)


def _blocks_of_sky(
    image: NDArray[np.float32], bad: NDArray[np.bool_], boxes: Sequence[Box], light: SourceLight | None
) -> Blocks:
    if light is None:
        return measure_blocks(image, bad, boxes)
    blocks = measure_blocks(image, bad | light.hidden(image.shape) if bad.shape == image.shape else bad, boxes)
    return replace(blocks, level=blocks.level - light.around(blocks.x, blocks.y, BLOCK))


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
    blocks: Blocks,
    design: NDArray[np.float64],
    sizes: list[int],
    *,
    known: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> AmplifierOffsets:
    n = blocks.level.size
    levels = blocks.level - blocks.level.mean()
    sizes = [size for size in sizes if size <= n // 2]
    design = design[:, : sizes[-1]]
    weights, residuals, n_fitted = _robust_weights(design, sizes, levels, blocks.error)
    noise = measure_block_noise(blocks, residuals, weights, n_fitted)
    equations = normal_equations(design, levels, weights, blocks, noise)
    nested = NestedFit.of(equations.matrix, equations.right, sizes)
    chi2 = np.maximum(equations.total - nested.explained(), np.finfo(np.float64).eps * equations.total)
    criteria = n * np.log(chi2 / n) + np.array(nested.sizes) * math.log(n)
    order = int(np.argmin(criteria))
    values, covariance = nested.solution(nested.sizes[order])
    reduced = float(chi2[order]) / (n - values.size)
    part = covariance[: known.size, : known.size] - np.diag(noise.of_means(blocks, known))
    to_zero_sum = np.eye(known.size) - 1.0 / known.size
    pedestals, spread = np.full(counts.size, np.nan), np.full((counts.size, counts.size), np.nan)
    pedestals[known] = to_zero_sum @ values[: known.size]
    spread[np.ix_(known, known)] = max(reduced, 1.0) * to_zero_sum @ part @ to_zero_sum
    reasons = ["" if count >= _FEWEST else f"only {count} blocks of sky" for count in counts.tolist()]
    return _frozen(pedestals, spread, reasons, order=order, reduced=reduced, n=n)


def _robust_weights(
    design: NDArray[np.float64], sizes: list[int], levels: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return inverse variances, less for blocks that even the highest order cannot follow, what it leaves, and its size."""
    base = 1.0 / errors**2
    weights, residuals, n_fitted = base, levels, 0
    for _ in range(_REWEIGHTED):
        weighted = weights[:, None] * design
        nested = NestedFit.of(weighted.T @ design, weighted.T @ levels, sizes)
        values, _ = nested.solution(nested.sizes[-1])
        n_fitted = values.size
        residuals = levels - design[:, :n_fitted] @ values
        pulls = np.abs(residuals) / errors
        scale = max(1.4826 * float(np.median(pulls)), 1.0)
        weights = base * np.minimum(1.0, _HUBER * scale / np.maximum(pulls, 1e-300))
    return weights, residuals, n_fitted


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
