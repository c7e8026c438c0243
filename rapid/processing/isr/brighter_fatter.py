"""The brighter-fatter effect: charge that is collected pushes away what comes after it.

The boundaries of pixels move with the field of the charge collected so far, ``K * O / 2`` on average over an exposure for
an image O (electron) and the potential K of one electron. What crossed a boundary is the light there times the way it
moved: ``T = O + div(T grad(K * O)) / 2`` (Coulton et al. 2018, doi:10.3847/1538-3881/aac08d, with the field of the charge
that was really there). Here that is written as what goes from pixel to pixel, so that no electron is lost or made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from rapid.errors import BadCalibration, InputError
from rapid.processing.isr.coefficients import finite_array
from rapid.processing.jit import compiled

__all__ = ["TOLERANCE", "BrighterFatterKernel", "Restored", "correct_brighter_fatter"]

_LARGEST: Final = 1e-4
"""A potential as large [1/electron] moves boundaries by whole pixels; those of both cameras are below 1e-6."""

TOLERANCE: Final = 0.1
"""Electron: the correction is complete when its last step changed no pixel by more."""

_MOST_STEPS: Final = 10

_TILE: Final = 256
"""Side of a tile of the convolution [pixel]: it stays in the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class BrighterFatterKernel:
    """Potential of one electron.

    Attributes
    ----------
    potential
        1/electron, shape (n, n) with n odd, the electron in the centre; its differences from pixel to pixel are what an
        electron moves the boundary between them [pixel]. Negative in the centre: charge pushes charge away.
    identity
        Provenance, told in the recipe of every frame it was used on.

    Raises
    ------
    BadCalibration
        If it is not square and odd, not finite, too large, or not the same mirrored at its centre.
    """

    potential: NDArray[np.float64]
    identity: str = ""

    def __post_init__(self) -> None:
        potential = finite_array(self.potential, subject="brighter-fatter kernel", ndim=2)
        ny, nx = potential.shape
        if ny != nx or ny % 2 == 0 or ny < 3:
            raise BadCalibration(
                "the kernel has no pixel in its centre",
                subject="brighter-fatter",
                expected="(n, n), n odd",
                found=f"{potential.shape}",
            )
        largest = float(np.abs(potential).max())
        if largest > _LARGEST:
            raise BadCalibration(
                "the kernel is too strong",
                subject="brighter-fatter",
                expected=f"at most {_LARGEST} per electron",
                found=f"{largest:.3g}",
            )
        if not np.allclose(potential, potential[::-1, ::-1], rtol=0.0, atol=0.05 * largest):
            raise BadCalibration("the kernel pushes to one side", subject="brighter-fatter", expected="symmetry")
        object.__setattr__(self, "potential", potential)


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """An image with its charge where the light fell.

    ``image`` [electron], float32, shape (ny, nx), read-only; ``changes`` the largest change [electron] of each step;
    ``converged`` when the last one was below the tolerance.
    """

    image: NDArray[np.float32]
    changes: tuple[float, ...]
    converged: bool


def correct_brighter_fatter(
    image: NDArray[np.float32], kernel: BrighterFatterKernel, *, tolerance: float = TOLERANCE
) -> Restored:
    """Bring charge back that the charge before it pushed away.

    The field follows from the charge that was collected, so that it is computed once; only the light that crossed the
    boundaries is found step by step. Light at a boundary is interpolated to the third order from two pixels on either
    side. Pixels that are not finite act as sky, and stay what they are; nothing crosses their boundaries.

    Parameters
    ----------
    image
        electron, bias and dark subtracted, sky included, not flat-fielded, shape (ny, nx). It is not changed.
    tolerance
        Electron.

    Returns
    -------
    Restored
        Its sum is that of the image to the rounding of float32.

    Raises
    ------
    InputError
        If the image is not 2-dimensional float32, or smaller than the kernel, or the tolerance is not positive.
    """
    size = kernel.potential.shape[0]
    if image.ndim != 2 or image.dtype != np.float32 or min(image.shape) < size or not tolerance > 0:
        raise InputError(
            "this image cannot be corrected",
            subject="brighter-fatter",
            expected=f"float32, {size} pixels or more on each side, and a positive tolerance",
            found=f"{image.dtype.name}, {image.shape}, {tolerance}",
        )
    good = np.isfinite(image)
    if not good.any():
        return Restored(_frozen(image.copy()), (), True)
    sky = _level(image, good)
    filled = np.where(good, image, sky)
    field = _convolved(filled, sky, kernel.potential)
    restored, moved, changes = filled, np.empty_like(filled), list[float]()
    for _ in range(_MOST_STEPS):
        changes.append(float(_step(filled, restored, field, good, moved)))
        restored, moved = moved, np.empty_like(filled) if restored is filled else restored
        if not math.isfinite(changes[-1]) or changes[-1] <= tolerance:
            break
    restored[~good] = image[~good]
    return Restored(_frozen(restored), tuple(changes), changes[-1] <= tolerance)


