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
"""Detection threshold in standard deviations of the smoothed sky: one false source in a million pixels or fewer."""

MOST_SOURCES: Final = 5000
"""The brightest that are kept: more say nothing new about a frame, and a frame of junk must not hold up the night."""

_MOST_PIXELS: Final = 300_000
_MOST_PEAKS: Final = 15_000
"""Pixels and local maxima above the threshold beyond which it is raised: five times a crowded field of stars. The time
of an extraction grows with the square of the number of objects."""

_SAMPLING: Final = 0.2
"""Pixels are summed up to about this size [arcsec] for the search: it samples the best seeing there is, and a source is
looked for in the light of many pixels instead of few."""

_DEBLENDED: Final = 1
"""Flag of sep: it was cut from a larger object. Whether its neighbour matters is for the choice of stars to say."""

_KERNEL: Final = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
_SMOOTHED_NOISE: Final = float(np.sqrt((_KERNEL**2).sum()))
"""What smoothing leaves of the noise of a pixel."""

_SMALLEST: Final = 5
"""Connected pixels of a source."""

_Column = TypeVar("_Column", bound=NDArray[Any])


def detect(frame: Frame, background: Background) -> Sources:
    """Find the sources of a frame; never raises, an image that cannot be searched gives none and the reason."""
    bad = (frame.mask & np.uint16(Mask.BAD | Mask.NO_DATA)) != 0
    saturated = (frame.mask & np.uint16(Mask.SATURATED)) != 0
    binning = max(1, int(_SAMPLING / frame.detector.pixel_scale))
    return detect_in(frame.image, bad, saturated, background, binning=binning)


def detect_in(
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    saturated: NDArray[np.bool_],
    background: Background,
    *,
    binning: int = 1,
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
    binning
        Side of the squares of pixels that are summed for the search. Measurements are made on the image itself.
    """
    if not background.noise > 0:
        return no_sources("the noise of the sky could not be measured")
    sky_free = subtract_background(image, background)
    found, reason = _search(sky_free, bad, binning, background.noise)
    if len(found) == 0:
        return no_sources(reason or f"nothing above {THRESHOLD:.0f} sigma of the sky")
    order = np.argsort(found["flux"])[::-1]
    if len(order) > MOST_SOURCES:
        reason = f"only the brightest {MOST_SOURCES} of {len(order)} sources"
    found = found[order[:MOST_SOURCES]]
    return replace(_measure(found, sky_free, bad, saturated, background.noise), reason=reason)


def no_sources(reason: str) -> Sources:
    """Make an empty list of sources."""
    none, no = _frozen(np.zeros(0)), _frozen(np.zeros(0, np.bool_))
    return Sources(none, none, none, none, none, none, none, none, no, no, reason)


def _search(
    image: NDArray[np.float32], bad: NDArray[np.bool_], binning: int, noise: float
) -> tuple[NDArray[np.void], str]:
    """Find and deblend connected pixels; positions and sizes are in pixels of the image.

    The threshold is raised until the numbers of pixels and maxima above it are affordable, and the limits of sep are set
    so that this image cannot reach them.
    """
    pixels, hidden = _bin(image, binning), _bin_mask(bad, binning)
    smooth = _smooth(pixels)
    smooth[hidden] = 0
    unit = noise * binning * _SMOOTHED_NOISE
    threshold = THRESHOLD
    bright, peaks = _count(smooth, threshold * unit)
    while bright > _MOST_PIXELS or peaks > _MOST_PEAKS:
        threshold *= 2
        bright, peaks = _count(smooth, threshold * unit)
    sep.set_extract_pixstack(2 * bright + 100_000)
    sep.set_sub_object_limit(peaks + 1024)
    found = sep.extract(
        pixels, threshold * unit, mask=hidden, minarea=_SMALLEST, filter_kernel=_KERNEL, filter_type="conv"
    )
    reason = f"too crowded: threshold raised to {threshold:.0f} sigma" if threshold > THRESHOLD else ""
    return _unbin(found, binning), reason


def _bin(image: NDArray[np.float32], binning: int) -> NDArray[np.float32]:
    """Sum squares of pixels; what does not fill a square at the upper and right edge is left out."""
    return image if binning == 1 else _sum_squares(image, binning)


@compiled
def _sum_squares(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    result = np.zeros((image.shape[0] // side, image.shape[1] // side), np.float32)
    for y in range(result.shape[0] * side):
        for x in range(result.shape[1]):
            for i in range(side):
                result[y // side, x] += image[y, x * side + i]
    return result


@compiled
def _smooth(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth with the 3 x 3 kernel, as a column and a row of 1 2 1; the rim of the image is 0."""
    result = np.zeros_like(image)
    column = np.empty(image.shape[1], np.float32)
    for y in range(1, image.shape[0] - 1):
        for x in range(image.shape[1]):
            column[x] = image[y - 1, x] + 2 * image[y, x] + image[y + 1, x]
        for x in range(1, image.shape[1] - 1):
            result[y, x] = (column[x - 1] + 2 * column[x] + column[x + 1]) / 16
    return result


def _bin_mask(bad: NDArray[np.bool_], binning: int) -> NDArray[np.bool_]:
    return bad if binning == 1 else _any_of_squares(bad, binning)


@compiled
def _any_of_squares(bad: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    result = np.zeros((bad.shape[0] // side, bad.shape[1] // side), np.bool_)
    for y in range(result.shape[0] * side):
        for x in range(result.shape[1]):
            for i in range(side):
                result[y // side, x] |= bad[y, x * side + i]
    return result


def _unbin(found: NDArray[np.void], binning: int) -> NDArray[np.void]:
    for name in ("x", "y"):
        found[name] = found[name] * binning + (binning - 1) / 2
    for name in ("x2", "y2", "xy", "npix"):
        found[name] *= binning**2
    for low, high in (("xmin", "xmax"), ("ymin", "ymax")):
        found[low] *= binning
        found[high] = (found[high] + 1) * binning - 1
    return found


@compiled
def _count(image: NDArray[np.float32], limit: float) -> tuple[int, int]:
    """Count the pixels and the local maxima above a limit; of a plateau one pixel counts."""
    pixels, peaks = 0, 0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if image[y, x] > limit:
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
        clean=converged & ~full & (found["flag"] & ~_DEBLENDED == 0) & ~_touches(bad, found),
        shape=image.shape,
    )
    return Sources(
        x=_frozen(x),
        y=_frozen(y),
        flux=_frozen(flux),
        flux_error=_frozen(flux_error),
        peak=_frozen(_peaks(image, found)),
        xx=_frozen(xx),
        yy=_frozen(yy),
        xy=_frozen(xy),
        saturated=_frozen(full),
        star=_frozen(star),
    )


def _peaks(image: NDArray[np.float32], found: NDArray[np.void]) -> NDArray[np.float64]:
    """Find the highest pixel in the box around each isophote."""
    boxes = zip(found["xmin"], found["xmax"], found["ymin"], found["ymax"], strict=True)
    return np.array([image[y0 : y1 + 1, x0 : x1 + 1].max() for x0, x1, y0, y1 in boxes], np.float64)


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
