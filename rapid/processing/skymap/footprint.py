"""Which HEALPix pixels a detector covers."""

from __future__ import annotations

from typing import Final

import hpgeom
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid.errors import InputError

__all__ = ["MAX_ORDER", "check_footprint", "check_order", "cover", "cover_all", "pixel_size"]

MAX_ORDER: Final = 26
"""Pixels of 3 milliarcsec: beyond, numbers of pixels leave the range in which the library is exact."""

_LARGEST: Final = np.cos(np.radians(20.0))
"""Half of the largest footprint: a detector is never so large, and a polygon must be smaller than a hemisphere."""

_SMALLEST: Final = np.radians(0.1 / 3600) ** 2
"""Area [sr] below which it is no polygon but a line or a point."""


def cover(corners: ArrayLike, order: int) -> NDArray[np.int64]:
    """Return the HEALPix pixels, nested and ascending, whose centres are inside a footprint.

    On average their area is that of the footprint, whatever the order; pixels at the edge that are covered by less than
    half are, by and large, left out.

    Parameters
    ----------
    corners
        ICRS (ra, dec) [deg] in order round a convex polygon of great circles, shape (n, 2), as `Wcs.footprint`.
    order
        12 * 4**order pixels cover the sky.

    Raises
    ------
    InputError
        If it is not such a polygon, or the order is impossible.
    """
    return cover_all(check_footprint(corners)[None], order)[0]


def cover_all(footprints: NDArray[np.float64], order: int) -> list[NDArray[np.int64]]:
    """Return the pixels of each of many footprints that were checked, shape (n, corners, 2)."""
    nside = 2 ** check_order(order)
    return [np.asarray(hpgeom.query_polygon_vec(nside, corners), np.int64) for corners in _vectors(footprints)]


def check_order(order: int) -> int:
    """Return a HEALPix order, or raise `InputError` if it is impossible."""
    if not 0 <= order <= MAX_ORDER:
        raise InputError("no order of HEALPix pixels", expected=f"0 to {MAX_ORDER}", found=repr(order))
    return order


def check_footprint(corners: ArrayLike) -> NDArray[np.float64]:
    """Return a footprint as an array of shape (n, 2) with ra from 0 to 360, or raise `InputError` if it is none.

    Many footprints of as many corners are checked at once, shape (..., n, 2).
    """
    vertices = np.array(corners, np.float64)
    if vertices.ndim < 2 or vertices.shape[-1] != 2 or vertices.shape[-2] < 3:
        raise InputError("not a footprint", expected="three corners or more (ra, dec)", found=f"shape {vertices.shape}")
    off = ~np.isfinite(vertices).all((-2, -1)) | (np.abs(vertices[..., 1]) > 90).any(-1)
    _refuse(vertices, np.asarray(off), "a corner is off the sphere", "finite degrees")
    vertices[..., 0] %= 360.0
    vertices[..., 0][vertices[..., 0] == 360.0] = 0.0  # what is a little below 0 wraps to 360 itself
    points = _vectors(vertices)
    centre = points.mean(-2, keepdims=True)
    nearest = (points * centre).sum(-1).min(-1)
    wide = nearest <= _LARGEST * np.linalg.norm(centre, axis=-1)[..., 0]
    _refuse(vertices, wide, "a footprint larger than any detector", "up to 40 degrees")
    edges = np.cross(points, np.roll(points, -1, axis=-2))
    turns = (edges * np.roll(points, -2, axis=-2)).sum(-1)
    bent = ~((turns > _SMALLEST).all(-1) | (turns < -_SMALLEST).all(-1))
    _refuse(vertices, bent, "a footprint that is not convex", "corners in order round a polygon")
    return vertices


def pixel_size(order: int) -> float:
    """Return the side of a pixel [arcsec], the square root of its area."""
    return float(3600.0 * hpgeom.nside_to_resolution(2 ** check_order(order)))


def _refuse(vertices: NDArray[np.float64], bad: NDArray[np.bool_], what: str, expected: str) -> None:
    """Raise for the first footprint that is bad."""
    if bad.any():
        first = vertices.reshape(-1, *vertices.shape[-2:])[int(np.argmax(bad))]
        raise InputError(what, expected=expected, found=str(first.tolist()))


def _vectors(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    ra, dec = np.radians(vertices[..., 0]), np.radians(vertices[..., 1])
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
