"""How far the stars of a frame differ from each other: the error of what is a mean over them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rapid.analyses.star import scatter
from rapid.processing.frame import Psf, Sources

__all__ = ["ellipticity_errors"]

_FEWEST = 3
_OUTLIER = 4.0
_MOST = 100
_FIELD = 0.01
"""As the core does for the mean itself: at most the 100 brightest, a width that varies by 1 % over the field."""


def ellipticity_errors(sources: Sources | None, psf: Psf) -> tuple[float | None, float | None]:
    """Return the standard errors of e1 and e2 of a PSF, from the scatter of its stars' second moments.

    Stars count as in the mean: by their share of noise, outliers left out. None with fewer than three.
    """
    if sources is None:
        return None, None
    chosen = np.flatnonzero(sources.star)[:_MOST]
    xx, yy, xy = sources.xx[chosen], sources.yy[chosen], sources.xy[chosen]
    flux = sources.flux[chosen]
    share = np.divide(sources.flux_error[chosen], flux, out=np.full(len(flux), np.nan), where=flux > 0)
    good = np.isfinite(share) & (xx + yy > 0)
    if np.count_nonzero(good) < _FEWEST:
        return None, None
    xx, yy, xy, weights = xx[good], yy[good], xy[good], 1 / (share[good] ** 2 + _FIELD**2)
    size = xx + yy
    return _error((xx - yy) / size, psf.e1, weights), _error(2 * xy / size, psf.e2, weights)


def _error(values: NDArray[np.float64], mean: float, weights: NDArray[np.float64]) -> float | None:
    """Return the standard error of a weighted mean, from how far the values are from it."""
    off = values - mean
    near = np.abs(off) <= _OUTLIER * max(scatter(values), 1e-12)
    n = int(np.count_nonzero(near))
    if n < _FEWEST:
        return None
    off, weights = off[near], weights[near]
    return math.sqrt(float(np.sum((weights * off) ** 2)) * n / (n - 1)) / float(weights.sum())
