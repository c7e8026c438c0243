"""Which star of a frame to look at, and a cut-out of it.

The cut-out is a copy: the frame is never changed. Lengths are pixels, light is electron, and the centre of the lower
left pixel of the frame is (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import Mask, Sources, Study

__all__ = ["Cutout", "NoStar", "choose_star", "cut_out", "scatter"]

Float = NDArray[np.float64]

_UNUSABLE = np.uint16(Mask.BAD | Mask.SATURATED | Mask.COSMIC_RAY | Mask.NO_DATA)

_MOST_ELONGATED = 5.0
"""Ratio of the second moments along the two axes beyond which it is a spectrum, a trail or a satellite: the limit of the
observatory's quick frame measurement."""

_SHARPEST = 0.25
"""A star's smaller second moment is not below this fraction of the PSF's (or this many square pixels): else a cosmic ray."""

_CONTRAST = 90.0
"""Percentile of the frame that the light at a real star exceeds."""

_SMALLEST_HALF, _LARGEST_HALF = 40, 120
_HALF_IN_FWHM = 6.0


@dataclass(frozen=True, slots=True)
class NoStar:
    """Why there is no star to look at."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cutout:
    """A square of the frame around a star, cut where the frame ends.

    Attributes
    ----------
    pixels
        electron, shape (ny, nx); NaN where the frame has no data.
    usable
        Pixels that may be measured: not masked, not another star's.
    mask
        `Mask` bits.
    x0, y0
        Frame pixel of its lower left pixel.
    half
        Pixels from the star to the side it would have away from the edges.
    """

    pixels: Float
    usable: NDArray[np.bool_]
    mask: NDArray[np.uint16]
    x0: int
    y0: int
    half: int

    def radius(self, x: float, y: float) -> Float:
        """Distance of every pixel from a place in the frame, shape (ny, nx)."""
        rows, columns = np.indices(self.pixels.shape)
        distance: Float = np.hypot(columns + self.x0 - x, rows + self.y0 - y)
        return distance


def choose_star(study: Study) -> int | NoStar:
    """Return the index of the brightest source that is a real star, an unsaturated one where there is any.

    Left out are sources that are too long (spectra, trails), too sharp (cosmic rays), off the frame, or no brighter
    than a tenth of the frame.
    """
    sources = study.sources
    if sources is None:
        return NoStar(study.why_not or "sources were not measured on this frame")
    if len(sources) == 0:
        return NoStar(sources.reason or "no source was detected")
    threshold = _contrast(study)
    bright = _by_flux(sources, _real(study, sources))
    candidates = [index for index in bright if _light_at(study, sources, index) > threshold]
    if not candidates:
        return NoStar(f"none of {len(sources)} detected sources looks like a star")
    return next((index for index in candidates if not sources.saturated[index]), candidates[0])


def cut_out(study: Study, sources: Sources, star: int) -> Cutout:
    """Copy the surroundings of a star, its neighbours marked as not usable."""
    frame = study.frame
    ny, nx = frame.image.shape
    column, row = round(float(sources.x[star])), round(float(sources.y[star]))
    half = _half_size(study, sources, star)
    y0, y1 = max(row - half, 0), min(row + half + 1, ny)
    x0, x1 = max(column - half, 0), min(column + half + 1, nx)
    pixels = frame.image[y0:y1, x0:x1].astype(np.float64)
    mask = frame.mask[y0:y1, x0:x1].copy()
    usable = np.isfinite(pixels) & ((mask & _UNUSABLE) == 0)
    cutout = Cutout(pixels, usable, mask, x0, y0, half)
    return Cutout(pixels, usable & ~_neighbours(cutout, sources, star), mask, x0, y0, half)


def scatter(values: Float) -> float:
    """Return the standard deviation of the bulk of some values, by the median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _real(study: Study, sources: Sources) -> NDArray[np.bool_]:
    ny, nx = study.frame.image.shape
    middle, spread = (sources.xx + sources.yy) / 2, np.hypot((sources.xx - sources.yy) / 2, sources.xy)
    long, short = middle + spread, middle - spread
    psf = study.psf
    expected = 1.0 if psf is None or not math.isfinite(psf.fwhm) else (psf.fwhm / 2.3548) ** 2
    finite = np.isfinite(sources.x) & np.isfinite(sources.y) & np.isfinite(sources.flux) & np.isfinite(long)
    inside = (sources.x >= 0) & (sources.x <= nx - 1) & (sources.y >= 0) & (sources.y <= ny - 1)
    real: NDArray[np.bool_] = (
        finite & inside & (short >= _SHARPEST * min(expected, 1e6)) & (long <= _MOST_ELONGATED * short)
    )
    return real


