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

from rapid.processing.detection.samples import Samples, root, samples_above
from rapid.processing.detection.squares import Squares
from rapid.processing.jit import compiled

__all__ = ["Regions", "regions_above"]


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


_Needed = tuple[float, float, float]
"""What a peak must stand out of a saddle: squared in the sky, as a part of the saddle, and squared for each electron of it."""


def regions_above(
    squares: Squares,
    filtered: NDArray[np.float32],
    sharp: NDArray[np.float32] | None = None,
    *,
    limit: float,
    stands_out: float,
    contrast: float,
    photon_factor: float,
) -> Regions:
    """Find the regions of filtered light above a limit, and cut them at the saddles of the sharper light.

    Regions come in the order of their sharpest light.

    Parameters
    ----------
    squares, filtered
        The light, and the same filtered for the search; hidden squares belong to no region.
    sharp
        Half kernel of the filter of the sharper light; that of the search is taken without one.
    limit
        Of the filtered light [electron].
    stands_out
        How much a peak of the sharper light must stand out of its saddle where there is only sky [electron].
    contrast
        The same as a part of the light at the saddle: what a bright source may have of structure of its own.
    photon_factor
        What an electron of light at the saddle adds to the square of `stands_out`: its photons are noise too.
    """
    samples = samples_above(squares, filtered, sharp, limit)
    label, owner, blended, begins = _grown(samples, (stands_out * stands_out, contrast, photon_factor))
    remains = np.flatnonzero(owner == np.arange(owner.size))
    remains = remains[np.lexsort((begins[remains], -samples.sharp[begins[remains]]))]
    number = np.zeros(owner.size, np.int64)
    number[remains] = np.arange(remains.size)
    sums, box = np.zeros((remains.size, 11)), np.zeros((remains.size, 4), np.int64)
    flags = np.zeros((remains.size, 2), np.bool_)
    _add_up(samples.order, samples.place, samples.filtered, samples.light, samples.full, samples.cut, samples.pitch,
            label, number[owner], sums, box, flags)  # fmt: skip
    return _measured(sums, box, flags, blended[remains])


def _grown(
    samples: Samples, needed: _Needed
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return the region each sample began in; and for each of these who has it now, if it is cut, and its first sample."""
    size = len(samples.place)
    label, near = np.zeros(size, np.int32), np.empty(8, np.int64)
    owner, island, begins = (np.empty(size, np.int64) for _ in range(3))
    peaks, blended = np.empty(size), np.zeros(size, np.bool_)
    n = _grow(samples.order, samples.place, samples.filtered, samples.full, samples.below, samples.above, samples.pitch,
              needed, near, label, owner, island, peaks, blended, begins)  # fmt: skip
    return label, owner[:n], blended[:n], begins[:n]


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
def _grow(  # noqa: PLR0917 - compiled functions take their arguments by position
    order: NDArray[np.int32],
    place: NDArray[np.int32],
    filtered: NDArray[np.float32],
    full: NDArray[np.bool_],
    below: NDArray[np.int32],
    above: NDArray[np.int32],
    pitch: int,
    needed: _Needed,
    near: NDArray[np.int64],
    label: NDArray[np.int32],
    owner: NDArray[np.int64],
    island: NDArray[np.int64],
    peaks: NDArray[np.float64],
    blended: NDArray[np.bool_],
    begins: NDArray[np.int64],
) -> int:
    """Label the samples, from 1, in their order; return how many regions ever began.

    `owner` tells which region took each one in, itself when none did, in the end without a chain. Regions that touch are
    joined: `island` leads to the one with the highest peak of all.
    """
    n = 0
    for i in order:
        found = _labelled_neighbours(place, below, above, pitch, label, i, near)
        if found == 0:
            owner[n], island[n], peaks[n], begins[n] = n, n, filtered[i], i
            n += 1
            label[i] = n
            continue
        best = near[0]
        for k in near[1:found]:
            best = k if filtered[k] > filtered[best] else best
        label[i] = label[best]
        for k in near[:found]:
            if label[k] != label[i]:
                _meet(label[k] - 1, label[i] - 1, filtered[i], full[i], needed, owner, island, peaks, blended)
    for region in range(n):
        owner[region] = root(owner, region)
    return n


@compiled
def _labelled_neighbours(  # noqa: PLR0917 - as above
    place: NDArray[np.int32],
    below: NDArray[np.int32],
    above: NDArray[np.int32],
    pitch: int,
    label: NDArray[np.int32],
    i: int,
    near: NDArray[np.int64],
) -> int:
    """List the neighbours that have a label, as they lie in the image; return how many there are."""
    n, here = 0, place[i]
    k = int(below[i])
    while k < i and place[k] <= here - pitch + 1:
        if label[k]:
            near[n] = k
            n += 1
        k += 1
    for k in (i - 1, i + 1):
        if 0 <= k < place.size and abs(place[k] - here) == 1 and label[k]:
            near[n] = k
            n += 1
    k = int(above[i])
    while k < place.size and place[k] <= here + pitch + 1:
        if label[k]:
            near[n] = k
            n += 1
        k += 1
    return n


@compiled
def _meet(  # noqa: PLR0917 - as above
    one: int,
    other: int,
    saddle: float,
    full: bool,
    needed: _Needed,
    owner: NDArray[np.int64],
    island: NDArray[np.int64],
    peaks: NDArray[np.float64],
    blended: NDArray[np.bool_],
) -> None:
    """Join the islands of two regions at a saddle; the lower peak is taken in unless it stands out of it."""
    high, low = root(island, one), root(island, other)
    if high == low:
        return
    touching = one
    if peaks[low] > peaks[high] or (peaks[low] == peaks[high] and low < high):
        high, low, touching = low, high, other
    island[low] = high
    squared, contrast, photons = needed
    least = max(math.sqrt(squared + photons * max(saddle, 0.0)), contrast * saddle)
    if full or peaks[low] - saddle < least:
        owner[low] = root(owner, touching)
    else:
        blended[low] = blended[root(owner, touching)] = True


@compiled
def _add_up(  # noqa: PLR0917 - as above
    order: NDArray[np.int32],
    place: NDArray[np.int32],
    filtered: NDArray[np.float32],
    light: NDArray[np.float32],
    full: NDArray[np.bool_],
    cut: NDArray[np.bool_],
    pitch: int,
    label: NDArray[np.int32],
    number: NDArray[np.int64],
    sums: NDArray[np.float64],
    box: NDArray[np.int64],
    flags: NDArray[np.bool_],
) -> None:
    """Sum up each region about its peak: x, y, peak; flux, area; filtered light times 1, u, v, uu, vv, uv."""
    for i in order:
        y, x = place[i] // pitch, place[i] % pitch
        region = number[label[i] - 1]
        row, bounds = sums[region], box[region]
        if row[4] == 0.0:
            row[0], row[1], row[2] = x, y, filtered[i]
            bounds[0], bounds[1], bounds[2], bounds[3] = x, x, y, y
        u, v, value = x - row[0], y - row[1], filtered[i]
        row[3] += light[i]
        row[4] += 1.0
        row[5] += value
        row[6] += value * u
        row[7] += value * v
        row[8] += value * u * u
        row[9] += value * v * v
        row[10] += value * u * v
        bounds[0], bounds[1] = min(bounds[0], x), max(bounds[1], x)
        bounds[2], bounds[3] = min(bounds[2], y), max(bounds[3], y)
        flags[region, 0] |= full[i]
        flags[region, 1] |= cut[i]
