"""Offsets between amplifiers from their common borders, as the observatory's pipelines estimate them.

The scheme of ``ip_isr``'s ``ampOffset`` as documented for the cameras, kept for comparison: a background on bins as wide as an
amplifier is subtracted, the medians of strips on both sides of each border are compared, and the pedestals follow from
the differences through the graph Laplacian of the amplifiers. A difference that is not accepted counts as zero, as it does there,
and there are no errors. `rapid.processing.isr.amplifier_offsets` is the better estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import Akima1DInterpolator

from rapid.processing.geometry import Box

__all__ = ["interface_offsets"]

_INSET: Final = 5
_WIDTH: Final = 64
_WINDOW: Final = 512 / 4176
"""Part of a border over which differences are averaged before they are clipped."""

_LEAST_GOOD: Final = 0.5
_CLIP: Final = 3.0


def interface_offsets(
    image: NDArray[np.float32],
    bad: NDArray[np.bool_],
    boxes: Sequence[Box],
    *,
    background: bool = True,
    largest: float = 10.0,
) -> NDArray[np.float64]:
    """Estimate pedestals from the steps at the borders of amplifiers.

    Parameters
    ----------
    image
        Assembled detector, shape (ny, nx).
    bad
        True for pixels to be left out, same shape.
    boxes
        Of the amplifiers: a grid of boxes of one size.
    background
        Whether the binned background is subtracted first (it is at the observatory).
    largest
        A step beyond is not accepted.

    Returns
    -------
    array
        Pedestals in the unit of the image, summing up to zero, shape (n,).
    """
    good = np.where(bad, np.float32(np.nan), image)
    sky = _BinnedSky(good, min(boxes[0].width, boxes[0].height)) if background else None
    places = {(round(box.y0 / box.height), round(box.x0 / box.width)): n for n, box in enumerate(boxes)}
    laplacian, right = np.zeros((len(boxes), len(boxes))), np.zeros(len(boxes))
    for (row, column), one in places.items():
        for other, axis in ((places.get((row, column + 1)), 1), (places.get((row + 1, column)), 0)):
            if other is not None:
                length = boxes[one].height if axis else boxes[one].width
                step = _step(good, sky, boxes[one], boxes[other], axis=axis, largest=largest)
                laplacian[[one, other], [one, other]] += length
                laplacian[[one, other], [other, one]] -= length
                right[[one, other]] += length * step, -length * step
    return np.asarray(np.linalg.lstsq(laplacian, right, rcond=None)[0], np.float64)


class _BinnedSky:
    """A background through the medians of bins, by Akima splines along both axes; a straight line beyond the outer bins."""

    def __init__(self, image: NDArray[np.float32], side: int) -> None:
        edges_y, edges_x = (np.linspace(0, length, length // side + 2).astype(int) for length in image.shape)
        self._y, self._x = (0.5 * (edges[1:] + edges[:-1] - 1) for edges in (edges_y, edges_x))
        parts = [np.array_split(rows, edges_x[1:-1], axis=1) for rows in np.array_split(image, edges_y[1:-1])]
        medians = np.array([[_median(part) for part in row] for row in parts])
        self._values = np.where(np.isfinite(medians), medians, _median(medians))

    def at(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Return the background of a part of the image."""
        along_y = _spline(self._y, self._values, np.arange(rows.start, rows.stop))
        return _spline(self._x, along_y.T, np.arange(columns.start, columns.stop)).T


def _median(values: NDArray[np.floating]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else np.nan


def _spline(nodes: NDArray[np.float64], values: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Evaluate splines along the first axis of `values`."""
    spline = Akima1DInterpolator(nodes, values)
    inside = np.clip(places, nodes[0], nodes[-1])
    beyond = (places - inside)[:, None]
    return np.asarray(spline(inside) + beyond * spline(inside, nu=1), np.float64)


def _step(
    image: NDArray[np.float32], sky: _BinnedSky | None, one: Box, other: Box, *, axis: int, largest: float
) -> float:
    """Return the level of `one` above that of `other`, which follows along `axis`; 0 when it is not accepted."""
    difference = _profile(image, sky, one, axis, last=True) - _profile(image, sky, other, axis, last=False)
    window = int(_WINDOW * difference.size)
    finite = np.isfinite(difference)
    if finite.mean() < _LEAST_GOOD:
        return 0.0
    box = np.ones(window)
    counts = np.convolve(finite, box, mode="same")
    smooth = np.convolve(np.where(finite, difference, 0.0), box, mode="same")[finite] / counts[finite]
    for _ in range(3):
        smooth = smooth[np.abs(smooth - smooth.mean()) <= _CLIP * smooth.std()]
    step = float(smooth.mean())
    return step if abs(step) <= largest else 0.0


def _profile(
    image: NDArray[np.float32], sky: _BinnedSky | None, box: Box, axis: int, *, last: bool
) -> NDArray[np.float64]:
    """Return the medians across the strip inside the last or first side of a box, NaN where it has no good pixel."""
    rows, columns = box.slices
    along = columns if axis else rows
    strip = (
        slice(along.stop - _INSET - _WIDTH, along.stop - _INSET)
        if last
        else slice(along.start + _INSET, along.start + _INSET + _WIDTH)
    )
    rows, columns = (rows, strip) if axis else (strip, columns)
    pixels = image[rows, columns] - (sky.at(rows, columns) if sky else 0.0)
    ordered = np.sort(pixels, axis=axis)  # NaN comes last
    n = np.isfinite(pixels).sum(axis=axis, keepdims=True)
    low, high = (np.take_along_axis(ordered, np.maximum(n + shift, 0) // 2, axis) for shift in (-1, 0))
    return np.where(n > 0, 0.5 * (low + high), np.nan).ravel()