def _by_flux(sources: Sources, among: NDArray[np.bool_]) -> list[int]:
    order = np.argsort(-np.where(among, sources.flux, -np.inf), kind="stable")
    return [int(index) for index in order[: int(among.sum())]]


def _contrast(study: Study) -> float:
    """Return the light that a star exceeds, from about a quarter of a million pixels; infinite on a frame without data."""
    image = study.frame.image
    step = max(1, math.isqrt(image.size // 250_000))
    sample = image[step // 2 :: step, step // 2 :: step]
    finite = sample[np.isfinite(sample)]
    return float(np.percentile(finite, _CONTRAST)) if finite.size else math.inf


def _light_at(study: Study, sources: Sources, star: int) -> float:
    """Return the brightest pixel within a sigma of the centre: a donut is dark in its very middle."""
    reach = max(1, round(math.sqrt(float(sources.xx[star] + sources.yy[star]))))
    column, row = round(float(sources.x[star])), round(float(sources.y[star]))
    near = study.frame.image[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    near = near[np.isfinite(near)]
    return float(near.max()) if near.size else -math.inf


def _half_size(study: Study, sources: Sources, star: int) -> int:
    """Go out to six times the width, where a Moffat profile has lost all but a thousandth of its light."""
    moments = 2.3548 * (sources.xx[star] * sources.yy[star] - sources.xy[star] ** 2) ** 0.25
    psf = study.psf
    fwhm = max(float(moments), psf.fwhm if psf is not None and math.isfinite(psf.fwhm) else 0.0)
    return round(min(max(_HALF_IN_FWHM * fwhm, _SMALLEST_HALF), _LARGEST_HALF))


def _neighbours(cutout: Cutout, sources: Sources, star: int) -> NDArray[np.bool_]:
    """Mark the pixels of other sources, as far as their light rises above the noise, but never the core of the star."""
    taken = np.zeros(cutout.pixels.shape, dtype=np.bool_)
    if not cutout.usable.any():
        return taken
    x, y = float(sources.x[star]), float(sources.y[star])
    apart = np.hypot(sources.x - x, sources.y - y)
    apart[star] = np.inf
    reaches = _reaches(sources, scatter(cutout.pixels[cutout.usable]), apart)
    for other in np.flatnonzero(apart < 1.5 * cutout.half + reaches):
        taken |= cutout.radius(float(sources.x[other]), float(sources.y[other])) < reaches[other]
    own = 1.5 * math.sqrt(max(float(sources.xx[star] + sources.yy[star]), 1.0))
    return taken & (cutout.radius(x, y) > own)


def _reaches(sources: Sources, noise: float, apart: Float) -> Float:
    """Return how far the light of each source goes: where a Moffat profile of exponent 3 sinks into the noise.

    At least three times its size, and beyond that no more than 60 % of the way to the star. 0 for what has no size.
    """
    size = np.sqrt(np.maximum(np.maximum(sources.xx, sources.yy), 1.0))
    contrast = np.maximum(sources.peak / max(noise, 1e-6), 1.0)
    far = np.maximum(3.0 * size, np.minimum(2.3548 * size * contrast ** (1 / 6), 0.6 * apart))
    return np.where(np.isfinite(far), far, 0.0)
