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

_OUTLIER: Final = 4.0
_LEAST_SPREAD: Final = 0.01
"""Stars that agree better than this are never outliers: the seeing varies over the field."""

_MEDIAN_LOSS: Final = math.sqrt(math.pi / 2)


def measure_psf(frame: Frame, background: Background, sources: Sources) -> Psf:
    """Measure the point-spread function of a frame; one without stars gives NaN and the reason."""
    return psf_of(frame.image, background, sources)


def psf_of(image: NDArray[np.float32], background: Background, sources: Sources) -> Psf:
    """Measure the point-spread function of an image [electron], shape (ny, nx).

    An elliptical Moffat profile is fitted to every star (the ellipse being that of its adaptive moments), so that the
    wings of the seeing disk do not count as width; FWHM is the geometric mean of the two axes, and of all stars the
    median. Its error is that of the median of the stars, or of the fits when there are fewer than three. Ellipticities
    are e1 = (xx - yy) / (xx + yy) and e2 = 2 xy / (xx + yy). On simulated Moffat stars FWHM is right to 1 %, and e1, e2
    to 0.01.
    """
    chosen = np.flatnonzero(sources.star)[:MOST_STARS]
    if chosen.size == 0:
        return no_psf(sources.reason or "no single unsaturated star")
    moments = np.column_stack([sources.xx[chosen], sources.yy[chosen], sources.xy[chosen]])
    sky = sky_at(background, sources.x[chosen], sources.y[chosen], image.shape)
    fits = fit_moffats(image, sources.x[chosen], sources.y[chosen], moments, sky=sky, noise=background.noise)
    good = _alike(fits[:, 0])
    if not good.any():
        return no_psf(f"none of {chosen.size} stars could be fitted")
    fwhm, error, effective = fits[good].T
    xx, yy, xy = moments[good].T
    return Psf(
        fwhm=float(np.median(fwhm)),
        fwhm_error=_error_of_median(fwhm, error),
        e1=float(np.median((xx - yy) / (xx + yy))),
        e2=float(np.median(2 * xy / (xx + yy))),
        n_stars=len(fwhm),
        effective_fwhm=float(np.median(effective)),
        effective_fwhm_error=_error_of_median(effective, error),
    )


def no_psf(reason: str) -> Psf:
    """Say that there is none, and why."""
    return Psf(math.nan, math.nan, math.nan, math.nan, 0, reason)


def _alike(widths: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which fits worked and agree with most."""
    good = np.isfinite(widths)
    if not good.any():
        return good
    centre = float(np.median(widths[good]))
    spread = max(1.4826 * float(np.median(np.abs(widths[good] - centre))), _LEAST_SPREAD * centre)
    return np.asarray(good & (np.abs(widths - centre) < _OUTLIER * spread), np.bool_)


def _error_of_median(values: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    if values.size < 3:
        return float(np.sqrt(np.sum(errors**2)) / values.size)
    return float(_MEDIAN_LOSS * np.std(values, ddof=1) / math.sqrt(values.size))
