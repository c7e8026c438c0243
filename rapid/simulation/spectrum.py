"""Drawing dispersed stars: zeroth, first and second order of a hologram in front of the camera.

Geometry of the hologram from the published description of the spectrograph (Neveu et al. 2024, Spectractor):
150 grooves/mm, 187.1 mm in front of the CCD. Throughputs are rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gamma

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from rapid.processing.jit import compiled
from rapid.simulation.passbands import Passband
from rapid.simulation.stars import Psf, draw_stars

__all__ = ["LINES", "Disperser", "draw_spectra"]

Values = NDArray[np.float64]
Image = NDArray[np.float32]

LINES = {
    "H_delta": (410.2, 2.0, 0.30),
    "H_gamma": (434.0, 2.0, 0.35),
    "H_beta": (486.1, 2.2, 0.40),
    "H_alpha": (656.3, 2.0, 0.35),
    "O2_B": (687.5, 2.5, 0.30),
    "O2_A": (761.5, 4.0, 0.65),
    "H2O": (940.0, 18.0, 0.40),
}
"""Absorption lines: centre [nm], standard deviation [nm], depth; hydrogen of the star, oxygen and water of the air."""

_FAINTEST = 2.0e4  # electron: the orders of fainter stars drown in the sky
_WIDEST = 12.0  # Moffat radii to either side out to which a trace is drawn
_EDGE = 6.0  # nm, softness of the edges of a filter
_SECOND_RADIATION = 1.4388e7  # nm K
_STEP = 0.25  # pixels along the dispersion
_PIXEL = np.array([0.5, 1.0, 1.0, 1.0, 0.5])  # what falls on a row, in such steps
_NODE = 0.5 / np.sqrt(3.0)  # distance from the middle of a pixel of the two places that stand for all of it
_RANGE = (300.0, 1100.0)  # nm that the CCD sees


@dataclass(frozen=True, slots=True)
class Disperser:
    """A grating: ``grooves`` per mm, ``distance`` to the CCD and ``pixel`` in mm, ``tilt`` [deg] of the trace against the columns.

    ``zeroth``, ``first``, ``second`` are the fractions of the light in the orders.
    """

    grooves: float
    distance: float
    pixel: float
    tilt: float
    zeroth: float
    first: float
    second: float

    @classmethod
    def named(cls, name: str) -> Disperser | None:
        """Return the disperser of this name; None for an empty slot."""
        return _DISPERSERS.get(name)

    def offset(self, wavelength: Values | float, order: int = 1) -> Values:
        """Pixels from the zeroth order at which a wavelength [nm] is found; always along +y."""
        sine = order * self.grooves * wavelength * 1e-6
        return np.asarray(self.distance * np.tan(np.arcsin(sine)) / self.pixel)

    def wavelength(self, offset: Values, order: int = 1) -> Values:
        """Wavelength [nm] found some pixels from the zeroth order."""
        return np.asarray(np.sin(np.arctan(offset * self.pixel / self.distance)) / (order * self.grooves * 1e-6))


_DISPERSERS = {"holo4_003": Disperser(150.0, 187.1, 0.010, 0.12, zeroth=0.22, first=0.30, second=0.03)}


def draw_spectra(
    image: Image,
    x: Values,
    y: Values,
    flux: Values,
    *,
    colour: Values,
    psf: Psf,
    disperser: Disperser,
    passband: Passband,
) -> None:
    """Add stars seen through a disperser to an image [electron], shape (ny, nx).

    Parameters
    ----------
    x, y
        Of the zeroth order [pixel], 0-based.
    flux
        Electron that the star would give without a disperser.
    colour
        BP - RP, which sets the slope of the spectrum.
    """
    draw_stars(image, x, y, flux * disperser.zeroth, psf)
    slope, rows = np.tan(np.radians(disperser.tilt)), np.arange(image.shape[0], dtype=np.float64)
    width, exponent = _width(psf, 1.0), psf.beta - 0.5
    norm = gamma(exponent) / (np.sqrt(np.pi) * gamma(exponent - 0.5) * width)
    for order, share in ((1, disperser.first), (2, disperser.second)):
        for star in np.flatnonzero(flux * share > _FAINTEST):
            offsets, fractions = _along(order, colour[star], psf=psf, disperser=disperser, passband=passband)
            profile = flux[star] * share * np.interp(rows - y[star], offsets, fractions, left=0.0, right=0.0)
            _add_trace(image, profile, x[star], y[star], slope, width, exponent, norm)


def _along(order: int, colour: float, *, psf: Psf, disperser: Disperser, passband: Passband) -> tuple[Values, Values]:
    """Return offsets from the zeroth order [pixel] and the fraction of an order's light in a row there, blurred by the PSF."""
    ends = disperser.offset(np.array(_RANGE), order)
    sharp = np.arange(ends[0], ends[1], _STEP)
    wavelength = disperser.wavelength(sharp, order)
    density = _photons(wavelength, colour, passband) * np.gradient(wavelength, sharp)
    width = _width(psf, -1.0)
    half = int(_WIDEST * width / _STEP)
    steps = np.arange(-half, half + 1) * _STEP
    kernel = (1.0 + (steps / width) ** 2) ** -(psf.beta - 0.5)
    on_pixels = fftconvolve(kernel, _PIXEL, mode="full")
    blurred = fftconvolve(density, on_pixels, mode="full")
    offsets = sharp[0] + _STEP * (np.arange(len(blurred)) - half - len(_PIXEL) // 2)
    return offsets, np.clip(blurred, 0.0, None) / (blurred.sum() * _STEP)


def _photons(wavelength: Values, colour: float, passband: Passband) -> Values:
    """Relative photons per nm behind telescope, filter and CCD, of a star of this colour."""
    temperature = np.clip(8600.0 / (colour + 0.75), 2800.0, 30000.0)
    planck = wavelength**-4.0 / np.expm1(_SECOND_RADIATION / (wavelength * temperature))
    camera = np.exp(-(((wavelength - 640.0) / 260.0) ** 2)) / (1.0 + np.exp(-(wavelength - 350.0) / 12.0))
    edges = 1.0 / (
        (1.0 + np.exp(-(wavelength - passband.blue) / _EDGE)) * (1.0 + np.exp((wavelength - passband.red) / _EDGE))
    )
    absorbed = np.ones_like(wavelength)
    for centre, width, depth in LINES.values():
        absorbed *= 1.0 - depth * np.exp(-0.5 * ((wavelength - centre) / width) ** 2)
    return np.asarray(planck * 1e12 * camera * edges * absorbed)


def _width(psf: Psf, sign: float) -> float:
    """Moffat radius of the PSF summed along y (sign 1) or x (sign -1); its exponent is smaller by one half."""
    return float(psf.scale * np.sqrt((1.0 + sign * psf.e1) / np.sqrt(1.0 - psf.e1**2 - psf.e2**2)))


@compiled
def _add_trace(  # noqa: PLR0917 - compiled functions take no keywords
    image: Image, profile: Values, x0: float, y0: float, slope: float, width: float, exponent: float, norm: float
) -> None:
    """Add a trace whose light per row is `profile`, each row spread along x."""
    ny, nx = image.shape
    reach = _WIDEST * width
    for j in range(ny):
        if profile[j] > 0.0:
            centre = x0 + slope * (j - y0)
            for i in range(max(int(centre - reach), 0), min(int(centre + reach) + 2, nx)):
                left, right = (i - _NODE - centre) / width, (i + _NODE - centre) / width
                mean = 0.5 * ((1.0 + left * left) ** -exponent + (1.0 + right * right) ** -exponent)
                image[j, i] += np.float32(profile[j] * norm * mean)
