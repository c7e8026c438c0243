"""A reference catalogue that is asked for the stars of a field."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import hpgeom
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid.errors import InputError, NotAvailable
from rapid.processing.refcat.manifest import Manifest
from rapid.processing.refcat.places import in_polygon, separation
from rapid.processing.refcat.references import References, concatenate
from rapid.processing.refcat.shards import decode_shard, shard_name

__all__ = ["CACHE_BYTES", "ReferenceCatalogue", "Selection"]

CACHE_BYTES: Final = 64 * 2**20
"""Memory for shards that may be asked for again: some three hundred thousand stars with six bands, the surroundings of a
field of LSSTCam; a worker stays small beside the 400 MB of its pixels."""

_MAX_MOTION: Final = 10.4 / 3600.0
"""No star moves faster [deg/yr]: Barnard's, rounded up (van Altena, Lee & Hoffleit 1995)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The stars of a field; `faults` has one sentence for each shard that could not be used, whose stars are missing."""

    stars: References
    faults: tuple[str, ...] = ()


class ReferenceCatalogue:
    """A catalogue of which only the shards that a query touches are read, and those used last are kept.

    It is meant for one thread: a worker process has its own.

    Parameters
    ----------
    manifest
        What the catalogue holds.
    fetch
        Returns the content of a shard by name; raises `NotAvailable` if it is not there.
    cache_bytes
        Most memory [byte] of shards kept; one that is larger is used and not kept.
    """

    def __init__(self, manifest: Manifest, fetch: Callable[[str], bytes], *, cache_bytes: int = CACHE_BYTES) -> None:
        self.manifest = manifest
        self._fetch = fetch
        self._room = cache_bytes
        self._kept: OrderedDict[int, References] = OrderedDict()

    @property
    def cached_bytes(self) -> int:
        """Memory [byte] of the shards kept now."""
        return sum(stars.nbytes for stars in self._kept.values())

    def shard(self, pixel: int) -> References:
        """Return all stars of one shard, at the epochs of the catalogue.

        Raises
        ------
        NotAvailable
            If its file is not there.
        BadFile
            If it is damaged.
        """
        if pixel in self._kept:
            self._kept.move_to_end(pixel)
            return self._kept[pixel]
        name = shard_name(self.manifest.level, pixel)
        stars = decode_shard(self._fetch(name), name=name, expected_digest=self.manifest.shards[pixel].sha256)
        self._keep(pixel, stars)
        return stars

    def cone(self, ra: float, dec: float, radius: float, *, year: float) -> Selection:
        """Return the stars within `radius` [deg] of a place (ICRS, deg), where they stand at an epoch [Julian year].

        Raises
        ------
        InputError
            If the place is off the sphere, or the radius not one of a cone.
        """
        if not (np.isfinite(ra) and abs(dec) <= 90.0 and 0.0 < radius <= 90.0 and np.isfinite(year)):
            found = f"ra {ra}, dec {dec}, radius {radius}, year {year}"
            raise InputError("not a cone on the sky", expected="degrees, radius up to 90", found=found)
        reach = min(radius + self._margin(year), 180.0)
        pixels = hpgeom.query_circle(2**self.manifest.level, ra % 360.0, dec, reach, inclusive=True)
        selection = self._stars(pixels, year)
        near = separation(selection.stars.ra, selection.stars.dec, ra, dec) <= radius
        return Selection(selection.stars.chosen(near), selection.faults)

    def polygon(self, corners: ArrayLike, *, year: float) -> Selection:
        """Return the stars inside a convex polygon of great circles, where they stand at an epoch [Julian year].

        Parameters
        ----------
        corners
            Places (ra, dec) [deg, ICRS] in either order, shape (n, 2); the polygon is smaller than a hemisphere.

        Raises
        ------
        InputError
            If it is not a polygon.
        """
        vertices = np.asarray(corners, dtype=np.float64)
        _check_polygon(vertices, year)
        pixels = _pixels_around(vertices, level=self.manifest.level, margin=self._margin(year))
        selection = self._stars(pixels, year)
        inside = in_polygon(selection.stars.ra, selection.stars.dec, vertices)
        return Selection(selection.stars.chosen(inside), selection.faults)

    def _margin(self, year: float) -> float:
        """Angle [deg] by which a star can have left its shard."""
        return max(abs(year - epoch) for epoch in self.manifest.epochs) * _MAX_MOTION

    def _stars(self, pixels: Iterable[int], year: float) -> Selection:
        parts, faults = [], []
        for pixel in map(int, pixels):
            if pixel not in self.manifest.shards:
                continue
            try:
                parts.append(self.shard(pixel))
            except (InputError, NotAvailable) as error:
                faults.append(str(error))
        return Selection(concatenate(parts).at(year), tuple(faults))

    def _keep(self, pixel: int, stars: References) -> None:
        if stars.nbytes > self._room:
            return
        self._kept[pixel] = stars
        while self.cached_bytes > self._room:
            self._kept.popitem(last=False)


def _pixels_around(vertices: NDArray[np.float64], *, level: int, margin: float) -> NDArray[np.int64]:
    """Name the pixels that come within `margin` [deg] of a polygon: those of the circle that encloses both.

    A detector is nearly a square, so the circle touches few shards that the polygon does not.
    """
    lon, lat = np.radians(vertices).T
    middle = np.array([(np.cos(lat) * np.cos(lon)).sum(), (np.cos(lat) * np.sin(lon)).sum(), np.sin(lat).sum()])
    ra = float(np.degrees(np.arctan2(middle[1], middle[0])) % 360.0)
    dec = float(np.degrees(np.arctan2(middle[2], np.hypot(middle[0], middle[1]))))
    reach = float(separation(vertices[:, 0], vertices[:, 1], ra, dec).max()) + margin
    return np.asarray(hpgeom.query_circle(2**level, ra, dec, min(reach, 180.0), inclusive=True), dtype=np.int64)


def _check_polygon(vertices: NDArray[np.float64], year: float) -> None:
    shaped = vertices.ndim == 2 and vertices.shape[0] >= 3 and vertices.shape[1] == 2
    if not (shaped and np.isfinite(vertices).all() and np.isfinite(year) and (np.abs(vertices[:, 1]) <= 90.0).all()):
        raise InputError(
            "not a polygon on the sky", expected="three or more (ra, dec) [deg]", found=str(vertices.tolist())
        )
