"""Sources on the sky, and which of them are single stars."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeVar, cast

import numpy as np
import sep
from numpy.typing import NDArray

from rapid.processing.background import subtract_background
from rapid.processing.frame import Background, Frame, Mask, Sources
from rapid.processing.jit import compiled
from rapid.processing.moments import adaptive_moments
from rapid.processing.stars import select_stars

__all__ = ["MOST_SOURCES", "THRESHOLD", "detect", "detect_in", "no_sources"]

THRESHOLD: Final = 5.0
"""Detection threshold in standard deviations of the sky."""

MOST_SOURCES: Final = 5000
"""The brightest that are kept: more say nothing new about a frame, and a frame of junk must not hold up the night."""

_MOST_PIXELS: Final = 300_000
_MOST_PEAKS: Final = 15_000
"""Pixels and local maxima above the threshold beyond which it is raised: five times a crowded field of stars. The time
of an extraction grows with the square of the number of objects."""

_SPREAD: Final = 9
"""Pixels that one pixel can lift above the threshold through the 3 x 3 kernel the image is smoothed with."""

_SMALLEST: Final = 5
"""Connected pixels of a source."""

_HIGHEST: Final = 1e6
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
    found = _extract(sky_free, bad, threshold * background.noise)
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
    while threshold <= _HIGHEST:
        pixels, peaks = _count(image, threshold * noise)
        if pixels <= _MOST_PIXELS and peaks <= _MOST_PEAKS:
            break
        threshold *= 2
    return threshold, f"too crowded: threshold raised to {threshold:.0f} sigma" if threshold > THRESHOLD else ""


@compiled
def _count(image: NDArray[np.float32], limit: float) -> tuple[int, int]:
    """Count the pixels and the local maxima above a limit; of a plateau one pixel counts."""
    pixels, peaks = 0, 0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            value = image[y, x]
            if value > limit:
                pixels += 1
                peaks += _is_peak(image, y, x)
    return pixels, peaks


@compiled
def _is_peak(image: NDArray[np.float32], y: int, x: int) -> bool:
    value = image[y, x]
    for v in range(max(0, y - 1), min(image.shape[0], y + 2)):
        for u in range(max(0, x - 1), min(image.shape[1], x + 2)):
            before = v < y or (v == y and u < x)
            if image[v, u] > value or (before and image[v, u] == value):
                return False
    return True


def _extract(image: NDArray[np.float32], bad: NDArray[np.bool_], limit: float) -> NDArray[np.void]:
    """Find and deblend connected pixels above a limit [electron], with limits of sep that this image cannot reach."""
    pixels, peaks = _count(image, limit)
    sep.set_extract_pixstack(_SPREAD * pixels + 100_000)
    sep.set_sub_object_limit(peaks + 1024)
    found: NDArray[np.void] = sep.extract(image, limit, mask=bad, minarea=_SMALLEST, filter_type="conv")
    return found


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
