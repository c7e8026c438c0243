"""Quartiles and moments of an image from one pass over it.

A sample tells about where the quartiles are and how wide the bulk is. The pass counts what lies below each of three narrow
brackets, keeps what lies in them, adds up the bulk, and keeps what is far out. So the quartiles are exact, and sums with
any part of what is far out are too. Where the sample misled, the few that it costs are paid: all values are put in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["Gathered", "gather", "order_statistics"]

_SAMPLE: Final = 16_384
_MARGIN: Final = 0.02
"""Of all ranks on either side of a quartile: six standard errors of that of a sample."""

_CORE: Final = 0.85
"""The core reaches this part of the way to where the first clipping is expected."""

_SIGMA_OF_IQR: Final = 0.7413

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What one pass found.

    Attributes
    ----------
    centre, core
        Middle and half width of the core.
    core_n, core_first, core_second
        Number, and sums of first and second powers of the differences from the centre, of the values in the core.
    far
        All values outside of it.
    below, bracketed
        For each quartile: how many values lie below its bracket, and those in it.
    """

    centre: float
    core: float
    core_n: int
    core_first: float
    core_second: float
    far: Values
    below: tuple[int, ...]
    bracketed: tuple[NDArray[np.float32], ...]

    @property
    def n(self) -> int:
        """Number of usable values."""
        return self.core_n + self.far.size


def gather(image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: np.uint16, clip: float) -> Gathered | None:
    """Pass over an image once; None where no value is usable."""
    sample = _sampled(image, mask, excluded)
    if not sample.size:
        sample = _all(image, mask, excluded)[:1]
        if not sample.size:
            return None
    sample.sort()
    centre = float(sample[sample.size // 2])
    core = _CORE * clip * _SIGMA_OF_IQR * (float(sample[sample.size * 3 // 4]) - float(sample[sample.size // 4]))
    edges = _brackets(sample)
    far, near, counts, sums = _pass(image, mask, excluded, centre, core, edges)
    return Gathered(
        centre,
        core,
        int(counts[0]),
        float(sums[0]),
        float(sums[1]),
        far.astype(np.float64),
        tuple(int(each) for each in counts[1:]),
        tuple(near[(near >= low) & (near <= high)] for low, high in edges),
    )


def order_statistics(
    image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: np.uint16, gathered: Gathered
) -> tuple[float, float, float]:
    """Return the quartiles, each linear between the values at the two ranks next to it."""
    quartiles = []
    for i in range(3):
        exact = 0.25 * (i + 1) * (gathered.n - 1)
        rank = int(exact)
        ranks = (rank - gathered.below[i], min(rank + 1, gathered.n - 1) - gathered.below[i])
        values = gathered.bracketed[i]
        if ranks[0] < 0 or ranks[1] >= values.size:
            values, ranks = _all(image, mask, excluded), (rank, min(rank + 1, gathered.n - 1))
        low, high = np.partition(values, ranks)[list(ranks)].astype(np.float64)
        share = exact - rank
        quartiles.append(float(low * (1.0 - share) + high * share))
    return quartiles[0], quartiles[1], quartiles[2]


def _brackets(sample: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the lowest and the highest value of each bracket, shape (3, 2)."""
    margin = int(_MARGIN * sample.size) + 1
    middle = [sample.size * (i + 1) // 4 for i in range(3)]
    places = [[max(each - margin, 0), min(each + margin, sample.size - 1)] for each in middle]
    return np.asarray(sample[np.array(places)], np.float32)


@compiled
def _usable(value: np.float32, mask: NDArray[np.uint16], excluded: np.uint16, y: int, x: int) -> bool:
    return bool(np.isfinite(value) and not (mask.size and (mask[y, x] & excluded)))


@compiled
def _sampled(image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: np.uint16) -> NDArray[np.float32]:
    ny, nx = image.shape
    step = max(ny * nx // _SAMPLE, 1) | 1
    sample, n = np.empty(ny * nx // step + 1, np.float32), 0
    for place in range(0, ny * nx, step):
        y, x = place // nx, place % nx
        if _usable(image[y, x], mask, excluded, y, x):
            sample[n] = image[y, x]
            n += 1
    return sample[:n]


@compiled
def _all(image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: np.uint16) -> NDArray[np.float32]:
    values, n = np.empty(image.size, np.float32), 0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if _usable(image[y, x], mask, excluded, y, x):
                values[n] = image[y, x]
                n += 1
    return values[:n]


@compiled
def _pass(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    excluded: np.uint16,
    centre: float,
    core: float,
    edges: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], Values]:
    """Return what is far out, what is in any bracket, how many are in the core and below each bracket, and two sums.

    Row by row, in loops without branches: what is not usable is NaN, and is in none of them.
    """
    nx = image.shape[1]
    far, near = np.empty(image.size + 1, np.float32), np.empty(image.size + 1, np.float32)
    line, counts, sums = np.empty(nx, np.float32), np.zeros(4, np.int64), np.zeros(2, np.float64)
    n_far, n_near = 0, 0
    for y in range(image.shape[0]):
        _usable_line(image, mask, excluded, y, line)
        _add_core(line, centre, core, counts, sums)
        for i in range(3):
            counts[i + 1] += _n_below(line, edges[i, 0])
        n_far = _append_far(line, centre, core, far, n_far)
        n_near = _append_near(line, edges, near, n_near)
    return far[:n_far], near[:n_near], counts, sums


@compiled
def _usable_line(
    image: NDArray[np.float32], mask: NDArray[np.uint16], excluded: np.uint16, y: int, line: NDArray[np.float32]
) -> None:
    largest = np.float32(3.4028235e38)
    for x in range(line.size):
        value = image[y, x]
        line[x] = value if abs(value) <= largest else np.float32(np.nan)
    if mask.size:
        for x in range(line.size):
            line[x] = np.float32(np.nan) if mask[y, x] & excluded else line[x]


@compiled
def _add_core(
    line: NDArray[np.float32], centre: float, core: float, counts: NDArray[np.int64], sums: NDArray[np.float64]
) -> None:
    n, first, second = 0, 0.0, 0.0
    for value in line:
        offset = np.float64(value) - centre
        inside = abs(offset) <= core
        kept = offset if inside else 0.0
        n += 1 if inside else 0
        first += kept
        second += kept * kept
    counts[0] += n
    sums[0] += first
    sums[1] += second


@compiled
def _n_below(line: NDArray[np.float32], edge: np.float32) -> int:
    n = np.int32(0)
    for value in line:
        n += np.int32(value < edge)
    return int(n)


@compiled
def _append_far(line: NDArray[np.float32], centre: float, core: float, far: NDArray[np.float32], n: int) -> int:
    for value in line:
        far[n] = value
        n += 1 if abs(np.float64(value) - centre) > core else 0
    return n


@compiled
def _append_near(line: NDArray[np.float32], edges: NDArray[np.float32], near: NDArray[np.float32], n: int) -> int:
    low0, low1, low2 = edges[0, 0], edges[1, 0], edges[2, 0]
    high0, high1, high2 = edges[0, 1], edges[1, 1], edges[2, 1]
    for value in line:
        near[n] = value
        n += int(
            ((value >= low0) & (value <= high0))
            | ((value >= low1) & (value <= high1))
            | ((value >= low2) & (value <= high2))
        )
    return n
