"""Light inside circles: exact apertures, the curve of growth, and the compensated top hat.

The part of a pixel inside a circle is computed, not sampled. Along a row the pixels that are inside as a whole are one
difference of running sums, so that the cost goes with the rim of the circles and the rows.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import Apertures, Mask
from rapid.processing.jit import compiled

__all__ = ["TOPHAT_OUTER", "circle_sums", "curve_of_growth", "measure_apertures"]

TOPHAT_OUTER: Final = 1.7
"""Outer radius of the annulus of the compensated top hat, in units of the circle's; the inner one is the circle's own, as
for the LSST's ``base_CompensatedTophatFlux``."""

_IN_FWHM: Final = (0.5, 0.75, 1.0, 1.5)
"""Radii of the apertures in units of the FWHM; the top hat's is the last."""

_UNUSABLE: Final = np.uint16(Mask.BAD | Mask.NO_DATA | Mask.COSMIC_RAY)
_FILLED: Final = np.uint16(Mask.INTERPOLATED)

_GROWTH_REACH: Final = 3.0
_GROWTH_STEPS: Final = 24


def measure_apertures(
    image: NDArray[np.float32],
    mask: NDArray[np.uint16] | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    fwhm: float,
    sky: NDArray[np.float64],
    noise: float,
) -> Apertures:
    """Measure the light of sources in circles of half to one and a half FWHM, and under the compensated top hat.

    F = a_0 - (a_out - a_0) / (s^2 - 1) with a the light inside the circle of the radius r and inside s r, s = 1.7: what the
    sky has besides its map is taken off, and with it a few percent of the star, the same for all stars of a frame.

    Parameters
    ----------
    image
        electron, shape (ny, nx). NaN is not usable.
    mask
        `Mask` bits, same shape; None where nothing is said against any pixel. See `circle_sums`.
    x, y
        Centres [pixel].
    fwhm
        Of the point-spread function [pixel].
    sky, noise
        Level at each source and standard deviation of the sky [electron].
    """
    radii = np.array([*(fwhm * factor for factor in _IN_FWHM), TOPHAT_OUTER * _IN_FWHM[-1] * fwhm])
    sums = circle_sums(image, mask, x, y, radii, sky=sky)
    areas = math.pi * radii**2
    variance = areas * noise**2 + np.maximum(sums, 0.0)
    inner, outer, weight = sums[:, -2], sums[:, -1], 1 / (TOPHAT_OUTER**2 - 1)
    ring = areas[-1] - areas[-2]
    tophat_variance = variance[:, -2] + weight**2 * (ring * noise**2 + np.maximum(outer - inner, 0.0))
    return Apertures(
        radii=_frozen(radii[:-1]),
        flux=_frozen(sums[:, :-1]),
        flux_error=_frozen(np.sqrt(variance[:, :-1])),
        tophat_radius=float(radii[-2]),
        tophat_flux=_frozen(inner - weight * (outer - inner)),
        tophat_flux_error=_frozen(np.sqrt(tophat_variance)),
    )


