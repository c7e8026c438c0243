"""Cosmic rays: straight tracks of charge through the silicon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_cosmic_rays"]

_RATE = 2.0 / 60.0  # per square centimetre and second: muons at 2700 m, and some from the camera's own materials
_PIXELS_PER_CM2 = 1.0e6
_THICKNESS = 10.0  # pixels (100 um)
_CHARGE = 800.0  # electron per pixel of path: 80 a micron
_DIFFUSION = 0.35  # pixels


def draw_cosmic_rays(image: NDArray[np.float32], seconds: float, chance: np.random.Generator) -> int:
    """Add the tracks [electron] of some seconds to an image, shape (ny, nx); return how many."""
    ny, nx = image.shape
    n = int(chance.poisson(_RATE * seconds * ny * nx / _PIXELS_PER_CM2))
    for _ in range(n):
        _draw_track(image, chance)
    return n


def _draw_track(image: NDArray[np.float32], chance: np.random.Generator) -> None:
    """Add one track; particles come with cos^2 of the angle to the normal."""
    ny, nx = image.shape
    slope = np.tan(np.arccos(chance.uniform(0.02, 1.0) ** (1.0 / 3.0)))
    direction = chance.uniform(0.0, 2.0 * np.pi)
    length = _THICKNESS * slope
    steps = max(int(4.0 * np.hypot(length, 1.0)), 8)
    along = np.linspace(0.0, length, steps)
    x = chance.uniform(0, nx) + along * np.cos(direction) + chance.normal(0.0, _DIFFUSION, steps)
    y = chance.uniform(0, ny) + along * np.sin(direction) + chance.normal(0.0, _DIFFUSION, steps)
    charge = _CHARGE * np.hypot(_THICKNESS, length) / steps * chance.gamma(3.0, 1.0 / 3.0, steps)
    i, j = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    inside = (i >= 0) & (i < nx) & (j >= 0) & (j < ny)
    np.add.at(image, (j[inside], i[inside]), charge[inside].astype(np.float32))
