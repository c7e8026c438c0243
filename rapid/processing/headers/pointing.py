"""Where the telescope looked: tracked position, horizontal coordinates, site."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from rapid.processing.headers.cards import Cards, number, word

__all__ = ["AUXTEL", "SIMONYI", "Direction", "Site", "horizontal", "site_of", "tracking"]

Direction = tuple[float, float]
"""Two angles [deg]: right ascension and declination, or azimuth and elevation."""

Site = tuple[float, float, float]
"""Geocentric (ITRF) x, y, z [m]."""

AUXTEL: Final[Site] = (1_819_093.5687622507, -5_208_411.682796104, -3_195_180.61110659)
SIMONYI: Final[Site] = (1_818_938.9432360171, -5_208_470.950937998, -3_195_172.084267574)
"""Where the telescopes stand: longitude -70.747698 and -70.749417, latitude -30.244728 and -30.244639, 2663 m up."""

_LOWEST: Final = -5.55
_HIGHEST: Final = 95.55
"""What a mount can say of its elevation [deg]; beyond the zenith is at it."""

_MAS: Final = math.radians(1 / 3_600_000)
_FK5_AXES: Final = (19.9 * _MAS, 9.1 * _MAS, -22.9 * _MAS)
"""Turn that takes FK5 (J2000) to ICRS, about x, y, z: Mignard & Froeschle 2000, A&A 354, 732, as in Hilton & Hohenkerk
2004, A&A 413, 765."""


def tracking(cards: Cards) -> tuple[Direction, str] | None:
    """Read the position tracked at (ICRS) and the frame the header gives it in, ``icrs`` or ``fk5``.

    RASTART and DECSTART are what the mount did; RA and DEC what it was asked for. None where neither is a position, or
    in any other frame.
    """
    frame = (word(cards, "RADESYS") or "ICRS").lower()
    if frame not in {"icrs", "fk5"}:
        return None
    for stem in ("START", ""):
        ra, dec = number(cards, f"RA{stem}"), number(cards, f"DEC{stem}")
        if ra is not None and dec is not None and abs(dec) <= 90:
            return (ra % 360, dec) if frame == "icrs" else _icrs_of_fk5(ra, dec), frame
    return None


def horizontal(cards: Cards, when: str) -> tuple[float | None, float | None]:
    """Read azimuth (north through east, 0 to 360) and elevation [deg] at ``START`` or ``END``; both None if one is missing."""
    azimuth, elevation = number(cards, f"AZ{when}"), number(cards, f"EL{when}")
    if azimuth is None or elevation is None or not _LOWEST <= elevation <= _HIGHEST:
        return None, None
    return azimuth % 360, min(elevation, 90.0)


def site_of(cards: Cards, default: Site) -> Site:
    """Read where the telescope stands; the cards of early headers are empty."""
    x, y, z = (number(cards, f"OBSGEO-{axis}") for axis in "XYZ")
    return default if x is None or y is None or z is None else (x, y, z)


def _icrs_of_fk5(ra: float, dec: float) -> Direction:
    lon, lat = math.radians(ra), math.radians(dec)
    direction = np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])
    x, y, z = direction + np.cross(_FK5_AXES, direction)
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))
