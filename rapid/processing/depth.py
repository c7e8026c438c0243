"""How deep a frame is: transparency, sky brightness, limiting magnitude, effective time.

Everything is in electron, and every function takes numbers with errors and hands back one, or the reason why it cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from rapid.processing.photometry import Estimate, Fiducial, ZeroPoint, unknown

__all__ = [
    "EffectiveTime",
    "Photometry",
    "Seen",
    "effective_time",
    "limiting_magnitude",
    "measure_depth",
    "sky_brightness",
    "throughput",
    "transparency",
]

_MAGNITUDES: Final = 2.5 / math.log(10)
"""Magnitudes of a relative change by e."""

_NOISE_AREA: Final = 2.266
"""Noise-equivalent area of a Gaussian in units of its FWHM squared: pi / (2 ln 2)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured on the sky of one frame.

    Attributes
    ----------
    exposure_time
        Seconds.
    pixel_scale
        arcsec.
    airmass
        None when the header does not say.
    sky
        Level under the sources without dark current [electron / pixel].
    noise
        Standard deviation of a pixel of empty sky [electron], with all that adds to it.
    fwhm, effective_fwhm
        Of the point-spread function [pixel]: at half maximum, and of the Gaussian that covers as much noise.
    """

    exposure_time: float
    pixel_scale: float
    airmass: float | None
    sky: Estimate
    noise: Estimate
    fwhm: Estimate
    effective_fwhm: Estimate


@dataclass(frozen=True, slots=True)
class EffectiveTime:
    """Seconds in which the same depth is reached in reference conditions, and its three factors.

    ``time`` = exposure time * ``seeing`` * ``transparency`` * ``sky``; each factor is 1 in reference conditions and larger
    when better.
    """

    time: Estimate
    seeing: Estimate
    transparency: Estimate
    sky: Estimate


@dataclass(frozen=True, slots=True)
class Photometry:
    """What a frame shows of the night: the input of its findings.

    ``sky_brightness`` in mag / arcsec2, ``magnitude_limit`` in mag at 5 sigma; `throughput` and `transparency` tell the same
    with and without the airmass.
    """

    band: str
    zero_point: ZeroPoint
    throughput: Estimate
    transparency: Estimate
    sky_brightness: Estimate
    magnitude_limit: Estimate
    effective_time: EffectiveTime


def measure_depth(band: str, zero_point: ZeroPoint, seen: Seen, fiducial: Fiducial | None) -> Photometry:
    """Derive all that zero point, sky and seeing of a frame say about the night."""
    estimate = zero_point.estimate
    return Photometry(
        band=band,
        zero_point=zero_point,
        throughput=throughput(estimate, fiducial),
        transparency=transparency(estimate, fiducial, seen.airmass),
        sky_brightness=sky_brightness(estimate, seen),
        magnitude_limit=limiting_magnitude(estimate, seen),
        effective_time=effective_time(estimate, seen, fiducial),
    )


def throughput(zero_point: Estimate, fiducial: Fiducial | None) -> Estimate:
    """Return the light that reached the detector, relative to a clear sky at zenith: 10^(0.4 (zero point - fiducial))."""
    reason = _first_reason(zero_point, fiducial)
    if reason or fiducial is None:
        return unknown(reason)
    value = 10 ** (0.4 * (zero_point.value - fiducial.zero_point))
    error = value / _MAGNITUDES * math.hypot(zero_point.error, fiducial.zero_point_error)
    return Estimate(value, error)


def transparency(zero_point: Estimate, fiducial: Fiducial | None, airmass: float | None) -> Estimate:
    """Return the light that clouds and dust let through, 1 for a clear sky at this airmass.

    The `throughput` with the extinction of a clear sky taken off: what is left is the weather, and the telescope.
    """
    through = throughput(zero_point, fiducial)
    if not through.known or fiducial is None:
        return through
    if airmass is None or not (math.isfinite(airmass) and airmass >= 1):
        return unknown("the airmass is not known" if airmass is None else f"{airmass:g} is no airmass")
    clear = 10 ** (-0.4 * fiducial.extinction * (airmass - 1))
    return Estimate(through.value / clear, through.error / clear, doubt=through.doubt)


def sky_brightness(zero_point: Estimate, seen: Seen) -> Estimate:
    """Return the surface brightness of the sky [mag / arcsec2] as seen from above the atmosphere's extinction.

    zero point - 2.5 log10(sky / (exposure time * pixel area)).
    """
    reason = zero_point.reason or seen.sky.reason or _no_time(seen)
    if not reason and seen.sky.value <= 0:
        reason = f"the sky level is {seen.sky.value:.1f} electron"
    if reason:
        return unknown(reason)
    rate = seen.sky.value / (seen.exposure_time * seen.pixel_scale**2)
    error = math.hypot(zero_point.error, _MAGNITUDES * seen.sky.error / seen.sky.value)
    return Estimate(zero_point.value - 2.5 * math.log10(rate), error, doubt=seen.sky.doubt)


def limiting_magnitude(zero_point: Estimate, seen: Seen, *, signal_to_noise: float = 5.0) -> Estimate:
    """Return the magnitude of a point source that is found at a signal to noise.

    Its electrons C solve C = S sqrt(C + n v), n the noise-equivalent area of the point-spread function [pixel] and v the
    variance of a pixel of sky: C = S^2 / 2 + sqrt(S^4 / 4 + S^2 n v) (LSST Science Book, version 2, section 3.2;
    LSE-40). n = 2.266 times the square of the effective FWHM.
    """
    reason = zero_point.reason or seen.noise.reason or seen.effective_fwhm.reason or _no_time(seen)
    if not reason and not (seen.noise.value > 0 and seen.effective_fwhm.value > 0):
        reason = "noise or point-spread function have no width"
    if reason:
        return unknown(reason)
    square = signal_to_noise**2
    under = square * _NOISE_AREA * (seen.effective_fwhm.value * seen.noise.value) ** 2
    root = math.sqrt(square**2 / 4 + under)
    electrons = square / 2 + root
    relative = math.hypot(seen.effective_fwhm.error / seen.effective_fwhm.value, seen.noise.error / seen.noise.value)
    error = math.hypot(zero_point.error, _MAGNITUDES * under / (root * electrons) * relative)
    value = zero_point.value - 2.5 * math.log10(electrons / seen.exposure_time)
    return Estimate(value, error, doubt=seen.effective_fwhm.doubt or seen.noise.doubt)


def effective_time(zero_point: Estimate, seen: Seen, fiducial: Fiducial | None) -> EffectiveTime:
    """Return the effective time [s] and its factors (SMTN-002; Neilsen et al. 2016, arXiv:1604.00072).

    Where the sky is the noise, the square of the signal to noise grows as time * throughput^2 / (FWHM^2 * sky): the factors
    are (FWHM / fiducial)^-2, 10^(0.8 (zero point - fiducial)) and fiducial sky / sky, the skies as rates per area.
    """
    seeing, clear, dark = (
        _seeing_factor(seen, fiducial),
        _clear_factor(zero_point, fiducial),
        _sky_factor(seen, fiducial),
    )
    factors = (seeing, clear, dark)
    reason = next((factor.reason for factor in factors if factor.reason), "")
    if reason:
        return EffectiveTime(unknown(reason), *factors)
    value = seen.exposure_time * math.prod(factor.value for factor in factors)
    error = value * math.hypot(*(factor.error / factor.value for factor in factors))
    doubt = next((factor.doubt for factor in factors if factor.doubt), "")
    return EffectiveTime(Estimate(value, error, doubt=doubt), *factors)


def _seeing_factor(seen: Seen, fiducial: Fiducial | None) -> Estimate:
    reason = _first_reason(seen.fwhm, fiducial)
    if not reason and seen.fwhm.value <= 0:
        reason = "the point-spread function has no width"
    if reason or fiducial is None:
        return unknown(reason)
    value = (fiducial.fwhm / (seen.fwhm.value * seen.pixel_scale)) ** 2
    return Estimate(value, 2 * value * seen.fwhm.error / seen.fwhm.value, doubt=seen.fwhm.doubt)


def _clear_factor(zero_point: Estimate, fiducial: Fiducial | None) -> Estimate:
    through = throughput(zero_point, fiducial)
    if not through.known:
        return through
    return Estimate(through.value**2, 2 * through.value * through.error, doubt=through.doubt)


def _sky_factor(seen: Seen, fiducial: Fiducial | None) -> Estimate:
    reason = _first_reason(seen.sky, fiducial) or _no_time(seen)
    if not reason and seen.sky.value <= 0:
        reason = f"the sky level is {seen.sky.value:.1f} electron"
    if reason or fiducial is None:
        return unknown(reason)
    rate = seen.sky.value / (seen.exposure_time * seen.pixel_scale**2)
    value = fiducial.sky / rate
    return Estimate(value, value * seen.sky.error / seen.sky.value, doubt=seen.sky.doubt)


def _first_reason(estimate: Estimate, fiducial: Fiducial | None) -> str:
    return estimate.reason or ("" if fiducial else "no reference conditions are stated for this camera and band")


def _no_time(seen: Seen) -> str:
    if math.isfinite(seen.exposure_time) and seen.exposure_time > 0:
        return ""
    return f"the exposure took {seen.exposure_time:g} s"
