"""The values the core hands from step to step: raw detector, frame, study."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rapid.processing.exposure import ExposureInfo
from rapid.processing.geometry import Detector

if TYPE_CHECKING:
    from rapid.processing.comparison import Comparison
    from rapid.processing.isr.amplifier_offsets import AmplifierOffsets
    from rapid.processing.isr.variance import NoiseModel

__all__ = [
    "AmplifierStatistics",
    "Apertures",
    "Background",
    "Frame",
    "Mask",
    "Profile",
    "Psf",
    "PsfField",
    "RawDetector",
    "Sources",
    "Step",
    "Study",
]


class Mask(IntFlag):
    """Bits of the mask plane.

    BAD is a defect, or a pixel that one of the calibrations has no value for; NO_DATA belongs to an amplifier that shows
    nothing; EDGE is the rim of the sensor; INTERPOLATED has a value made from its neighbours. The other names say it.
    """

    BAD = 1
    SATURATED = 2
    COSMIC_RAY = 4
    NO_DATA = 8
    EDGE = 16
    DETECTED = 32
    INTERPOLATED = 64


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
        Pixels [adu] in the order of the file's HDUs, each int32 of shape (ny, nx), read-only. Those of a file that was only
        opened are read each time one is asked for.
    """

    name: str
    header: Mapping[str, object]
    segments: Sequence[NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the recipe, as it was or was not run on this frame.

    ``wanted`` is False for a step that such a product does without, as a bias does without the dark.
    """

    name: str
    done: bool
    detail: str = ""
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class AmplifierStatistics:
    """What one amplifier showed.

    ``bias_level`` and ``overscan_noise`` in adu from the serial overscan; ``read_noise`` in electron;
    ``median`` and ``sigma`` (clipped) of the data in electron; ``dead`` when it carries no signal at all.
    Values that could not be had are NaN here and become missing findings. ``bias_level_error`` and ``read_noise_error``
    are standard errors of the measurement, NaN where they are not known.
    """

    name: str
    bias_level: float
    overscan_noise: float
    read_noise: float
    median: float
    sigma: float
    n_saturated: int
    dead: bool
    bias_level_error: float = math.nan
    read_noise_error: float = math.nan


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
    noise
        What the pixels scatter by; None for a frame that was made otherwise.
    """

    info: ExposureInfo
    detector: Detector
    image: NDArray[np.float32]
    mask: NDArray[np.uint16]
    amplifiers: tuple[AmplifierStatistics, ...]
    recipe: tuple[Step, ...]
    noise: NoiseModel | None = None

    @property
    def variance(self) -> NDArray[np.float32] | None:
        """Variance of every pixel [electron^2], made anew at each call: few ask for it, and it is as large as the image.

        NaN where the image is; None where the noise is not known.
        """
        return None if self.noise is None else self.noise.plane(self.image, self.detector)


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
class Apertures:
    """Light inside circles about sources [electron]; NaN where a circle is cut by the edge or has an unusable pixel.

    ``flux`` and ``flux_error``, shape (sources, radii), are those above the map of the sky. ``tophat_flux`` is compensated:
    what an annulus about the circle of ``tophat_radius`` holds is taken off, so that an error of the map does not matter.
    """

    radii: NDArray[np.float64]
    flux: NDArray[np.float64]
    flux_error: NDArray[np.float64]
    tophat_radius: float
    tophat_flux: NDArray[np.float64]
    tophat_flux_error: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sources:
    """Detected sources, brightest first; every column has one entry a source and is read-only.

    ``x``, ``y`` in pixels (centre of the lower left pixel is 0, 0); ``flux`` and ``flux_error`` in electron; ``xx``, ``yy``, ``xy``
    second moments in square pixels; ``peak`` in electron above the sky; ``saturated`` and ``star`` (used for the PSF).
    ``reason`` says why the list is empty or not complete, and is empty when it is.

    The others are None where nobody measured them: standard errors of positions and moments (NaN where these are those of
    the isophote), ``signal_to_noise`` under the profile of the source, ``blended`` (cut from a neighbour), ``reserved`` (stars
    that models of the point-spread function are not fitted to but held against), ``apertures``.
    ``sky_offset`` is what the sky between the sources is above its map, and ``sky_noise`` its noise [electron]; NaN: not known.
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
    x_error: NDArray[np.float64] | None = None
    y_error: NDArray[np.float64] | None = None
    xx_error: NDArray[np.float64] | None = None
    yy_error: NDArray[np.float64] | None = None
    xy_error: NDArray[np.float64] | None = None
    signal_to_noise: NDArray[np.float64] | None = None
    blended: NDArray[np.bool_] | None = None
    reserved: NDArray[np.bool_] | None = None
    apertures: Apertures | None = None
    sky_offset: float = 0.0
    sky_noise: float = math.nan

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class PsfField:
    """Second moments of the point-spread function over a detector, by a polynomial in x and y.

    Attributes
    ----------
    order
        Total degree of the polynomial.
    coefficients
        Of size, e1 and e2, shape (3, terms): terms x^i y^j with i + j up to the order, the degree rising, then j; x and y
        from -1 to 1 over the detector. Size is the square root of (xx + yy) / 2 [pixel].
    shape
        Of the detector, (ny, nx).
    n_stars, n_reserved
        Stars fitted, and stars kept from the fit to validate it.
    offset, scatter
        Mean and standard deviation of reserved stars less model, for size (relative), e1 and e2; NaN without any.
    expected
        The standard deviation that the errors of the reserved stars explain.
    """

    order: int
    coefficients: NDArray[np.float64]
    shape: tuple[int, int]
    n_stars: int
    n_reserved: int
    offset: tuple[float, ...]
    scatter: tuple[float, ...]
    expected: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """The radial profile of stacked stars: part of the light per pixel against the radius along the ellipse [pixel].

    FWHM [pixel] of a Moffat profile (with its exponent ``beta``), of a Gaussian fitted to the core, and the width at
    ``half_maximum`` of the light itself, whatever its shape; ``encircled`` are the radii [pixel] of circles that hold 50,
    80 and 90 % of the light. All with standard errors; NaN where they could not be had. ``hollow``: darker in the middle.
    """

    radius: NDArray[np.float64]
    light: NDArray[np.float64]
    light_error: NDArray[np.float64]
    moffat_fwhm: float
    moffat_fwhm_error: float
    beta: float
    gaussian_fwhm: float
    gaussian_fwhm_error: float
    half_maximum: float
    half_maximum_error: float
    encircled: tuple[float, ...]
    encircled_error: tuple[float, ...]
    hollow: bool
    n_stars: int


@dataclass(frozen=True, slots=True)
class Psf:
    """The point-spread function of a frame.

    ``fwhm`` and ``fwhm_error`` in pixels, ``e1`` and ``e2`` dimensionless, from ``n_stars`` stars. When it could not be had
    ``fwhm`` is NaN and ``reason`` says why. ``effective_fwhm`` [pixel] is that of the Gaussian that covers as much noise
    (0.664 times the square root of the noise-equivalent area); the wings of the seeing make it the larger one.

    ``fwhm`` is that of the light before it falls on pixels, and so are the ellipticities; ``effective_fwhm`` is that of the
    image. ``kind`` is how stars look: ``in_focus``, ``donut`` or ``dispersed``; ``doubt`` says why the numbers are not those
    of a point-spread function in focus, and is empty when they are. ``moments_fwhm`` is from the commonest size of the
    second moments, ``profile`` that of the stacked stars, ``field`` how the moments change over the detector.
    """

    fwhm: float
    fwhm_error: float
    e1: float
    e2: float
    n_stars: int
    reason: str = ""
    effective_fwhm: float = math.nan
    effective_fwhm_error: float = math.nan
    e1_error: float = math.nan
    e2_error: float = math.nan
    moments_fwhm: float = math.nan
    moments_fwhm_error: float = math.nan
    kind: str = ""
    doubt: str = ""
    profile: Profile | None = dataclasses.field(default=None, compare=False)
    field: PsfField | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Study:
    """A frame with what the core measured on it: the input of every analysis.

    ``background``, ``sources`` and ``psf`` are None on frames that are not of the sky, or where they could not be
    measured; ``why_not`` then says why. ``seconds`` is the time [s] each step took. ``comparison`` is what the known stars
    say; None where there was no catalogue to ask, or no sky to be seen. ``offsets`` are those between amplifiers; None where
    nobody asked for them.
    """

    frame: Frame
    background: Background | None
    sources: Sources | None
    psf: Psf | None
    why_not: str
    seconds: Mapping[str, float]
    comparison: Comparison | None = None
    offsets: AmplifierOffsets | None = None
