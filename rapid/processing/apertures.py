"""Light inside circles: exact apertures, the curve of growth, and the compensated top hat."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.circles import circle_sums
from rapid.processing.frame import Apertures

__all__ = ["TOPHAT_OUTER", "curve_of_growth", "measure_apertures"]

TOPHAT_OUTER: Final = 1.7
"""Outer radius of the annulus of the compensated top hat, in units of the circle's; the inner one is the circle's own, as
for the LSST's ``base_CompensatedTophatFlux``."""

_IN_FWHM: Final = (0.5, 0.75, 1.0, 1.5)
"""Radii of the apertures in units of the FWHM; the top hat's is the last."""

_GROWTH_REACH: Final = 3.0
_GROWTH_STEPS: Final = 24


def measure_apertures(
    image: NDArray[np.float32],
    mask: NDArray[np.uint16] | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    fwhm: float,
    sky: NDArray[np.float64],
    noise: float,
) -> Apertures:
    """Measure the light of sources in circles of half to one and a half FWHM, and under the compensated top hat.

    F = a_0 - (a_out - a_0) / (s^2 - 1) with a the light inside the circle of the radius r and inside s r, s = 1.7: what the
    sky has besides its map is taken off, and with it a few percent of the star, the same for all stars of a frame.

    Parameters
    ----------
    image
        electron, shape (ny, nx). NaN is not usable.
    mask
        `Mask` bits, same shape; None where nothing is said against any pixel. See `circle_sums`.
    x, y
        Centres [pixel].
    fwhm
        Of the point-spread function [pixel].
    sky, noise
        Level at each source and standard deviation of the sky [electron].
    """
    radii = np.array([*(fwhm * factor for factor in _IN_FWHM), TOPHAT_OUTER * _IN_FWHM[-1] * fwhm])
    sums = circle_sums(image, mask, x, y, radii, sky=sky)
    areas = math.pi * radii**2
    variance = areas * noise**2 + np.maximum(sums, 0.0)
    inner, outer, weight = sums[:, -2], sums[:, -1], 1 / (TOPHAT_OUTER**2 - 1)
    ring = areas[-1] - areas[-2]
    tophat_variance = variance[:, -2] + weight**2 * (ring * noise**2 + np.maximum(outer - inner, 0.0))
    return Apertures(
        radii=_frozen(radii[:-1]),
        flux=_frozen(sums[:, :-1]),
        flux_error=_frozen(np.sqrt(variance[:, :-1])),
        tophat_radius=float(radii[-2]),
        tophat_flux=_frozen(inner - weight * (outer - inner)),
        tophat_flux_error=_frozen(np.sqrt(tophat_variance)),
    )


def curve_of_growth(
    image: NDArray[np.float32],
    mask: NDArray[np.uint16] | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    fwhm: float,
    sky: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return radii [pixel] up to three FWHM, and the light of each star inside, shape (stars, radii) [electron]."""
    radii = np.linspace(0, _GROWTH_REACH * fwhm, _GROWTH_STEPS + 1)[1:]
    return radii, circle_sums(image, mask, x, y, radii, sky=sky)


def _frozen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.array(values)
    kept.flags.writeable = False
    return kept
