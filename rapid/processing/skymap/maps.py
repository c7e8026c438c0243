"""Maps of a night: how often, how long, how deep and how sharp each part of the sky was seen."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from typing import Final

import hpgeom
import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.photometry import Fiducial
from rapid.processing.skymap.night import NightCoverage

__all__ = ["SkyMaps", "depth_of", "healpix_fits", "make_maps"]

_UNITS: Final = {"counts": "", "seconds": "s", "effective_time": "s", "seeing": "arcsec"}


@dataclass(frozen=True, slots=True)
class SkyMaps:
    """Maps over the HEALPix pixels that were seen; each has one entry a pixel and is read-only.

    Attributes
    ----------
    order, pixels
        HEALPix order, and nested numbers of the pixels, ascending.
    counts
        Exposures; of an exposure every detector that covers the pixel's centre counts, which is one at most.
    seconds, effective_time
        Sums [s]; of the effective time over those exposures that have one, and NaN where none has.
    seeing
        Median FWHM [arcsec] of those that have one, exactly; NaN where none has.
    """

    order: int
    pixels: NDArray[np.int64]
    counts: NDArray[np.int64]
    seconds: NDArray[np.float64]
    effective_time: NDArray[np.float64]
    seeing: NDArray[np.float64]

    def __post_init__(self) -> None:
        for column in fields(self)[1:]:
            getattr(self, column.name).flags.writeable = False

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def area(self) -> float:
        """Area seen [square degree]."""
        return len(self) * float(hpgeom.nside_to_pixel_area(2**self.order))


def make_maps(night: NightCoverage) -> SkyMaps:
    """Make the maps of what a night has covered; of one band with `NightCoverage.of_band`."""
    counts = night.counts
    pixels, inverse = np.unique(night.pixels, return_inverse=True)
    size = len(pixels)
    effective = np.repeat(night.effective_time, counts)
    known = np.isfinite(effective)
    total = np.bincount(inverse[known], weights=effective[known], minlength=size)
    return SkyMaps(
        order=night.order,
        pixels=pixels,
        counts=np.bincount(inverse, minlength=size).astype(np.int64),
        seconds=np.bincount(inverse, weights=np.repeat(night.seconds, counts), minlength=size).astype(np.float64),
        effective_time=np.where(np.bincount(inverse[known], minlength=size) > 0, total, np.nan),
        seeing=_medians(inverse, np.repeat(night.seeing, counts), size),
    )


def depth_of(maps: SkyMaps, fiducial: Fiducial) -> NDArray[np.float64]:
    """Return the magnitude at 5 sigma that all exposures of a pixel reach together, shape (n,); NaN where not known.

    m5 = reference depth + 1.25 log10(effective time / reference time): the noise of the sky averages out with the time. The
    maps have to be of the one band of the reference.

    Raises
    ------
    InputError
        If no depth is stated for these reference conditions.
    """
    if fiducial.magnitude_limit is None:
        raise InputError(
            f"no reference depth of {fiducial.instrument} in {fiducial.band}", expected="a magnitude", found="none"
        )
    with np.errstate(divide="ignore"):
        depth = fiducial.magnitude_limit + 1.25 * np.log10(maps.effective_time / fiducial.exposure_time)
    return np.where(np.isfinite(depth), depth, np.nan)


def healpix_fits(maps: SkyMaps, depth: NDArray[np.float64] | None = None) -> bytes:
    """Write the maps as a HEALPix FITS file of the pixels seen (explicit indexing, nested), as healpy and Aladin read it.

    What is not known has the value that HEALPix has for that, -1.6375e30. A column ``depth`` [mag] is added if given.
    """
    values: dict[str, tuple[NDArray[np.float64] | NDArray[np.int64], str]] = {
        name: (getattr(maps, name), unit) for name, unit in _UNITS.items()
    }
    if depth is not None:
        values["depth"] = depth, "mag"
    columns = [fits.Column("PIXEL", "K", array=maps.pixels)]
    for name, (array, unit) in values.items():
        known = np.where(np.isfinite(array), array, hpgeom.UNSEEN)
        columns.append(fits.Column(name.upper(), "D", unit=unit or None, array=known))
    table = fits.BinTableHDU.from_columns(columns, name="SKYMAP")
    table.header.update(
        {
            "PIXTYPE": "HEALPIX",
            "ORDERING": "NESTED",
            "COORDSYS": "C",
            "NSIDE": 2**maps.order,
            "INDXSCHM": "EXPLICIT",
            "OBJECT": "PARTIAL",
            "BAD_DATA": float(hpgeom.UNSEEN),
        }
    )
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(content)
    return content.getvalue()


def _medians(groups: NDArray[np.int64], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Median of the finite values of each group, the mean of the middle two where their number is even."""
    known = np.isfinite(values)
    groups, values = groups[known], values[known]
    values = values[np.lexsort((values, groups))]
    n = np.bincount(groups, minlength=size)
    ends = np.cumsum(n)
    medians = np.full(size, np.nan)
    some = n > 0
    lower, upper = (ends - n + (n - 1) // 2)[some], (ends - n + n // 2)[some]
    medians[some] = 0.5 * (values[lower] + values[upper])
    return medians
