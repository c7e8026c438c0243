"""Exposures of which everything is known, taken through the whole walk: simulated raw, calibrations, catalogue, study.

The calibrations are what a perfect calibration run would have found: the camera's own response, illumination, dark
current and bias pattern. The catalogue has the stars that were drawn, and its magnitudes are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from rapid.processing.frame import Frame, Study
from rapid.processing.geometry import detectors
from rapid.processing.headers import translate
from rapid.processing.isr import CalibrationImage, Calibrations, calibrate
from rapid.processing.measure import measure
from rapid.processing.refcat import References
from rapid.simulation.camera import Camera, camera_of
from rapid.simulation.exposure import DetectorReadout
from rapid.simulation.single import PlacedStars, simulate_detector
from tests.support.fields import Known

__all__ = [
    "Conditions",
    "Seen",
    "calibrations_of",
    "expected_noise",
    "expose",
    "frame_of",
    "look",
    "stars_of",
    "true_catalogue",
]

Values = NDArray[np.float64]

MIDDLE = {"LATISS": "R00_S00", "LSSTCam": "R22_S11", "LSSTComCam": "R22_S11"}
_BRIGHTEST = {"LATISS": 60_000.0, "LSSTCam": 80_000.0, "LSSTComCam": 80_000.0}
"""Peak [electron] of the brightest star that is drawn: below saturation with the sky on top."""


_SMOOTHED = 31
"""Columns over which the parallel overscan is smoothed."""

_BOX_SCATTER = 1 / math.sqrt(2 * 1024)
"""Relative error of the noise in a box of the sky, which has 1024 pairs of neighbours."""


@dataclass(frozen=True)
class Conditions:
    """One night: ``seeing`` [arcsec], ``sky`` [electron a pixel in the exposure], ``exposure_time`` [s], stars a square arcmin.

    Stars have fluxes evenly spread in their logarithm from ``faintest`` sigma of a point source up to where they saturate.
    """

    camera: str
    seeing: float
    sky: float
    exposure_time: float = 30.0
    density: float = 2.0
    ellipticity: tuple[float, float] = (0.03, -0.02)
    pointing_error: tuple[float, float] = (4.0, -3.0)
    faintest: float = 5.0
    beta: float = 3.5
    seed: int = 1
    detector: str = ""

    @property
    def name(self) -> str:
        """The detector's."""
        return self.detector or MIDDLE[self.camera]

    @property
    def pixel_scale(self) -> float:
        """arcsec."""
        return detectors(self.camera)[self.name].pixel_scale

    @property
    def fwhm(self) -> float:
        """The seeing in pixels."""
        return self.seeing / self.pixel_scale

    @property
    def alpha(self) -> float:
        """Radius of the Moffat profile [pixel]."""
        return self.fwhm / (2 * math.sqrt(2 ** (1 / self.beta) - 1))

    @property
    def peak(self) -> float:
        """Part of the light of a star in a pixel at its centre."""
        return (self.beta - 1) / (math.pi * self.alpha**2)

    @property
    def noise_area(self) -> float:
        """Pixels of sky whose noise a star has under its own profile: (sum I)^2 / sum I^2."""
        return math.pi * self.alpha**2 * (2 * self.beta - 1) / (self.beta - 1) ** 2

    def sky_noise(self) -> float:
        """Standard deviation of a pixel of sky [electron], of photons and the typical amplifier."""
        read = np.median([amplifier.read_noise for amplifier in detectors(self.camera)[self.name].amplifiers])
        return float(np.hypot(math.sqrt(self.sky), read))


@dataclass(frozen=True)
class Seen:
    """An exposure, what is true of it, and what was measured."""

    conditions: Conditions
    truth: dict[str, Any]
    noise: float
    study: Study


def look(conditions: Conditions) -> Seen:
    """Expose, calibrate and measure one detector."""
    readout = expose(conditions)
    truth = readout.truth()
    return Seen(conditions, truth, expected_noise(readout), measure(frame_of(readout), catalogue=true_catalogue(truth)))


def expose(conditions: Conditions) -> DetectorReadout:
    """Expose and read one detector."""
    return simulate_detector(
        conditions.camera,
        conditions.name,
        exposure_time=conditions.exposure_time,
        seeing=conditions.seeing,
        beta=conditions.beta,
        ellipticity=conditions.ellipticity,
        sky=conditions.sky,
        stars=stars_of(conditions),
        pointing_error=conditions.pointing_error,
        seed=conditions.seed,
    )