def _level(image: NDArray[np.float32], good: NDArray[np.bool_]) -> np.float32:
    """Return the median of some 500 rows."""
    rows = slice(None, None, max(1, image.shape[0] // 512))
    chosen = rows if good[rows].any() else slice(None)
    return np.float32(np.median(image[chosen][good[chosen]]))


def _frozen(image: NDArray[np.float32]) -> NDArray[np.float32]:
    image.flags.writeable = False
    return image


def _convolved(image: NDArray[np.float32], sky: np.float32, kernel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Convolve what is above the sky with a small kernel, tile by tile; beyond the image there is nothing."""
    half = kernel.shape[0] // 2
    side = fft.next_fast_len(max(_TILE, 4 * half), real=True)
    inner = side - 2 * half
    spectrum = fft.rfft2(kernel.astype(np.float32), (side, side))
    ny, nx = image.shape
    field = np.empty(image.shape, np.float32)
    columns = range(0, nx, inner)
    for y in range(0, ny, inner):
        tiles = np.zeros((len(columns), side, side), np.float32)
        for tile, x in zip(tiles, columns, strict=True):
            _cut(image, y - half, x - half, sky, tile)
        # what wraps around falls on the first 2 * half rows and columns, which are not used
        whole = fft.irfft2(fft.rfft2(tiles) * spectrum, (side, side), overwrite_x=True)
        for tile, x in zip(whole, columns, strict=True):
            part = tile[2 * half : 2 * half + min(inner, ny - y), 2 * half : 2 * half + min(inner, nx - x)]
            field[y : y + inner, x : x + inner] = part
    return field


def _cut(image: NDArray[np.float32], y: int, x: int, sky: np.float32, tile: NDArray[np.float32]) -> None:
    """Fill a tile whose corner is at y, x with the image above the sky."""
    part = image[max(y, 0) : y + tile.shape[0], max(x, 0) : x + tile.shape[1]]
    y0, x0 = max(-y, 0), max(-x, 0)
    np.subtract(part, sky, out=tile[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]])


@compiled
def _step(
    seen: NDArray[np.float32],
    light: NDArray[np.float32],
    field: NDArray[np.float32],
    good: NDArray[np.bool_],
    moved: NDArray[np.float32],
) -> float:
    """Put the image with the charge moved back into `moved`; return the largest change from `light` to it."""
    ny, nx = seen.shape
    below, above = np.zeros(nx, np.float64), np.zeros(nx, np.float64)
    across = np.zeros(nx + 1, np.float64)
    largest = 0.0
    for y in range(ny):
        for x in range(1, nx):
            across[x] = 0.0
            if good[y, x - 1] and good[y, x]:
                across[x] = _at_boundary(
                    light[y, max(x - 2, 0)], light[y, x - 1], light[y, x], light[y, min(x + 1, nx - 1)]
                ) * (field[y, x] - field[y, x - 1])
        for x in range(nx):
            above[x] = 0.0
            if y + 1 < ny and good[y, x] and good[y + 1, x]:
                above[x] = _at_boundary(
                    light[max(y - 1, 0), x], light[y, x], light[y + 1, x], light[min(y + 2, ny - 1), x]
                ) * (field[y + 1, x] - field[y, x])
        for x in range(nx):
            value = np.float32(seen[y, x] + 0.5 * (across[x + 1] - across[x] + above[x] - below[x]))
            largest = max(largest, abs(np.float64(value) - light[y, x]))
            moved[y, x] = value
        below, above = above, below
    return largest


@compiled
def _at_boundary(before: float, left: float, right: float, behind: float) -> float:
    """Return the light on the line between two pixels from averages over four."""
    return (7.0 * (np.float64(left) + right) - (np.float64(before) + behind)) / 12.0
