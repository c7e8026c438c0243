"""Light too sharp for a star: the comparison of a pixel with the pairs on either side of it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["Sky", "is_hit", "pair_share"]

Sky = tuple[float, float, float, float]
"""Level, noise [electron], and the share of a star's centre that its neighbours have: along rows, along diagonals."""


def pair_share(fwhm: float) -> float:
    """Return the light in a pixel next to the one that a round Gaussian star is centred on, over that in the centre."""
    scale = fwhm / math.sqrt(4.0 * math.log(2.0))
    centre, wide = math.erf(0.5 / scale), math.erf(1.5 / scale)
    return 0.5 * (wide - centre) / centre


@compiled
def is_hit(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    hit: NDArray[np.bool_],
    y: int,
    x: int,
    sky: Sky,
    stands_out: float,
    sharper: float,
    ring: NDArray[np.float64],
) -> bool:
    """Tell whether a pixel exceeds one of its pairs by the noise, and by more than a star may.

    A lower sky makes that harder, and so do brighter pairs: whatever fails with the sky of the image and pairs as they are
    fails with the local sky as well, and with pairs that are no darker than that, as those at a dead column.
    """
    if not _exceeds(image, bad, hit, y, x, sky, sky[0], -np.inf, stands_out, sharper):
        return False
    level = _local_level(image, bad, hit, y, x, sky[0], ring)
    return bool(_exceeds(image, bad, hit, y, x, sky, level, level - sky[1], stands_out, sharper))


@compiled
def _exceeds(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    hit: NDArray[np.bool_],
    y: int,
    x: int,
    sky: Sky,
    level: float,
    darkest: float,
    stands_out: float,
    sharper: float,
) -> bool:
    noise2 = sky[1] * sky[1]
    pixel = np.float64(image[y, x]) - level
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        first, second = _light(image, bad, hit, y + dy, x + dx), _light(image, bad, hit, y - dy, x - dx)
        if math.isnan(first) or math.isnan(second):
            continue
        pair = 0.5 * (max(first, darkest) + max(second, darkest)) - level
        pair_noise2 = noise2 + max(pair, 0.0)
        if pixel - pair > stands_out * math.sqrt(1.5 * pair_noise2):
            share = sky[2] if dy * dx == 0 else sky[3]
            error2 = share * share * (noise2 + max(pixel, 0.0)) + 0.5 * pair_noise2
            if share * pixel - pair > sharper * math.sqrt(error2):
                return True
    return False


@compiled
def _local_level(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    hit: NDArray[np.bool_],
    y: int,
    x: int,
    level: float,
    ring: NDArray[np.float64],
) -> float:
    """Take the median two pixels away where that is lower than the sky: where less light falls."""
    n = 0
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            row, column = y + dy, x + dx
            inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
            if max(abs(dy), abs(dx)) == 2 and inside and not bad[row, column] and not hit[row, column]:
                value = image[row, column]
                if np.isfinite(value):
                    ring[n] = value
                    n += 1
    if n == 0:
        return level
    ring[:n].sort()
    return min(level, float(0.5 * (ring[(n - 1) // 2] + ring[n // 2])))


@compiled
def _light(image: NDArray[np.float32], bad: NDArray[np.bool_], hit: NDArray[np.bool_], y: int, x: int) -> float:
    """Return what a pixel holds without a cosmic ray: for one that was hit, the mean of those around it; or NaN."""
    if not (0 <= y < image.shape[0] and 0 <= x < image.shape[1]) or bad[y, x]:
        return np.nan
    if not hit[y, x]:
        return np.float64(image[y, x])
    total, n = 0.0, 0
    for row in range(max(y - 1, 0), min(y + 2, image.shape[0])):
        for column in range(max(x - 1, 0), min(x + 2, image.shape[1])):
            if not bad[row, column] and not hit[row, column]:
                total += image[row, column]
                n += 1
    return total / n if n else np.nan
