"""Sources on the sky, and which of them are single stars."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeVar, cast

import numpy as np
import sep
from numpy.typing import NDArray

from rapid.processing.background import subtract_background
from rapid.processing.frame import Background, Frame, Mask, Sources
from rapid.processing.moments import adaptive_moments
from rapid.processing.stars import select_stars

__all__ = ["MOST_SOURCES", "THRESHOLD", "detect", "detect_in", "no_sources"]

THRESHOLD: Final = 5.0
"""Detection threshold in standard deviations of the sky."""

MOST_SOURCES: Final = 5000
"""The brightest that are kept: more say nothing new about a frame, and a frame of junk must not hold up the night."""

_MOST_PIXELS: Final = 500_000
"""Pixels above the threshold beyond which it is raised: 3 % of a detector, ten times a crowded field of stars."""

_STACK: Final = 4 * _MOST_PIXELS
_SMALLEST: Final = 5
"""Connected pixels of a source."""

_HIGHEST: Final = 1e9
"""Threshold at which raising it is given up."""

_Column = TypeVar("_Column", bound=NDArray[Any])


def detect(frame: Frame, background: Background) -> Sources:
    """Find the sources of a frame; never raises, an image that cannot be searched gives none and the reason."""
    bad = (frame.mask & np.uint16(Mask.BAD | Mask.NO_DATA)) != 0
    saturated = (frame.mask & np.uint16(Mask.SATURATED)) != 0
    return detect_in(frame.image, bad, saturated, background)


def detect_in(
    image: NDArray[np.float32], bad: NDArray[np.bool_], saturated: NDArray[np.bool_], background: Background
) -> Sources:
    """Find the sources of an image.

    Connected pixels above `THRESHOLD` are found and deblended by sep (Barbary 2016; the algorithm of Bertin & Arnouts
    1996). Positions and second moments are adaptive ones where they converge, isophotal ones elsewhere; fluxes are those
    above the sky within the isophote.

    Parameters
    ----------
    image
        electron, shape (ny, nx).
    bad, saturated
        Pixels that mean nothing, and pixels that are full, same shape.
    background
        The sky of this image.
    """
    if not background.noise > 0:
        return no_sources("the noise of the sky could not be measured")
    sky_free = subtract_background(image, background)
    threshold, reason = _affordable_threshold(sky_free, background.noise)
    if threshold > _HIGHEST:
        return no_sources("the image is brighter than its sky everywhere")
    sep.set_extract_pixstack(_STACK)
    found = sep.extract(sky_free, threshold, err=background.noise, mask=bad, minarea=_SMALLEST)
    if len(found) == 0:
        return no_sources(reason or f"nothing above {threshold:.0f} sigma of the sky")
    order = np.argsort(found["flux"])[::-1]
    if len(order) > MOST_SOURCES:
        reason = f"only the brightest {MOST_SOURCES} of {len(order)} sources"
    found = found[order[:MOST_SOURCES]]
    return replace(_measure(found, sky_free, bad, saturated, background.noise), reason=reason)


def no_sources(reason: str) -> Sources:
    """Make an empty list of sources."""
    none, no = _frozen(np.zeros(0)), _frozen(np.zeros(0, np.bool_))
    return Sources(none, none, none, none, none, none, none, none, no, no, reason)


def _affordable_threshold(image: NDArray[np.float32], noise: float) -> tuple[float, str]:
    threshold = THRESHOLD
    while threshold <= _HIGHEST and int(np.count_nonzero(image > threshold * noise)) > _MOST_PIXELS:
        threshold *= 2
    return threshold, f"threshold raised to {threshold:.0f} sigma" if threshold > THRESHOLD else ""


def _measure(
    found: NDArray[np.void],
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    saturated: NDArray[np.bool_],
    noise: float,
) -> Sources:
    isophotal = np.column_stack([found[name].astype(np.float64) for name in ("x", "y", "x2", "y2", "xy")])
    sizes = np.sqrt(np.maximum(0.5 * (isophotal[:, 2] + isophotal[:, 3]), 0.5))
    adaptive = adaptive_moments(image, isophotal[:, 0], isophotal[:, 1], sizes)
    converged = np.asarray(np.isfinite(adaptive).all(axis=1))
    shapes: NDArray[np.float64] = np.where(converged[:, np.newaxis], adaptive, isophotal)
    x, y, xx, yy, xy = shapes.T
    flux = found["flux"].astype(np.float64)
    flux_error = np.sqrt(found["npix"] * noise**2 + np.maximum(flux, 0))
    full = _touches(saturated, found)
    star = select_stars(
        x=x,
        y=y,
        xx=xx,
        yy=yy,
        xy=xy,
        flux=flux,
        signal_to_noise=flux / flux_error,
        clean=converged & ~full & (found["flag"] == 0) & ~_touches(bad, found),
        shape=image.shape,
    )
    return Sources(
        x=_frozen(x),
        y=_frozen(y),
        flux=_frozen(flux),
        flux_error=_frozen(flux_error),
        peak=_frozen(found["peak"].astype(np.float64)),
        xx=_frozen(xx),
        yy=_frozen(yy),
        xy=_frozen(xy),
        saturated=_frozen(full),
        star=_frozen(star),
    )


def _frozen(column: _Column) -> _Column:
    """Make a column one's own and read-only."""
    kept = np.array(column)
    kept.flags.writeable = False
    return cast(_Column, kept)


def _touches(pixels: NDArray[np.bool_], found: NDArray[np.void]) -> NDArray[np.bool_]:
    """Tell which sources have one of these pixels in the box around their isophote."""
    if not pixels.any():
        return np.zeros(len(found), bool)
    return np.array(
        [
            pixels[max(0, y0 - 2) : y1 + 3, max(0, x0 - 2) : x1 + 3].any()
            for x0, x1, y0, y1 in zip(found["xmin"], found["xmax"], found["ymin"], found["ymax"], strict=True)
        ]
    )
