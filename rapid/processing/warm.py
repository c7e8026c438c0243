"""Everything that is slow the first time, done once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from rapid.processing.astrometry.voting import vote
from rapid.processing.frame import RawDetector, Study
from rapid.processing.geometry import Box, Detector, detectors
from rapid.processing.headers import translate
from rapid.processing.isr import CalibrationImage, Calibrations, calibrate
from rapid.processing.isr.brighter_fatter import BrighterFatterKernel
from rapid.processing.isr.crosstalk import Crosstalk
from rapid.processing.isr.cti import Cti
from rapid.processing.isr.defects import Defects
from rapid.processing.isr.linearity import Linearity, Spline, Table
from rapid.processing.measure import measure
from rapid.processing.rice import SLACK, decode_tiles

__all__ = ["warm"]

_HALF: Final = "R00_SW0"
"""Half of a wavefront sensor, the least that the calibrations of LSSTCam can be tried on."""

_TILE: Final = bytes.fromhex("0000000700") + bytes(SLACK)
"""A compressed row of 32 sevens, and what follows it in a file."""


def warm() -> Study:
    """Compile or load all machine code and read all tables of the core; return the artificial study it was done on.

    Called once in each worker before the night: about 45 s of CPU when nothing is on disk yet, 3 s when it is. It measures an
    artificial frame with a few stars, and calibrates another one with every calibration there can be, so that everything
    that runs in the night has run before.
    """
    decode_tiles(
        np.frombuffer(_TILE, np.uint8), np.zeros(1, np.int64), np.full(1, 5), np.empty((1, 32), np.int32), block=32
    )
    vote(np.zeros((1, 2)), np.zeros((1, 2)), lever=(0.0, 0.0), reach=1.0, turn=0.0, keep=1)
    raw = _sky(16)
    info = translate(raw.header, name=raw.name)
    half = detectors("LSSTCam")[_HALF]
    calibrate(_sky(8), replace(info, instrument="LSSTCam"), half, _every_calibration(half))
    return measure(calibrate(raw, info, next(iter(detectors(info.instrument).values()))), offsets=True)


def _every_calibration(detector: Detector) -> Calibrations:
    """Make calibrations for every step of the recipe, which change next to nothing; one amplifier is not to be used."""
    n, (ny, nx) = len(detector.amplifiers), detector.shape
    none, variance, holed = np.zeros(n), np.zeros(n), np.ones((ny, nx), np.float32)
    holed[1000, 1000] = np.nan
    spline, table = Spline(np.array([0.0, 1e5, 2e5]), np.array([0.0, 1.0, 0.0])), Table(np.array([0.0, 1.0]), step=1e5)
    kernel, data = np.zeros((3, 3)), detector.amplifiers[0].data
    kernel[1, 1] = -1e-9
    return Calibrations(
        bias=CalibrationImage.bias(holed, variance=variance, identity="warm-up"),
        dark=CalibrationImage.dark(holed, variance=variance, identity="warm-up"),
        flat=CalibrationImage.flat(holed, variance=variance, identity="warm-up"),
        defects=Defects((Box(100, 100, 3, 3),)),
        crosstalk=Crosstalk(np.full((n, n), 1e-6) * ~np.eye(n, dtype=np.bool_)),
        linearity=Linearity(((spline, table),) * n),
        cti=Cti(none + 1e-7, none + 2.0, register=data.x0 + data.width),
        brighter_fatter=BrighterFatterKernel(kernel),
        bad_amplifiers=frozenset({detector.amplifiers[-1].name}),
    )


def _sky(segments: int) -> RawDetector:
    noise = np.random.default_rng(1).normal(20_000, 8, (2048, 576))
    y, x = np.mgrid[-40:41, -40:41]
    star = 30_000 * (1 + (x**2 + y**2) / 50) ** -3.0
    for row in (300, 800, 1300):
        noise[row : row + 81, 200:281] += star
    segment = noise.astype(np.int32)
    segment.flags.writeable = False
    return RawDetector("warm-up", _HEADER, (segment,) * segments)


_HEADER: Final[dict[str, object]] = {
    "INSTRUME": "LATISS",
    "OBSID": "AT_S_20260101_000001",
    "EXPTIME": 1.0,
    "IMGTYPE": "OBJECT",
    "DATE-BEG": "2026-01-02T00:00:00.000",
}
