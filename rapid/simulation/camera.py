"""The camera: what its detectors do to light, and how their amplifiers read it out.

A detector is the same every night: its patterns come from a fixed seed. Gains and read noise are those of the geometry
tables; the bias levels of LATISS are rounded from the overscan levels in a header of 2018, those of LSSTCam were measured
in run 13421.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Amplifier, Detector, detectors
from rapid.simulation.chance import generator
from rapid.simulation.conversion import ADC_LIMIT, convert
from rapid.simulation.effects import Effects
from rapid.simulation.instruments import instrument, random_key
from rapid.simulation.optics import vignetting

__all__ = ["ADC_LIMIT", "DARK_CURRENT", "Camera", "camera_levels", "camera_of", "full_well", "latiss"]

DARK_CURRENT = instrument("LATISS").dark_current
"""Electron per pixel and second, of LATISS."""

_CAMERA_SEED = 20180920
_SEED_KEYS = {"LATISS": 1, "LSSTCam": 2, "LSSTComCam": 3}
_LATISS_BIAS = (
    14126,
    11010,
    8994,
    8428,
    9636,
    11632,
    13871,
    21314,
    22466,
    14545,
    11651,
    10221,
    9776,
    10332,
    11972,
    14006,
)
_COMCAM_BIAS = 24_500.0  # adu, about that of the ITL detectors of LSSTCam: no published table
_PIXEL_RESPONSE_SCATTER = 0.006
_HOT_PIXELS = 300
_WELL_ABOVE_SATURATION = 1.03  # charge blooms a little above the level at which the chain is declared saturated
_DEAD_NOISE = 0.7  # adu: what is left when only the converter is heard
_LEVEL_DRIFT = 1.5  # adu, from one exposure to the next
_ROW_WANDER = 0.05  # adu, step of the slow drift of the level from row to row
_NO_EFFECTS = Effects()


@dataclass(frozen=True, slots=True)
class Camera:
    """One detector with its fixed patterns.

    Attributes
    ----------
    response
        Relative response of each pixel, mean about 1, float32, shape of the assembled detector.
    illumination
        Relative light from an evenly lit pupil: vignetting and gradient; likewise. Its mean is 1 for LATISS; for the LSST
        cameras it is 1 at the centre of the field.
    hot_pixels, hot_currents
        Index (y, x) of pixels with more dark current than the others, shape (2, n), and how much more [electron/s].
    columns, rows
        Bias pattern along and across the read-out of each amplifier [adu]: float32, shapes (n, nx) and (n, ny) of a segment.
    levels, gains
        Bias level [adu] and gain [electron/adu] of each amplifier by name.
    dark_current
        Electron per pixel and second.
    key
        What sets its random numbers apart from those of other detectors in the same exposure.
    """

    detector: Detector
    response: NDArray[np.float32]
    illumination: NDArray[np.float32]
    hot_pixels: NDArray[np.int64]
    hot_currents: NDArray[np.float32]
    columns: NDArray[np.float32]
    rows: NDArray[np.float32]
    levels: Mapping[str, float]
    gains: Mapping[str, float]
    dark_current: float
    key: tuple[int, ...]

    def collect_dark(self, charge: NDArray[np.float32], seconds: float) -> None:
        """Add the dark current of some seconds to the charge [electron]."""
        charge += np.float32(self.dark_current * seconds)
        charge[tuple(self.hot_pixels)] += self.hot_currents * np.float32(seconds)

    def read_out(
        self,
        charge: NDArray[np.float32],
        *,
        seed: int,
        number: int,
        dead: Mapping[str, float],
        effects: Effects = _NO_EFFECTS,
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
        effects
            What else happens to the charge on its way.

        Returns
        -------
        Segments [adu] in the order of the file, each of shape (2048, 576).
        """
        drift = generator(seed, 7, number, *self.key)
        moved = effects.read_out(charge, self.detector) if effects.change_read_out else None
        segments = []
        for index, amplifier in enumerate(self.detector.amplifiers):
            level = self.levels[amplifier.name] + drift.normal(0.0, _LEVEL_DRIFT)
            rows = np.float32(level) + (self.rows[index] + _wander(drift, self.rows.shape[1]))
            noise = generator(seed, 8, number, index, *self.key)
            if amplifier.name in dead:
                segments.append(_dead_segment(amplifier, dead[amplifier.name], noise))
                continue
            light = charge[amplifier.bbox.slices][amplifier.turn] if moved is None else moved[index]
            corner = (amplifier.data.x0, amplifier.data.y0) if moved is None else (0, 0)
            segments.append(self._segment(index, light, corner=corner, rows=rows, effects=effects, chance=noise))
        return segments

    def _segment(
        self,
        index: int,
        light: NDArray[np.float32],
        *,
        corner: tuple[int, int],
        rows: NDArray[np.float32],
        effects: Effects,
        chance: np.random.Generator,
    ) -> NDArray[np.int32]:
        """Turn the light [electron] of one amplifier, in the order of reading from a corner of the segment, into adu."""
        amplifier = self.detector.amplifiers[index]
        shape = (amplifier.raw.height, amplifier.raw.width)
        normal = chance.standard_normal(shape, dtype=np.float32)
        seed = np.uint64(chance.integers(1, 2**63))
        out = np.empty(shape, dtype=np.int32)
        convert(
            out,
            normal,
            light,
            *corner,
            rows,
            self.columns[index],
            1.0 / self.gains[amplifier.name],
            amplifier.read_noise,
            full_well(amplifier),
            effects.quadratic,
            seed,
        )
        return out


