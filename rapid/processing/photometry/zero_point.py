"""The zero point of a frame: the magnitude of a source that gives one electron a second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.photometry.estimate import Estimate, unknown
from rapid.processing.photometry.robust import robust_mean

__all__ = ["FEWEST_STARS", "ZeroPoint", "fit_zero_point"]

Values = NDArray[np.float64]

FEWEST_STARS: Final = 5
"""With fewer, one variable star or one wrong match moves the zero point and nothing tells."""

_LEAST_SIGNAL: Final = 10.0
"""Expected signal to noise of a star: below, the logarithm of the flux is skewed by more than 0.005 mag."""

_OUTLIER_SCATTER: Final = 1.0
"""Standard deviation [mag] of wrong matches, blends and variable stars about the zero point."""

_MOST_SCATTER: Final = 0.3
"""Scatter [mag] beyond which these are not the same stars: ten times that of a cloudy field or a missing colour term."""

_MAGNITUDES: Final = 2.5 / math.log(10)
"""Magnitudes of a relative change by e: 1.0857."""


@dataclass(frozen=True, slots=True)
class ZeroPoint:
    """The magnitude of a source that gives one electron a second through this atmosphere, telescope and filter.

    Attributes
    ----------
    value, error
        mag and its standard error (of the stars, and of what their fluxes have in common; what the whole catalogue is off by
        is not in it); NaN when the fit failed, and `reason` then says why.
    scatter
        Of the stars beyond their errors [mag]: flat field, colours, catalogue.
    n_stars, n_rejected
        Stars that agree, and stars that were tried and do not.
    colour_term
        Where the reference magnitudes come from: `ColourTerm.source`.
    """

    value: float
    error: float
    scatter: float
    n_stars: int
    n_rejected: int
    colour_term: str = ""
    reason: str = ""

    @property
    def estimate(self) -> Estimate:
        """The value with its error."""
        return unknown(self.reason) if self.reason else Estimate(self.value, self.error)


def fit_zero_point(
    flux: Values,
    flux_error: Values,
    magnitude: Values,
    magnitude_error: Values,
    *,
    exposure_time: float,
    usable: NDArray[np.bool_] | None = None,
    common_error: float = 0.0,
    colour_term: str = "",
) -> ZeroPoint:
    """Fit the zero point to stars of known magnitude.

    Errors of fluxes become magnitudes by the flux that is expected of the star, not by the one measured: else those that
    came out bright by chance would count more. The same expected flux decides which stars are bright enough.

    Parameters
    ----------
    flux, flux_error
        electron in the whole exposure, shape (n,), NaN or 0 where not measured.
    magnitude, magnitude_error
        In the system of the band, of the same stars; NaN where not known.
    exposure_time
        Seconds.
    usable
        False for stars to leave out whatever their numbers (saturated, blended); None for all.
    common_error
        Relative error that all fluxes have in common, as that of an aperture correction: no number of stars averages it out.
    colour_term
        Kept in the result.

    Returns
    -------
    ZeroPoint
        With up to a third of wrong matches right to its error. It is a failure with a reason when fewer than
        `FEWEST_STARS` stars agree, or fewer than half of those tried, or when they scatter by more than 0.3 mag.

    Raises
    ------
    InputError
        If the columns differ in length.
    """
    _check_lengths(flux, flux_error, magnitude, magnitude_error, usable)
    if not (math.isfinite(exposure_time) and exposure_time > 0):
        return _failed(f"an exposure of {exposure_time:g} s has no zero point", colour_term)
    good = _good(flux, flux_error, magnitude, magnitude_error)
    good &= True if usable is None else usable
    if good.sum() < FEWEST_STARS:
        return _failed(_too_few(int(good.sum()), "can be used"), colour_term)
    zero_points = magnitude[good] + 2.5 * np.log10(flux[good] / exposure_time)
    expected = exposure_time * 10 ** (0.4 * (np.median(zero_points) - magnitude[good]))
    relative = flux_error[good] / expected
    bright = relative < 1 / _LEAST_SIGNAL
    if bright.sum() < FEWEST_STARS:
        return _failed(_too_few(int(bright.sum()), "are bright enough"), colour_term)
    errors = np.hypot(magnitude_error[good], _MAGNITUDES * relative)
    return _fit(zero_points[bright], errors[bright], _MAGNITUDES * common_error, colour_term)


def _fit(zero_points: Values, errors: Values, common: float, colour_term: str) -> ZeroPoint:
    found = robust_mean(zero_points, errors, outlier_scatter=_OUTLIER_SCATTER)
    agreeing = int((found.belonging > 0.5).sum())
    if found.scatter > _MOST_SCATTER:
        return _failed(f"the stars scatter by {found.scatter:.2f} mag about a zero point", colour_term)
    if agreeing < max(FEWEST_STARS, 0.5 * len(zero_points)):
        return _failed(f"only {agreeing} of {len(zero_points)} stars agree on a zero point", colour_term)
    rejected = len(zero_points) - agreeing
    return ZeroPoint(found.mean, math.hypot(found.error, common), found.scatter, agreeing, rejected, colour_term)


def _check_lengths(flux: Values, *others: NDArray[np.float64] | NDArray[np.bool_] | None) -> None:
    shapes = [column.shape for column in others if column is not None]
    if flux.ndim != 1 or any(shape != flux.shape for shape in shapes):
        raise InputError(
            "columns of stars differ in shape", expected=f"{flux.shape} in one dimension", found=str(shapes)
        )


def _good(flux: Values, flux_error: Values, magnitude: Values, magnitude_error: Values) -> NDArray[np.bool_]:
    """Tell which stars have all their numbers; a comparison with NaN is false."""
    good = (flux > 0) & (flux_error > 0) & (magnitude_error >= 0)
    return np.asarray(good & np.isfinite(flux + flux_error + magnitude + magnitude_error), np.bool_)


def _too_few(n: int, what: str) -> str:
    return f"{n} matched {'star' if n == 1 else 'stars'} {what}, {FEWEST_STARS} are needed"


def _failed(reason: str, colour_term: str) -> ZeroPoint:
    return ZeroPoint(math.nan, math.nan, math.nan, 0, 0, colour_term, reason)
