"""Whether the light of a star is what a profile says: summed up in rings, where noise averages out and a misfit does not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rings", "misfit", "ring_chi2", "rings_of"]

Float = NDArray[np.float64]

_WIDTH = 1.0
_SIGNIFICANT = 5.0
_DEEP = 0.05
"""A centre darker than its surroundings by this part of their light: no seeing does that."""

_FAR = 0.1
"""Part of the amplitude by which a ring may differ from the profile: stars in focus stay within a few hundredths."""


@dataclass(frozen=True, slots=True)
class Rings:
    """Light in rings one pixel wide, the innermost first; rings without pixels are left out.

    ``light`` and ``residual`` are means above the sky and above the profile [electron] with their standard ``error``.
    """

    light: Float
    residual: Float
    error: Float


def rings_of(r: Float, light: Float, residual: Float, sigma: Float, *, reach: float) -> Rings:
    """Average pixels at radii `r` [pixel] up to `reach` over rings; `sigma` is the standard deviation of each."""
    ring = np.floor(r / _WIDTH).astype(np.int64)
    inside = r <= reach
    ring = ring[inside]
    counts = np.bincount(ring)
    known = counts > 0

    def total(values: Float) -> Float:
        return np.asarray(np.bincount(ring, values[inside])[known], np.float64)

    n = counts[known]
    return Rings(total(light) / n, total(residual) / n, np.sqrt(total(sigma**2)) / n)


def ring_chi2(r: Float, pulls: Float, *, parameters: int) -> float:
    """Return the reduced chi square of rings, from the pull (residual over its error) of pixels at radii `r` [pixel].

    Scatter of pixels leaves it at 1. What is wrong with a round profile has the same sign all along a ring, and shows
    here as many times as clearly as in the chi square of single pixels.
    """
    ring = np.floor(r / _WIDTH).astype(np.int64)
    counts = np.bincount(ring)
    known = counts > 0
    squares = np.bincount(ring, pulls)[known] ** 2 / counts[known]
    return float(squares.sum()) / max(len(squares) - parameters, 1)


def misfit(rings: Rings) -> str:
    """Say what is wrong with the profile of a star, or nothing.

    Only what is both significant, 5 sigma, and large is told: a dark centre (the shadow of the secondary mirror in a star
    out of focus) of 5 % of the light around it, or a ring that differs from the profile by a tenth of the brightest ring.
    """
    if len(rings.light) < 2:
        return ""
    brightest = int(np.argmax(rings.light))
    top = float(rings.light[brightest])
    depth, error = top - float(rings.light[0]), math.hypot(float(rings.error[brightest]), float(rings.error[0]))
    if brightest > 0 and depth > max(_SIGNIFICANT * error, _DEEP * top):
        return "the star's profile is not a Moffat: central depression"
    size = np.abs(rings.residual)
    worst = float(np.max(np.where(size > _SIGNIFICANT * rings.error, size, 0.0)))
    if worst > _FAR * top:
        return f"the star's profile is not a Moffat: off by {worst / top:.0%} of its peak"
    return ""
