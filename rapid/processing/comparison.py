"""A frame against the stars that are known to be there: where it really looked, and how deep it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError, NotAvailable
from rapid.processing.apertures import TOPHAT_OUTER
from rapid.processing.astrometry import Astrometry, Detections, search_cone, solve
from rapid.processing.depth import Photometry, Seen, measure_depth
from rapid.processing.exposure import ExposureInfo
from rapid.processing.frame import Apertures, Background, Frame, Profile, Psf, Sources
from rapid.processing.photometry import Estimate, ZeroPoint, choose_colour_term, fiducial, fit_zero_point, unknown
from rapid.processing.refcat import References, Selection, julian_year
from rapid.processing.wcs import Wcs, boresight_wcs

__all__ = ["Catalogue", "Comparison", "compare", "tophat_part", "total_flux"]

_LEAST_BETA: Final = 1.3
"""Exponent of a profile below which its wings hold too much to be extrapolated to."""

_WINGS: Final = 0.1
"""Relative error of the light that a top hat misses: a profile fitted to the core knows the wings no better. On simulations
of both cameras from 0.5 to 2.5 arcsec it is 0.02 to 0.1, and 0.2 in the worst case (crowded, 2.5 arcsec)."""

_CROWDING: Final = 0.12
"""Relative error of all light for a sky that is uncertain by the noise of a pixel, as it is in a crowded field: neighbours
that nobody tells from the sky are in the circles, and in the profile that says what these miss."""

_UNTOLD: Final = 0.02
"""Error of a magnitude [mag] that the catalogue does not tell: that of a good survey from the ground."""


class Catalogue(Protocol):
    """Whoever knows the stars of a field, as `rapid.processing.refcat.ReferenceCatalogue`."""

    def cone(self, ra: float, dec: float, radius: float, *, year: float) -> Selection:
        """Return the stars within `radius` [deg] of a place [deg, ICRS], where they stand at an epoch [Julian year]."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What the known stars say of a frame.

    Attributes
    ----------
    astrometry
        Without a solution its reason says why.
    photometry
        None when there was nothing to compare; `why_no_photometry` then says why.
    faults
        One sentence for each part of the catalogue that could not be used.
    """

    astrometry: Astrometry
    photometry: Photometry | None
    why_no_photometry: str = ""
    faults: tuple[str, ...] = ()

    @property
    def doubt(self) -> str:
        """Why what was measured may be wrong; empty when the whole catalogue could be used."""
        return _doubt(self.faults)


def compare(frame: Frame, background: Background, sources: Sources, psf: Psf, catalogue: Catalogue) -> Comparison:
    """Match the sources of a frame with known stars; what cannot be had has a reason, and nothing is raised."""
    info = frame.info
    if info.ra is None or info.dec is None or info.rotator_angle is None:
        return _nothing("the header does not say where the telescope pointed")
    try:
        said = boresight_wcs(frame.detector, info.ra, info.dec, info.rotator_angle)
        selection = catalogue.cone(*search_cone(said), year=julian_year(info.begin_tai))
        astrometry = solve(_detections(sources), selection.stars, said)
    except (InputError, NotAvailable) as error:
        return _nothing(str(error))
    if astrometry.reason:
        if selection.faults:
            astrometry = replace(astrometry, reason=f"{_doubt(selection.faults)}; {astrometry.reason}")
        return Comparison(astrometry, None, f"no astrometry: {astrometry.reason}", selection.faults)
    seen = _seen(frame, astrometry.wcs or said, background, psf)
    photometry, why_not = _photometry(info, astrometry, selection.stars, sources=sources, psf=psf, seen=seen)
    return Comparison(astrometry, photometry, why_not, selection.faults)


def total_flux(apertures: Apertures, profile: Profile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return all the light of point sources and its errors [electron], from the compensated top hat."""
    part = tophat_part(apertures.tophat_radius, profile)
    return apertures.tophat_flux / part, apertures.tophat_flux_error / part


