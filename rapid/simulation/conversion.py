"""From charge to numbers: counting noise, read noise, gain, and the converter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["ADC_LIMIT", "convert"]

ADC_LIMIT = 262143
"""Highest value of the 18-bit converter [adu]."""

_EXACT_BELOW = 25.0  # electron: from here on counting noise is drawn from a normal distribution


@compiled
def convert(  # noqa: PLR0917 - compiled functions take no keywords
    out: NDArray[np.int32],
    normal: NDArray[np.float32],
    charge: NDArray[np.float32],
    x0: int,
    y0: int,
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    per_gain: float,
    read_noise: float,
    well: float,
    quadratic: float,
    seed: np.uint64,
) -> None:
    """Add counting and read noise to the charge and turn it into adu, over- and prescan included.

    Parameters
    ----------
    out
        Segment [adu], shape (ny, nx).
    normal
        Standard normal numbers, same shape.
    charge
        Expected electrons in the order of reading; its first pixel is read into (y0, x0) of the segment.
    rows, columns
        Bias level of each row and column [adu].
    per_gain
        adu per electron.
    well
        Electrons at which a pixel is full.
    quadratic
        q [1/electron] of the nonlinear response s - q s^2.
    """
    height, width = out.shape
    data_height, data_width = charge.shape
    state = seed
    for y in range(height):
        inside = y0 <= y < y0 + data_height
        for x in range(width):
            expected = 0.0
            if inside and x0 <= x < x0 + data_width:
                expected = float(charge[y - y0, x - x0])
            if expected <= 0.0:
                electrons = expected + read_noise * normal[y, x]
            elif expected < _EXACT_BELOW:
                state = _next(state)
                electrons = _poisson(expected, _uniform(state)) + read_noise * normal[y, x]
            elif expected >= well:
                electrons = well + read_noise * normal[y, x]
            else:
                electrons = expected + np.sqrt(expected + read_noise * read_noise) * normal[y, x]
            electrons -= quadratic * electrons * electrons
            value = np.floor(rows[y] + columns[x] + electrons * per_gain + 0.5)
            out[y, x] = np.int32(min(max(value, 0.0), ADC_LIMIT))


@compiled
def _next(state: np.uint64) -> np.uint64:
    """Step xorshift64 (Marsaglia 2003)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@compiled
def _uniform(state: np.uint64) -> float:
    """Turn the state into a number in [0, 1), multiplied first as in xorshift64* so that all its bits are good."""
    return float((state * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def _poisson(mean: float, uniform: float) -> float:
    """Invert the Poisson distribution at a uniform number; for small means."""
    probability = np.exp(-mean)
    below = probability
    count = 0.0
    while uniform > below and count < 200.0:
        count += 1.0
        probability *= mean / count
        below += probability
    return count
