"""Sources on the sky, and which of them are single stars."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from rapid.processing.apertures import measure_apertures
from rapid.processing.background import sky_at
from rapid.processing.detection.by_sep import search_by_sep
from rapid.processing.detection.regions import Regions
from rapid.processing.detection.search import THRESHOLD, Found, search
from rapid.processing.detection.sharp import peaks_and_sharpness
from rapid.processing.frame import Background, Frame, Mask, Sources
from rapid.processing.moments import Moments, measure_moments
from rapid.processing.stars import select_stars

__all__ = ["MOST_SOURCES", "THRESHOLD", "detect", "detect_in", "no_sources", "refined"]

MOST_SOURCES: Final = 10_000
"""The brightest that are kept: more say nothing new about a frame, and a frame of junk must not hold up the night."""

_SAMPLING: Final = 0.2
"""Size [arcsec] of the smallest squares of pixels that are worth searching: it samples the best seeing there is."""

_SHARPEST: Final = 2.0
"""Highest pixel over the amplitude of a star of the same light beyond which it is a cosmic ray or a hot pixel: pixels of
a star in a seeing half as wide as measured stay below."""

_SMALLEST: Final = 2
"""Squares of the search that a source has above the threshold: a peak of chance hardly ever has a second one, and a star
of 8 sigma always."""

_UNCERTAIN: Final = 0.2
"""What remains of the offset of the sky that sources cause: wings, and stars too faint to be seen."""

_CROWDED: Final = 0.02
"""Stars times FWHM squared over the area from which on a list of sources is not complete: 12 stars in a square arcmin at 2.5
arcsec. On simulations of both cameras up to 30 stars at 1.8 and 2.5 arcsec as large a part of the stars is missing."""

_OUT_OF_FOCUS: Final = 8.0
"""Standard deviation of a star, in the smallest squares worth searching, from which on it is no seeing."""

_WIDTH_TO_FWHM: Final = 2.3548

_Column = TypeVar("_Column", bound=NDArray[Any])
_Method = Literal["regions", "sep"]
_SEARCHES: Final[dict[_Method, Callable[..., Found]]] = {"regions": search, "sep": search_by_sep}


def detect(frame: Frame, background: Background, *, method: _Method = "regions") -> Sources:
    """Find the sources of a frame; never raises, an image that cannot be searched gives none and the reason."""
    smallest = max(1, round(_SAMPLING / frame.detector.pixel_scale))
    return _detect(frame.image, frame.mask, background, smallest, method)


def detect_in(
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    saturated: NDArray[np.bool_],
    background: Background,
    *,
    binning: int = 1,
    method: _Method = "regions",
) -> Sources:
    """Find the sources of an image.

    First the width of a star is measured on a coarse image. Then light summed under a filter a little narrower is cut into
    regions above `THRESHOLD` about every peak that stands out, so that a star of 10 sigma is found in any seeing; what is
    sharper than a star is left out. Positions and second moments are adaptive ones where they converge, those of the
    region elsewhere; fluxes are those above the sky within the region.

    Parameters
    ----------
    image
        electron, shape (ny, nx).
    bad, saturated
        Pixels that mean nothing, and pixels that are full, same shape.
    background
        The sky of this image.
    binning
        Side of the smallest squares of pixels that are worth searching: about 0.2 arcsec.
    method
        ``regions``, or the search of sep for comparison.
    """
    mask = (bad * np.uint16(Mask.BAD) + saturated * np.uint16(Mask.SATURATED)).astype(np.uint16)
    return _detect(image, mask, background, binning, method)


def refined(background: Background, sources: Sources) -> Background:
    """Correct the sky of a frame by what its sources left free of it: see `Sources.sky_offset`.

    In a field of 30 stars in a square arcmin with 2.5 arcsec of seeing the level comes from 2.7 % too high to 0.4 %, and
    the noise from 25 % to 2 %. The errors of both grow by a fifth of what they are moved.
    """
    if math.isnan(sources.sky_noise):
        return background
    mesh = _frozen(background.mesh + np.float32(sources.sky_offset))
    return replace(
        background,
        level=background.level + sources.sky_offset,
        level_error=math.hypot(background.level_error, _UNCERTAIN * sources.sky_offset),
        noise=sources.sky_noise,
        noise_error=math.hypot(background.noise_error, _UNCERTAIN * (background.noise - sources.sky_noise)),
        mesh=mesh,
    )


def no_sources(reason: str) -> Sources:
    """Make an empty list of sources."""
    none, no = _frozen(np.zeros(0)), _frozen(np.zeros(0, np.bool_))
    return Sources(none, none, none, none, none, none, none, none, no, no, reason)


def _detect(
    image: NDArray[np.float32], mask: NDArray[np.uint16], background: Background, smallest: int, method: _Method
) -> Sources:
    if not background.noise > 0:
        return no_sources("the noise of the sky could not be measured")
    found = _SEARCHES[method](image, mask, background, smallest=smallest)
    regions = found.regions
    sky = sky_at(background, regions.x, regions.y, image.shape) + found.offset
    around = max(1, found.side, round(found.width))
    peak, sharpness = peaks_and_sharpness(
        image, regions.peak_x, regions.peak_y, sky=sky, width=found.width, noise=found.noise, around=around
    )
    real = (sharpness < _SHARPEST) & (regions.area >= _SMALLEST * found.side**2)
    kept = np.flatnonzero(real | regions.saturated)
    if kept.size == 0:
        return no_sources(found.reason or f"nothing above {THRESHOLD:.0f} sigma of the sky")
    order = kept[np.argsort(-regions.flux[kept], kind="stable")]
    reason = found.reason or _hidden_by_others(len(order), found.width, image.shape, smallest)
    if len(order) > MOST_SOURCES:
        reason = f"only the brightest {MOST_SOURCES} of {len(order)} sources"
        order = order[:MOST_SOURCES]
    found = replace(found, regions=_chosen(regions, order), reason=reason)
    return _measure(found, image, mask, sky=sky[order], peak=peak[order])


def _hidden_by_others(n: int, width: float, shape: tuple[int, ...], smallest: int) -> str:
    """Say how many stars others hide, where that is more than a few: about one in so many as stars of one FWHM cover."""
    fwhm = _WIDTH_TO_FWHM * width
    part = n * fwhm**2 / (shape[0] * shape[1])
    if part < _CROWDED or width > _OUT_OF_FOCUS * smallest:
        return ""
    return f"crowded: about {100 * part:.0f} % of the stars of 10 sigma are hidden by brighter ones"


def _chosen(regions: Regions, order: NDArray[np.intp]) -> Regions:
    return Regions(*(getattr(regions, name)[order] for name in Regions.__slots__))


def _measure(
    found: Found,
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    *,
    sky: NDArray[np.float64],
    peak: NDArray[np.float64],
) -> Sources:
    regions, width, noise = found.regions, found.width, found.noise
    sizes = np.sqrt(np.maximum(0.5 * (regions.xx + regions.yy), 0.5))
    moments = measure_moments(image, regions.x, regions.y, np.minimum(sizes, 2 * width), sky=sky, noise=noise)
    good = moments.converged
    x, y, xx, yy, xy = (np.where(good, getattr(moments, name), getattr(regions, name)) for name in _SHAPE)
    flux_error = np.sqrt(regions.area * noise**2 + np.maximum(regions.flux, 0))
    signal = np.where(good, moments.flux / moments.flux_error, regions.flux / flux_error)
    apertures = measure_apertures(image, mask, x, y, fwhm=_WIDTH_TO_FWHM * width, sky=sky, noise=noise)
    star = select_stars(
        x=x, y=y, xx=xx, yy=yy, xy=xy, flux=regions.flux, signal_to_noise=signal,
        clean=good & ~regions.saturated & ~regions.cut, shape=image.shape,
    )  # fmt: skip
    return Sources(
        x=_frozen(x),
        y=_frozen(y),
        flux=_frozen(regions.flux),
        flux_error=_frozen(flux_error),
        peak=_frozen(peak),
        xx=_frozen(xx),
        yy=_frozen(yy),
        xy=_frozen(xy),
        saturated=_frozen(regions.saturated),
        star=_frozen(star),
        reason=found.reason,
        signal_to_noise=_frozen(signal),
        blended=_frozen(regions.blended),
        apertures=apertures,
        sky_offset=found.offset,
        sky_noise=noise,
        **_errors(moments),
    )


_SHAPE: Final = ("x", "y", "xx", "yy", "xy")


def _errors(moments: Moments) -> dict[str, Any]:
    return {name: _frozen(getattr(moments, name)) for name in (f"{column}_error" for column in _SHAPE)}


def _frozen(column: _Column) -> _Column:
    """Make a column one's own and read-only."""
    kept = np.array(column)
    kept.flags.writeable = False
    return cast(_Column, kept)
