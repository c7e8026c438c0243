"""The point-spread function of a frame, from its stars."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.background import sky_at
from rapid.processing.frame import Background, Frame, Psf, Sources
from rapid.processing.moffat import fit_moffats

__all__ = ["MOST_STARS", "measure_psf", "no_psf", "psf_of"]

MOST_STARS: Final = 100
"""The brightest that are fitted: their scatter, not their number, then limits the FWHM."""

_MEDIAN_LOSS: Final = math.sqrt(math.pi / 2)
_OUTLIER: Final = 4.0
_FIELD_SCATTER: Final = 0.01
"""How far widths of stars differ beyond their errors, since the seeing is not the same all over the field."""


def measure_psf(frame: Frame, background: Background, sources: Sources) -> Psf:
    """Measure the point-spread function of a frame; one without stars gives NaN and the reason."""
    return psf_of(frame.image, background, sources)


def psf_of(image: NDArray[np.float32], background: Background, sources: Sources) -> Psf:
    """Measure the point-spread function of an image [electron], shape (ny, nx).

    An elliptical Moffat profile is fitted to every star (the ellipse being that of its adaptive moments), so that the
    wings of the seeing disk do not count as width; FWHM is the geometric mean of the two axes. All are means of the stars
    that agree, each counted as far as it can be trusted; of the effective width, which has a long tail, it is the median.
    Errors are those of the means, and grow when the stars differ by
    more than they should. Ellipticities are e1 = (xx - yy) / (xx + yy) and e2 = 2 xy / (xx + yy). On simulated Moffat
    stars FWHM is right to 1 % from 6 pixels on, and e1, e2 to 0.01; narrower stars read up to 3 % wide (at 3 pixels), since
    the profile is compared at the centres of pixels, not over their areas.
    """
    chosen = np.flatnonzero(sources.star)[:MOST_STARS]
    if chosen.size == 0:
        return no_psf(sources.reason or "no single unsaturated star")
    moments = np.column_stack([sources.xx[chosen], sources.yy[chosen], sources.xy[chosen]])
    sky = sky_at(background, sources.x[chosen], sources.y[chosen], image.shape)
    fits = fit_moffats(image, sources.x[chosen], sources.y[chosen], moments, sky=sky, noise=background.noise)
    good = _alike(fits[:, 0], fits[:, 1])
    if not good.any():
        return no_psf(f"none of {chosen.size} stars could be fitted")
    fwhm, error, effective = fits[good].T
    xx, yy, xy = moments[good].T
    spread = _spread(fwhm, error)
    width, width_error = _mean(fwhm, spread)
    _, effective_error = _mean(effective, spread * effective / fwhm)
    return Psf(
        fwhm=width,
        fwhm_error=width_error,
        e1=_mean((xx - yy) / (xx + yy), spread / fwhm)[0],
        e2=_mean(2 * xy / (xx + yy), spread / fwhm)[0],
        n_stars=len(fwhm),
        effective_fwhm=_weighted_median(effective, 1 / spread**2),
        effective_fwhm_error=_MEDIAN_LOSS * effective_error,
    )


def no_psf(reason: str) -> Psf:
    """Say that there is none, and why."""
    return Psf(math.nan, math.nan, math.nan, math.nan, 0, reason)


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
