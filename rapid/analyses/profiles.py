"""Round profiles fitted to the light of a star over its distance from the centre."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.analyses.least_squares import Solution, minimise
from rapid.analyses.misfit import ring_chi2

__all__ = ["Profile", "fit_center", "fit_gaussian", "fit_moffat", "gaussian", "moffat"]

Float = NDArray[np.float64]

_FEWEST_PIXELS = 12
_SMALLEST_CORE = 2.5
_TYPICAL_BETA = 3.0
_BETAS = (1.05, 500.0)
"""Below 1 a Moffat profile holds no finite light; at 500 it is a Gaussian to a thousandth of its FWHM."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A fitted profile: ``amplitude`` over ``background`` [electron], ``fwhm`` with its error [pixel].

    ``beta`` is the Moffat exponent, infinite for a Gaussian; ``chi2`` the reduced chi square. The error of the FWHM is
    scaled by the root of it, or of that of rings, where the larger one exceeds 1: so that a profile that does not fit
    says so.
    """

    amplitude: float
    background: float
    fwhm: float
    fwhm_error: float
    beta: float
    chi2: float

    def at(self, r: Float) -> Float:
        """Evaluate at radii [pixel]."""
        if math.isinf(self.beta):
            return gaussian(r, self.amplitude, self.background, self.fwhm)
        return moffat(r, self.amplitude, self.background, self.fwhm, self.beta)

    def energy(self, r: Float) -> Float:
        """Return the light above the background within radii [pixel]."""
        if math.isinf(self.beta):
            return (
                self.amplitude * math.pi * self.fwhm**2 / (4 * math.log(2)) * (1 - np.exp2(-((2 * r / self.fwhm) ** 2)))
            )
        alpha2 = (self.fwhm / 2) ** 2 / (2 ** (1 / self.beta) - 1)
        return self.amplitude * math.pi * alpha2 / (self.beta - 1) * (1 - (1 + r**2 / alpha2) ** (1 - self.beta))


def gaussian(r: Float, amplitude: float, background: float, fwhm: float) -> Float:
    """Return A 2^(-(2 r / FWHM)^2) + b."""
    return amplitude * np.exp2(-((2 * r / fwhm) ** 2)) + background


def moffat(r: Float, amplitude: float, background: float, fwhm: float, beta: float) -> Float:
    """Return A (1 + (2^(1/beta) - 1) (2 r / FWHM)^2)^-beta + b (Moffat 1969, A&A 3, 455), with the FWHM as parameter."""
    return amplitude * (1 + (2 ** (1 / beta) - 1) * (2 * r / fwhm) ** 2) ** -beta + background


def fit_gaussian(r: Float, light: Float, *, sky: float, noise: float, fwhm: float) -> Profile | str:
    """Fit a Gaussian over a known sky to the core, radii `r` [pixel] up to `fwhm`; the reason where that is not possible.

    All pixels weigh the same and the wings are left out, because the core is what a Gaussian describes of a star.
    Accuracy: within its error for a Gaussian; up to a tenth too wide for a Moffat star.
    """
    core = r <= max(fwhm, _SMALLEST_CORE)
    start = _start(r[core], light[core], sky, noise)
    if isinstance(start, str):
        return start

    def model(p: Float, radius: Float) -> Float:
        return gaussian(radius, p[0], sky, math.exp(p[1]))

    first = np.array([start, math.log(fwhm)])
    fit = _fit(model, r[core], light[core], first, weights=(sky, noise, 0.0), widest=_widest(r))
    return (
        fit if isinstance(fit, str) else Profile(fit.p[0], sky, math.exp(fit.p[1]), fit.fwhm_error, math.inf, fit.chi2)
    )


def fit_moffat(r: Float, light: Float, *, sky: float, noise: float, fwhm: float) -> Profile | str:
    """Fit a Moffat profile and a constant to pixels at radii `r` [pixel]; the reason where that is not possible.

    The weights are those of noise and photons, noise^2 plus the model's own light: were they the pixel's own light, it
    would pull by its own fluctuation. Recovers the FWHM of a Moffat or Gaussian star within its error; the width of the
    pixel is part of it.
    """
    start = _start(r, light, sky, noise)
    if isinstance(start, str):
        return start

    def model(p: Float, radius: Float) -> Float:
        return moffat(radius, p[0], p[2], math.exp(p[1]), 1.0 / p[3])

    first = np.array([start, math.log(fwhm), sky, 1.0 / _TYPICAL_BETA])
    fit = _fit(model, r, light, first, weights=(sky, noise, 1.0), widest=_widest(r))
    if isinstance(fit, str):
        return fit
    return Profile(fit.p[0], fit.p[2], math.exp(fit.p[1]), fit.fwhm_error, 1.0 / fit.p[3], fit.chi2)


def fit_center(
    dx: Float, dy: Float, light: Float, *, sky: float, noise: float, fwhm: float
) -> tuple[float, float] | str:
    """Fit a Moffat profile with a free centre to pixels at offsets `dx`, `dy` [pixel]; return the centre, or why not.

    Needs no pixel in particular: the centre of a star with a saturated core, a bad column through it, or a part off the
    frame follows from the light that there is.
    """
    start = _start(np.hypot(dx, dy), light, sky, noise)
    if isinstance(start, str):
        return start

    def model(p: Float, where: Float) -> Float:
        return moffat(np.hypot(where[0] - p[4], where[1] - p[5]), p[0], p[2], math.exp(p[1]), 1.0 / p[3])

    first = np.array([start, math.log(fwhm), sky, 1.0 / _TYPICAL_BETA, 0.0, 0.0])
    widest = _widest(np.hypot(dx, dy))
    fit = _fit(model, np.stack([dx, dy]), light, first, weights=(sky, noise, 1.0), widest=widest)
    return fit if isinstance(fit, str) else (fit.p[4], fit.p[5])


@dataclass(frozen=True, slots=True)
class _Fit:
    p: tuple[float, ...]
    fwhm_error: float
    chi2: float


def _start(r: Float, light: Float, sky: float, noise: float) -> float | str:
    """Return a first amplitude, or why there is nothing to fit."""
    if len(r) < _FEWEST_PIXELS:
        return f"only {len(r)} pixels of the star can be used, expected {_FEWEST_PIXELS} or more"
    amplitude = float(np.max(light)) - sky
    return amplitude if amplitude > max(3 * noise, 0.0) else "the star does not stand out of the noise"


def _fit(
    model: Callable[[Float, Float], Float],
    where: Float,
    light: Float,
    first: Float,
    *,
    weights: tuple[float, float, float],
    widest: float,
) -> _Fit | str:
    """Fit parameters (amplitude, ln FWHM, background, 1 / beta, x, y), or the first two or four of them.

    With 1 / beta the Gaussian is the smooth limit of 0, and not at infinity. `weights` are sky, noise and 1 or 0 for
    photon noise or none; `widest` is the largest FWHM allowed [pixel].
    """
    sky, noise, photons = weights
    noise = max(noise, 1e-4 * first[0])  # an image without noise has weights too
    low = np.array([0.0, math.log(0.3), -np.inf, 1.0 / _BETAS[1], -widest, -widest])[: len(first)]
    high = np.array([np.inf, math.log(widest), np.inf, 1.0 / _BETAS[0], widest, widest])[: len(first)]

    def solved(start: Float) -> Solution:
        sigma = np.sqrt(noise**2 + photons * np.maximum(model(start, where) - sky, 0.0))
        return minimise(lambda p: (model(p, where) - light) / sigma, start, low, high)

    solution = solved(first)
    if photons:  # the weights come from the model: once more with those of the better one
        solution = solved(solution.p)
    sigma = np.sqrt(noise**2 + np.maximum(model(solution.p, where) - sky, 0.0))
    return _settled(solution, where, (model(solution.p, where) - light) / sigma)


def _widest(r: Float) -> float:
    return 4.0 * float(np.max(r)) + 4.0


def _settled(solution: Solution, where: Float, pulls: Float) -> _Fit | str:
    p, reduced = solution.p, solution.cost / max(len(pulls) - len(solution.p), 1)
    fwhm = math.exp(p[1])
    error = fwhm * math.sqrt(max(float(np.linalg.pinv(solution.matrix, hermitian=True)[1, 1]), 0.0))
    error *= math.sqrt(max(reduced, 1.0))
    if not p[0] > 0 or not math.isfinite(error) or error > 0.5 * fwhm:
        return "the fit of the profile did not settle"
    r = where if where.ndim == 1 else np.hypot(where[0] - p[4], where[1] - p[5])
    coherent = ring_chi2(r, pulls, parameters=min(len(p), 4)) / max(reduced, 1.0)
    return _Fit(tuple(float(number) for number in p), error * math.sqrt(max(coherent, 1.0)), reduced)
