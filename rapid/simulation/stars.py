"""Drawing stars as pixels see them: a Moffat disc, or that of a pupil out of focus, integrated over each pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import convolve1d

from rapid.processing.jit import compiled

__all__ = ["Psf", "Shapes", "draw_stars"]

Values = NDArray[np.float64]
Image = NDArray[np.float32]

_FAINTEST = 0.02  # electron a pixel: a disc is drawn out to where it falls below this
_SMALLEST, _LARGEST = 12, 900  # pixels, limits of the radius out to which a disc is drawn
_OUT_OF_FOCUS = 2.0  # pixels of donut below which it does not show
_OVERSAMPLING = 2
_CORE = 2.0  # Moffat radii within which the value at the centre of a pixel is not good enough for all of it
_NARROW = 4.0  # pixels of FWHM below which three nodes a side are needed for that, not two


@dataclass(frozen=True, slots=True)
class Psf:
    """The image of a point, before it falls on pixels.

    Attributes
    ----------
    fwhm
        Of the round disc of the same area, before defocus [pixel].
    beta
        Moffat exponent.
    e1, e2
        (Ixx - Iyy) / (Ixx + Iyy) and 2 Ixy / (Ixx + Iyy).
    donut
        Diameter of the defocused pupil [pixel].
    obscuration
        Diameter of the central obscuration of the pupil, relative.
    """

    fwhm: float
    beta: float
    e1: float = 0.0
    e2: float = 0.0
    donut: float = 0.0
    obscuration: float = 0.42

    @property
    def scale(self) -> float:
        """Moffat radius alpha [pixel]: FWHM = 2 alpha sqrt(2^(1/beta) - 1)."""
        return float(self.fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / self.beta) - 1.0)))

    @property
    def peak(self) -> float:
        """Fraction of the flux per pixel where it is densest."""
        if self.donut < _OUT_OF_FOCUS:
            return float((self.beta - 1.0) / (np.pi * self.scale**2))
        return float(_defocused(self).max() * _OVERSAMPLING**2)

    @property
    def focused(self) -> bool:
        """Whether any defocus is too small to show."""
        return self.donut < _OUT_OF_FOCUS

    def full_width(self) -> float | None:
        """Full width at half maximum with the defocus [pixel]; None for a ring, which has none."""
        if self.focused:
            return self.fwhm
        kernel = _defocused(self)
        middle = kernel.shape[0] // 2
        if kernel[middle, middle] < 0.98 * kernel.max():
            return None
        inside = np.count_nonzero(kernel >= 0.5 * kernel[middle, middle])
        return float(2.0 * np.sqrt(inside / np.pi) / _OVERSAMPLING)


@dataclass(frozen=True, slots=True)
class Shapes:
    """FWHM [pixel] and ellipticity of stars that differ in it; one entry a star."""

    fwhm: Values
    e1: Values
    e2: Values

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Shapes:
        """Keep some of the stars, by mask or index."""
        return Shapes(self.fwhm[which], self.e1[which], self.e2[which])


def draw_stars(image: Image, x: Values, y: Values, flux: Values, psf: Psf, *, shapes: Shapes | None = None) -> None:
    """Add stars to an image [electron], shape (ny, nx): every pixel gets the light that falls on all of it.

    Parameters
    ----------
    x, y
        Pixels, 0-based, anywhere: what falls outside is left out.
    flux
        Electron.
    shapes
        Of each star in focus; None when all are as the PSF says. Stars out of focus are all the same.
    """
    if not psf.focused:
        _draw_kernel(image, x, y, flux, _on_pixels(psf), _OVERSAMPLING)
        return
    scale, norm, axes = _profiles(psf, shapes, len(x))
    radii = np.clip(_reach(flux * norm, scale, psf.beta), _SMALLEST, _LARGEST)
    nodes, weights = np.polynomial.legendre.leggauss(3 if psf.fwhm < _NARROW else 2)
    _draw_moffat(image, x, y, flux * norm, radii, axes, psf.beta, 0.5 * nodes, 0.5 * weights)


Triple = tuple[Values, Values, Values]


def _profiles(psf: Psf, shapes: Shapes | None, n: int) -> tuple[Values, Values, Triple]:
    """Return Moffat radius, central value for unit flux, and coefficients of the elliptical radius of every star."""
    if shapes is None:
        each = np.ones(n)
        a, b, c = _inverse_shape(psf)
        return psf.scale * each, (psf.beta - 1.0) / (np.pi * psf.scale**2) * each, (a * each, b * each, c * each)
    scale = shapes.fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / psf.beta) - 1.0))
    size = np.sqrt(1.0 - shapes.e1**2 - shapes.e2**2) * scale**2
    axes = (1.0 - shapes.e1) / size, -2.0 * shapes.e2 / size, (1.0 + shapes.e1) / size
    return scale, (psf.beta - 1.0) / (np.pi * scale**2), axes


def _reach(peaks: Values, scale: Values, beta: float) -> Values:
    """Radius [pixel] at which the disc of a star falls to the faintest light that is drawn."""
    ratio = np.maximum(peaks / _FAINTEST, 1.0)
    return np.asarray(scale * np.sqrt(ratio ** (1.0 / beta) - 1.0) + 1.0)


def _inverse_shape(psf: Psf) -> tuple[float, float, float]:
    """Coefficients of dx^2, dx dy, dy^2 in the squared elliptical radius, in units of alpha^2."""
    size = np.sqrt(1.0 - psf.e1**2 - psf.e2**2) * psf.scale**2
    return (1.0 - psf.e1) / size, -2.0 * psf.e2 / size, (1.0 + psf.e1) / size


@compiled
def _draw_moffat(  # noqa: PLR0917 - compiled functions take no keywords
    image: Image,
    xs: Values,
    ys: Values,
    peaks: Values,
    radii: Values,
    shapes: Triple,
    beta: float,
    nodes: Values,
    weights: Values,
) -> None:
    """Add discs integrated over the pixels by Gauss-Legendre quadrature, near their centre."""
    ny, nx = image.shape
    for star in range(len(xs)):
        x, y, peak, radius = xs[star], ys[star], peaks[star], radii[star]
        a, b, c = shapes[0][star], shapes[1][star], shapes[2][star]
        for j in range(max(int(y - radius), 0), min(int(y + radius) + 2, ny)):
            for i in range(max(int(x - radius), 0), min(int(x + radius) + 2, nx)):
                dx, dy = i - x, j - y
                r2 = a * dx * dx + b * dx * dy + c * dy * dy
                if r2 > _CORE * _CORE:
                    image[j, i] += np.float32(peak * _falloff(1.0 + r2, beta))
                    continue
                total = 0.0
                for v in range(len(nodes)):
                    for u in range(len(nodes)):
                        du, dv = dx + nodes[u], dy + nodes[v]
                        r2 = a * du * du + b * du * dv + c * dv * dv
                        total += weights[u] * weights[v] * _falloff(1.0 + r2, beta)
                image[j, i] += np.float32(peak * total)


@compiled
def _falloff(base: float, beta: float) -> float:
    """Raise to -beta; without a logarithm where beta is a multiple of a half, as it mostly is."""
    twice = int(2.0 * beta + 0.5)
    if abs(2.0 * beta - twice) > 1e-12:
        return float(base**-beta)
    power = np.sqrt(base) if twice % 2 else 1.0
    for _ in range(twice // 2):
        power *= base
    return float(1.0 / power)


@lru_cache(maxsize=2)
def _defocused(psf: Psf) -> Image:
    """Make the image of a point out of focus: the shadow of the pupil, blurred by the Moffat disc; sum 1, oversampled."""
    half = int(np.ceil((0.5 * psf.donut + 8.0 * psf.fwhm) * _OVERSAMPLING))
    axis = np.arange(-half, half + 1) / _OVERSAMPLING
    x, y = axis[None, :], axis[:, None]
    a, b, c = _inverse_shape(psf)
    moffat = (1.0 + a * x * x + b * x * y + c * y * y) ** -psf.beta
    radius = np.hypot(x, y) * _OVERSAMPLING
    outer = 0.5 * psf.donut * _OVERSAMPLING
    pupil = np.clip(outer - radius + 0.5, 0.0, 1.0) - np.clip(psf.obscuration * outer - radius + 0.5, 0.0, 1.0)
    size = fft.next_fast_len(2 * len(axis), real=True)
    blurred = fft.irfft2(fft.rfft2(moffat, (size, size)) * fft.rfft2(pupil, (size, size)), (size, size))
    kernel = np.clip(blurred[half : half + len(axis), half : half + len(axis)], 0.0, None)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


@lru_cache(maxsize=2)
def _on_pixels(psf: Psf) -> Image:
    """Integrate the image of a point out of focus over a pixel about each of its samples, linear between them."""
    nodes = np.full(_OVERSAMPLING + 1, 1.0 / _OVERSAMPLING)
    nodes[[0, -1]] *= 0.5
    kernel = _defocused(psf)
    for axis in (0, 1):
        kernel = convolve1d(kernel, nodes, axis=axis, mode="constant")
    return np.asarray(kernel, dtype=np.float32)


@compiled
def _draw_kernel(  # noqa: PLR0917 - as above
    image: Image, xs: Values, ys: Values, fluxes: Values, kernel: Image, oversampling: int
) -> None:
    """Add an oversampled image of a point, read between its samples."""
    ny, nx = image.shape
    half = kernel.shape[0] // 2
    reach = half // oversampling - 1
    for star in range(len(xs)):
        x, y, flux = xs[star], ys[star], fluxes[star] * oversampling * oversampling
        for j in range(max(int(y) - reach, 0), min(int(y) + reach + 1, ny)):
            v = (j - y) * oversampling + half
            v0 = int(v)
            fv = v - v0
            for i in range(max(int(x) - reach, 0), min(int(x) + reach + 1, nx)):
                u = (i - x) * oversampling + half
                u0 = int(u)
                fu = u - u0
                lower = kernel[v0, u0] * (1.0 - fu) + kernel[v0, u0 + 1] * fu
                upper = kernel[v0 + 1, u0] * (1.0 - fu) + kernel[v0 + 1, u0 + 1] * fu
                image[j, i] += np.float32(flux * (lower * (1.0 - fv) + upper * fv))
