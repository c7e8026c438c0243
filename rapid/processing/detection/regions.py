"""Regions of light above a limit, cut at the saddles between peaks that stand out.

Pixels are taken from the brightest down. One without a neighbour begins a region; one between two regions is the saddle
between them, and the lower peak either stands out of it far enough to remain a source of its own, or its region becomes
part of the other. This is the persistence of the peaks of an image (Edelsbrunner, Letscher & Zomorodian 2002), with the
same outcome as cutting at many thresholds, in one pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.detection.squares import Squares
from rapid.processing.jit import compiled

__all__ = ["Regions", "count_above", "regions_above"]


@dataclass(frozen=True, slots=True)
class Regions:
    """What was found, in samples of the image searched; one entry a region.

    Attributes
    ----------
    x, y
        Centre of light.
    xx, yy, xy
        Second moments of the filtered light.
    flux
        Sum of the light [electron], not filtered.
    peak, peak_x, peak_y
        Filtered light [electron] where the sharper light is highest, and where that is.
    area
        Samples.
    box
        x0, x1, y0, y1, all inclusive; shape (regions, 4).
    blended
        Cut from another region.
    saturated, cut
        Has a full sample; touches a hidden one or the edge.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    xx: NDArray[np.float64]
    yy: NDArray[np.float64]
    xy: NDArray[np.float64]
    flux: NDArray[np.float64]
    peak: NDArray[np.float64]
    peak_x: NDArray[np.int64]
    peak_y: NDArray[np.int64]
    area: NDArray[np.int64]
    box: NDArray[np.int64]
    blended: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    cut: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)


def count_above(filtered: NDArray[np.float32], hidden: NDArray[np.bool_], limit: float) -> int:
    """Count the samples above a limit that are not hidden."""
    return int(_count(filtered, hidden, np.float32(limit)))


def regions_above(
    squares: Squares,
    filtered: NDArray[np.float32],
    sharp: NDArray[np.float32],
    *,
    limit: float,
    stands_out: float,
    contrast: float,
    photon_factor: float,
) -> Regions:
    """Find the regions of filtered light above a limit, and cut them at the saddles of the sharper light.

    Parameters
    ----------
    squares, filtered, sharp
        The light, the same filtered for the search, and less filtered or not at all for the cuts; hidden squares belong to
        no region.
    limit
        Of the filtered light [electron].
    stands_out
        How much a peak of the sharper light must stand out of its saddle where there is only sky [electron].
    contrast
        The same as a part of the light at the saddle: what a bright source may have of structure of its own.
    photon_factor
        What an electron of light at the saddle adds to the square of `stands_out`: its photons are noise too.
    """
    places = np.empty(count_above(filtered, squares.hidden, limit), np.int64)
    _gather(filtered, squares.hidden, np.float32(limit), places)
    order = places[np.argsort(-sharp.reshape(-1)[places], kind="stable")]
    labels = np.zeros(filtered.shape, np.int32)
    owner, blended = np.empty(order.size + 1, np.int64), np.zeros(order.size + 1, np.bool_)
    n = _grow(filtered, squares.full, order, labels, (stands_out * stands_out, contrast, photon_factor), owner, blended)
    owner, blended = owner[1 : n + 1] - 1, blended[1 : n + 1]
    remains = owner == np.arange(n)
    number = (np.cumsum(remains) - 1)[owner]
    sums, box = np.zeros((int(remains.sum()), 11)), np.zeros((int(remains.sum()), 4), np.int64)
    flags = np.zeros((len(sums), 2), np.bool_)
    _add_up(squares.light, squares.hidden, squares.full, filtered, order, labels, number, sums, box, flags)
    return _measured(sums, box, flags, blended[remains])


def _measured(
    sums: NDArray[np.float64], box: NDArray[np.int64], flags: NDArray[np.bool_], blended: NDArray[np.bool_]
) -> Regions:
    x, y, peak, flux, area, total, u, v, uu, vv, uv = sums.T
    du, dv = u / total, v / total
    return Regions(
        x=x + du,
        y=y + dv,
        xx=uu / total - du**2,
        yy=vv / total - dv**2,
        xy=uv / total - du * dv,
        flux=flux,
        peak=peak,
        peak_x=x.astype(np.int64),
        peak_y=y.astype(np.int64),
        area=area.astype(np.int64),
        box=box,
        blended=blended,
        saturated=flags[:, 0],
        cut=flags[:, 1],
    )


@compiled
def _count(filtered: NDArray[np.float32], hidden: NDArray[np.bool_], limit: np.float32) -> int:
    n = 0
    for y in range(filtered.shape[0]):
        for x in range(filtered.shape[1]):
            if filtered[y, x] > limit and not hidden[y, x]:
                n += 1
    return n


