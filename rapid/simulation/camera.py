"""The camera: what its detector does to light, and how its amplifiers read it out.

The detector is the same every night: its patterns come from a fixed seed. Gains and read noise are those of the
geometry tables; the bias levels are rounded from the overscan levels in a LATISS header of 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Amplifier, Detector, detectors
from rapid.processing.jit import compiled
from rapid.simulation.chance import generator

__all__ = ["ADC_LIMIT", "DARK_CURRENT", "Camera", "full_well", "latiss"]

ADC_LIMIT = 262143
"""Highest value of the 18-bit converter [adu]."""

DARK_CURRENT = 0.03
"""Electron per pixel and second at -101 C."""

_CAMERA_SEED = 20180920
_BIAS_ORDER = (
    "C10",
    "C11",
    "C12",
    "C13",
    "C14",
    "C15",
    "C16",
    "C17",
    "C07",
    "C06",
    "C05",
    "C04",
    "C03",
    "C02",
    "C01",
    "C00",
)
_BIAS_ADU = (14126, 11010, 8994, 8428, 9636, 11632, 13871, 21314, 22466, 14545, 11651, 10221, 9776, 10332, 11972, 14006)
_BIAS_LEVELS = dict(zip(_BIAS_ORDER, map(float, _BIAS_ADU), strict=True))
_PIXEL_RESPONSE_SCATTER = 0.006
_HOT_PIXELS = 300
_WELL_ABOVE_SATURATION = 1.03  # charge blooms a little above the level at which the chain is declared saturated
_DEAD_NOISE = 0.7  # adu: what is left when only the converter is heard
_LEVEL_DRIFT = 1.5  # adu, from one exposure to the next
_ROW_WANDER = 0.05  # adu, step of the slow drift of the level from row to row
_EXACT_BELOW = 25.0  # electron: from here on counting noise is drawn from a normal distribution


@dataclass(frozen=True, slots=True)
class Camera:
    """One detector with its fixed patterns.

    Attributes
    ----------
    response
        Relative response of each pixel, mean about 1, float32, shape of the assembled detector.
    illumination
        Relative light from an evenly lit pupil: vignetting and gradient; likewise.
    hot_pixels, hot_currents
        Index (y, x) of pixels with more dark current than the others, shape (2, n), and how much more [electron/s].
    columns, rows
        Bias pattern along and across the read-out of each amplifier [adu]: float32, shapes (16, nx) and (16, ny) of a segment.
    """

    detector: Detector
    response: NDArray[np.float32]
    illumination: NDArray[np.float32]
    hot_pixels: NDArray[np.int64]
    hot_currents: NDArray[np.float32]
    columns: NDArray[np.float32]
    rows: NDArray[np.float32]
    levels: Mapping[str, float] = field(default_factory=lambda: _BIAS_LEVELS)

    def collect_dark(self, charge: NDArray[np.float32], seconds: float) -> None:
        """Add the dark current of some seconds to the charge [electron]."""
        charge += np.float32(DARK_CURRENT * seconds)
        charge[tuple(self.hot_pixels)] += self.hot_currents * np.float32(seconds)

    def read_out(
        self, charge: NDArray[np.float32], *, seed: int, number: int, dead: Mapping[str, float]
    ) -> list[NDArray[np.int32]]:
        """Read out a detector.

        Parameters
        ----------
        charge
            Expected charge [electron] of the assembled detector, shape (ny, nx).
        number
            Of the exposure, for its random numbers.
        dead
            Amplifiers that give a constant level, with it [adu].

        Returns
        -------
        Segments [adu] in the order of the file, each of shape (2048, 576).
        """
        drift = generator(seed, 7, number)
        segments = []
        for index, amplifier in enumerate(self.detector.amplifiers):
            level = self.levels[amplifier.name] + drift.normal(0.0, _LEVEL_DRIFT)
            rows = self.rows[index] + _wander(drift, self.rows.shape[1])
            noise = generator(seed, 8, number, index)
            if amplifier.name in dead:
                segments.append(_dead_segment(amplifier, dead[amplifier.name], noise))
            else:
                segments.append(
                    _segment(
                        charge, amplifier, rows=np.float32(level) + rows, columns=self.columns[index], chance=noise
                    )
                )
        return segments


def full_well(amplifier: Amplifier) -> float:
    """Electron a pixel of this amplifier holds before it blooms."""
    return amplifier.saturation * amplifier.gain * _WELL_ABOVE_SATURATION


@cache
def latiss() -> Camera:
    """Make the LATISS detector; it is made once a process and may be read only."""
    detector = detectors("LATISS")["R00_S00"]
    chance = generator(_CAMERA_SEED, 1)
    ny, nx = detector.shape
    response = chance.standard_normal((ny, nx), dtype=np.float32)
    response *= np.float32(_PIXEL_RESPONSE_SCATTER)
    response += np.float32(1.0)
    hot_pixels = np.unique(chance.integers(0, (ny, nx), (_HOT_PIXELS, 2)), axis=0).T
    amplifiers = len(detector.amplifiers)
    raw = detector.amplifiers[0].raw
    return Camera(
        detector=detector,
        response=response,
        illumination=_illumination(ny, nx),
        hot_pixels=hot_pixels,
        hot_currents=np.asarray(chance.exponential(40.0, hot_pixels.shape[1]), dtype=np.float32),
        columns=_bias_columns(chance, amplifiers, raw.width),
        rows=_bias_rows(chance, amplifiers, raw.height),
    )


def _illumination(ny: int, nx: int) -> NDArray[np.float32]:
    """Light falls off towards the corners and a little to one side; its mean is 1."""
    y = np.linspace(-1.0, 1.0, ny, dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, nx, dtype=np.float32)[None, :]
    radius2 = x * x + y * y
    light = 1.0 - np.float32(0.03) * radius2 + np.float32(0.01) * x - np.float32(0.006) * y
    light -= np.float32(0.25) * np.clip(radius2 - np.float32(1.2), 0.0, None) ** 2
    return np.asarray(light / light.mean(), dtype=np.float32)


def _bias_columns(chance: np.random.Generator, amplifiers: int, width: int) -> NDArray[np.float32]:
    """The level settles at the begin of every row, and every column has a little offset of its own."""
    x = np.arange(width)
    settling = chance.uniform(2.0, 8.0, (amplifiers, 1)) * np.exp(-x / chance.uniform(8.0, 20.0, (amplifiers, 1)))
    return (settling + chance.normal(0.0, 0.4, (amplifiers, width))).astype(np.float32)


def _bias_rows(chance: np.random.Generator, amplifiers: int, height: int) -> NDArray[np.float32]:
    y = np.arange(height)
    settling = chance.uniform(-6.0, 6.0, (amplifiers, 1)) * np.exp(-y / chance.uniform(50.0, 200.0, (amplifiers, 1)))
    return (settling + chance.normal(0.0, 0.2, (amplifiers, height))).astype(np.float32)


def _wander(chance: np.random.Generator, height: int) -> NDArray[np.float32]:
    """Drift of the level from row to row within one read-out, which comes back to its mean."""
    steps = chance.normal(0.0, _ROW_WANDER, height)
    wander = np.cumsum(steps)
    return (wander - np.linspace(0.0, wander[-1], height)).astype(np.float32)


def _segment(
    charge: NDArray[np.float32],
    amplifier: Amplifier,
    *,
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    chance: np.random.Generator,
) -> NDArray[np.int32]:
    shape = (amplifier.raw.height, amplifier.raw.width)
    normal = chance.standard_normal(shape, dtype=np.float32)
    place = charge[amplifier.bbox.slices]
    turned = place[:: -1 if amplifier.flip_y else 1, :: -1 if amplifier.flip_x else 1]
    seed = np.uint64(chance.integers(1, 2**63))
    out = np.empty(shape, dtype=np.int32)
    _convert(
        out,
        normal,
        turned,
        amplifier.data.x0,
        amplifier.data.y0,
        rows,
        columns,
        1.0 / amplifier.gain,
        amplifier.read_noise,
        full_well(amplifier),
        seed,
    )
    return out


def _dead_segment(amplifier: Amplifier, level: float, chance: np.random.Generator) -> NDArray[np.int32]:
    noise = chance.standard_normal((amplifier.raw.height, amplifier.raw.width), dtype=np.float32)
    return np.asarray(np.clip(np.rint(level + _DEAD_NOISE * noise), 0, ADC_LIMIT), dtype=np.int32)


@compiled
def _convert(  # noqa: PLR0917 - compiled functions take no keywords
    out: NDArray[np.int32],
    normal: NDArray[np.float32],
    charge: NDArray[np.float32],
    x0: int,
    y0: int,
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    per_gain: float,
    read_noise: float,
    well: float,
    seed: np.uint64,
) -> None:
    """Add counting and read noise to the charge and turn it into adu, over- and prescan included."""
    height, width = out.shape
    data_height, data_width = charge.shape
    state = seed
    for y in range(height):
        inside = y0 <= y < y0 + data_height
        for x in range(width):
            expected = 0.0
            if inside and x0 <= x < x0 + data_width:
                expected = float(charge[y - y0, x - x0])
            if expected <= 0.0:
                electrons = read_noise * normal[y, x]
            elif expected < _EXACT_BELOW:
                state = _next(state)
                electrons = _poisson(expected, _uniform(state)) + read_noise * normal[y, x]
            elif expected >= well:
                electrons = well + read_noise * normal[y, x]
            else:
                electrons = expected + np.sqrt(expected + read_noise * read_noise) * normal[y, x]
            value = np.floor(rows[y] + columns[x] + electrons * per_gain + 0.5)
            out[y, x] = np.int32(min(max(value, 0.0), ADC_LIMIT))


@compiled
def _next(state: np.uint64) -> np.uint64:
    """Step xorshift64 (Marsaglia 2003)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@compiled
def _uniform(state: np.uint64) -> float:
    """Turn the state into a number in [0, 1), multiplied first as in xorshift64* so that all its bits are good."""
    return float((state * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def _poisson(mean: float, uniform: float) -> float:
    """Invert the Poisson distribution at a uniform number; for small means."""
    probability = np.exp(-mean)
    below = probability
    count = 0.0
    while uniform > below and count < 200.0:
        count += 1.0
        probability *= mean / count
        below += probability
    return count
