"""Exposures of one field whose pointing differs, drawn on a quarter of LATISS, and the catalogue of its stars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import Study
from rapid.processing.isr import calibrate
from rapid.processing.measure import measure
from rapid.processing.refcat import References
from rapid.processing.wcs import boresight_wcs
from tests.support.fields import Known, references_at
from tests.support.frames import Field, add_star, info_of, read_out, small_detector

RA, DEC = 150.0, -30.0
ZERO_POINT = 26.5
FIELD = Field(fwhm=9.0, sky=120.0)

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Exposed:
    """A study, and the truth: places and fluxes [electron] of all stars of the field, also of those beside the detector."""

    study: Study
    stars: References
    x: Values
    y: Values
    flux: Values


@cache
def field() -> References:
    """Stars about a place, brighter ones rarer; more than fit on the detector."""
    chance = np.random.default_rng(7)
    n = 1500
    ra = RA + chance.uniform(-0.08, 0.08, n) / np.cos(np.radians(DEC))
    magnitude = 19.5 + np.log10(np.clip(chance.random(n), 1e-4, 1.0)) / 0.6
    stars = references_at(ra, DEC + chance.uniform(-0.08, 0.08, n), magnitude)
    return replace(stars, magnitudes={"latiss_r": magnitude}, magnitude_errors={"latiss_r": np.full(n, 0.005)})


@cache
def exposed(east: float, north: float, turn: float, *, compared: bool = True) -> Exposed:
    """Expose with the boresight off by some arcsec and turned by some degrees from a first pointing."""
    detector, stars = small_detector(), field()
    ra, dec = RA + east / 3600.0 / np.cos(np.radians(DEC)), DEC + north / 3600.0
    wcs = boresight_wcs(detector, ra, dec, turn)
    x, y = wcs.sky_to_pixel(stars.ra, stars.dec)
    flux = 30.0 * 10 ** (0.4 * (ZERO_POINT - stars.magnitudes["latiss_r"]))
    light = np.full(detector.shape, FIELD.sky)
    for star in zip(x, y, flux, strict=True):
        if -80 < star[0] < detector.width + 80 and -80 < star[1] < detector.height + 80:
            add_star(light, *star, FIELD)
    raw = read_out(light, detector, seed=round(1000 + east))
    info = replace(info_of(raw), ra=ra, dec=dec, rotator_angle=turn, on_sky=True, airmass=1.1)
    study = measure(calibrate(raw, info, detector), catalogue=Known(stars) if compared else None)
    return Exposed(study, stars, x, y, flux)
