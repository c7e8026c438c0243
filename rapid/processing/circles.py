"""Sums inside circles: the part of a pixel inside a circle is computed, not sampled.

Along a row the pixels that are inside as a whole are one difference of running sums, so that the cost goes with the rim of
the circles and the rows. On the rim it is a sum over the corners of a pixel, which it shares with those beside it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import Mask
from rapid.processing.jit import compiled
from rapid.processing.memory import prefetch_square

__all__ = ["circle_sums"]

_UNUSABLE: Final = int(Mask.BAD | Mask.NO_DATA | Mask.COSMIC_RAY)
_FILLED: Final = int(Mask.INTERPOLATED)


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
    running = np.zeros((2, 2 * math.ceil(largest) + 4))
    light = np.empty(running.shape[1])
    arcs = np.empty((radii.size, light.size))
    edges = np.empty((radii.size, 3))
    for i in range(x.size):
        if i + 1 < x.size:
            prefetch_square(image, x[i + 1], y[i + 1], largest)
            if mask.size > 0:
                prefetch_square(mask, x[i + 1], y[i + 1], largest)
        if not (np.isfinite(x[i]) and np.isfinite(y[i])):
            sums[i, :] = np.nan
            continue
        left = math.ceil(x[i] - largest - 0.5)
        _fill_arcs(left - x[i] - 0.5, radii, arcs)
        edges[:, 0], edges[:, 1:] = -radii, 0.0
        for j in range(math.ceil(y[i] - largest - 0.5), math.floor(y[i] + largest + 0.5) + 1):
            first = _fill_row(image, mask, x[i], j, j - y[i], largest, sky[i], light, running)
            for r in range(radii.size):
                if radii[r] > abs(j - y[i]) - 0.5:
                    sums[i, r] += _inside(x[i], j - y[i], radii[r], first, light, running, left, arcs[r], edges[r])


@compiled
def _fill_row(  # noqa: PLR0917 - as above
    image: NDArray[np.float32],
    mask: NDArray[np.uint16],
    x: float,
    j: int,
    v: float,
    radius: float,
    sky: float,
    light: NDArray[np.float64],
    running: NDArray[np.float64],
) -> int:
    """Bring the light of one row within the largest circle together, and sum it up; return the column it begins at.

    It is NaN where there is none. Of such pixels `running` has the number, beside the sum of the others: a sum that one of
    them was part of would have no light for any pixel to its right.
    """
    widest = _half_width(radius, max(abs(v) - 0.5, 0.0))
    first, stop = math.ceil(x - widest - 0.5), math.floor(x + widest + 0.5) + 1
    n = stop - first
    light[:n] = np.nan
    if 0 <= j < image.shape[0]:
        for i in range(max(first, 0), min(stop, image.shape[1])):
            value = np.float64(image[j, i]) - sky
            light[i - first] = value if value - value == 0.0 else np.nan
        if mask.size > 0:
            for i in range(max(first, 0), min(stop, image.shape[1])):
                unusable = (mask[j, i] & _UNUSABLE != 0) & (mask[j, i] & _FILLED == 0)
                light[i - first] = np.nan if unusable else light[i - first]
    for k in range(n):
        seen = light[k] == light[k]
        running[0, k + 1] = running[0, k] + (light[k] if seen else 0.0)
        running[1, k + 1] = running[1, k] + (0.0 if seen else 1.0)
    return first


@compiled
def _half_width(radius: float, v: float) -> float:
    return math.sqrt(max(radius * radius - v * v, 0.0))


@compiled
def _inside(  # noqa: PLR0917 - as above
    x: float,
    v: float,
    radius: float,
    first: int,
    light: NDArray[np.float64],
    running: NDArray[np.float64],
    leftmost: int,
    arcs: NDArray[np.float64],
    below: NDArray[np.float64],
) -> float:
    """Sum what one row has inside a circle; NaN when that meets a pixel it cannot use.

    `below` is the lower edge of the row: how high it is, where it meets the circle, and the area under the circle up to
    there. It becomes the upper one.
    """
    half, inner = _half_width(radius, max(abs(v) - 0.5, 0.0)), _half_width(radius, abs(v) + 0.5)
    begin, end = math.ceil(x - half - 0.5), math.floor(x + half + 0.5)
    left, right = math.ceil(x - inner + 0.5), math.floor(x + inner - 0.5)
    if radius <= abs(v) + 0.5 or right < left:
        left, right = end + 1, end
    meets = _half_width(radius, v + 0.5)
    above = (v + 0.5, meets, _under_arc(meets, radius))
    lower = (below[0], below[1], below[2])
    total = _span(running, left - first, right - first + 1) if right >= left else 0.0
    total += _rim(begin, left, x, first, light, leftmost, arcs, lower, above)
    total += _rim(right + 1, end + 1, x, first, light, leftmost, arcs, lower, above)
    below[0], below[1], below[2] = above
    return total


@compiled
def _span(running: NDArray[np.float64], begin: int, stop: int) -> float:
    """Sum the light of whole pixels; NaN when one of them has none."""
    return running[0, stop] - running[0, begin] if running[1, stop] == running[1, begin] else np.nan


_Edge = tuple[float, float, float]


@compiled
def _rim(  # noqa: PLR0917 - as above
    begin: int,
    stop: int,
    x: float,
    first: int,
    light: NDArray[np.float64],
    leftmost: int,
    arcs: NDArray[np.float64],
    lower: _Edge,
    upper: _Edge,
) -> float:
    """Sum the light of pixels that the circle goes through, each by its area inside: the sum over its corners.

    ``arcs[k]`` is the area under the circle from its middle to the left edge of the column ``leftmost + k``.
    """
    total = 0.0
    if begin >= stop:
        return total
    u, arc = begin - 0.5 - x, arcs[begin - leftmost]
    before = _corner(u, arc, upper) - _corner(u, arc, lower)
    for i in range(begin, stop):
        u, arc = i + 0.5 - x, arcs[i + 1 - leftmost]
        up_to = _corner(u, arc, upper) - _corner(u, arc, lower)
        if up_to > before:
            total += (up_to - before) * light[i - first]
        before = up_to
    return total


@compiled
def _corner(u: float, arc: float, edge: _Edge) -> float:
    """Area of the circle inside the rectangle from its middle to (u, edge), with the sign of u times the edge."""
    v, meets, meets_arc = edge
    far, high = abs(u), abs(v)
    area = far * high if far <= meets else meets * high + arc - meets_arc
    return area if (u >= 0.0) == (v >= 0.0) else -area


@compiled
def _fill_arcs(first: float, radii: NDArray[np.float64], arcs: NDArray[np.float64]) -> None:
    """Find the areas under every circle from its middle to the edges of the columns, `first` and every pixel from there."""
    for r in range(radii.size):
        whole = 0.25 * math.pi * radii[r] ** 2
        for k in range(arcs.shape[1]):
            u = abs(first + k)
            arcs[r, k] = _under_arc(u, radii[r]) if u < radii[r] else whole


@compiled
def _under_arc(u: float, radius: float) -> float:
    """Area under a quarter of the circle from 0 to u."""
    if u <= 0.0:
        return 0.0
    return 0.5 * (u * math.sqrt(max(radius * radius - u * u, 0.0)) + radius * radius * math.asin(min(u / radius, 1.0)))
