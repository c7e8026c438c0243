"""What comes through the filters: zero points, extinction, sky, colours of stars.

LATISS: rounded values for a 1.2 m telescope on Cerro Pachon, good to some tenths of a magnitude. LSSTCam and ComCam: the
zero points and skies that the observatory takes for its fiducial exposures (SMTN-002 of July 2025), with the extinction
taken out again. The truth files state what was really used for each exposure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["COMCAM_PASSBANDS", "DISPERSERS", "LSSTCAM_PASSBANDS", "PASSBANDS", "Passband", "magnitudes"]

DISPERSERS = ("holo4_003",)


@dataclass(frozen=True, slots=True)
class Passband:
    """One filter.

    Attributes
    ----------
    band
        Its letter in the header (FILTBAND).
    slot
        Its place in the wheel (FILTSLOT).
    zero_point
        Magnitude that gives one electron a second, outside the atmosphere.
    extinction
        Magnitudes per unit of airmass.
    sky
        Surface brightness of the dark sky at zenith [mag / arcsec2].
    colours
        Polynomial of BP - RP that, added to Gaia G, is the magnitude in this band.
    blue, red
        Where the transmission falls to half [nm].
    """

    band: str
    slot: int
    zero_point: float
    extinction: float
    sky: float
    colours: tuple[float, ...]
    blue: float
    red: float

    @classmethod
    def of_lsst(
        cls, band: str, slot: int, *, zero_point: float, extinction: float, sky: float, edges: tuple[float, float]
    ) -> Passband:
        """Make a band of LSST from what is seen through one airmass.

        ``zero_point`` is the magnitude that gives one electron a second, ``sky`` [electron/s] what a pixel of 0.2 arcsec
        collects at zenith.
        """
        outside = zero_point + extinction
        surface = outside - 2.5 * np.log10(sky / _LSST_PIXEL_ARCSEC**2)
        return cls(band, slot, outside, extinction, float(surface), _COLOURS[band], *edges)

    @property
    def wavelength(self) -> float:
        """Middle of the band [nm]."""
        return 0.5 * (self.blue + self.red)


# Colours: Gaia EDR3 documentation, table 5.8 (G to SDSS g, r, i; good to 0.2 mag for -0.5 < BP - RP < 2); u, z and y go on
# along the stellar locus; BG40 is close to g, FELH0600 and no filter at all to G.
_G = (-0.2199, 0.6365, 0.1548, -0.0064)
_R = (0.09837, -0.08592, -0.1907, 0.1701, -0.02263)
_I = (0.293, -0.6404, 0.09609, 0.002104)
_Z = (0.42, -0.88, 0.10, 0.0)
_Y = (0.48, -0.98, 0.10, 0.0)
_U = (0.85, 1.35, 0.25, -0.03)
_COLOURS = {"u": _U, "g": _G, "r": _R, "i": _I, "z": _Z, "y": _Y}
_LSST_PIXEL_ARCSEC = 0.2

PASSBANDS: dict[str, Passband] = {
    "SDSSu_65mm": Passband("u", 5, 22.6, 0.45, 22.6, _U, 325.0, 395.0),
    "SDSSg_65mm": Passband("g", 1, 24.5, 0.18, 22.1, _G, 400.0, 550.0),
    "SDSSr_65mm": Passband("r", 2, 24.3, 0.10, 21.1, _R, 552.0, 695.0),
    "SDSSi_65mm": Passband("i", 3, 24.0, 0.07, 20.3, _I, 695.0, 845.0),
    "SDSSz_65mm": Passband("z", 6, 23.4, 0.05, 19.4, _Z, 830.0, 950.0),
    "SDSSy_65mm": Passband("y", 7, 22.3, 0.06, 18.0, _Y, 950.0, 1050.0),
    "BG40_65mm_1": Passband("g", 4, 25.0, 0.17, 22.0, _G, 340.0, 600.0),
    "FELH0600": Passband("r", 8, 24.9, 0.07, 20.6, (0.0,), 600.0, 1030.0),
    "empty_1": Passband("EMPTY", 0, 25.7, 0.12, 21.2, (0.0,), 340.0, 1030.0),
}
"""The filters of LATISS by name."""

# Edges rounded from the LSST throughputs; extinction of a standard atmosphere over Cerro Pachon.
_LSST: dict[str, Passband] = {
    "u": Passband.of_lsst("u", 4, zero_point=26.56, extinction=0.46, sky=1.51, edges=(324.0, 395.0)),
    "g": Passband.of_lsst("g", 3, zero_point=28.59, extinction=0.20, sky=15.45, edges=(402.0, 552.0)),
    "r": Passband.of_lsst("r", 5, zero_point=28.50, extinction=0.12, sky=32.95, edges=(552.0, 691.0)),
    "i": Passband.of_lsst("i", 1, zero_point=28.29, extinction=0.09, sky=52.94, edges=(691.0, 818.0)),
    "z": Passband.of_lsst("z", 2, zero_point=27.90, extinction=0.06, sky=79.40, edges=(818.0, 922.0)),
    "y": Passband.of_lsst("y", 2, zero_point=26.87, extinction=0.12, sky=90.57, edges=(930.0, 1060.0)),
}

LSSTCAM_PASSBANDS = {
    f"{band}_{serial}": _LSST[band] for band, serial in zip("ugrizy", (24, 6, 57, 39, 20, 10), strict=True)
}
"""The filters of LSSTCam by name; five of the six are in the camera at a time, here each has a slot."""

COMCAM_PASSBANDS = {
    f"{band}_{serial:02d}": _LSST[band] for band, serial in zip("ugrizy", (5, 1, 3, 6, 3, 4), strict=True)
}
"""The filters of ComCam by name."""


def magnitudes(passband: Passband, gaia_g: NDArray[np.float64], colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn Gaia G and BP - RP into magnitudes of a band; colours beyond -0.5 and 2.5 count as these."""
    return gaia_g + np.polynomial.polynomial.polyval(np.clip(colour, -0.5, 2.5), passband.colours)
