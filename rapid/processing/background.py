"""The sky under the sources."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, map_coordinates, median_filter

from rapid.processing.boxes import EVERY, box_levels
from rapid.processing.frame import Background, Frame, Mask
from rapid.processing.jit import compiled

__all__ = ["BOX", "background_of", "measure_background", "sky_at", "subtract_background"]

BOX: Final = 128
"""Side of a box of the coarse map [pixel]: 12 arcsec on LATISS, several times the seeing disk, much less than the
structure of the sky."""

_Mask = NDArray[np.uint8] | NDArray[np.uint16]

_BAD: Final = Mask.BAD | Mask.NO_DATA | Mask.SATURATED | Mask.COSMIC_RAY
_USABLE: Final = 0.25
"""Part of a box that must be good pixels for the box to count."""

_MODE_LIMIT: Final = 0.3
"""Skewness (mean - median) / sigma beyond which the box is too crowded for the estimate of the mode (Bertin & Arnouts
1996, section 4.1)."""

_MEDIAN_LOSS: Final = math.sqrt(math.pi / 2)
"""Standard error of a median of Gaussian values over that of their mean."""

_MODE_SCATTER: Final = 1.7
"""Scatter of the levels of empty boxes about their map, in standard errors of a mean: of 2.14, as it is for the mode of
Gaussian values, the map follows some."""


def measure_background(frame: Frame) -> Background:
    """Measure the sky of a frame; masked pixels (bad, no data, saturated, cosmic rays) are left out."""
    return _background(frame.image, frame.mask, np.uint16(_BAD), BOX)


def background_of(image: NDArray[np.float32], bad: NDArray[np.bool_], *, box: int = BOX) -> Background:
    """Measure the sky of an image.

    Pixels are clipped in boxes; in each the level is the mode as estimated from mean and median, which a few faint stars
    below the clipping cannot move, and the noise that of differences of neighbours in a row, in which neither a gradient
    nor the wings of stars show. A map of the boxes with a running median over 3 x 3 of them takes out those that a large
    source fills.

    Parameters
    ----------
    image
        electron, shape (ny, nx); NaN is left out.
    bad
        True where a pixel means nothing, same shape.
    box
        Side of a box [pixel].

    Returns
    -------
    Background
        All NaN when no box has enough good pixels. In an empty field `level` and `noise` are good to their errors. With
        stars of FWHM 10 pixels, 500 on 2000 x 2000, they are 0.6 % and 5 % too high, with 1000 of them 1.3 % and 11 %;
        `level_error` has the scatter of the boxes beyond their noise, which is about what unseen stars add to all.
    """
    return _background(image, bad.view(np.uint8), np.uint8(1), box)


def _background(image: NDArray[np.float32], mask: _Mask, bits: np.unsignedinteger, box: int) -> Background:
    levels, noises, counts = _boxes(image, mask, bits, box)
    good = np.isfinite(levels)
    if not good.any():
        return Background(math.nan, math.nan, math.nan, math.nan, levels.astype(np.float32), box)
    mesh = _smoothed(_fill(levels, good))
    mesh.flags.writeable = False
    level = float(np.median(levels[good]))
    noise = float(np.nanmedian(noises[good]))
    n = int(counts[good].sum())
    chance = noise / math.sqrt(float(np.median(counts[good])))
    error = math.hypot(_MEDIAN_LOSS * noise / math.sqrt(n), _excess((levels - mesh)[good], _MODE_SCATTER * chance))
    return Background(level, error, noise, _MEDIAN_LOSS * noise * math.sqrt(EVERY / n), mesh, box)


def sky_at(
    background: Background, x: NDArray[np.float64], y: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Read the sky [electron] at some places [pixel] of the map of an image of this shape."""
    places = [
        (np.asarray(place) + 0.5) * boxes / size - 0.5
        for place, boxes, size in zip((y, x), background.mesh.shape, shape, strict=True)
    ]
    return np.asarray(map_coordinates(background.mesh.astype(np.float64), places, order=1, mode="nearest"))


