"""Which sources are single, unsaturated stars: those that look like each other."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled
from rapid.processing.statistics import half_sample_mode

__all__ = ["select_stars"]

_LEAST_SIGNAL: Final = 20.0
"""Signal to noise of a star: below, its shape says little."""

_SMALLEST: Final = 1.0
"""Standard deviation [pixel] below which it is a cosmic ray or a hot pixel, not something seen through a telescope."""

_ROUND: Final = 0.5
"""Ellipticity beyond which it is a trail or a spectrum in any seeing."""

_SIZE_SPREAD: Final = 0.2
_SHAPE_SPREAD: Final = 0.15
_MARGIN: Final = 5.0
"""Distance from the edge, and from a neighbour, in standard deviations of the star."""

_FAINT_NEIGHBOUR: Final = 0.02
"""A neighbour with less than this part of the star's flux does not count."""

_FURTHEST: Final = 100.0
"""Distance [pixel] beyond which nothing counts as a neighbour."""


def select_stars(
    *,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    xx: NDArray[np.float64],
    yy: NDArray[np.float64],
    xy: NDArray[np.float64],
    flux: NDArray[np.float64],
    signal_to_noise: NDArray[np.float64],
    clean: NDArray[np.bool_],
    shape: tuple[int, ...],
) -> NDArray[np.bool_]:
    """Select the stars whose profile is the point-spread function.

    Among clean, bright, roughly round and isolated sources away from the edge, stars are those in the densest part of
    sizes and shapes: galaxies, blends and cosmic rays differ from the majority and from each other.

    Parameters
    ----------
    x, y, xx, yy, xy
        Positions [pixel] and second moments [square pixel].
    flux, signal_to_noise
        Of the same sources.
    clean
        False for what is known to be blended, saturated, cut or badly measured.
    shape
        Of the image, (ny, nx).
    """
    size, e1, e2 = _shapes(xx, yy, xy)
    candidates = clean & (signal_to_noise > _LEAST_SIGNAL) & (size > _SMALLEST) & (np.hypot(e1, e2) < _ROUND)
    candidates &= _inside(x, y, _MARGIN * size, shape)
    candidates &= _isolated(x, y, flux, _MARGIN * size)
    if not candidates.any():
        return candidates
    typical = np.exp(half_sample_mode(np.log(size[candidates])))
    candidates &= np.abs(size / typical - 1) < _SIZE_SPREAD
    if not candidates.any():
        return candidates
    off = np.hypot(e1 - np.median(e1[candidates]), e2 - np.median(e2[candidates]))
    return np.asarray(candidates & (off < _SHAPE_SPREAD), bool)


def _shapes(
    xx: NDArray[np.float64], yy: NDArray[np.float64], xy: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    trace = np.maximum(xx + yy, 1e-6)
    size = np.maximum(xx * yy - xy**2, 0) ** 0.25
    return size, (xx - yy) / trace, 2 * xy / trace


def _inside(
    x: NDArray[np.float64], y: NDArray[np.float64], margin: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    ny, nx = shape
    return np.asarray((x > margin) & (x < nx - 1 - margin) & (y > margin) & (y < ny - 1 - margin), bool)


def _isolated(
    x: NDArray[np.float64], y: NDArray[np.float64], flux: NDArray[np.float64], reach: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which sources have no neighbour that counts within their reach [pixel]."""
    order = np.argsort(y, kind="stable")
    alone = np.empty(len(x), np.bool_)
    limit = np.minimum(reach, _FURTHEST)
    alone[order] = _alone(x[order], y[order], flux[order], limit[order])
    return alone


@compiled
def _alone(
    x: NDArray[np.float64], y: NDArray[np.float64], flux: NDArray[np.float64], reach: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Do so for sources from the lowest up: only those in the rows around a source can be near it."""
    alone = np.ones(x.size, np.bool_)
    furthest, first = reach.max() if reach.size else 0.0, 0
    for i in range(x.size):
        while y[first] < y[i] - furthest:
            first += 1
        for j in range(first, x.size):
            if y[j] > y[i] + reach[i]:
                break
            near = (x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2 <= reach[i] ** 2
            if near and j != i and not flux[j] < _FAINT_NEIGHBOUR * flux[i]:
                alone[i] = False
                break
    return alone
