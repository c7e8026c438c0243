"""From horizontal coordinates to the sky, for the few headers whose position was computed from a wrong time.

Apart, since what it needs takes a second to import, and hardly any process meets such a header.
"""

from __future__ import annotations

from datetime import datetime

import astropy.units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers

from rapid.processing.headers.pointing import Direction, Site

__all__ = ["icrs_of_horizontal"]


def icrs_of_horizontal(azimuth: float, elevation: float, when: datetime, site: Site) -> Direction:
    """Turn azimuth and elevation without refraction [deg] into right ascension and declination [deg, ICRS].

    The rotation of the Earth is that of the table astropy ships (IERS B); nothing is asked of the network.

    Parameters
    ----------
    when
        TAI, of the years of that table: 1962 to last year.
    site
        Geocentric x, y, z [m].
    """
    with iers.conf.set_temp("auto_download", False):
        frame = AltAz(obstime=Time(when, scale="tai"), location=EarthLocation.from_geocentric(*site, unit=u.m))
        found = SkyCoord(azimuth, elevation, unit="deg", frame=frame).icrs
    return float(found.ra.deg), float(found.dec.deg)
