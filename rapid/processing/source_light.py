"""The light of known sources between them: where it hides the sky, and what it adds where it does not.

A star sends a hundredth of its light further than three times its width, and a clip at three standard deviations of a pixel
does not see it. Whoever wants the sky to a thousandth of its noise takes it off, or looks elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from rapid.processing.frame import Psf, Sources
from rapid.processing.jit import compiled
from rapid.processing.peek import DONUT

__all__ = ["SourceLight", "light_between"]

_SIDE: Final = 8
"""Of a cell [pixel]: the wings of a star are smooth over it, and there are as many cells as an image has pixels in 64."""

_BRIGHT: Final = 0.5
"""Light, in standard deviations of a pixel, from which on a cell is not worth correcting: a profile is good to a tenth."""

_CORE: Final = 1.0
_WHOLE: Final = 2.5
"""Radii in FWHM within which a source hides the sky: its own core, and all of it where nobody knows its profile."""

_FAINTEST: Final = 0.02
"""Light [electron / pixel] out to which the wings of a source are followed."""

_FURTHEST: Final = 400.0
_NEIGHBOURS: Final = 3.0
"""Distance in FWHM from which on what a neighbour sends into the core of a source is not worth a thought."""

_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class SourceLight:
    """Light of sources in square cells of ``side`` pixels [electron / pixel], read-only; NaN where they hide the sky.

    ``cells`` begins at the first pixel of the image; the last row and column may reach beyond it.
    """

    cells: NDArray[np.float64]
    side: int

    def hidden(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Tell which pixels of the image of this shape, (ny, nx), show no sky."""
        rows, columns = (np.arange(length) // self.side for length in shape)
        return np.asarray(np.isnan(self.cells)[rows[:, None], columns], np.bool_)

    def around(self, x: NDArray[np.float64], y: NDArray[np.float64], width: int) -> NDArray[np.float64]:
        """Return the mean light of the sky's pixels in squares of about `width` pixels about some places; 0 without any."""
        n = max(1, round(width / self.side))
        first = (np.rint((place - 0.5 * (width - 1)) / self.side).astype(np.int64) for place in (y, x))
        rows, columns = (
            np.clip(start[:, None] + np.arange(n), 0, length - 1)
            for start, length in zip(first, self.cells.shape, strict=True)
        )
        parts = self.cells[rows[:, :, None], columns[:, None, :]].reshape(len(x), -1)
        known = np.isfinite(parts)
        return np.asarray(np.where(known, parts, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.float64)


def light_between(sources: Sources, psf: Psf, *, noise: float, shape: tuple[int, ...]) -> SourceLight | None:
    """Work out what sources add to the sky between them, from their light and the profile of the stacked stars.

    Parameters
    ----------
    noise
        Standard deviation of the sky [electron].
    shape
        Of the image, (ny, nx).

    Returns
    -------
    SourceLight
        Where stars are donuts, or have no profile, only what they hide. None when the width of a star is not known, or
        there are no sources.
    """
    if len(sources) == 0 or not (math.isfinite(psf.fwhm) and psf.fwhm > 0):
        return None
    cells = np.zeros(tuple(-(-length // _SIDE) for length in shape))
    profile = psf.profile
    known = profile is not None and psf.kind != DONUT and math.isfinite(profile.moffat_fwhm) and profile.beta > 1.0
    core = (_CORE if known else _WHOLE) * psf.fwhm + _SIDE / math.sqrt(2)
    if known and profile is not None:
        alpha = profile.moffat_fwhm / (2 * math.sqrt(2 ** (1 / profile.beta) - 1))
        _add_wings(cells, sources.x, sources.y, _fluxes(sources, psf.fwhm, alpha, profile.beta), alpha, profile.beta)
    _hide_cores(cells, sources.x, sources.y, core)
    cells[cells > _BRIGHT * noise] = np.nan
    cells.flags.writeable = False
    return SourceLight(cells, _SIDE)


def _fluxes(sources: Sources, fwhm: float, alpha: float, beta: float) -> NDArray[np.float64]:
    """Return all the light of each source, from its core: less of its neighbours is in there than in larger circles."""
    if sources.apertures is None:
        return sources.flux
    radius = float(sources.apertures.radii[0])
    inside = 1 - (1 + (radius / alpha) ** 2) ** (1 - beta)
    core = sources.apertures.flux[:, 0] / inside
    whole = np.isfinite(core) & ~sources.saturated
    places = np.column_stack([sources.x, sources.y])
    first, second = cKDTree(places).query_pairs(_NEIGHBOURS * fwhm, output_type="ndarray").T
    apart = np.hypot(*(places[first] - places[second]).T)
    shared = (beta - 1) * (radius / alpha) ** 2 / inside * (1 + (apart / alpha) ** 2) ** -beta
    fluxes = measured = np.where(whole, core, sources.flux)
    for _ in range(_ROUNDS):
        stray = np.bincount(first, shared * fluxes[second], len(fluxes))
        stray += np.bincount(second, shared * fluxes[first], len(fluxes))
        fluxes = np.maximum(np.where(whole, measured - stray, measured), 0.0)
    return np.asarray(fluxes, np.float64)


@compiled
def _add_wings(  # noqa: PLR0917 - compiled functions take their arguments by position
    cells: NDArray[np.float64],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    fluxes: NDArray[np.float64],
    alpha: float,
    beta: float,
) -> None:
    """Add the mean light of round Moffat profiles over the cells: that at the centre, and a 24th of side^2 times its Laplacian."""
    for star in range(xs.size):
        peak = fluxes[star] * (beta - 1.0) / (math.pi * alpha * alpha)
        if not peak > _FAINTEST:
            continue
        reach = min(alpha * math.sqrt((peak / _FAINTEST) ** (1.0 / beta) - 1.0), _FURTHEST)
        x, y, radius = (xs[star] + 0.5) / _SIDE - 0.5, (ys[star] + 0.5) / _SIDE - 0.5, reach / _SIDE
        scale = (_SIDE / alpha) ** 2
        for j in range(max(0, math.ceil(y - radius)), min(cells.shape[0], math.floor(y + radius) + 1)):
            for i in range(max(0, math.ceil(x - radius)), min(cells.shape[1], math.floor(x + radius) + 1)):
                square = (i - x) ** 2 + (j - y) ** 2
                if square <= radius * radius:
                    base = 1.0 + scale * square
                    bend = beta * scale / 6.0 * ((beta + 1.0) * scale * square / base - 1.0) / base
                    cells[j, i] += peak * base**-beta * (1.0 + bend)


@compiled
def _hide_cores(cells: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64], radius: float) -> None:
    """Make cells whose centres are within the radius [pixel] of a source NaN."""
    within = radius / _SIDE
    for star in range(xs.size):
        x, y = (xs[star] + 0.5) / _SIDE - 0.5, (ys[star] + 0.5) / _SIDE - 0.5
        for j in range(max(0, math.ceil(y - within)), min(cells.shape[0], math.floor(y + within) + 1)):
            for i in range(max(0, math.ceil(x - within)), min(cells.shape[1], math.floor(x + within) + 1)):
                if (i - x) ** 2 + (j - y) ** 2 <= within * within:
                    cells[j, i] = np.nan
