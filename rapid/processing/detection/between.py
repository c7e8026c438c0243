"""The sky between the sources: what a map made of all pixels is wrong by where the field is crowded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.stats import trim_mean

from rapid.processing.detection.squares import Squares
from rapid.processing.statistics import clipped

__all__ = ["Between", "sky_between"]

_REACH: Final = 3.5
"""Distance from what is bright in standard deviations of a star: there a star has lost nine tenths of its light, and in a
field of 30 stars in a square arcmin a tenth of the sky is still left at 2.5 arcsec of seeing."""

_ENOUGH: Final = 400
_ENOUGH_OF_ALL: Final = 0.01
"""Squares that must be left for the answer to be better than the map."""

_HALVES: Final = 2
_EIGHTHS: Final = 8
"""How amplifiers lie: eight beside each other, in two rows."""

_TRIMMED: Final = 0.375
"""Part of them at either end that does not count. Of the others the mean: the middle one alone, of sixteen, is of chance."""

_ENOUGH_PAIRS: Final = 10_000
_FEW_PAIRS: Final = 2_000
"""Pairs of squares that give the noise to 0.7 % in parts, and to 1.6 % in all; with fewer it is that of the squares
themselves, in which the wings of stars show."""

_WINGS: Final = 0.97
"""Noise of few pairs over that of the squares below which wings are seen: chance makes it 2 % less."""

_SAMPLE: Final = 300_000
_MEDIAN_LOSS: Final = math.sqrt(math.pi / 2)


@dataclass(frozen=True, slots=True)
class Between:
    """What the sky is above its map, its noise, both per pixel [electron], and the squares of ``side`` it is not seen in."""

    offset: float
    noise: float
    taken: NDArray[np.bool_]
    side: int

    def excess(self, filtered: NDArray[np.float32], side: int, expected: float) -> float:
        """Return how much more the sky of a filtered image in squares of `side` scatters than `expected`, at least 1.

        Rows have a noise of their own from their overscan, and a filter sums it up.
        """
        step = max(1, math.isqrt(filtered.size // _SAMPLE))
        rows, columns = (
            np.minimum(np.arange(0, n, step) * side // self.side, m - 1)
            for n, m in zip(filtered.shape, self.taken.shape, strict=True)
        )
        free = filtered[::step, ::step][~self.taken[np.ix_(rows, columns)]]
        if free.size < _ENOUGH:
            return 1.0
        return max(1.0, clipped(free).sigma / expected)


def sky_between(squares: Squares, bright: NDArray[np.bool_], *, width: float, noise: float) -> Between:
    """Measure what the sky is above its map, and its noise, both per pixel [electron], away from all that is bright.

    Parameters
    ----------
    squares
        Light above the map.
    bright
        Squares with a source in them, same shape.
    width
        Standard deviation of a star [pixel].
    noise
        That of the map [electron], which is kept when it is the smaller one: faint stars only ever add to it.

    Returns
    -------
    Between
        The offset is 0 and the noise `noise` when hardly anything of the sky is left, and an offset that is not a
        significant one is 0. The noise is that of neighbours in a row, as that of the map is: neither what a row has in
        common nor the wings of stars are in it.
    """
    reach = max(1, round(_REACH * width / squares.side))
    taken = maximum_filter((bright | squares.hidden).view(np.uint8), 2 * reach + 1) > 0
    free = squares.light[~taken]
    if free.size < max(_ENOUGH, _ENOUGH_OF_ALL * taken.size):
        return Between(0.0, noise, taken, squares.side)
    seen = clipped(free)
    chance = _MEDIAN_LOSS * seen.sigma / math.sqrt(free.size)
    offset = seen.median / squares.side**2 if abs(seen.median) > 3 * chance else 0.0
    measured = _noise_of_neighbours(squares, taken) or seen.sigma / squares.side
    return Between(offset, measured if 0 < measured < noise else noise, taken, squares.side)


def _noise_of_neighbours(squares: Squares, taken: NDArray[np.bool_]) -> float:
    """Noise per pixel [electron] from the differences of squares beside each other; 0 where there are too few.

    As for the map it is that of most parts of the image, here as large as an amplifier: these differ in their noise.
    """
    pairs = taken.shape[1] // 2
    left, right = (np.s_[:, first : 2 * pairs : 2] for first in (0, 1))
    differences = np.where(taken[left] | taken[right], np.nan, squares.light[right] - squares.light[left])
    parts = [part for half in np.array_split(differences, _HALVES) for part in np.array_split(half, _EIGHTHS, axis=1)]
    free = [part[np.isfinite(part)] for part in parts]
    known = [part for part in free if part.size >= _ENOUGH]
    if sum(part.size for part in known) < _ENOUGH_PAIRS:
        together = np.concatenate(free)
        single, pairs = clipped(squares.light[~taken]).sigma, clipped(together).sigma / math.sqrt(2)
        # few pairs say less than the squares themselves, unless wings of stars show in these
        return pairs / squares.side if together.size >= _FEW_PAIRS and pairs < _WINGS * single else 0.0
    sigmas = [clipped(part).sigma for part in known]
    return float(trim_mean(sigmas, _TRIMMED)) / (math.sqrt(2) * squares.side)
