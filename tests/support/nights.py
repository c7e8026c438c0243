"""Simulated nights for tests, each made once a session, and a plain way to read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from rapid.processing.geometry import detectors
from rapid.simulation.night import SimulatedExposure, simulate
from rapid.simulation.plan import builtin_plan

__all__ = ["AssembledExposure", "read_assembled", "read_segments", "simulated_night"]


@cache
def simulated_night(out: Path, plan: str = "short", seed: int = 1) -> tuple[SimulatedExposure, ...]:
    """Write a night into a directory and return its exposures in order; the same arguments write it once a session.

    Give it a directory of the session (``tmp_path_factory.getbasetemp() / "night"``) and leave what is in it alone.
    """
    return tuple(simulate(builtin_plan(plan), out, seed=seed))


@dataclass(frozen=True)
class AssembledExposure:
    """Trimmed and assembled pixels [electron], overscan subtracted by row, with the header and the truth."""

    image: NDArray[np.float64]
    header: fits.Header
    truth: dict[str, Any]


def read_segments(path: Path) -> list[NDArray[np.float64]]:
    """Read the sixteen segments [adu] as astropy decodes them."""
    with fits.open(path) as hdus:
        return [np.asarray(hdus[number].data, dtype=np.float64) for number in range(1, 17)]


def read_assembled(exposure: SimulatedExposure) -> AssembledExposure:
    """Read an exposure in the plainest way there is, so that it does not depend on what is under test."""
    detector = detectors("LATISS")["R00_S00"]
    image = np.zeros(detector.shape)
    for amplifier, pixels in zip(detector.amplifiers, read_segments(exposure.path), strict=True):
        bias = np.mean(pixels[amplifier.serial_overscan.slices], axis=1, keepdims=True)
        data = (pixels[amplifier.data.slices] - bias) * amplifier.gain
        image[amplifier.bbox.slices] = data[:: -1 if amplifier.flip_y else 1, :: -1 if amplifier.flip_x else 1]
    truth = json.loads(exposure.truth.read_text())
    return AssembledExposure(image, fits.getheader(exposure.path), truth)
