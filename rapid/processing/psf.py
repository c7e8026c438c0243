"""The point-spread function of a frame, from its stars: in focus, out of focus, or dispersed, each in its own way."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.apertures import curve_of_growth
from rapid.processing.background import sky_at
from rapid.processing.frame import Background, Frame, Psf, Sources
from rapid.processing.moffat import fit_moffats
from rapid.processing.peek import DISPERSED, DONUT, IN_FOCUS, Expectation, expectation
from rapid.processing.psf_field import fit_field
from rapid.processing.stack import measure_profile
from rapid.processing.statistics import half_sample_mode
from rapid.processing.traces import trace_width

__all__ = ["MOST_STACKED", "MOST_STARS", "measure_psf", "no_psf", "psf_of"]

MOST_STARS: Final = 100
"""The brightest that are fitted: their scatter, not their number, then limits the FWHM."""

MOST_STACKED: Final = 40
"""The brightest that are stacked for the profile, which then has a signal to noise of thousands."""

_WIDTH_TO_FWHM: Final = 2.3548
_PIXEL: Final = 1.0 / 12.0
"""What a pixel adds to a second moment [square pixel]."""

_MEDIAN_LOSS: Final = math.sqrt(math.pi / 2)
_OUTLIER: Final = 4.0
_FIELD_SCATTER: Final = 0.01
"""How far widths of stars differ beyond their errors, since the seeing is not the same all over the field."""

_CROWDING: Final = 0.05
"""Relative error of the width for a sky that is uncertain by the noise of a pixel: neighbours that nobody tells from the sky
lift the wings of a star, and its core is left the narrower. With 30 stars in a square arcmin at 2.5 arcsec it is 1 %."""

_NOT_MOFFAT: Final = 0.025
_SURE: Final = 4.0
"""Relative difference between the fitted width and that at half maximum, and in its errors, from which on the profile is
not that of the seeing: it is 1 % for exponents from 2.5 to 5, and 3 % for a donut of half the width of the seeing."""


def measure_psf(frame: Frame, background: Background, sources: Sources) -> Psf:
    """Measure the point-spread function of a frame; one without stars gives NaN and the reason."""
    expected = expectation(frame.info, frame.detector)
    return psf_of(frame.image, background, sources, mask=frame.mask, expected=expected)


def psf_of(
    image: NDArray[np.float32],
    background: Background,
    sources: Sources,
    *,
    mask: NDArray[np.uint16] | None = None,
    expected: Expectation | None = None,
) -> Psf:
    """Measure the point-spread function of an image [electron], shape (ny, nx).

    An elliptical Moffat profile, integrated over the pixels, is fitted to every star (the ellipse being that of its
    adaptive moments), so that the wings of the seeing disk do not count as width; FWHM is the geometric mean of the two
    axes. All are means of the stars that agree, each counted as far as it can be trusted; of the effective width, which has
    a long tail, it is the median. Errors are those of the means, and grow when the stars differ by more than they should.
    Ellipticities are e1 = (xx - yy) / (xx + yy) and e2 = 2 xy / (xx + yy), without what the pixels add. On simulated Moffat
    stars of 2.5 to 26 pixels FWHM is right to 1 %, and e1, e2 to 0.005.

    Where the stacked stars have no Moffat profile (out of focus), the width is that at half maximum of their light, and
    `Psf.doubt` says so. On a dispersed frame without a star it is that of the spectra across the dispersion.

    Parameters
    ----------
    mask
        `Mask` bits; the light of a star around which a pixel has no value does not count for the profile.
    expected
        What the header says the stars should look like.
    """
    expected = Expectation() if expected is None else expected
    chosen = np.flatnonzero(sources.star)[:MOST_STARS]
    if chosen.size == 0:
        return _without_stars(image, background, sources, expected)
    sky = sky_at(background, sources.x[chosen], sources.y[chosen], image.shape)
    psf, good = _fitted(image, background, sources, chosen, sky)
    psf = _among_others(psf, background)
    used = chosen[good] if good.any() else chosen
    x, y = sources.x[used], sources.y[used]
    size, size_error = _commonest_width(sources, used)
    e1, e2 = (psf.e1, psf.e2) if good.any() else (0.0, 0.0)
    sky = sky[good] if good.any() else sky
    few = slice(MOST_STACKED)
    profile = measure_profile(
        image, x[few], y[few], sky=sky[few], noise=background.noise, ellipse=(e1, e2), fwhm=size,
        growth=curve_of_growth(image, mask, x[few], y[few], fwhm=size, sky=sky[few]),
    )  # fmt: skip
    if not good.any() and (profile is None or not math.isfinite(profile.half_maximum)):
        return no_psf(f"none of {chosen.size} stars could be fitted")
    psf = replace(
        psf, moments_fwhm=size, moments_fwhm_error=size_error, profile=profile, field=fit_field(sources, image.shape)
    )
    return _judged(psf, expected)


def no_psf(reason: str) -> Psf:
    """Say that there is none, and why."""
    return Psf(math.nan, math.nan, math.nan, math.nan, 0, reason)


def _fitted(
    image: NDArray[np.float32],
    background: Background,
    sources: Sources,
    chosen: NDArray[np.intp],
    sky: NDArray[np.float64],
) -> tuple[Psf, NDArray[np.bool_]]:
    """Take the means over the Moffat profiles of the chosen stars; also tell which of them agree."""
    moments = np.column_stack([sources.xx[chosen] - _PIXEL, sources.yy[chosen] - _PIXEL, sources.xy[chosen]])
    fits = fit_moffats(image, sources.x[chosen], sources.y[chosen], moments, sky=sky, noise=background.noise)
    good = _alike(fits[:, 0], fits[:, 1])
    if not good.any():
        return no_psf(""), good
    fwhm, error, effective, _ = fits[good].T
    xx, yy, xy = moments[good].T
    spread = _spread(fwhm, error)
    width, width_error = _mean(fwhm, spread)
    (e1, e1_error), (e2, e2_error) = (_mean(e / (xx + yy), spread / fwhm) for e in (xx - yy, 2 * xy))
    psf = Psf(
        fwhm=width,
        fwhm_error=width_error,
        e1=e1,
        e2=e2,
        n_stars=len(fwhm),
        effective_fwhm=_weighted_median(effective, 1 / spread**2),
        effective_fwhm_error=_MEDIAN_LOSS * _mean(effective, spread * effective / fwhm)[1],
        e1_error=e1_error,
        e2_error=e2_error,
        kind=IN_FOCUS,
    )
    return psf, good


def _among_others(psf: Psf, background: Background) -> Psf:
    """Add to the error of the width what light of unseen neighbours does to it."""
    crowding = background.level_error / background.noise if background.noise > 0 else 0.0
    return replace(psf, fwhm_error=math.hypot(psf.fwhm_error, _CROWDING * crowding * psf.fwhm))


def _commonest_width(sources: Sources, used: NDArray[np.intp]) -> tuple[float, float]:
    """FWHM [pixel] of a Gaussian with the commonest second moments of the stars, and its standard error."""
    xx, yy, xy = sources.xx[used] - _PIXEL, sources.yy[used] - _PIXEL, sources.xy[used]
    sizes = _WIDTH_TO_FWHM * np.maximum(xx * yy - xy**2, 1e-3) ** 0.25
    scatter = 1.4826 * float(np.median(np.abs(sizes - np.median(sizes))))
    return half_sample_mode(sizes), _MODE_LOSS * scatter / math.sqrt(len(sizes)) if len(sizes) > 2 else math.nan


_MODE_LOSS: Final = 2.0
"""Scatter of a mode of about a hundred Gaussian values over that of their mean."""


def _judged(psf: Psf, expected: Expectation) -> Psf:
    """Decide how the stars look, and put the width at half maximum where no Moffat profile describes them."""
    profile = psf.profile
    kind = DISPERSED if expected.dispersed else IN_FOCUS
    if profile is None or not math.isfinite(profile.half_maximum):
        return replace(psf, kind=kind)
    width = profile.half_maximum
    error = profile.half_maximum_error if math.isfinite(profile.half_maximum_error) else 0.05 * width
    off = abs(width - psf.fwhm) if math.isfinite(psf.fwhm) else math.inf
    measured = replace(psf, fwhm=width, fwhm_error=error, reason="", n_stars=psf.n_stars or profile.n_stars)
    if profile.hollow:
        doubt = f"out of focus: stars are donuts of {width:.0f} pixels{expected.said()}"
        return replace(measured, kind=DONUT, doubt=doubt)
    if off > max(
        _NOT_MOFFAT * width, _SURE * math.hypot(error, psf.fwhm_error if math.isfinite(psf.fwhm_error) else 0)
    ):
        return replace(
            measured, kind=kind, doubt=f"the profile of the stars is not that of the seeing{expected.said()}"
        )
    return replace(psf, kind=kind)


def _without_stars(image: NDArray[np.float32], background: Background, sources: Sources, expected: Expectation) -> Psf:
    reason = sources.reason or "no single unsaturated star"
    if not expected.dispersed:
        return no_psf(reason)
    width, error, n = trace_width(image, background, sources)
    if n == 0:
        return no_psf(reason)
    doubt = f"no single star: width of {n} {'spectrum' if n == 1 else 'spectra'} across the dispersion"
    return replace(no_psf(""), fwhm=width, fwhm_error=error, kind=DISPERSED, doubt=doubt)


def _alike(widths: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which fits worked and agree with most, as far as they can be trusted."""
    good = np.isfinite(widths)
    if not good.any():
        return good
    spread = _spread(widths, errors)
    centre = _weighted_median(widths[good], 1 / spread[good] ** 2)
    pulls = np.abs(widths - centre) / spread
    typical = max(1.0, 1.4826 * float(np.median(pulls[good])))
    return np.asarray(good & (pulls < _OUTLIER * typical), np.bool_)


def _spread(widths: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation to be expected of each width: of its fit, and of the field."""
    return np.asarray(np.hypot(errors, _FIELD_SCATTER * widths), np.float64)


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, 0.5 * reached[-1])])


def _mean(values: NDArray[np.float64], spread: NDArray[np.float64]) -> tuple[float, float]:
    """Weighted mean and its standard error, the larger of what the spread predicts and what the values show."""
    weights = 1 / spread**2
    mean = float(np.average(values, weights=weights))
    excess = 1.0
    if values.size > 1:
        excess = max(1.0, float(np.sum(weights * (values - mean) ** 2)) / (values.size - 1))
    return mean, math.sqrt(excess / float(weights.sum()))
