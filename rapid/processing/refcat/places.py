"""Places on the sphere and how stars move between them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError

__all__ = ["in_polygon", "julian_year", "julian_year_of_mjd", "moved", "separation", "unit_vectors"]

Values = NDArray[np.float64]

_MAS: Final = np.radians(1.0) / 3.6e6
_J2000: Final = datetime(2000, 1, 1, 12)  # noqa: DTZ001 - TT; ISO times of exposures have no zone either
_MJD_J2000: Final = 51544.5
_DAYS: Final = 365.25


def julian_year(tai: str) -> float:
    """Return the epoch of an ISO 8601 time in TAI, as a Julian year: 2000.0 is 2000-01-01T12:00.

    The half minute between TAI and the TT (or TCB) of catalogues moves no star by a microarcsecond and is left out.

    Raises
    ------
    InputError
        If it is no such time, or one with a zone.
    """
    try:
        return 2000.0 + (datetime.fromisoformat(tai) - _J2000).total_seconds() / (86400.0 * _DAYS)
    except (ValueError, TypeError) as error:
        raise InputError("not a time", expected="ISO 8601 in TAI without a zone", found=repr(tai)) from error


def julian_year_of_mjd(mjd: Values) -> Values:
    """Return the Julian year of modified Julian dates [day]."""
    return np.asarray(2000.0 + (np.asarray(mjd, dtype=np.float64) - _MJD_J2000) / _DAYS)


def unit_vectors(ra: Values, dec: Values) -> Values:
    """Return the directions of places [deg] as vectors of length one, shape (n, 3)."""
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def separation(ra: Values, dec: Values, ra0: float, dec0: float) -> Values:
    """Return the angles [deg] between places and one place, exact also for small and for opposite ones."""
    a, b = unit_vectors(ra, dec), unit_vectors(np.asarray(ra0), np.asarray(dec0))
    return np.asarray(np.degrees(2.0 * np.arctan2(_length(a - b), _length(a + b))))


def moved(ra: Values, dec: Values, *, pm_ra: Values, pm_dec: Values, years: Values) -> tuple[Values, Values]:
    """Move stars along straight lines in space; valid at the poles and across right ascension zero.

    Parameters
    ----------
    ra, dec
        Places [deg], shape (n,).
    pm_ra, pm_dec
        Proper motions [mas/yr], that in right ascension with the factor cos dec; NaN where unknown, which leaves the star.
    years
        Julian years to move by.

    Notes
    -----
    The Hipparcos and Tycho Catalogues, volume 1, section 1.2.8, for stars of unknown parallax and radial velocity.
    """
    lon, lat = np.radians(ra), np.radians(dec)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=-1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
    step = np.asarray(years)[..., None] * _MAS
    known = (np.isfinite(pm_ra) & np.isfinite(pm_dec))[..., None]
    motion = np.where(known, np.nan_to_num(pm_ra)[..., None] * east + np.nan_to_num(pm_dec)[..., None] * north, 0.0)
    place = unit_vectors(ra, dec) + step * motion
    new_ra = np.degrees(np.arctan2(place[..., 1], place[..., 0])) % 360.0
    return new_ra, np.degrees(np.arctan2(place[..., 2], np.hypot(place[..., 0], place[..., 1])))


def in_polygon(ra: Values, dec: Values, corners: Values) -> NDArray[np.bool_]:
    """Tell which places [deg] are inside a convex polygon of great circles, corners (n, 2) [deg] in either order."""
    places, vertices = unit_vectors(ra, dec), unit_vectors(corners[:, 0], corners[:, 1])
    normals = np.cross(vertices, np.roll(vertices, -1, axis=0))
    middle = vertices.mean(axis=0)
    sides = places @ normals.T * np.sign(normals @ middle)
    return np.asarray((sides >= 0.0).all(axis=1) & (places @ middle > 0.0))


def _length(vectors: Values) -> Values:
    return np.asarray(np.sqrt((vectors**2).sum(axis=-1)))
