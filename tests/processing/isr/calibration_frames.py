"""Calibrations of the small detector with noise of their own, and exposures that were made with the same truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import Frame
from rapid.processing.isr import CalibrationImage, Calibrations, calibrate
from tests.support.frames import info_of, read_out, small_detector

DETECTOR = small_detector()
SKY = 400.0
DARK = 4.0
DARK_TIME = 30.25
BIAS_NOISE = 3.0
DARK_NOISE = 0.1
FLAT_NOISE = 0.008


def known(*, holes: bool = False) -> Calibrations:
    """Make a bias, a dark and a flat, each true but for its noise; with a few pixels without a value when asked."""
    chance = np.random.default_rng(5)
    bias, dark, flat = (
        chance.normal(level, noise, DETECTOR.shape)
        for level, noise in ((0.0, BIAS_NOISE), (DARK, DARK_NOISE), (_response(), FLAT_NOISE))
    )
    if holes:
        bias[700, 100], dark[800, 600], flat[900:903, 30] = np.nan, 1e6, 0.0
    n = len(DETECTOR.amplifiers)
    return Calibrations(
        bias=CalibrationImage.bias(bias, variance=np.full(n, BIAS_NOISE**2), identity="bias 1"),
        dark=CalibrationImage.dark(dark, variance=np.full(n, DARK_NOISE**2), identity="dark 1"),
        flat=CalibrationImage.flat(flat, variance=np.full(n, FLAT_NOISE**2), identity="flat 1"),
    )


def observed(kind: str, used: tuple[str, ...]) -> Frame:
    """Expose, read and calibrate, with the calibrations that are named."""
    light = np.zeros(DETECTOR.shape)
    if "dark" in used:
        light += DARK * DARK_TIME
    if kind == "science":
        light += SKY * (_response() if "flat" in used else 1.0)
    raw = read_out(light, DETECTOR, seed=11)
    info = replace(info_of(raw), observation_type=kind)
    every = known()
    chosen = Calibrations(**{name: getattr(every, name) for name in used})
    return calibrate(raw, info, DETECTOR, chosen, repair=False)


def _response() -> NDArray[np.float64]:
    """Sensitivity of the pixels: a gradient of 6 %."""
    return np.broadcast_to(np.linspace(0.97, 1.03, DETECTOR.shape[1]), DETECTOR.shape)
