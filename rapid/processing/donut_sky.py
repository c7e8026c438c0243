"""The sky under stars far out of focus, whose light is spread so thin that most of it cannot be seen."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.background import measure_background
from rapid.processing.frame import Background, Frame, Mask, Sources
from rapid.processing.jit import compiled
from rapid.processing.statistics import half_sample_mode

__all__ = ["sky_between_donuts"]

_LEAST: Final = 2.0
"""Standard deviation [arcsec] of a source from which on it is a donut: a star in a seeing of 2.5 arcsec has 1.1."""

_RADIUS: Final = 1.4
"""Radius out to which the light of a donut is hidden, in standard deviations of the Gaussian that fits it best: the pupil ends
at 1.2, and then there is the seeing."""

_CLEAR: Final = 25.0
_FEWEST: Final = 3
"""Signal to noise of the sources whose commonest size counts, and how many there must be."""

_MOST_HIDDEN: Final = 0.7
"""Part of the image that donuts may hide: with more, what is left is between them by chance."""

_UNCERTAIN: Final = 0.4
"""How far the mean of the unseen light may be from its scatter, relative: so it is on simulations of corner sensors with 2 to
10 stars in a square arcmin."""


def sky_between_donuts(frame: Frame, background: Background, sources: Sources) -> Background:
    """Measure the sky of a frame with donuts again: beside those that were found, and without the light of the others.

    Whether there are donuts the commonest size of the sources tells; else nothing is done.

    Donuts too faint to be told from the sky add to it what they are; boxes of the map scatter by it beyond their noise. Few
    bright and many faint ones make that light about exponential, whose mean is its standard deviation, so that the scatter
    is taken off the level, which by itself is too high by as much.

    Returns
    -------
    Background
        On simulations of corner sensors `level` is good to 0.5 % where it was up to 1.5 % too high, and `level_error` covers
        it. The one that was given without donuts, and where hardly anything is left between them.
    """
    size = _commonest_size(sources)
    if not size * frame.detector.pixel_scale > _LEAST:
        return background
    hidden = np.zeros(frame.image.shape, np.bool_)
    _hide(hidden, sources.x, sources.y, _RADIUS * size)
    if hidden.mean() > _MOST_HIDDEN:
        return background
    mask = np.where(hidden, frame.mask | np.uint16(Mask.BAD), frame.mask)
    beside = measure_background(replace(frame, mask=mask))
    if math.isnan(beside.level):
        return background
    unseen = beside.level_error
    mesh = beside.mesh - np.float32(unseen)
    mesh.flags.writeable = False
    return replace(beside, level=beside.level - unseen, level_error=max(_UNCERTAIN * unseen, _least(beside)), mesh=mesh)


def _commonest_size(sources: Sources) -> float:
    """Return the standard deviation [pixel] that clear sources have most often; 0 without any."""
    clear = ~sources.saturated
    if sources.signal_to_noise is not None:
        clear &= sources.signal_to_noise > _CLEAR
    if clear.sum() < _FEWEST:
        return 0.0
    size = np.sqrt(0.5 * (sources.xx + sources.yy)[clear])
    return math.exp(half_sample_mode(np.log(size)))


def _least(background: Background) -> float:
    """Return the error of the level that chance alone gives [electron]: a twentieth of a box's, of which there are hundreds."""
    return background.noise / (background.box * math.sqrt(background.mesh.size))


@compiled
def _hide(hidden: NDArray[np.bool_], xs: NDArray[np.float64], ys: NDArray[np.float64], radius: float) -> None:
    """Set the pixels within the radius [pixel] of each place."""
    for star in range(xs.size):
        x, y = xs[star], ys[star]
        for j in range(max(0, math.ceil(y - radius)), min(hidden.shape[0], math.floor(y + radius) + 1)):
            half = math.sqrt(max(radius * radius - (j - y) ** 2, 0.0))
            for i in range(max(0, math.ceil(x - half)), min(hidden.shape[1], math.floor(x + half) + 1)):
                hidden[j, i] = True
