"""Pixels that are full: their charge goes along the column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Detector
from rapid.processing.jit import compiled
from rapid.simulation.camera import full_well

__all__ = ["bloom"]


def bloom(charge: NDArray[np.float32], detector: Detector) -> None:
    """Let charge above full well spill along the columns, half of it each way, as far as the amplifier reaches.

    Charge [electron] is kept, but for what reaches the end of the amplifier's columns and is lost there.
    """
    for amplifier in detector.amplifiers:
        part, well = charge[amplifier.bbox.slices], full_well(amplifier)
        _spill(part, np.flatnonzero(part.max(axis=0, initial=0.0) > well), well)


@compiled
def _spill(charge: NDArray[np.float32], full: NDArray[np.int64], well: float) -> None:
    """Let the columns spill that have a full pixel."""
    ny = charge.shape[0]
    excess = np.empty(ny)
    for x in full:
        for y in range(ny):
            excess[y] = max(float(charge[y, x]) - well, 0.0)
            charge[y, x] -= np.float32(excess[y])
        _carry(charge, excess, x, 1, well)
        _carry(charge, excess, x, -1, well)


@compiled
def _carry(charge: NDArray[np.float32], excess: NDArray[np.float64], x: int, step: int, well: float) -> None:
    """Carry half of every pixel's excess in one direction, filling what has room."""
    ny = charge.shape[0]
    carried = 0.0
    for i in range(ny):
        y = i if step > 0 else ny - 1 - i
        room = min(max(well - float(charge[y, x]), 0.0), carried)
        charge[y, x] += np.float32(room)
        carried += 0.5 * excess[y] - room