def frame_of(readout: DetectorReadout) -> Frame:
    """Calibrate what was read with all that is known of the detector."""
    raw, detector = readout.raw(), readout.camera.detector
    return calibrate(
        raw, translate(raw.header, name=raw.name), detector, calibrations_of(detector.instrument, detector.name)
    )


@lru_cache(maxsize=1)  # of 100 MB
def calibrations_of(camera: str, detector: str) -> Calibrations:
    """Return the calibrations that a perfect run of them would give: without any noise."""
    one = camera_of(camera, detector)
    dark = np.full(one.detector.shape, one.dark_current, np.float32)
    dark[tuple(one.hot_pixels)] += one.hot_currents
    none = np.zeros(len(one.detector.amplifiers))
    return Calibrations(
        bias=CalibrationImage.bias(_bias(one), variance=none, identity="true bias"),
        dark=CalibrationImage.dark(dark, variance=none, identity="true dark"),
        flat=CalibrationImage.flat(one.response * one.illumination, variance=none, identity="true flat"),
    )


def _bias(one: Camera) -> NDArray[np.float32]:
    """Return what both overscans leave of the bias: what columns differ by from their neighbours [electron]."""
    image = np.zeros(one.detector.shape, np.float32)
    for columns, amplifier in zip(one.columns, one.detector.amplifiers, strict=True):
        pattern = columns[amplifier.data.slices[1]]
        pattern = pattern - median_filter(pattern, size=_SMOOTHED, mode="nearest")
        image[amplifier.bbox.slices][amplifier.turn] = pattern * one.gains[amplifier.name]
    return image


def expected_noise(readout: DetectorReadout) -> float:
    """Median standard deviation of a pixel of sky [electron]: photons, dark current, read-out and digitisation, over the flat.

    It is the median of boxes of the sky, which scatter: that moves it where amplifiers differ from each other.
    """
    one, sky, spread = readout.camera, readout.scene.sky, np.empty(readout.camera.detector.shape, np.float32)
    dark = one.dark_current * readout.observation.schedule.dark_time
    for amplifier in one.detector.amplifiers:
        light = one.illumination[amplifier.bbox.slices]
        fixed = dark + amplifier.read_noise**2 + one.gains[amplifier.name] ** 2 / 12
        spread[amplifier.bbox.slices] = sky / light + fixed / light**2
    boxes = np.sqrt(spread[::16, ::16].astype(np.float64))
    return float(np.median(boxes * np.random.default_rng(0).normal(1.0, _BOX_SCATTER, boxes.shape)))


def stars_of(conditions: Conditions) -> PlacedStars:
    """Scatter stars over a detector and a little beyond it."""
    chance = np.random.default_rng(conditions.seed)
    ny, nx = detectors(conditions.camera)[conditions.name].shape
    margin = 5 * conditions.fwhm
    area = (nx + 2 * margin) * (ny + 2 * margin) * (conditions.pixel_scale / 60) ** 2
    n = round(conditions.density * area)
    low = conditions.faintest * conditions.sky_noise() * math.sqrt(conditions.noise_area)
    high = (_BRIGHTEST[conditions.camera] - conditions.sky) / conditions.peak
    return PlacedStars(
        chance.uniform(-margin, nx + margin, n),
        chance.uniform(-margin, ny + margin, n),
        low * (high / low) ** chance.uniform(0, 1, n),
    )


def true_catalogue(truth: dict[str, Any]) -> Known:
    """Make a catalogue of the stars on a detector, with magnitudes in the band of the exposure."""
    stars = truth["stars"]
    n = len(stars)
    ra, dec, magnitude = (np.array([star[name] for star in stars], np.float64) for name in ("ra", "dec", "magnitude"))
    nothing = np.full(n, np.nan, np.float32)
    return Known(
        References(
            id=np.arange(n),
            ra=ra,
            dec=dec,
            epoch=np.full(n, 2026.0),
            pm_ra=nothing,
            pm_dec=nothing,
            ra_error=nothing,
            dec_error=nothing,
            magnitudes={"r": magnitude.astype(np.float32)},
            magnitude_errors={"r": np.full(n, 1e-4, np.float32)},
        )
    )
