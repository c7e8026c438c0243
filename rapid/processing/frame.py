"""The values the core hands from step to step: raw detector, frame, study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from rapid.processing.exposure import ExposureInfo
from rapid.processing.geometry import Detector

__all__ = [
    "AmplifierStatistics",
    "Background",
    "Frame",
    "Mask",
    "Psf",
    "RawDetector",
    "Sources",
    "Step",
    "Study",
]


class Mask(IntFlag):
    """Bits of the mask plane.

    BAD is a defect, or a pixel one of the calibrations has no value for; CROSSTALK got more than an electron from another
    amplifier, before that was taken off; SUSPECT is near the end of what is known to be linear; INTERPOLATED has a value
    made from its neighbours. The other names say it.
    """

    BAD = 1
    SATURATED = 2
    COSMIC_RAY = 4
    NO_DATA = 8
    EDGE = 16
    DETECTED = 32
    CROSSTALK = 64
    INTERPOLATED = 128
    SUSPECT = 256


@dataclass(frozen=True, slots=True)
class RawDetector:
    """One raw file in memory.

    Attributes
    ----------
    name
        The file's name, for messages.
    header
        Cards of the primary HDU; undefined cards are None.
    segments
        Pixels [adu] in the order of the file's HDUs, each int32 of shape (ny, nx), read-only.
    """

    name: str
    header: Mapping[str, object]
    segments: tuple[NDArray[np.int32], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the recipe, as it was or was not run on this frame."""

    name: str
    done: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AmplifierStatistics:
    """What one amplifier showed.

    ``bias_level`` and ``overscan_noise`` in adu from the serial overscan; ``read_noise`` in electron;
    ``median`` and ``sigma`` (clipped) of the data in electron; ``dead`` when it carries no signal at all.
    Values that could not be had are NaN here and become missing findings.
    """

    name: str
    bias_level: float
    overscan_noise: float
    read_noise: float
    median: float
    sigma: float
    n_saturated: int
    dead: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """A calibrated detector image.

    Attributes
    ----------
    image
        electron, float32, shape (ny, nx), row 0 at the bottom, read-only. Masked pixels keep their value; NO_DATA is NaN.
    mask
        `Mask` bits, uint16, same shape.
    recipe
        What was run, in order.
    """

    info: ExposureInfo
    detector: Detector
    image: NDArray[np.float32]
    mask: NDArray[np.uint16]
    amplifiers: tuple[AmplifierStatistics, ...]
    recipe: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Background:
    """The sky under the sources [electron].

    ``level`` and ``noise`` are the median level and the pixel-to-pixel standard deviation with their standard errors;
    ``mesh`` is the coarse map, one value per box of ``box`` pixels, row 0 at the bottom.
    """

    level: float
    level_error: float
    noise: float
    noise_error: float
    mesh: NDArray[np.float32]
    box: int


@dataclass(frozen=True, slots=True)
class Sources:
    """Detected sources, brightest first; every column has one entry a source and is read-only.

    ``x``, ``y`` in pixels (centre of the lower left pixel is 0, 0); ``flux`` and ``flux_error`` in electron; ``xx``, ``yy``, ``xy``
    second moments in square pixels; ``peak`` in electron above the sky; ``saturated`` and ``star`` (used for the PSF).
    ``reason`` says why the list is empty or not complete, and is empty when it is.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    flux_error: NDArray[np.float64]
    peak: NDArray[np.float64]
    xx: NDArray[np.float64]
    yy: NDArray[np.float64]
    xy: NDArray[np.float64]
    saturated: NDArray[np.bool_]
    star: NDArray[np.bool_]
    reason: str = ""

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Psf:
    """The point-spread function of a frame.

    ``fwhm`` and ``fwhm_error`` in pixels, ``e1`` and ``e2`` dimensionless, from ``n_stars`` stars. When it could not be had
    ``fwhm`` is NaN and ``reason`` says why. ``effective_fwhm`` [pixel] is that of the Gaussian that covers as much noise
    (0.664 times the square root of the noise-equivalent area); the wings of the seeing make it the larger one.
    """

    fwhm: float
    fwhm_error: float
    e1: float
    e2: float
    n_stars: int
    reason: str = ""
    effective_fwhm: float = math.nan
    effective_fwhm_error: float = math.nan


@dataclass(frozen=True, slots=True)
class Study:
    """A frame with what the core measured on it: the input of every analysis.

    ``background``, ``sources`` and ``psf`` are None on frames that are not of the sky, or where they could not be
    measured; ``why_not`` then says why. ``seconds`` is the time [s] each step took.
    """

    frame: Frame
    background: Background | None
    sources: Sources | None
    psf: Psf | None
    why_not: str
    seconds: Mapping[str, float]