def tophat_part(radius: float, profile: Profile) -> float:
    """Return the part of a star's light that the compensated top hat of a radius [pixel] has.

    It is that of the Moffat profile which was fitted to the stars of the frame: inside r are 1 - (1 + r^2 / alpha^2)^(1 -
    beta) of its light. Falling on pixels spreads the light by 1/12 square pixel along each axis, and pi r I'(r) / 12 more
    leaves the circle, I the profile.
    """
    alpha = profile.moffat_fwhm / (2 * math.sqrt(2 ** (1 / profile.beta) - 1))

    def inside(r: float) -> float:
        ratio = 1 + (r / alpha) ** 2
        slope = -2 * profile.beta * (profile.beta - 1) * r / (math.pi * alpha**4) * ratio ** (-profile.beta - 1)
        return float(1 - ratio ** (1 - profile.beta) + math.pi * r * slope / 12)

    core, ring = inside(radius), inside(TOPHAT_OUTER * radius)
    return core - (ring - core) / (TOPHAT_OUTER**2 - 1)


def _nothing(reason: str) -> Comparison:
    return Comparison(Astrometry(reason), None, reason)


def _doubt(faults: tuple[str, ...]) -> str:
    if not faults:
        return ""
    parts = "1 part" if len(faults) == 1 else f"{len(faults)} parts"
    return f"{parts} of the reference catalogue could not be used: {faults[0]}"


def _detections(sources: Sources) -> Detections:
    error = None
    if sources.x_error is not None and sources.y_error is not None:
        both = np.hypot(sources.x_error, sources.y_error) / math.sqrt(2)
        known = np.isfinite(both)
        error = np.where(known, both, np.median(both[known]) if known.any() else 1.0)
    return Detections(sources.x, sources.y, sources.flux, error)


def _photometry(
    info: ExposureInfo, astrometry: Astrometry, stars: References, *, sources: Sources, psf: Psf, seen: Seen
) -> tuple[Photometry | None, str]:
    """Fit the zero point to the matched stars; None and the reason where that has no meaning."""
    why_not = _why_no_flux(sources, psf)
    term = choose_colour_term(info.instrument, info.band, stars.magnitudes)
    if not why_not and term is None:
        why_not = f"the reference catalogue has no magnitudes for band {info.band} of {info.instrument}"
    if why_not or term is None or sources.apertures is None or psf.profile is None:
        return None, why_not
    matched = stars.chosen(astrometry.reference)
    magnitude, magnitude_error = term.apply(
        {band: values.astype(np.float64) for band, values in matched.magnitudes.items()},
        {band: values.astype(np.float64) for band, values in matched.magnitude_errors.items()},
    )
    magnitude_error = np.where(np.isnan(magnitude_error), _UNTOLD, magnitude_error)
    flux, flux_error = total_flux(sources.apertures, psf.profile)
    zero_point = fit_zero_point(
        flux[astrometry.detection],
        flux_error[astrometry.detection],
        magnitude,
        magnitude_error,
        exposure_time=info.exposure_time,
        usable=_usable(sources)[astrometry.detection],
        common_error=math.hypot(
            _WINGS * (1 - tophat_part(sources.apertures.tophat_radius, psf.profile)),
            _CROWDING * seen.sky.error / seen.noise.value if seen.noise.value > 0 else 0.0,
        ),
        colour_term=term.source,
    )
    return _depth(info, zero_point, seen), ""


def _depth(info: ExposureInfo, zero_point: ZeroPoint, seen: Seen) -> Photometry:
    return measure_depth(info.band, zero_point, seen, fiducial(info.instrument, info.band))


def _why_no_flux(sources: Sources, psf: Psf) -> str:
    if psf.reason or psf.profile is None or sources.apertures is None:
        return psf.reason or "no profile of the stars to take their light from"
    if psf.kind == "dispersed":
        return "the light is dispersed"
    if not (psf.profile.beta > _LEAST_BETA and psf.profile.moffat_fwhm > 0):
        return "the wings of the stars cannot be extrapolated"
    return ""


def _usable(sources: Sources) -> NDArray[np.bool_]:
    usable = ~sources.saturated
    return usable if sources.blended is None else usable & ~sources.blended


def _seen(frame: Frame, wcs: Wcs, background: Background, psf: Psf) -> Seen:
    info = frame.info
    why = psf.reason or ("no effective width" if not math.isfinite(psf.effective_fwhm) else "")
    return Seen(
        exposure_time=info.exposure_time,
        pixel_scale=wcs.pixel_scale,
        airmass=info.airmass,
        sky=Estimate(background.level, background.level_error),
        noise=Estimate(background.noise, background.noise_error),
        fwhm=unknown(psf.reason) if psf.reason else Estimate(psf.fwhm, psf.fwhm_error, doubt=psf.doubt),
        effective_fwhm=unknown(why) if why else Estimate(psf.effective_fwhm, psf.effective_fwhm_error, doubt=psf.doubt),
    )
