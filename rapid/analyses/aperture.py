"""The light of one star in its cut-out: the sky under it, its centre, and how its light grows with radius.

Lengths are pixels, light is electron, and the centre of the lower left pixel of the frame is (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.analyses.profiles import Profile, fit_center
from rapid.analyses.star import Cutout, scatter

__all__ = [
    "Sky",
    "centroid",
    "centroid_error",
    "encircled_energy",
    "energy_radius_error",
    "local_sky",
    "radii_of_energy",
]

Float = NDArray[np.float64]

_SUBPIXELS = 5
_RING = 0.25


@dataclass(frozen=True, slots=True)
class Sky:
    """Level under the star with its standard error, and the pixel-to-pixel standard deviation, from ``n`` pixels."""

    level: float
    error: float
    noise: float
    n: int


def local_sky(cutout: Cutout, x: float, y: float) -> Sky | None:
    """Measure the sky in the outer third of the cut-out: median after clipping at 3 sigma; None with too few pixels."""
    ring = cutout.usable & (cutout.radius(x, y) > 0.67 * cutout.half)
    values = cutout.pixels[ring]
    if values.size < 20:
        return None
    for _ in range(5):
        middle = float(np.median(values))
        noise = scatter(values)
        kept = values[np.abs(values - middle) <= 3 * noise]
        if noise == 0 or kept.size == values.size:
            break
        values = kept
    middle, noise = float(np.median(values)), float(np.std(values))
    return Sky(middle, math.sqrt(math.pi / 2) * noise / math.sqrt(values.size), noise, int(values.size))


def centroid(cutout: Cutout, sky: Sky, *, x: float, y: float, sigma: float) -> tuple[float, float]:
    """Refine a position by the light's Gaussian-weighted mean, repeated until it stays.

    Where pixels near the centre cannot be used (a saturated core, a bad column, the edge of the frame) their lack would
    push the mean away, and a profile with a free centre is fitted to those that can. Stays at the first position where
    there is no light, or when it would go farther than 3 sigma. Accuracy: that of the photons, sigma / sqrt(flux).
    """
    near = _near(cutout, x, y, math.ceil(8 * sigma) + 4)
    refine = _weighted_center if _complete(near, x, y, 3 * sigma) else _fitted_center
    refined = refine(near, sky, x, y, sigma)
    if refined is None or math.hypot(refined[0] - x, refined[1] - y) > 3 * sigma + 1:
        return x, y
    return refined


def centroid_error(cutout: Cutout, sky: Sky, *, x: float, y: float, sigma: float) -> tuple[float, float] | None:
    """Return the standard errors of a `centroid` along x and y [pixel], of photons and noise.

    None where the centre is not the weighted mean of all the pixels around it: its error then is not known.
    """
    near = _near(cutout, x, y, math.ceil(8 * sigma) + 4)
    if not _complete(near, x, y, 3 * sigma):
        return None
    rows, columns = np.indices(near.pixels.shape)
    light = np.where(near.usable, near.pixels - sky.level, 0.0)
    variance = np.where(near.usable, np.maximum(light, 0.0) + sky.noise**2, 0.0)
    offsets = columns + near.x0 - x, rows + near.y0 - y
    weight = np.exp(-(offsets[0] ** 2 + offsets[1] ** 2) / (2 * sigma**2))
    errors = []
    for offset in offsets:
        # the centre is where sum(weight light offset) is 0: how far noise moves that zero follows from its slope
        slope = float((weight * light * (1 - offset**2 / sigma**2)).sum())
        error = math.sqrt(float((weight**2 * variance * offset**2).sum())) / slope if slope > 0 else math.inf
        if not error < sigma or abs(float((weight * light * offset).sum())) / slope > 3 * error + 0.01:
            return None
        errors.append(error)
    return errors[0], errors[1]


def encircled_energy(
    cutout: Cutout, sky: float, *, x: float, y: float, reach: float, profile: Profile | None = None
) -> tuple[Float, Float]:
    """Return radii [pixel] and the light above the sky within each [electron], the curve of growth.

    Light is the mean of each ring's usable pixels times the ring's full area, so that masked pixels and the frame's
    edge take nothing away; a ring without usable pixels takes the mean of the rings next to it. Pixels are divided
    into 5 by 5 so that rings a quarter of a pixel wide are smooth. With a profile only what differs from it is summed up this
    way and the profile itself is integrated exactly, which keeps a narrow star from being widened by the division:
    accuracy of the radii 1 % with a profile, and down to a FWHM of 8 pixels without.
    """
    edges = np.arange(0.0, reach + _RING / 2, _RING)
    distance = cutout.radius(x, y)
    rows, columns = np.nonzero(cutout.usable & (distance < reach + 1))
    light = cutout.pixels[rows, columns] - sky
    if profile is not None:
        light -= profile.at(distance[rows, columns]) - profile.background
    offsets = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS - 0.5
    down = (rows + cutout.y0 - y)[:, None, None] + offsets[:, None]
    across = (columns + cutout.x0 - x)[:, None, None] + offsets
    mean = _ring_means(np.hypot(across, down) / _RING, light, len(edges) - 1)
    growth = np.concatenate(([0.0], np.cumsum(mean * math.pi * np.diff(edges**2))))
    return edges, growth if profile is None else growth + profile.energy(edges)


def radii_of_energy(radii: Float, growth: Float, fractions: tuple[float, ...]) -> tuple[float, ...]:
    """Return the radii [pixel] that hold fractions of the last point's light; NaN where there is no light."""
    total = growth[-1]
    if not total > 0:
        return tuple(math.nan for _ in fractions)
    rising = np.maximum.accumulate(growth / total)
    return tuple(float(np.interp(fraction, rising, radii)) for fraction in fractions)


