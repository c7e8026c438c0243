"""What of an image is above a limit, brought together from where it lies scattered.

A few per cent of the samples are; to follow the light from one to the next in the image itself would be to wait for memory
at every step. Here each knows its neighbours by their number, and islands, which have nothing to do with one another, are
dealt with one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.detection.squares import Squares
from rapid.processing.jit import compiled

__all__ = ["Samples", "count_above", "root", "samples_above"]

_FEW: Final = 40
"""Samples of an island up to which putting them in order one by one is the fastest."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples above a limit, row by row from the lower left; one entry each.

    Attributes
    ----------
    place
        y * pitch + x. A row is one longer than the image, so that what differs by 1 lies side by side.
    filtered, sharp, light
        Light [electron]: filtered for the search, less filtered or not at all, and not filtered.
    full, cut
        Is saturated; is beside a hidden one or at the edge.
    below, above
        Number of the first sample in the row below, and above, that is not left of x - 1.
    order
        Numbers of the samples, island by island, each from the sharpest light down.
    """

    place: NDArray[np.int32]
    filtered: NDArray[np.float32]
    sharp: NDArray[np.float32]
    light: NDArray[np.float32]
    full: NDArray[np.bool_]
    cut: NDArray[np.bool_]
    below: NDArray[np.int32]
    above: NDArray[np.int32]
    order: NDArray[np.int32]
    pitch: int


def count_above(filtered: NDArray[np.float32], hidden: NDArray[np.bool_], limit: float) -> int:
    """Count the samples above a limit that are not hidden."""
    return int(_count(filtered, hidden, np.float32(limit), np.empty(len(filtered) + 1, np.int64)))


def samples_above(
    squares: Squares, filtered: NDArray[np.float32], kernel: NDArray[np.float32] | None, limit: float
) -> Samples:
    """Bring together the samples of the filtered light above a limit that are not hidden.

    `kernel` is the half kernel that the sharper light is filtered with; without one it is the filtered light.
    """
    shape, pitch = filtered.shape, filtered.shape[1] + 1
    rows = np.empty(shape[0] + 1, np.int64)
    n = _count(filtered, squares.hidden, np.float32(limit), rows)
    place, below, above, order = (np.empty(n, np.int32) for _ in range(4))
    value, light, sharp = (np.empty(n, np.float32) for _ in range(3))
    full, cut = np.empty(n, np.bool_), np.empty(n, np.bool_)
    _gather(filtered, np.float32(limit), squares.light, squares.hidden, squares.full, rows, place, value, light, full,
            cut)  # fmt: skip
    _link(rows, place, pitch, below, above)
    if kernel is None:
        sharp = value
    else:
        _sharpen(squares.light, np.ascontiguousarray(kernel), rows, place, pitch, sharp)
    _put_in_order(place, below, pitch, sharp, order)
    return Samples(place, value, sharp, light, full, cut, below, above, order, pitch)


@compiled
def _count(filtered: NDArray[np.float32], hidden: NDArray[np.bool_], limit: np.float32, rows: NDArray[np.int64]) -> int:
    """Say how many come before each row, and in all."""
    n = 0
    for y in range(filtered.shape[0]):
        rows[y] = n
        line, unseen = filtered[y], hidden[y]
        found = np.int32(0)
        for x in range(line.size):
            found += np.int32(line[x] > limit) & np.int32(not unseen[x])
        n += int(found)
    rows[filtered.shape[0]] = n
    return n


@compiled
def _gather(  # noqa: PLR0917 - compiled functions take their arguments by position
    filtered: NDArray[np.float32],
    limit: np.float32,
    light: NDArray[np.float32],
    hidden: NDArray[np.bool_],
    full: NDArray[np.bool_],
    rows: NDArray[np.int64],
    place: NDArray[np.int32],
    value: NDArray[np.float32],
    own: NDArray[np.float32],
    saturated: NDArray[np.bool_],
    cut: NDArray[np.bool_],
) -> None:
    pitch = filtered.shape[1] + 1
    for y in range(filtered.shape[0]):
        n, x = rows[y], 0
        while n < rows[y + 1]:
            if filtered[y, x] > limit and not hidden[y, x]:
                place[n], value[n] = y * pitch + x, filtered[y, x]
                own[n], saturated[n], cut[n] = light[y, x], full[y, x], _at_the_edge_of_sight(hidden, y, x)
                n += 1
            x += 1


@compiled
def _at_the_edge_of_sight(hidden: NDArray[np.bool_], y: int, x: int) -> bool:
    """Tell whether a sample is at the edge or beside a hidden one."""
    ny, nx = hidden.shape
    if y == 0 or x == 0 or y == ny - 1 or x == nx - 1:
        return True
    for v in range(y - 1, y + 2):
        for u in range(x - 1, x + 2):
            if hidden[v, u]:
                return True
    return False


@compiled
def _link(
    rows: NDArray[np.int64],
    place: NDArray[np.int32],
    pitch: int,
    below: NDArray[np.int32],
    above: NDArray[np.int32],
) -> None:
    """Find the first neighbours in the rows below and above, which are gone through side by side."""
    last = rows.size - 2
    for y in range(rows.size - 1):
        low, high = rows[max(y - 1, 0)], rows[y + 1]
        after = rows[min(y + 2, last + 1)]
        for i in range(rows[y], rows[y + 1]):
            while low < rows[y] and place[low] < place[i] - pitch - 1:
                low += 1
            while high < after and place[high] < place[i] + pitch - 1:
                high += 1
            below[i], above[i] = low, high


@compiled
def _sharpen(  # noqa: PLR0917 - as above
    light: NDArray[np.float32],
    kernel: NDArray[np.float32],
    rows: NDArray[np.int64],
    place: NDArray[np.int32],
    pitch: int,
    sharp: NDArray[np.float32],
) -> None:
    """Convolve with the kernel along columns and rows, only where samples are: run by run."""
    ny, nx = light.shape
    line = np.zeros(nx + 2 * (kernel.size - 1), np.float32)
    for y in range(ny):
        i = rows[y]
        while i < rows[y + 1]:
            stop = i + 1
            while stop < rows[y + 1] and place[stop] == place[stop - 1] + 1:
                stop += 1
            first = place[i] - y * pitch
            _along_columns(light, kernel, y, first, first + stop - i, line)
            for k in range(i, stop):
                sharp[k] = _along_row(kernel, line, first + k - i)
            i = stop


@compiled
def _along_columns(  # noqa: PLR0917 - as above
    light: NDArray[np.float32], kernel: NDArray[np.float32], y: int, first: int, stop: int, line: NDArray[np.float32]
) -> None:
    """Fill ``line[x + reach]`` for a run and what the kernel reaches beside it; outside the image there is no light."""
    ny, nx = light.shape
    reach = kernel.size - 1
    for x in range(first - reach, stop + reach):
        if not 0 <= x < nx:
            line[x + reach] = np.float32(0.0)
            continue
        total = kernel[0] * light[y, x]
        for k in range(1, reach + 1):
            below = light[y - k, x] if y >= k else np.float32(0.0)
            above = light[y + k, x] if y + k < ny else np.float32(0.0)
            total += kernel[k] * (below + above)
        line[x + reach] = total


@compiled
def _along_row(kernel: NDArray[np.float32], line: NDArray[np.float32], x: int) -> np.float32:
    reach = kernel.size - 1
    total = kernel[0] * line[x + reach]
    for k in range(1, reach + 1):
        total += kernel[k] * (line[x + reach - k] + line[x + reach + k])
    return np.float32(total)


@compiled
def _put_in_order(
    place: NDArray[np.int32],
    below: NDArray[np.int32],
    pitch: int,
    sharp: NDArray[np.float32],
    order: NDArray[np.int32],
) -> None:
    """Sort by islands, and each island from the sharpest light down; equals stay as they lie in the image."""
    first = _islands(place, below, pitch)
    begins = np.zeros(place.size + 1, np.int32)
    for i in range(place.size):
        begins[first[i] + 1] += 1
    for i in range(place.size):
        begins[i + 1] += begins[i]
    behind = begins.copy()
    for i in range(place.size):
        order[behind[first[i]]] = i
        behind[first[i]] += 1
    for i in range(place.size):
        if first[i] == i:
            _sort(order[begins[i] : begins[i + 1]], sharp)


@compiled
def _islands(place: NDArray[np.int32], below: NDArray[np.int32], pitch: int) -> NDArray[np.int32]:
    """Find the first sample of the island that each belongs to."""
    first = np.empty(place.size, np.int32)
    for i in range(place.size):
        first[i] = i
        if i and place[i - 1] == place[i] - 1:
            first[i] = first[i - 1]
        k = below[i]
        while k < i and place[k] <= place[i] - pitch + 1:
            one, other = root(first, i), root(first, k)
            first[max(one, other)] = min(one, other)
            k += 1
    for i in range(place.size):
        first[i] = first[first[i]]
    return first


@compiled
def root(first: NDArray[np.signedinteger], item: int) -> int:
    """Follow the chain to its end, halving it on the way."""
    while first[item] != item:
        first[item] = first[first[item]]
        item = first[item]
    return item


@compiled
def _sort(items: NDArray[np.int32], sharp: NDArray[np.float32]) -> None:
    if items.size > _FEW:
        items[:] = items[np.argsort(-sharp[items], kind="mergesort")]
        return
    for i in range(1, items.size):
        item, k = items[i], i
        while k > 0 and sharp[items[k - 1]] < sharp[item]:
            items[k] = items[k - 1]
            k -= 1
        items[k] = item