def full_well(amplifier: Amplifier) -> float:
    """Electron a pixel of this amplifier holds before it blooms."""
    return amplifier.saturation * amplifier.gain * _WELL_ABOVE_SATURATION


def latiss() -> Camera:
    """Return the LATISS detector; it may be read only."""
    return camera_of("LATISS", "R00_S00")


@lru_cache(maxsize=2)  # of 130 MB each
def camera_of(name: str, detector_name: str, *, measured_gains: bool = False) -> Camera:
    """Make a detector of a camera; it may be read only.

    ``measured_gains`` are those of a photon-transfer run instead of the nominal ones; only LSSTCam has them.
    """
    detector = detectors(name)[detector_name]
    key = random_key(detector)
    chance = generator(_CAMERA_SEED, _SEED_KEYS[name], *key)
    ny, nx = detector.shape
    response = chance.standard_normal((ny, nx), dtype=np.float32)
    response *= np.float32(_PIXEL_RESPONSE_SCATTER)
    response += np.float32(1.0)
    hot_pixels = np.unique(chance.integers(0, (ny, nx), (_HOT_PIXELS, 2)), axis=0).T
    amplifiers = detector.amplifiers
    raw = amplifiers[0].raw
    return Camera(
        detector=detector,
        response=response,
        illumination=_illumination(ny, nx) if name == "LATISS" else vignetting(detector),
        hot_pixels=hot_pixels,
        hot_currents=np.asarray(chance.exponential(40.0, hot_pixels.shape[1]), dtype=np.float32),
        columns=_bias_columns(chance, len(amplifiers), raw.width),
        rows=_bias_rows(chance, len(amplifiers), raw.height),
        levels=camera_levels(detector),
        gains=_gains(detector, measured=measured_gains),
        dark_current=instrument(name).dark_current,
        key=key,
    )


def camera_levels(detector: Detector) -> Mapping[str, float]:
    """Return the bias level [adu] of each amplifier by name."""
    names = [amplifier.name for amplifier in detector.amplifiers]
    if detector.instrument == "LSSTCam":
        return dict(zip(names, map(float, _electronics()["bias"][detector.name]), strict=True))
    levels = _LATISS_BIAS if detector.instrument == "LATISS" else [_COMCAM_BIAS] * len(names)
    return dict(zip(names, map(float, levels), strict=True))


def _gains(detector: Detector, *, measured: bool) -> Mapping[str, float]:
    if measured and detector.instrument == "LSSTCam":
        names = [amplifier.name for amplifier in detector.amplifiers]
        return dict(zip(names, _electronics()["gain"][detector.name], strict=True))
    return {amplifier.name: amplifier.gain for amplifier in detector.amplifiers}


@cache
def _electronics() -> dict[str, dict[str, list[float]]]:
    text = files("rapid.simulation").joinpath("data", "lsstcam_electronics.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, list[float]]] = json.loads(text)
    return table


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


def _dead_segment(amplifier: Amplifier, level: float, chance: np.random.Generator) -> NDArray[np.int32]:
    noise = chance.standard_normal((amplifier.raw.height, amplifier.raw.width), dtype=np.float32)
    return np.asarray(np.clip(np.rint(level + _DEAD_NOISE * noise), 0, ADC_LIMIT), dtype=np.int32)