def subtract_background(image: NDArray[np.float32], background: Background) -> NDArray[np.float32]:
    """Take the sky off an image: the map is linear between and beyond the centres of its boxes. NaN becomes 0."""
    result = np.empty(image.shape, np.float32)
    _subtract(image, np.ascontiguousarray(background.mesh), result)
    return result


def _boxes(
    image: NDArray[np.float32], mask: _Mask, bits: np.unsignedinteger, box: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    rows, columns = (np.array(_edges(size, box)) for size in image.shape)
    found = np.full((rows.size - 1, columns.size - 1, 5), np.nan)
    box_levels(image, mask, bits, rows, columns, _USABLE, found)
    mean, median, sigma, n, noise = np.moveaxis(found, 2, 0)
    with np.errstate(invalid="ignore"):
        skewed = ~((sigma > 0) & (np.abs(mean - median) < _MODE_LIMIT * sigma))
    return np.where(skewed, median, 2.5 * median - 1.5 * mean), noise, np.nan_to_num(n).astype(np.int64)


def _edges(size: int, box: int) -> list[int]:
    """Cut a side into boxes of the same size, as near to the wanted one as that allows."""
    boxes = max(1, round(size / box))
    return [round(size * i / boxes) for i in range(boxes + 1)]


def _excess(differences: NDArray[np.float64], expected: float) -> float:
    """Scatter beyond what is expected."""
    scatter = 1.4826 * float(np.median(np.abs(differences - np.median(differences))))
    return math.sqrt(max(scatter**2 - expected**2, 0.0))


def _fill(levels: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give empty boxes the level of the nearest one that has any."""
    nearest = distance_transform_edt(~good, return_distances=False, return_indices=True)
    return np.asarray(levels[tuple(nearest)], np.float64)


def _smoothed(levels: NDArray[np.float64]) -> NDArray[np.float32]:
    """Take the running median over 3 x 3 boxes of a map that goes on beyond its edges as it comes to them."""
    for axis in (axis for axis in (0, 1) if levels.shape[axis] > 1):
        widths = [(1, 1) if i == axis else (0, 0) for i in (0, 1)]
        levels = np.pad(levels, widths, mode="reflect", reflect_type="odd")
    smooth = median_filter(levels, size=3, mode="nearest").astype(np.float32)
    inner = [slice(1, -1) if size > 1 else slice(None) for size in levels.shape]
    return np.ascontiguousarray(smooth[tuple(inner)])


@compiled
def _subtract(image: NDArray[np.float32], mesh: NDArray[np.float32], result: NDArray[np.float32]) -> None:
    ny, nx = image.shape
    rows, columns = mesh.shape
    line, sky = np.empty(columns, np.float32), np.empty(nx, np.float32)
    for y in range(ny):
        row, part = _between(y, ny, rows)
        for column in range(columns):
            next_row = mesh[min(row + 1, rows - 1), column]
            line[column] = mesh[row, column] + part * (next_row - mesh[row, column])
        _stretch(line, sky)
        for x in range(nx):
            value = image[y, x] - sky[x]
            result[y, x] = value if np.isfinite(value) else np.float32(0.0)


@compiled
def _stretch(line: NDArray[np.float32], sky: NDArray[np.float32]) -> None:
    """Draw the line through the centres of boxes at every pixel, in steps of the same length within a box."""
    boxes, size = line.size, sky.size
    index, part = _between(0, size, boxes)
    step = boxes / size
    place = float(part)
    for x in range(size):
        while place >= 1.0 and index < boxes - 2:
            place -= 1.0
            index += 1
        low = line[index]
        sky[x] = low + np.float32(place) * (line[min(index + 1, boxes - 1)] - low)
        place += step


@compiled
def _between(position: int, size: int, boxes: int) -> tuple[int, np.float32]:
    """Index of the box whose centre is before a pixel, and how far it is to the next: outside 0 to 1 near the edges."""
    place = (position + 0.5) * boxes / size - 0.5
    index = min(max(int(place), 0), max(boxes - 2, 0))
    return index, np.float32(place - index)
