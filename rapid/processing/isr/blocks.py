"""Levels of small blocks of pixels, each within one amplifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.geometry import Box
from rapid.processing.jit import compiled
from rapid.processing.statistics import clipped

__all__ = ["BLOCK", "Blocks", "measure_blocks"]

BLOCK: Final = 32
"""Side of a block [pixel]: small against an amplifier and the structure of the sky, 1000 pixels to clip stars by."""

_USABLE: Final = 0.5
"""Part of a block that must be good pixels."""

_AROUND: Final = 5.0
"""Pixels further from the amplifier's level than so many of its standard deviations are no sky."""

_CLIP: Final = 3.0
_KEPT: Final = 0.98658
"""Standard deviation of a unit Gaussian cut at plus and minus three."""

_STEPS: Final = (4, 2, 1)
"""Rows from one to the next in each pass of clipping: the first ones need not see every pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """One entry a block: centre (``x``, ``y``) [pixel], clipped mean ``level``, its ``error``, and the ``amplifier``'s number."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    level: NDArray[np.float64]
    error: NDArray[np.float64]
    amplifier: NDArray[np.int64]

    def chosen(self, which: NDArray[np.bool_]) -> Blocks:
        """Keep some of the blocks."""
        return Blocks(self.x[which], self.y[which], self.level[which], self.error[which], self.amplifier[which])


def measure_blocks(
    image: NDArray[np.float32], bad: NDArray[np.bool_], boxes: Sequence[Box], *, side: int = BLOCK
) -> Blocks:
    """Measure the levels of all blocks that have enough good pixels.

    Parameters
    ----------
    image
        Shape (ny, nx); pixels that are not finite are bad.
    bad
        True where a pixel is no sky, same shape.
    boxes
        Of the amplifiers; each is divided evenly into blocks of about `side` pixels.

    Raises
    ------
    InputError
        If the shapes differ or a box lies outside.
    """
    if image.ndim != 2 or image.shape != bad.shape:
        raise InputError(
            "image and bad pixels differ", subject="amplifiers", expected=f"{image.shape}", found=f"{bad.shape}"
        )
    parts = [_of_amplifier(image, bad, box, side, number) for number, box in enumerate(boxes)]
    columns = np.concatenate([np.empty((0, 5)), *parts])
    return Blocks(columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3], columns[:, 4].astype(np.int64))


def _of_amplifier(
    image: NDArray[np.float32], bad: NDArray[np.bool_], box: Box, side: int, number: int
) -> NDArray[np.float64]:
    """Return x, y, level, error and number of the usable blocks, shape (n, 5)."""
    if min(box.x0, box.y0) < 0 or box.x0 + box.width > image.shape[1] or box.y0 + box.height > image.shape[0]:
        raise InputError(
            "an amplifier lies outside the image",
            subject="amplifiers",
            expected=f"within {image.shape}",
            found=f"{box}",
        )
    pixels, wrong = image[box.slices], bad[box.slices]
    edges_y, edges_x = (_edges(length, side) for length in pixels.shape)
    sample = np.where(wrong[::4], np.float32(np.nan), pixels[::4])
    bulk = clipped(sample)
    centres_y, centres_x = (0.5 * (edges[1:] + edges[:-1] - 1) for edges in (edges_y, edges_x))
    found = np.full((centres_y.size * centres_x.size, 5), np.nan)
    found[:, 0] = box.x0 + np.tile(centres_x, centres_y.size)
    found[:, 1] = box.y0 + np.repeat(centres_y, centres_x.size)
    found[:, 4] = number
    if bulk.n and bulk.sigma > 0.0:
        reach = _AROUND * bulk.sigma
        _clipped_means(pixels, wrong, edges_y, edges_x, bulk.median - reach, bulk.median + reach, found)
    return np.asarray(found[np.isfinite(found[:, 3])], np.float64)


def _edges(length: int, side: int) -> NDArray[np.int64]:
    return np.linspace(0, length, max(1, round(length / side)) + 1).astype(np.int64)


@compiled
def _clipped_means(  # noqa: PLR0917 - compiled functions take their arguments by position
    pixels: NDArray[np.float32],
    bad: NDArray[np.bool_],
    edges_y: NDArray[np.int64],
    edges_x: NDArray[np.int64],
    lowest: float,
    highest: float,
    found: NDArray[np.float64],
) -> None:
    """Fill columns 2 and 3 of `found`: mean and its standard error, clipped about the mean in three passes."""
    columns = edges_x.size - 1
    for i in range(edges_y.size - 1):
        for j in range(columns):
            low, high, mean, sigma, n, size = lowest, highest, 0.0, 0.0, 0, 0
            for step in _STEPS:
                total, squares, n = 0.0, 0.0, 0
                size = (edges_y[i + 1] - edges_y[i] + step - 1) // step * (edges_x[j + 1] - edges_x[j])
                for y in range(edges_y[i], edges_y[i + 1], step):
                    for x in range(edges_x[j], edges_x[j + 1]):
                        value = np.float64(pixels[y, x])
                        if value > low and value < high and not bad[y, x]:
                            total += value - lowest
                            squares += (value - lowest) * (value - lowest)
                            n += 1
                if n < _USABLE * size or n < 2:
                    break
                mean = total / n
                sigma = np.sqrt(max(squares / n - mean * mean, 0.0))
                low, high = max(lowest, lowest + mean - _CLIP * sigma), min(highest, lowest + mean + _CLIP * sigma)
            if n >= _USABLE * size and n > 1 and sigma > 0.0:
                found[i * columns + j, 2] = lowest + mean
                found[i * columns + j, 3] = sigma / (_KEPT * np.sqrt(n))