@compiled
def _gather(
    filtered: NDArray[np.float32], hidden: NDArray[np.bool_], limit: np.float32, places: NDArray[np.int64]
) -> None:
    n = 0
    for y in range(filtered.shape[0]):
        for x in range(filtered.shape[1]):
            if filtered[y, x] > limit and not hidden[y, x]:
                places[n] = y * filtered.shape[1] + x
                n += 1


@compiled
def _grow(  # noqa: PLR0917 - compiled functions take their arguments by position
    sharp: NDArray[np.float32],
    full: NDArray[np.bool_],
    order: NDArray[np.int64],
    labels: NDArray[np.int32],
    needed: tuple[float, float, float],
    owner: NDArray[np.int64],
    blended: NDArray[np.bool_],
) -> int:
    """Label the samples from the brightest down; return how many regions ever began.

    `owner` tells which region took each one in, itself when none did, in the end without a chain. Regions that touch are
    islands: `island` leads to the region with the highest peak of all that are joined.
    """
    ny, nx = sharp.shape
    island = np.empty_like(owner)
    peaks = np.empty(owner.size)
    n = 0
    for place in order:
        y, x = place // nx, place % nx
        best = _brightest_neighbour(sharp, labels, y, x)
        if best == 0:
            n += 1
            labels[y, x], owner[n], island[n], peaks[n] = n, n, n, sharp[y, x]
            continue
        labels[y, x] = best
        for v in range(max(0, y - 1), min(ny, y + 2)):
            for u in range(max(0, x - 1), min(nx, x + 2)):
                if labels[v, u] > 0:
                    _meet(labels[v, u], best, sharp[y, x], full[y, x], needed, owner, island, peaks, blended)
    for region in range(1, n + 1):
        owner[region] = _root(owner, region)
    return n


@compiled
def _brightest_neighbour(sharp: NDArray[np.float32], labels: NDArray[np.int32], y: int, x: int) -> int:
    """Label of the brightest neighbour that has one, 0 for none."""
    best, brightest = 0, np.float32(-np.inf)
    for v in range(max(0, y - 1), min(sharp.shape[0], y + 2)):
        for u in range(max(0, x - 1), min(sharp.shape[1], x + 2)):
            if labels[v, u] > 0 and sharp[v, u] > brightest:
                best, brightest = labels[v, u], sharp[v, u]
    return best


@compiled
def _meet(  # noqa: PLR0917 - as above
    one: int,
    other: int,
    saddle: float,
    full: bool,
    needed: tuple[float, float, float],
    owner: NDArray[np.int64],
    island: NDArray[np.int64],
    peaks: NDArray[np.float64],
    blended: NDArray[np.bool_],
) -> None:
    """Join the islands of two regions at a saddle; the lower peak is taken in unless it stands out of it."""
    high, low = _root(island, one), _root(island, other)
    if high == low:
        return
    touching = one
    if peaks[low] > peaks[high] or (peaks[low] == peaks[high] and low < high):
        high, low, touching = low, high, other
    island[low] = high
    squared, contrast, photons = needed
    least = max(math.sqrt(squared + photons * max(saddle, 0.0)), contrast * saddle)
    if full or peaks[low] - saddle < least:
        owner[low] = _root(owner, touching)
    else:
        blended[low] = blended[_root(owner, touching)] = True


@compiled
def _root(parents: NDArray[np.int64], item: int) -> int:
    """Follow the chain to its end, halving it on the way."""
    while parents[item] != item:
        parents[item] = parents[parents[item]]
        item = parents[item]
    return item


@compiled
def _add_up(  # noqa: PLR0917 - as above
    light: NDArray[np.float32],
    hidden: NDArray[np.bool_],
    full: NDArray[np.bool_],
    filtered: NDArray[np.float32],
    order: NDArray[np.int64],
    labels: NDArray[np.int32],
    number: NDArray[np.int64],
    sums: NDArray[np.float64],
    box: NDArray[np.int64],
    flags: NDArray[np.bool_],
) -> None:
    """Sum up each region about its peak: x, y, peak; flux, area; filtered light times 1, u, v, uu, vv, uv."""
    nx = light.shape[1]
    for place in order:
        y, x = place // nx, place % nx
        region = number[labels[y, x] - 1]
        row, bounds = sums[region], box[region]
        if row[4] == 0.0:
            row[0], row[1], row[2] = x, y, filtered[y, x]
            bounds[0], bounds[1], bounds[2], bounds[3] = x, x, y, y
        u, v, value = x - row[0], y - row[1], filtered[y, x]
        row[3] += light[y, x]
        row[4] += 1.0
        row[5] += value
        row[6] += value * u
        row[7] += value * v
        row[8] += value * u * u
        row[9] += value * v * v
        row[10] += value * u * v
        bounds[0], bounds[1] = min(bounds[0], x), max(bounds[1], x)
        bounds[2], bounds[3] = min(bounds[2], y), max(bounds[3], y)
        flags[region, 0] |= full[y, x]
        flags[region, 1] |= _at_the_edge_of_sight(hidden, y, x)


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
