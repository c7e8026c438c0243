"""Which HEALPix pixels a detector covers."""

from __future__ import annotations

from typing import Final

import hpgeom
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid.errors import InputError

__all__ = ["MAX_ORDER", "check_footprint", "check_order", "cover", "pixel_size"]

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
    vertices = check_footprint(corners)
    nside = 2 ** check_order(order)
    return np.asarray(hpgeom.query_polygon(nside, vertices[:, 0], vertices[:, 1], nest=True), np.int64)


def check_order(order: int) -> int:
    """Return a HEALPix order, or raise `InputError` if it is impossible."""
    if not 0 <= order <= MAX_ORDER:
        raise InputError("no order of HEALPix pixels", expected=f"0 to {MAX_ORDER}", found=repr(order))
    return order


def check_footprint(corners: ArrayLike) -> NDArray[np.float64]:
    """Return a footprint as an array of shape (n, 2) with ra from 0 to 360, or raise `InputError` if it is none."""
    vertices = np.array(corners, np.float64)
    if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
        raise InputError("not a footprint", expected="three corners or more (ra, dec)", found=f"shape {vertices.shape}")
    if not np.isfinite(vertices).all() or (np.abs(vertices[:, 1]) > 90).any():
        raise InputError("a corner is off the sphere", expected="finite degrees", found=str(vertices.tolist()))
    vertices[:, 0] %= 360.0
    vertices[vertices[:, 0] == 360.0, 0] = 0.0  # what is a little below 0 wraps to 360 itself
    _check_shape(vertices)
    return vertices


def pixel_size(order: int) -> float:
    """Return the side of a pixel [arcsec], the square root of its area."""
    return float(3600.0 * hpgeom.nside_to_resolution(2 ** check_order(order)))


def _check_shape(vertices: NDArray[np.float64]) -> None:
    """Refuse what is huge, of no area, or not convex."""
    points = hpgeom.angle_to_vector(vertices[:, 0], vertices[:, 1])
    points = np.stack(points, axis=-1) if isinstance(points, tuple) else points
    centre = points.mean(0)
    length = np.linalg.norm(centre)
    if length == 0 or (points @ (centre / length)).min() < _LARGEST:
        raise InputError(
            "a footprint larger than any detector", expected="up to 40 degrees", found=str(vertices.tolist())
        )
    edges = np.cross(points, np.roll(points, -1, axis=0))
    turns = np.einsum("ij,ij->i", edges, np.roll(points, -2, axis=0))
    if not ((turns > _SMALLEST).all() or (turns < -_SMALLEST).all()):
        raise InputError(
            "a footprint that is not convex", expected="corners in order round a polygon", found=str(vertices.tolist())
        )
