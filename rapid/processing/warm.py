"""Everything that is slow the first time, done once."""

from __future__ import annotations

from typing import Final

import numpy as np

from rapid.processing.astrometry.voting import vote
from rapid.processing.frame import RawDetector, Study
from rapid.processing.geometry import detectors
from rapid.processing.headers import translate
from rapid.processing.isr import calibrate
from rapid.processing.measure import measure
from rapid.processing.rice import SLACK, decode_tiles

__all__ = ["warm"]

_TILE: Final = bytes.fromhex("0000000700") + bytes(SLACK)
"""A compressed row of 32 sevens, and what follows it in a file."""


def warm() -> Study:
    """Compile or load all machine code and read all tables of the core; return the artificial study it was done on.

    Called once in each worker before the night: about 15 s when nothing is on disk yet, 2 s when it is. It measures an
    artificial frame with a few stars, so that everything that runs in the night has run before.
    """
    decode_tiles(
        np.frombuffer(_TILE, np.uint8), np.zeros(1, np.int64), np.full(1, 5), np.empty((1, 32), np.int32), block=32
    )
    vote(np.zeros((1, 2)), np.zeros((1, 2)), lever=(0.0, 0.0), reach=1.0, turn=0.0, keep=1)
    raw = _sky()
    info = translate(raw.header, name=raw.name)
    return measure(calibrate(raw, info, next(iter(detectors(info.instrument).values()))))


def _sky() -> RawDetector:
    noise = np.random.default_rng(1).normal(20_000, 8, (2048, 576))
    y, x = np.mgrid[-40:41, -40:41]
    star = 30_000 * (1 + (x**2 + y**2) / 50) ** -3.0
    for row in (300, 800, 1300):
        noise[row : row + 81, 200:281] += star
    segment = noise.astype(np.int32)
    segment.flags.writeable = False
    return RawDetector("warm-up", _HEADER, (segment,) * 16)


_HEADER: Final[dict[str, object]] = {
    "INSTRUME": "LATISS",
    "OBSID": "AT_S_20260101_000001",
    "EXPTIME": 1.0,
    "IMGTYPE": "OBJECT",
    "DATE-BEG": "2026-01-02T00:00:00.000",
}