def energy_radius_error(radii: Float, growth: Float, *, fraction: float, radius: float, sky: Sky) -> float | None:
    """Return the standard error [pixel] of the radius that holds a fraction of the last point's light; None without one.

    Photons inside and outside move the fraction f by f (1 - f) / N in variance; to that comes the noise of the pixels of
    either part, and the level of the sky, which is wrong in all of them at once.
    """
    if not len(growth) or not growth[-1] > 0 or not math.isfinite(radius):
        return None
    step = float(radii[1] - radii[0])
    slope = float(np.interp(radius + step, radii, growth) - np.interp(radius - step, radii, growth)) / (2 * step)
    if not slope > 0:
        return None
    inside, everything = math.pi * radius**2, math.pi * float(radii[-1]) ** 2
    photons = fraction * (1 - fraction) * float(growth[-1])
    noise = sky.noise**2 * (inside * (1 - fraction) ** 2 + (everything - inside) * fraction**2)
    level: float = sky.error**2 * (inside - fraction * everything) ** 2
    return math.sqrt(photons + noise + level) / slope


def _complete(cutout: Cutout, x: float, y: float, reach: float) -> bool:
    """Tell whether every pixel within a distance is there and usable."""
    ny, nx = cutout.pixels.shape
    column, row = x - cutout.x0, y - cutout.y0
    on_it = min(column, row, nx - 1 - column, ny - 1 - row) >= reach
    return on_it and bool(cutout.usable[cutout.radius(x, y) <= reach].all())


def _near(cutout: Cutout, x: float, y: float, reach: int) -> Cutout:
    """Cut a cut-out down to the surroundings of a place."""
    column, row = round(x) - cutout.x0, round(y) - cutout.y0
    left, low = max(column - reach, 0), max(row - reach, 0)
    part = np.s_[low : row + reach + 1, left : column + reach + 1]
    return Cutout(cutout.pixels[part], cutout.usable[part], cutout.mask[part], cutout.x0 + left, cutout.y0 + low, reach)


def _fitted_center(cutout: Cutout, sky: Sky, x: float, y: float, sigma: float) -> tuple[float, float] | None:
    rows, columns = np.nonzero(cutout.usable)
    dx, dy = (columns + cutout.x0 - x).astype(np.float64), (rows + cutout.y0 - y).astype(np.float64)
    fit = fit_center(dx, dy, cutout.pixels[rows, columns], sky=sky.level, noise=sky.noise, fwhm=2.3548 * sigma)
    return None if isinstance(fit, str) else (x + fit[0], y + fit[1])


def _weighted_center(cutout: Cutout, sky: Sky, x: float, y: float, sigma: float) -> tuple[float, float] | None:
    rows, columns = np.indices(cutout.pixels.shape)
    light = np.where(cutout.usable, cutout.pixels - sky.level, 0.0)
    for _ in range(30):
        dx, dy = columns + cutout.x0 - x, rows + cutout.y0 - y
        weighted = np.exp(-(dx**2 + dy**2) / (2 * sigma**2)) * light
        total = float(weighted.sum())
        if not total > 0:
            return None
        shift = 2 * float((weighted * dx).sum()) / total, 2 * float((weighted * dy).sum()) / total
        x, y = x + shift[0], y + shift[1]
        if math.hypot(*shift) < 1e-4:
            break
    return x, y


def _ring_means(places: Float, light: Float, n: int) -> Float:
    """Average light over rings: pixel i has its parts in rings ``places[i]``."""
    ring = places.astype(np.int64).reshape(len(light), -1)
    inside = ring < n
    counts = np.bincount(ring[inside], minlength=n)
    sums = np.bincount(ring[inside], np.broadcast_to(light[:, None], ring.shape)[inside], minlength=n)
    return _bridged(np.divide(sums, counts, out=np.full(n, np.nan), where=counts > 0))


def _bridged(values: Float) -> Float:
    known = np.isfinite(values)
    if not known.any():
        return np.zeros_like(values)
    return np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])
