"""The gnomonic projection, onto the plane tangent to the sky at a point and back.

xi grows to the east and eta to the north; all angles are in degrees. (Calabretta & Greisen 2002, A&A 395, 1077, section
5.1.3; in the closed form of Smart, Text-book on Spherical Astronomy, section 161.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["plane_to_sky", "sky_to_plane"]

Values = NDArray[np.float64]


def sky_to_plane(ra: ArrayLike, dec: ArrayLike, ra0: float, dec0: float) -> tuple[Values, Values]:
    """Project places (ra, dec) onto the plane tangent at (ra0, dec0); NaN for those 90 degrees away or more."""
    delta = np.radians(np.asarray(ra, np.float64) - ra0)
    angle = np.radians(np.asarray(dec, np.float64))
    sin, cos = np.sin(angle), np.cos(angle)
    sin0, cos0 = np.sin(np.radians(dec0)), np.cos(np.radians(dec0))
    depth = sin0 * sin + cos0 * cos * np.cos(delta)
    depth = np.where(depth > 0.0, depth, np.nan)
    xi = cos * np.sin(delta) / depth
    eta = (cos0 * sin - sin0 * cos * np.cos(delta)) / depth
    return np.degrees(xi), np.degrees(eta)


def plane_to_sky(xi: ArrayLike, eta: ArrayLike, ra0: float, dec0: float) -> tuple[Values, Values]:
    """Return the places (ra, dec) of points of the plane tangent at (ra0, dec0), with ra from 0 to 360."""
    east, north = np.radians(np.asarray(xi, np.float64)), np.radians(np.asarray(eta, np.float64))
    sin0, cos0 = np.sin(np.radians(dec0)), np.cos(np.radians(dec0))
    depth = cos0 - north * sin0
    ra = ra0 + np.degrees(np.arctan2(east, depth))
    dec = np.degrees(np.arctan2(sin0 + north * cos0, np.hypot(east, depth)))
    return np.asarray(ra % 360.0), np.asarray(dec)
