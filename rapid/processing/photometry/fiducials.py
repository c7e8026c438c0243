"""What a clear, dark night of good seeing shows: the conditions that a night is compared with."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["Fiducial", "fiducial"]


@dataclass(frozen=True, slots=True)
class Fiducial:
    """The reference conditions of one band of one camera.

    Attributes
    ----------
    zero_point, zero_point_error
        mag of one electron a second at an airmass of 1, and how far it is known.
    fwhm
        Of the point-spread function [arcsec].
    sky
        Surface brightness as a rate [electron / s / arcsec2].
    extinction
        mag per unit of airmass.
    magnitude_limit, exposure_time
        Depth at 5 sigma of an exposure of so many seconds; None where none was agreed on.
    source
        Where the values come from.
    provisional
        Whether they only stand in for measured ones.
    """

    instrument: str
    band: str
    zero_point: float
    zero_point_error: float
    fwhm: float
    sky: float
    extinction: float
    magnitude_limit: float | None
    exposure_time: float
    source: str
    provisional: bool

    @property
    def sky_brightness(self) -> float:
        """Of the sky [mag / arcsec2]."""
        return self.zero_point - 2.5 * math.log10(self.sky)


def fiducial(instrument: str, band: str) -> Fiducial | None:
    """Return the reference conditions of a band (``r``), or None where nobody stated any."""
    return _table().get((instrument, band))


@cache
def _table() -> dict[tuple[str, str], Fiducial]:
    cameras = json.loads(files("rapid.processing").joinpath("data", "fiducials.json").read_text())
    return {
        (name, band): Fiducial(
            instrument=name,
            band=band,
            zero_point=row["zero_point"],
            zero_point_error=camera["zero_point_error"],
            fwhm=row["fwhm"],
            sky=row["sky"],
            extinction=row["extinction"],
            magnitude_limit=row.get("magnitude_limit"),
            exposure_time=camera["exposure_time"],
            source=camera["source"],
            provisional=camera["provisional"],
        )
        for camera in cameras["cameras"]
        for name in camera["instruments"]
        for band, row in camera["bands"].items()
    }