def curve_of_growth(
    image: NDArray[np.float32],
    mask: NDArray[np.uint16] | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    fwhm: float,
    sky: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return radii [pixel] up to three FWHM, and the light of each star inside, shape (stars, radii) [electron]."""
    radii = np.linspace(0, _GROWTH_REACH * fwhm, _GROWTH_STEPS + 1)[1:]
    return radii, circle_sums(image, mask, x, y, radii, sky=sky)


def circle_sums(
    image: NDArray[np.float32],
    mask: NDArray[np.uint16] | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: NDArray[np.float64],
    *,
    sky: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum the light above `sky` inside circles; shape (sources, radii), NaN for a circle that cannot be seen as a whole.

    Parameters
    ----------
    mask
        `Mask` bits. A pixel that is BAD, NO_DATA or of a COSMIC_RAY has no sum, whatever number it holds, unless it was
        INTERPOLATED: what was put there is as smooth as the light around it, and of the thousands of pixels under a star
        one is bad so often that no star would be left.
    radii
        Ascending [pixel].
    """
    bits = np.zeros((0, 0), np.uint16) if mask is None else mask
    sums = np.zeros((len(x), len(radii)))
    _sum_all(image, bits, x, y, np.ascontiguousarray(radii, np.float64), np.asarray(sky, np.float64), sums)
    return sums


def _frozen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.array(values)
    kept.flags.writeable = False
    return kept


@compiled
def _sum_all(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: NDArray[np.float64],
    sky: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    largest = radii[-1] if radii.size else 0.0
    running = np.zeros(2 * math.ceil(largest) + 4)
    arcs = np.empty((radii.size, running.size))
    for i in range(x.size):
        if not (np.isfinite(x[i]) and np.isfinite(y[i])):
            sums[i, :] = np.nan
            continue
        left = math.ceil(x[i] - largest - 0.5)
        _fill_arcs(left - x[i] - 0.5, radii, arcs)
        for j in range(math.ceil(y[i] - largest - 0.5), math.floor(y[i] + largest + 0.5) + 1):
            _add_row(image, mask, x[i], y[i], j, sky[i], radii, running, arcs, left, sums[i])


@compiled
def _add_row(  # noqa: PLR0917 - as above
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    x: float,
    y: float,
    j: int,
    sky: float,
    radii: NDArray[np.float64],
    running: NDArray[np.float64],
    arcs: NDArray[np.float64],
    leftmost: int,
    sums: NDArray[np.float64],
) -> None:
    """Add what one row has inside each circle; a circle that meets a pixel it cannot use becomes NaN."""
    v = j - y
    near = max(abs(v) - 0.5, 0.0)
    widest = math.sqrt(max(radii[-1] ** 2 - near * near, 0.0))
    first, last = math.ceil(x - widest - 0.5), math.floor(x + widest + 0.5)
    for k in range(last - first + 1):
        running[k + 1] = running[k] + _light(image, mask, j, first + k, sky)
    far = abs(v) + 0.5
    for r in range(radii.size):
        radius = radii[r]
        if radius <= near:
            continue
        half = math.sqrt(radius * radius - near * near)
        begin, end = math.ceil(x - half - 0.5), math.floor(x + half + 0.5)
        inner = math.sqrt(radius * radius - far * far) if radius > far else -1.0
        left, right = math.ceil(x - inner + 0.5), math.floor(x + inner - 0.5)
        if inner < 0.0 or right < left:
            left, right = end + 1, end
        else:
            sums[r] += running[right - first + 1] - running[left - first]
        lower, upper = _edge(v - 0.5, radius), _edge(v + 0.5, radius)
        for i in range(begin, end + 1):
            if left <= i <= right:
                continue
            part = _part_inside(i - x, arcs[r, i - leftmost], arcs[r, i - leftmost + 1], lower, upper, radius)
            if part > 0.0:
                sums[r] += part * _light(image, mask, j, i, sky)


@compiled
def _light(image: NDArray[np.float32], mask: NDArray[np.uint16], j: int, i: int, sky: float) -> float:
    """Light of a pixel above the sky; NaN where there is none."""
    if j < 0 or i < 0 or j >= image.shape[0] or i >= image.shape[1]:
        return np.nan
    if mask.size > 0 and mask[j, i] & _UNUSABLE and not mask[j, i] & _FILLED:
        return np.nan
    return image[j, i] - sky if np.isfinite(image[j, i]) else np.nan


@compiled
def _fill_arcs(first: float, radii: NDArray[np.float64], arcs: NDArray[np.float64]) -> None:
    """Find the areas under every circle from its middle to the edges of the columns, `first` and every pixel from there."""
    for r in range(radii.size):
        for k in range(arcs.shape[1]):
            arcs[r, k] = _under_arc(min(abs(first + k), radii[r]), radii[r])


_Edge = tuple[float, float, float]
"""Edge of a row: where it is, where it meets the circle, and the area under the circle up to there."""


@compiled
def _edge(v: float, radius: float) -> _Edge:
    meets = math.sqrt(max(radius * radius - v * v, 0.0))
    return v, meets, _under_arc(meets, radius)


@compiled
def _part_inside(u: float, left: float, right: float, lower: _Edge, upper: _Edge, radius: float) -> float:  # noqa: PLR0917 - as above
    """Area of a pixel inside a circle: the sum over its corners of areas up to the axes through the middle.

    `left` and `right` are the areas under the circle up to its edges at u - 0.5 and u + 0.5.
    """
    return (
        _corner(u + 0.5, right, upper, radius)
        - _corner(u - 0.5, left, upper, radius)
        - _corner(u + 0.5, right, lower, radius)
        + _corner(u - 0.5, left, lower, radius)
    )


@compiled
def _corner(u: float, arc: float, edge: _Edge, radius: float) -> float:
    """Area of the circle inside the rectangle from the origin to (u, v), with the sign of u v."""
    v, meets, meets_arc = edge
    sign = 1.0 if (u >= 0.0) == (v >= 0.0) else -1.0
    u, v = min(abs(u), radius), min(abs(v), radius)
    if u * u + v * v <= radius * radius:
        return sign * u * v
    return sign * (meets * v + arc - meets_arc)


@compiled
def _under_arc(u: float, radius: float) -> float:
    """Area under a quarter of the circle from 0 to u."""
    return 0.5 * (u * math.sqrt(max(radius * radius - u * u, 0.0)) + radius * radius * math.asin(min(u / radius, 1.0)))
