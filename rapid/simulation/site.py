"""Where the telescope stands, and how the sky turns over it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import erfa
import numpy as np
from astropy.time import Time
from astropy.utils import iers

__all__ = ["ELEVATION", "LATITUDE", "LONGITUDE", "Pointing", "icrs_at_hour_angle", "julian_date", "observe", "tai"]

LONGITUDE, LATITUDE, ELEVATION = -70.7476862, -30.2447889, 2663.0
"""East longitude and latitude [deg], height [m], as in the headers of 2024."""

_NO_AIR = (
    0.0,
    0.0,
    0.0,
    0.0,
)  # pressure, temperature, humidity, wavelength: no refraction, as astropy's AltAz by default
_NO_POLAR_MOTION = (0.0, 0.0)
_DUT1 = 0.0  # UT1-UTC [s]: below 0.1 s in the years around 2024, 1.5 arcsec of hour angle


@dataclass(frozen=True, slots=True)
class Pointing:
    """A place on the sky as seen from the telescope at a time.

    Degrees, but ``hour_angle`` in hours (-12 to 12) and ``azimuth`` from -180 to 180, east of north.
    """

    ra: float
    dec: float
    azimuth: float
    elevation: float
    hour_angle: float

    @property
    def airmass(self) -> float:
        """Airmass by Hardie (1962), good to 0.1 % above 10 degrees."""
        excess = 1.0 / np.sin(np.radians(max(self.elevation, 5.0))) - 1.0
        return float(1.0 + excess - 0.0018167 * excess - 0.002875 * excess**2 - 0.0008083 * excess**3)


def tai(times: Sequence[datetime]) -> list[datetime]:
    """Turn UTC into TAI, without asking the network for newer leap seconds."""
    with _offline():
        scale = Time(list(times), scale="utc").tai
        return [moment.replace(tzinfo=None) for moment in scale.to_datetime()]


def observe(ra: float, dec: float, when: datetime) -> Pointing:
    """Return where an ICRS place [deg] stands at a time (UTC)."""
    azimuth, zenith_distance, hour_angle, _, _, _ = erfa.atco13(
        np.radians(ra),
        np.radians(dec),
        0.0,
        0.0,
        0.0,
        0.0,
        *julian_date(when),
        _DUT1,
        *_station(),
        *_NO_POLAR_MOTION,
        *_NO_AIR,
    )
    return Pointing(
        ra=ra,
        dec=dec,
        azimuth=_wrapped(np.degrees(azimuth)),
        elevation=float(90.0 - np.degrees(zenith_distance)),
        hour_angle=_wrapped(np.degrees(hour_angle)) / 15.0,
    )


def icrs_at_hour_angle(hour_angle: float, dec: float, when: datetime) -> tuple[float, float]:
    """Return the ICRS right ascension and declination [deg] that are at an hour angle [h] and declination at a time (UTC)."""
    ra, true_dec = erfa.atoc13(
        "H",
        np.radians(15.0 * hour_angle),
        np.radians(dec),
        *julian_date(when),
        _DUT1,
        *_station(),
        *_NO_POLAR_MOTION,
        *_NO_AIR,
    )
    return float(np.degrees(ra) % 360.0), float(np.degrees(true_dec))


def julian_date(when: datetime) -> tuple[float, float]:
    """Return a UTC time as the two-part quasi-Julian date that erfa takes."""
    second = when.second + when.microsecond * 1e-6
    first, rest = erfa.dtf2d("UTC", when.year, when.month, when.day, when.hour, when.minute, second)
    return float(first), float(rest)


def _station() -> tuple[float, float, float]:
    return float(np.radians(LONGITUDE)), float(np.radians(LATITUDE)), ELEVATION


def _wrapped(degrees: float) -> float:
    return float((degrees + 180.0) % 360.0 - 180.0)


@contextmanager
def _offline() -> Iterator[None]:
    """Use the tables that are installed; that they may be old is known and does not matter here."""
    with iers.conf.set_temp("auto_download", False), warnings.catch_warnings():
        warnings.simplefilter("ignore", iers.IERSWarning)
        yield
