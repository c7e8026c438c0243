"""The matched filter: light summed under the profile of a star, where a faint one stands out best.

For a Gaussian profile in uncorrelated noise it is the optimum (Zackay & Ofek 2017, ApJ 836, 187, section 2); a kernel
narrower than the profile loses little of it and tells close neighbours apart better.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.buffers import buffer
from rapid.processing.jit import compiled

__all__ = ["gaussian_kernel", "matched_filter", "noise_factor"]

_REACH: Final = 3.0
"""Half width of the kernel in standard deviations: what is left out is 0.3 %."""


def gaussian_kernel(sigma: float) -> NDArray[np.float32]:
    """Make one half of a symmetric kernel with sum 1, the middle first; `sigma` in samples."""
    half = np.exp(-0.5 * (np.arange(max(1, math.ceil(_REACH * sigma)) + 1) / max(sigma, 1e-3)) ** 2)
    return np.asarray(half / (half[0] + 2 * half[1:].sum()), np.float32)


def noise_factor(kernel: NDArray[np.float32]) -> float:
    """What filtering both ways leaves of the noise of a sample: the root of the sum of squares of the weights."""
    squares = kernel.astype(np.float64) ** 2
    return float(squares[0] + 2 * squares[1:].sum())


def matched_filter(image: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolve an image, shape (ny, nx), with the half kernel along columns and rows; outside there is no light."""
    result = buffer(image.shape, np.float32)
    _filter(image, kernel, result)
    return result


@compiled
def _filter(image: NDArray[np.float32], kernel: NDArray[np.float32], result: NDArray[np.float32]) -> None:
    ny, nx = image.shape
    reach = kernel.size - 1
    line = np.zeros(nx + 2 * reach, np.float32)
    for y in range(ny):
        middle, row = line[reach : reach + nx], result[y]
        _scale(kernel[0], image[y], middle)
        for k in range(1, reach + 1):
            _add(kernel[k], image, y - k, y + k, middle)
        _scale(kernel[0], middle, row)
        for k in range(1, reach + 1):
            _add_two(kernel[k], line[reach - k : reach - k + nx], line[reach + k : reach + k + nx], row)


@compiled
def _scale(weight: np.float32, values: NDArray[np.float32], line: NDArray[np.float32]) -> None:
    for x in range(line.size):
        line[x] = weight * values[x]


@compiled
def _add(weight: np.float32, image: NDArray[np.float32], low: int, high: int, line: NDArray[np.float32]) -> None:
    """Add two rows of an image, or the one of them that is there."""
    if low >= 0 and high < image.shape[0]:
        _add_two(weight, image[low], image[high], line)
    elif low >= 0 or high < image.shape[0]:
        row = image[low if low >= 0 else high]
        for x in range(line.size):
            line[x] += weight * row[x]


@compiled
def _add_two(
    weight: np.float32, one: NDArray[np.float32], other: NDArray[np.float32], line: NDArray[np.float32]
) -> None:
    for x in range(line.size):
        line[x] += weight * (one[x] + other[x])
