"""HEALPix places that no library gives: between pixel centres, and in the square of a tile (Górski et al. 2005)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["compact", "face_to_vector", "tile_places"]

_ROW: Final = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
"""Row of the southern corner of each base pixel, in units of its height, from the north pole."""

_COLUMN: Final = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)
"""Longitude of the same corner, in units of 45 degrees."""


@compiled
def face_to_vector(face: int, u: float, v: float) -> tuple[float, float, float]:
    """Return the unit vector of a place in a base pixel; u and v go from 0 to 1 from its southern corner, u to the north-east."""
    row = _ROW[face] - u - v
    if row < 1.0:
        ring, z = row, 1.0 - row * row / 3.0
    elif row > 3.0:
        ring = 4.0 - row
        z = ring * ring / 3.0 - 1.0
    else:
        ring, z = 1.0, (2.0 - row) * 2.0 / 3.0
    # near a pole 1 - z^2 would lose its digits
    radius = ring * math.sqrt((2.0 - ring * ring / 3.0) / 3.0) if row < 1.0 or row > 3.0 else math.sqrt(1.0 - z * z)
    phi = 0.25 * math.pi * (_COLUMN[face] + (u - v) / ring) if ring > 0.0 else 0.0
    return radius * math.cos(phi), radius * math.sin(phi), z


@compiled
def compact(bits: int) -> int:
    """Return every second bit of a number below 2^58, drawn together: the u of a nested pixel, or of its half the v."""
    bits &= 0x5555555555555555
    bits = (bits | (bits >> 1)) & 0x3333333333333333
    bits = (bits | (bits >> 2)) & 0x0F0F0F0F0F0F0F0F
    bits = (bits | (bits >> 4)) & 0x00FF00FF00FF00FF
    bits = (bits | (bits >> 8)) & 0x0000FFFF0000FFFF
    return (bits | (bits >> 16)) & 0x00000000FFFFFFFF


def tile_places(depth: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column of each nested pixel of a HiPS tile of 2^depth pixels a side, row 0 at the bottom (FITS).

    The first pixel is in the upper left corner, u goes down and v to the right (HiPS 1.0, section 4.2; held against tiles
    of DSS2).
    """
    index = np.arange(4**depth)
    u = sum(((index >> 2 * bit) & 1) << bit for bit in range(depth))
    v = sum(((index >> 2 * bit + 1) & 1) << bit for bit in range(depth))
    side = 2**depth
    return np.asarray(side - 1 - u, np.int64), np.asarray(v, np.int64)
