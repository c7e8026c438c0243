"""The matched filter: light summed under the profile of a star, where a faint one stands out best.

For a Gaussian profile in uncorrelated noise it is the optimum (Zackay & Ofek 2017, ApJ 836, 187, section 2); a kernel
narrower than the profile loses little of it and tells close neighbours apart better.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
    result = np.empty_like(image)
    _filter(image, kernel, result)
    return result


@compiled
def _filter(image: NDArray[np.float32], kernel: NDArray[np.float32], result: NDArray[np.float32]) -> None:
    ny, nx = image.shape
    reach = kernel.size - 1
    line = np.zeros(nx + 2 * reach, np.float32)
    for y in range(ny):
        for x in range(nx):
            line[x + reach] = kernel[0] * image[y, x]
        for k in range(1, reach + 1):
            _add_rows(image, y, k, kernel[k], line[reach : reach + nx])
        for x in range(nx):
            result[y, x] = kernel[0] * line[x + reach]
        for k in range(1, reach + 1):
            weight, low, high = kernel[k], reach - k, reach + k
            for x in range(nx):
                result[y, x] += weight * (line[x + low] + line[x + high])


@compiled
def _add_rows(image: NDArray[np.float32], y: int, k: int, weight: np.float32, line: NDArray[np.float32]) -> None:
    """Add the rows k above and below."""
    low, high = y - k, y + k
    if low >= 0 and high < image.shape[0]:
        for x in range(line.size):
            line[x] += weight * (image[low, x] + image[high, x])
    elif low >= 0 or high < image.shape[0]:
        row = low if low >= 0 else high
        for x in range(line.size):
            line[x] += weight * image[row, x]
