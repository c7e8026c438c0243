"""What is sharper than any star: cosmic rays, hot pixels."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled
from rapid.processing.memory import prefetch_square

__all__ = ["peaks_and_sharpness"]

_REACH: Final = 3.0
_BEYOND_DOUBT: Final = 5.0
"""Standard deviations by which noise may lift the highest pixel."""


def peaks_and_sharpness(
    image: NDArray[np.float32],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    *,
    sky: NDArray[np.float64],
    width: float,
    noise: float,
    around: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the highest pixel of each source, and how far it rises above a star that holds the same light.

    Parameters
    ----------
    image
        electron, shape (ny, nx); NaN is left out.
    x, y
        Pixels near the centres of sources.
    sky, noise
        Level at each source and standard deviation of the sky [electron].
    width
        Standard deviation of a star [pixel].
    around
        Pixels to each side in which the highest is looked for.

    Returns
    -------
    peak, sharpness
        electron above the sky; and the peak, less what noise may add to it, in units of the amplitude of the Gaussian of
        this width fitted about it: below 1.5 for a star of any seeing, pi width^2 for a single pixel.
    """
    peak, sharpness = np.empty(len(x)), np.empty(len(x))
    _all(image, x, y, np.asarray(sky, np.float64), float(width), float(noise), around, peak, sharpness)
    return peak, sharpness


@compiled
def _all(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    sky: NDArray[np.float64],
    width: float,
    noise: float,
    around: int,
    peak: NDArray[np.float64],
    sharpness: NDArray[np.float64],
) -> None:
    half = math.ceil(_REACH * width)
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)
    for i in range(x.size):
        if i + 1 < x.size:
            prefetch_square(image, float(x[i + 1]), float(y[i + 1]), float(half + around))
        top, u, v = _highest(image, x[i], y[i], around)
        peak[i] = top - sky[i] if np.isfinite(top) else 0.0
        amplitude = _amplitude(image, u, v, sky[i], weights)
        sure = peak[i] - _BEYOND_DOUBT * math.sqrt(noise * noise + max(peak[i], 0.0))
        sharpness[i] = sure / amplitude if amplitude > 0.0 else 0.0


@compiled
def _highest(image: NDArray[np.float32], x: int, y: int, around: int) -> tuple[float, int, int]:
    top, u, v = -np.inf, x, y
    for j in range(max(0, y - around), min(image.shape[0], y + around + 1)):
        for i in range(max(0, x - around), min(image.shape[1], x + around + 1)):
            if image[j, i] > top:
                top, u, v = image[j, i], i, j
    return top, u, v


@compiled
def _amplitude(image: NDArray[np.float32], x: int, y: int, sky: float, weights: NDArray[np.float64]) -> float:
    """Least-squares amplitude of a round Gaussian at a pixel."""
    half = weights.size // 2
    light = square = 0.0
    for j in range(max(0, y - half), min(image.shape[0], y + half + 1)):
        for i in range(max(0, x - half), min(image.shape[1], x + half + 1)):
            value = image[j, i] - sky
            if np.isfinite(value):
                weight = weights[j - y + half] * weights[i - x + half]
                light += weight * value
                square += weight * weight
    return light / square if square > 0.0 else 0.0
