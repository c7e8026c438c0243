"""Spectra: how wide they are across the dispersion."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.background import sky_at
from rapid.processing.frame import Background, Sources

__all__ = ["trace_width"]

_LONG: Final = 5.0
"""Ratio of the second moments along the axes from which on a source is a spectrum: the limit of the observatory's quick
frame measurement."""

_MOST: Final = 5
_PIECE: Final = 32
"""The brightest spectra that are measured, and pixels along one that are summed before its width is measured: its
curvature and the change of the seeing with the wavelength are small over them."""

_HALF: Final = 48
_LEAST_SIGNAL: Final = 30.0
_ITERATIONS: Final = 50
_WIDTH_TO_FWHM: Final = 2.3548
_PIXEL: Final = 1.0 / 12.0


def trace_width(image: NDArray[np.float32], background: Background, sources: Sources) -> tuple[float, float, int]:
    """Measure the FWHM [pixel] of spectra across the dispersion, its standard error, and how many were measured.

    Spectra run along rows or columns. Each is summed over pieces of it; the adaptive Gaussian width of the pieces (the
    moment under a weight of that width, as for a star) has the median as its value. NaN and 0 without a spectrum.
    """
    widths, n = [], 0
    for source in _spectra(sources):
        found = _widths(image, background, sources, source)
        widths += found
        n += bool(found)
    if not widths:
        return math.nan, math.nan, 0
    middle = float(np.median(widths))
    scatter = 1.4826 * float(np.median(np.abs(np.array(widths) - middle)))
    return middle, 1.2533 * scatter / math.sqrt(len(widths)) if len(widths) > 2 else math.nan, n


def _spectra(sources: Sources) -> NDArray[np.intp]:
    ratio = np.maximum(sources.xx, sources.yy) / np.maximum(np.minimum(sources.xx, sources.yy), 1e-3)
    return np.flatnonzero((ratio > _LONG) & ~sources.saturated)[:_MOST]


def _widths(image: NDArray[np.float32], background: Background, sources: Sources, source: int) -> list[float]:
    """Widths of the pieces of one spectrum that have enough light."""
    x, y = float(sources.x[source]), float(sources.y[source])
    upright = sources.yy[source] > sources.xx[source]
    view = image if upright else image.T
    along, across = (y, x) if upright else (x, y)
    reach = int(2 * math.sqrt(float(max(sources.xx[source], sources.yy[source]))))
    sky = float(sky_at(background, np.array([x]), np.array([y]), image.shape)[0])
    left, right = max(0, int(across) - _HALF), min(view.shape[1], int(across) + _HALF + 1)
    widths = []
    for begin in range(max(0, int(along) - reach), min(view.shape[0], int(along) + reach) - _PIECE + 1, _PIECE):
        cut = np.sum(view[begin : begin + _PIECE, left:right].astype(np.float64) - sky, axis=0)
        width = _width(cut, across - left, math.sqrt(_PIECE) * background.noise)
        if math.isfinite(width):
            widths.append(width)
    return widths


def _width(cut: NDArray[np.float64], centre: float, noise: float) -> float:
    """Adaptive FWHM of a profile along a line, without what the pixels add; NaN when it is not one."""
    if not np.isfinite(cut).all() or cut.max(initial=0.0) < _LEAST_SIGNAL * noise:
        return math.nan
    place = np.arange(cut.size)
    variance = 25.0
    for _ in range(_ITERATIONS):
        u = place - centre
        weighted = cut * np.exp(-0.5 * u**2 / variance)
        total = weighted.sum()
        if not total > 0:
            return math.nan
        step, new = 2 * float(weighted @ u) / total, 2 * float(weighted @ u**2) / total
        centre, change = centre + step, abs(new - variance)
        variance = new
        if not 0.3 < variance < _HALF**2 / 4 or not 0 <= centre < cut.size:
            return math.nan
        if change < 1e-4 * variance and abs(step) < 1e-3:
            return _WIDTH_TO_FWHM * math.sqrt(max(variance - _PIXEL, 0.0))
    return math.nan
