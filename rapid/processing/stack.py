"""The radial profile of many stars as one: its widths by several rules, where its light is, whether it has a hole."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from rapid.processing.frame import Profile
from rapid.processing.jit import compiled
from rapid.processing.moffat import fit_profile, moffat_over_pixels

__all__ = ["ENCIRCLED", "measure_profile"]

ENCIRCLED: Final = (0.5, 0.8, 0.9)
"""Parts of the light whose radii are measured."""

_REACH: Final = 2.5
_RINGS: Final = 50
"""Reach of the profile in FWHM, and rings in it: a twentieth of the FWHM each."""

_ALONE: Final = 1.6
"""Reach of the Moffat fit in FWHM. Stars are chosen to have no neighbour within 2.1 FWHM, so that in a crowded field the
light beyond is that of neighbours: taken for sky it makes the wings too faint, and the zero point 0.02 mag too low."""

_INNER: Final = 3
"""Rings that are the middle."""

_CORE: Final = 1.0
"""Reach of the Gaussian fit in FWHM: it is for the core, wings are not Gaussian."""

_STEEP: Final = 1.2
"""Exponent of a Moffat profile from which on its light beyond a circle is bounded well enough to be counted."""

_GROUPS: Final = 10
_WITHIN_PIXEL: Final = 8.0 * math.log(2.0) / 12.0
"""What a pixel adds to the square of a FWHM [square pixel]."""

_DEEP: Final = 0.05
_SURE: Final = 5.0
"""Depth of a hole: as a part of the light around it, and in standard errors."""

_Growth = tuple[NDArray[np.float64], NDArray[np.float64]]


def measure_profile(
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    sky: NDArray[np.float64],
    noise: float,
    ellipse: tuple[float, float],
    fwhm: float,
    growth: _Growth,
) -> Profile | None:
    """Stack stars and measure the profile they have in common; None when no star can be seen as a whole.

    Each star is scaled by its light, and counts by what it says beyond its noise. Errors of the widths at half maximum and
    of the encircled energy are those of leaving out a tenth of the stars in turn (jackknife), NaN for a single star; those
    of the fits follow from the errors of the rings.

    Parameters
    ----------
    image
        electron, shape (ny, nx); NaN is left out.
    x, y
        Centres [pixel].
    sky, noise
        Level at each star and standard deviation of the sky [electron].
    ellipse
        e1 and e2 of the point-spread function; the radius is measured along it.
    fwhm
        About what it will be [pixel].
    growth
        Radii [pixel], ascending, and the light of each star inside, shape (stars, radii): see `curve_of_growth`.
    """
    radii, inside = growth
    fluxes = inside[:, np.searchsorted(radii, fwhm)]
    known = np.isfinite(inside).all(axis=1) & (fluxes > 0)
    if not known.any():
        return None
    fluxes, inside = fluxes[known], inside[known]
    rings = np.zeros((len(fluxes), _RINGS, 3))
    _add_rings(image, x[known], y[known], sky[known], ellipse, _REACH * fwhm, rings)
    scale = fluxes / (noise**2 + fluxes / (math.pi * fwhm**2))
    radius, light, error = _stacked(rings, fluxes, scale, noise)
    alone = radius < _ALONE * fwhm
    moffat = fit_profile(radius[alone], light[alone], error[alone], width=fwhm)
    numbers = _numbers(rings, fluxes, scale, (radii, inside), moffat)
    errors = _jackknife(rings, fluxes, scale, (radii, inside), moffat)
    gaussian = _gaussian(radius, light, error, fwhm)
    return Profile(
        radius=_frozen(radius),
        light=_frozen(light),
        light_error=_frozen(error),
        moffat_fwhm=moffat[0],
        moffat_fwhm_error=moffat[1],
        beta=moffat[2],
        gaussian_fwhm=gaussian[0],
        gaussian_fwhm_error=gaussian[1],
        half_maximum=numbers[0],
        half_maximum_error=errors[0],
        encircled=tuple(numbers[1:]),
        encircled_error=tuple(errors[1:]),
        hollow=_is_hollow(light[_near(radius)], error[_near(radius)]),
        n_stars=len(fluxes),
    )


def _stacked(
    rings: NDArray[np.float64], fluxes: NDArray[np.float64], scale: NDArray[np.float64], noise: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Radius [pixel], light as a part of the star's, and its standard error, of the rings that have pixels.

    `rings` has the sums of light, pixels and radii, shape (stars, rings, 3).
    """
    light, count, radius = np.moveaxis(rings, 2, 0)
    seen = count.sum(axis=0) > 0
    light, count, radius = light[:, seen], count[:, seen], radius[:, seen]
    weight = (scale * fluxes) @ count
    mean = (scale @ light) / weight
    variance = (scale**2 * noise**2) @ count + (scale**2 * fluxes) @ (count * np.maximum(mean, 0.0))
    return radius.sum(axis=0) / count.sum(axis=0), mean, np.sqrt(variance) / weight


def _numbers(
    rings: NDArray[np.float64],
    fluxes: NDArray[np.float64],
    scale: NDArray[np.float64],
    growth: _Growth,
    moffat: tuple[float, float, float],
) -> list[float]:
    """Width at half maximum, and the radii that hold parts of the light."""
    radius, light, _ = _stacked(rings, fluxes, scale, 0.0)
    return [_half_maximum(radius, light) * _without_pixels(radius, moffat), *_encircled(growth, fluxes, scale, moffat)]


