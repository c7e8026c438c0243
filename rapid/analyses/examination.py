"""Everything measured on one star, as one value."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rapid.analyses.aperture import Sky, centroid, centroid_error, encircled_energy, local_sky, radii_of_energy
from rapid.analyses.misfit import misfit, rings_of
from rapid.analyses.profiles import Profile, fit_gaussian, fit_moffat
from rapid.analyses.star import Cutout, NoStar, choose_star, cut_out
from rapid.processing.frame import Mask, Sources, Study

__all__ = ["FRACTIONS", "Examination", "examine"]

FRACTIONS = (0.5, 0.8, 0.9)
"""Parts of the light whose diameters are reported."""

_REACH_IN_FWHM = 5.0
"""How far light is summed up: a Moffat profile of exponent 3 holds 99.6 % of its light within 5 FWHM."""

_Energy = tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, ...], str]

_SATURATED = "the star is saturated: the light of its core is lost"


@dataclass(frozen=True, slots=True)
class Examination:
    """One star, measured. Lengths in pixels, light in electron above the sky.

    Attributes
    ----------
    x, y
        Refined centre in the frame.
    ellipticity
        (a^2 - b^2) / (a^2 + b^2) of the second moments.
    moffat, gaussian
        The fitted profiles, or why there is none.
    radii, growth
        Light within each radius; empty where `no_energy` says why.
    energy_radii
        Radii that hold `FRACTIONS` of the light within the last radius; NaN likewise.
    peak
        Brightest pixel of the core.
    saturated, at_edge
        Whether the core is saturated or cut by the frame's edge: numbers are then suspect.
    no_energy
        Why the encircled energy could not be measured, or empty.
    misfit
        Why the widths of the profiles are suspect, or empty.
    center_error
        Standard errors of the centre; None where they are not known.
    """

    cutout: Cutout
    x: float
    y: float
    sky: Sky
    ellipticity: float
    moffat: Profile | str
    gaussian: Profile | str
    radii: NDArray[np.float64]
    growth: NDArray[np.float64]
    energy_radii: tuple[float, ...]
    peak: float
    saturated: bool
    at_edge: bool
    no_energy: str
    misfit: str = ""
    center_error: tuple[float, float] | None = None

    @property
    def fwhm(self) -> float:
        """The best width there is [pixel], for deciding how far to look."""
        best = next((fit for fit in (self.moffat, self.gaussian) if isinstance(fit, Profile)), None)
        return best.fwhm if best is not None else self.cutout.half / 6

    @property
    def doubt(self) -> str:
        """Why the numbers are suspect, or empty."""
        if self.saturated:
            return "the star is saturated: its core was left out"
        return "the star is cut by the edge of the frame" if self.at_edge else ""


def examine(study: Study) -> Examination | NoStar:
    """Find the brightest real star of a frame and measure it."""
    star = choose_star(study)
    sources = study.sources
    if isinstance(star, NoStar) or sources is None:
        return star if isinstance(star, NoStar) else NoStar(study.why_not)
    cutout = cut_out(study, sources, star)
    x, y = float(sources.x[star]), float(sources.y[star])
    sky = local_sky(cutout, x, y) or _frame_sky(study)
    if sky is None:
        return NoStar("too few usable pixels around the brightest star")
    width = _first_fwhm(sources, star)
    sigma = max(width / 2.3548, _saturated_radius(cutout))
    x, y = centroid(cutout, sky, x=x, y=y, sigma=sigma)
    exam = _measured(study, cutout, sky, center=(x, y), width=width, star=star)
    if isinstance(exam, NoStar):
        return exam
    return replace(exam, center_error=centroid_error(cutout, sky, x=x, y=y, sigma=sigma))


def _measured(
    study: Study, cutout: Cutout, sky: Sky, *, center: tuple[float, float], width: float, star: int
) -> Examination | NoStar:
    x, y = center
    radius = cutout.radius(x, y)
    core = radius <= max(width, 2.0)
    if not (cutout.usable & (radius <= cutout.half)).any() or not np.isfinite(cutout.pixels[core]).any():
        return NoStar("no usable pixel at the brightest star")
    saturated = bool((cutout.mask[core] & np.uint16(Mask.SATURATED)).any())
    moffat, gaussian = _profiles(cutout, radius, sky, width, saturated=saturated)
    fwhm = moffat.fwhm if isinstance(moffat, Profile) else width
    profile = moffat if isinstance(moffat, Profile) else None
    radii, growth, energy_radii, no_energy = (
        _no_energy(_SATURATED) if saturated else _energy(cutout, sky, center, fwhm, profile)
    )
    return Examination(
        cutout=cutout,
        x=x,
        y=y,
        sky=sky,
        ellipticity=_ellipticity(study, star),
        moffat=moffat,
        gaussian=gaussian,
        radii=radii,
        growth=growth,
        energy_radii=energy_radii,
        peak=float(np.nanmax(cutout.pixels[core])) - sky.level,
        saturated=saturated,
        at_edge=_at_edge(study, center, fwhm),
        no_energy=no_energy,
        misfit=_misfit(cutout, radius, sky, profile),
    )


def _frame_sky(study: Study) -> Sky | None:
    background = study.background
    if background is None or not math.isfinite(background.level) or not math.isfinite(background.noise):
        return None
    return Sky(background.level, background.level_error, background.noise, 0)


def _saturated_radius(cutout: Cutout) -> float:
    """Return the radius of a disk as large as the saturated pixels: the light that is left lies outside of it."""
    return math.sqrt(float(np.count_nonzero(cutout.mask & np.uint16(Mask.SATURATED))) / math.pi)


def _first_fwhm(sources: Sources, star: int) -> float:
    determinant = float(sources.xx[star] * sources.yy[star] - sources.xy[star] ** 2)
    return max(2.3548 * math.sqrt(math.sqrt(max(determinant, 0.0))), 1.5)


def _profiles(
    cutout: Cutout, radius: NDArray[np.float64], sky: Sky, width: float, *, saturated: bool
) -> tuple[Profile | str, Profile | str]:
    chosen = cutout.usable & (radius <= cutout.half)
    r, light = radius[chosen], cutout.pixels[chosen]
    moffat = fit_moffat(r, light, sky=sky.level, noise=sky.noise, fwhm=width)
    if saturated:
        return moffat, _SATURATED
    core = moffat.fwhm if isinstance(moffat, Profile) else width
    return moffat, fit_gaussian(r, light, sky=sky.level, noise=sky.noise, fwhm=core)


def _misfit(cutout: Cutout, radius: NDArray[np.float64], sky: Sky, profile: Profile | None) -> str:
    """Compare the light with the profile out to two FWHM, beyond which there is little to compare."""
    if profile is None:
        return ""
    chosen = cutout.usable & (radius <= min(cutout.half, 2 * profile.fwhm))
    r, light = radius[chosen], cutout.pixels[chosen]
    if r.size == 0:
        return ""
    model = profile.at(r)
    sigma = np.sqrt(sky.noise**2 + np.maximum(model - profile.background, 0.0))
    return misfit(rings_of(r, light - sky.level, light - model, sigma, reach=float(np.max(r))))


def _energy(cutout: Cutout, sky: Sky, center: tuple[float, float], fwhm: float, profile: Profile | None) -> _Energy:
    x, y = center
    reach = min(cutout.half, _REACH_IN_FWHM * fwhm)
    radii, growth = encircled_energy(cutout, sky.level, x=x, y=y, reach=reach, profile=profile)
    if not growth[-1] > 0:
        return _no_energy("there is no light above the sky around the star")
    return radii, growth, radii_of_energy(radii, growth, FRACTIONS), ""


def _no_energy(reason: str) -> _Energy:
    return np.empty(0), np.empty(0), tuple(math.nan for _ in FRACTIONS), reason


def _ellipticity(study: Study, star: int) -> float:
    sources = study.sources
    if sources is None:
        return math.nan
    xx, yy, xy = float(sources.xx[star]), float(sources.yy[star]), float(sources.xy[star])
    return math.hypot(xx - yy, 2 * xy) / (xx + yy) if xx + yy > 0 else math.nan


def _at_edge(study: Study, center: tuple[float, float], fwhm: float) -> bool:
    ny, nx = study.frame.image.shape
    x, y = center
    return bool(min(x, y, nx - 1 - x, ny - 1 - y) < 1.5 * fwhm)
