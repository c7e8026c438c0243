"""An image on the sky: from the pixels of a detector to those of HEALPix."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid.errors import InputError
from rapid.processing.skymap.footprint import MAX_ORDER, cover, pixel_size
from rapid.processing.skymap.healpix import tile_places
from rapid.processing.skymap.local_plane import fit_local_plane
from rapid.processing.skymap.sampling import bin_image, sample

__all__ = ["TILE_DEPTH", "PixelToSky", "Warped", "order_for", "tiles", "warp"]

PixelToSky = Callable[[ArrayLike, ArrayLike], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""(x, y) [pixel] to (ra, dec) [ICRS deg], as `Wcs.pixel_to_sky`."""

TILE_DEPTH: Final = 9
"""A HiPS tile is 512 pixels a side."""

_ARCSEC: Final = 3600 * 180 / math.pi
"""In a radian."""


@dataclass(frozen=True, slots=True)
class Warped:
    """An image in HEALPix pixels.

    Attributes
    ----------
    order, pixels
        HEALPix order, and nested numbers of the pixels, ascending.
    values
        Surface brightness [unit of the image / arcsec2], float32; NaN where less than half of a pixel was seen.
    """

    order: int
    pixels: NDArray[np.int64]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        self.pixels.flags.writeable = False
        self.values.flags.writeable = False

    @property
    def flux(self) -> float:
        """Sum over all pixels, in units of the image."""
        return float(np.nansum(self.values, dtype=np.float64)) * pixel_size(self.order) ** 2


def order_for(pixel_scale: float) -> int:
    """Return the HEALPix order whose pixels are nearest to a scale [arcsec] in size: 17 for 1.6 arcsec.

    Raises
    ------
    InputError
        If the scale is not a positive number.
    """
    if not (math.isfinite(pixel_scale) and pixel_scale > 0):
        raise InputError("no pixel scale", expected="arcsec above 0", found=str(pixel_scale))
    return int(np.clip(round(math.log2(pixel_size(0) / pixel_scale)), 0, MAX_ORDER))


def warp(image: NDArray[np.float32], pixel_to_sky: PixelToSky, *, binning: int = 8, order: int | None = None) -> Warped:
    """Put an image on the sky.

    It is binned; a HEALPix pixel is then the mean of samples of the bins about it, linear between their centres. What is
    kept is the flux: an image pixel counts by the sky it covers, which the system of coordinates says, and 0.2 arcsec pixels
    seen larger by distortion are fainter. That system is asked on a coarse grid only.

    Parameters
    ----------
    image
        Per pixel (electron), shape (ny, nx); NaN where there is none.
    pixel_to_sky
        ICRS degrees of 0-based pixels.
    binning
        Image pixels a side of a bin.
    order
        HEALPix order; None for that nearest to the bins.

    Returns
    -------
    Warped
        On a smooth sky right to 1e-4; the flux of a star whose FWHM is one bin to 0.3 %, and on average to 1e-3.

    Raises
    ------
    InputError
        If image, binning or order are impossible, or the system of coordinates is no smooth function.
    """
    _check(image, binning)
    ny, nx = image.shape
    binned = np.empty((-(-ny // binning), -(-nx // binning)), np.float32)
    bin_image(np.ascontiguousarray(image, np.float32), binning, binned)
    plane = fit_local_plane(pixel_to_sky, image.shape, binning)
    order = order_for(plane.pixel_scale) if order is None else order
    right, top = nx - 0.5, ny - 0.5
    corners = np.stack(pixel_to_sky((-0.5, right, right, -0.5), (-0.5, -0.5, top, top)), axis=1)
    pixels = cover(corners, order)
    values = np.empty(len(pixels), np.float32)
    per_bin = (binning / _ARCSEC) ** 2
    sample(pixels, order, binned, plane.axes, plane.scale, plane.x, plane.y, per_bin, values)
    return Warped(order, pixels, values)


def tiles(warped: Warped) -> dict[int, NDArray[np.float32]]:
    """Return the HiPS tiles that an image touches, by nested number at `TILE_DEPTH` orders above: shape (512, 512) each.

    Row 0 is at the bottom, as in the FITS files of a HiPS; NaN where there is nothing.

    Raises
    ------
    InputError
        If the pixels are too large for a tile.
    """
    if warped.order < TILE_DEPTH:
        raise InputError("too few pixels for a tile", expected=f"order {TILE_DEPTH} or more", found=str(warped.order))
    rows, columns = tile_places(TILE_DEPTH)
    numbers, starts = np.unique(warped.pixels >> 2 * TILE_DEPTH, return_index=True)
    result = {}
    for number, begin, end in zip(numbers, starts, [*starts[1:], len(warped.pixels)], strict=True):
        inside = warped.pixels[begin:end] - (number << 2 * TILE_DEPTH)
        tile = np.full((2**TILE_DEPTH, 2**TILE_DEPTH), np.nan, np.float32)
        tile[rows[inside], columns[inside]] = warped.values[begin:end]
        result[int(number)] = tile
    return result


def _check(image: NDArray[np.float32], binning: int) -> None:
    if image.ndim != 2 or min(image.shape) < 2:
        raise InputError("not an image", expected="two dimensions of 2 pixels and more", found=str(image.shape))
    if not 1 <= binning <= min(image.shape) // 2:
        raise InputError("impossible binning", expected=f"1 to {min(image.shape) // 2}", found=str(binning))