def _jackknife(
    rings: NDArray[np.float64],
    fluxes: NDArray[np.float64],
    scale: NDArray[np.float64],
    growth: _Growth,
    moffat: tuple[float, float, float],
) -> list[float]:
    """Standard errors of the same numbers."""
    groups = min(_GROUPS, len(fluxes))
    if groups < 2:
        return [math.nan] * (1 + len(ENCIRCLED))
    group = np.arange(len(fluxes)) % groups
    each = np.array(
        [
            _numbers(rings[kept], fluxes[kept], scale[kept], (growth[0], growth[1][kept]), moffat)
            for kept in (group != left_out for left_out in range(groups))
        ]
    )
    return [float(value) for value in np.sqrt((groups - 1) * np.var(each, axis=0))]


def _half_maximum(radius: NDArray[np.float64], light: NDArray[np.float64]) -> float:
    """Full width where the profile falls to half of its maximum for the last time, before neighbours raise it again."""
    light = light[_near(radius)]
    top = float(light[:_INNER].max()) if light.argmax() < _INNER else float(light.max())
    above = np.flatnonzero(light >= 0.5 * top)
    if not top > 0 or above.size == 0 or above[-1] + 1 >= len(light):
        return math.nan
    i = int(above[-1])
    part = (light[i] - 0.5 * top) / (light[i] - light[i + 1])
    return 2.0 * float(radius[i] + part * (radius[i + 1] - radius[i]))


def _near(radius: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which rings belong to the star alone."""
    return np.asarray(radius <= _ALONE / _REACH * radius[-1], np.bool_)


def _without_pixels(radius: NDArray[np.float64], moffat: tuple[float, float, float]) -> float:
    """What pixels and rings do to the width at half maximum of a Moffat profile, to be undone; 1 without one."""
    fwhm, _, beta = moffat
    if not math.isfinite(fwhm):
        return 1.0
    alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
    return fwhm / _half_maximum(radius, moffat_over_pixels(radius, alpha, beta))


def _encircled(
    growth: _Growth, fluxes: NDArray[np.float64], scale: NDArray[np.float64], moffat: tuple[float, float, float]
) -> list[float]:
    """Radii that hold parts of all the light; what is beyond the last circle is that of the Moffat profile."""
    radii, inside = growth
    curve = np.concatenate([[0.0], scale @ inside / (scale @ fluxes)])
    fwhm, _, beta = moffat
    beyond = 0.0
    if math.isfinite(fwhm) and beta > _STEEP:
        alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
        beyond = (1 + (radii[-1] / alpha) ** 2) ** (1 - beta)
    parts = np.maximum.accumulate(curve * (1 - beyond) / curve[-1])
    places = np.concatenate([[0.0], radii])
    return [float(np.interp(part, parts, places)) if part < parts[-1] else math.nan for part in ENCIRCLED]


def _gaussian(
    radius: NDArray[np.float64], light: NDArray[np.float64], error: NDArray[np.float64], fwhm: float
) -> tuple[float, float]:
    """FWHM of a Gaussian and a constant fitted to the core, and its standard error; without what the pixels add."""
    core = radius < _CORE * fwhm
    r2, value, sigma = radius[core] ** 2, light[core], error[core]
    if len(r2) < 4 or not value.max() > 0:
        return math.nan, math.nan

    def misfit(p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((p[0] * np.exp(-0.5 * r2 / p[1] ** 2) + p[2] - value) / sigma)

    fit = least_squares(misfit, [value.max(), fwhm / 2.3548, 0.0], x_scale=[value.max(), fwhm, value.max()])
    inverse = np.linalg.pinv(fit.jac.T @ fit.jac)
    chi2 = max(1.0, 2 * fit.cost / max(len(r2) - 3, 1))
    width = 2.3548 * abs(float(fit.x[1]))
    return math.sqrt(max(width**2 - _WITHIN_PIXEL, 0.0)), 2.3548 * math.sqrt(max(float(inverse[1, 1]), 0.0) * chi2)


def _is_hollow(light: NDArray[np.float64], error: NDArray[np.float64]) -> bool:
    """Tell whether the middle is darker than a ring around it, for sure and by more than any seeing does."""
    top = int(light.argmax())
    middle = float(np.average(light[:_INNER], weights=1 / error[:_INNER] ** 2))
    depth = float(light[top]) - middle
    return top >= _INNER and depth > max(
        _SURE * math.hypot(float(error[top]), float(error[:_INNER].min())), _DEEP * light[top]
    )


def _frozen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.array(values)
    kept.flags.writeable = False
    return kept


@compiled
def _add_rings(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sky: NDArray[np.float64],
    ellipse: tuple[float, float],
    reach: float,
    sums: NDArray[np.float64],
) -> None:
    """Sum the pixels of each star in rings: light above the sky, number, and radius."""
    e1, e2 = ellipse
    norm = 1.0 / math.sqrt(max(1.0 - e1 * e1 - e2 * e2, 1e-3))
    per_pixel = sums.shape[1] / reach
    for star in range(x.size):
        for j in range(max(0, int(y[star] - reach)), min(image.shape[0], int(y[star] + reach) + 2)):
            for i in range(max(0, int(x[star] - reach)), min(image.shape[1], int(x[star] + reach) + 2)):
                u, v = i - x[star], j - y[star]
                radius = math.sqrt(norm * ((1.0 - e1) * u * u - 2.0 * e2 * u * v + (1.0 + e1) * v * v))
                ring = int(radius * per_pixel)
                if ring < sums.shape[1] and np.isfinite(image[j, i]):
                    sums[star, ring, 0] += image[j, i] - sky[star]
                    sums[star, ring, 1] += 1.0
                    sums[star, ring, 2] += radius
