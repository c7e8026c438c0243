"""Fields of stars as a camera detects them, with a catalogue of them and all the faults detections have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.astrometry import Detections, search_cone
from rapid.processing.geometry import Detector
from rapid.processing.refcat import References, Selection, separation
from rapid.processing.wcs import Wcs, boresight_wcs, plane_to_sky, sky_to_plane

__all__ = ["FieldOfStars", "Known", "field_of_stars", "references_at", "sky_of_stars"]

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """A catalogue of a few stars, and what is wrong with it."""

    stars: References
    faults: tuple[str, ...] = ()

    def cone(self, ra: float, dec: float, radius: float, *, year: float) -> Selection:
        """Return those that are near; they do not move."""
        near = separation(self.stars.ra, self.stars.dec, ra, dec) < radius
        return Selection(self.stars.chosen(near), self.faults)


def references_at(ra: Values, dec: Values, magnitude: Values | None = None, **columns: Values) -> References:
    """Make reference stars of places [deg] at 2026.0, without motions unless they are given."""
    n = len(ra)
    nothing = np.full(n, np.nan)
    numbers = {
        "epoch": np.full(n, 2026.0),
        "pm_ra": nothing,
        "pm_dec": nothing,
        "ra_error": nothing,
        "dec_error": nothing,
    }
    magnitude = np.full(n, 15.0) if magnitude is None else magnitude
    return References(
        id=np.arange(n),
        ra=ra % 360.0,
        dec=dec,
        **numbers | columns,
        magnitudes={"r": magnitude},
        magnitude_errors={"r": np.full(n, 0.01)},
    )


def sky_of_stars(chance: np.random.Generator, cone: tuple[float, float, float], density: float) -> References:
    """Scatter stars evenly over a cone [deg], so many in a square degree, three times more of them a magnitude fainter."""
    ra, dec, radius = cone
    n = int(chance.poisson(density * np.pi * radius**2))
    r, t = radius * np.sqrt(chance.random(n)), 2.0 * np.pi * chance.random(n)
    # an even cap, to a part in 10^4 for these radii
    places = plane_to_sky(r * np.cos(t), r * np.sin(t), ra, dec)
    return references_at(*places, 20.0 + np.log(np.clip(chance.random(n), 1e-6, 1.0)) / np.log(3.0))


@dataclass(frozen=True)
class FieldOfStars:
    """What was detected, the stars of the catalogue, and the systems: the one that was said and the true one.

    ``star_of`` has the index of the star of each detection in the catalogue, -1 for spurious ones and stars it lacks.
    """

    detections: Detections
    stars: References
    said: Wcs
    true: Wcs
    star_of: NDArray[np.intp]


def field_of_stars(
    chance: np.random.Generator,
    detector: Detector,
    *,
    ra: float = 53.4,
    dec: float = -28.25,
    rotator: float = 30.0,
    offset: tuple[float, float] = (0.0, 0.0),
    turn: float = 0.0,
    density: float = 3000.0,
    spurious: float = 0.5,
    missing: float = 0.2,
    lacking: float = 0.0,
    error: float = 0.1,
) -> FieldOfStars:
    """Make a field that is seen by `offset` [arcsec east, north] and `turn` [deg] beside where the telescope says.

    The camera is carried along without turning: near a pole the position angle of the sky changes on the way.

    Parameters
    ----------
    spurious
        Fraction of the detections that are no stars, as bright as those.
    missing
        Fraction of the stars that are not detected.
    lacking
        Fraction of the stars that the catalogue does not have.
    error
        Standard error of a coordinate [pixel].
    """
    said = boresight_wcs(detector, ra, dec, rotator)
    boresight = plane_to_sky(offset[0] / 3600.0, offset[1] / 3600.0, ra, dec)
    true = said.moved(float(boresight[0]), float(boresight[1]), rotation=turn + _convergence(offset, ra, dec))
    stars = sky_of_stars(chance, search_cone(said), density)
    x, y = true.sky_to_pixel(stars.ra, stars.dec)
    ny, nx = detector.shape
    seen = np.flatnonzero((x >= 0) & (x < nx) & (y >= 0) & (y < ny) & (chance.random(len(x)) >= missing))
    flux = 10.0 ** (-0.4 * (stars.magnitudes["r"][seen] - 28.0)) * chance.lognormal(0.0, 0.1, len(seen))
    n_spurious = round(spurious / (1.0 - spurious) * len(seen))
    known = chance.random(len(stars)) >= lacking
    number = np.where(known, np.cumsum(known) - 1, -1)
    detections = Detections(
        x=np.concatenate([x[seen] + chance.normal(0.0, error, len(seen)), chance.random(n_spurious) * nx]),
        y=np.concatenate([y[seen] + chance.normal(0.0, error, len(seen)), chance.random(n_spurious) * ny]),
        flux=np.concatenate([flux, chance.permutation(np.resize(flux, n_spurious))]),
    )
    star_of = np.concatenate([number[seen], np.full(n_spurious, -1)])
    return FieldOfStars(detections, stars.chosen(known), said, true, star_of)


def _convergence(offset: tuple[float, float], ra: float, dec: float) -> float:
    """Position angle [deg] that the north of a place has at another, `offset` [arcsec] from there."""
    xi, eta = offset[0] / 3600.0, np.array([offset[1] / 3600.0, offset[1] / 3600.0 + 1e-4])
    ras, decs = plane_to_sky(np.full(2, xi), eta, ra, dec)
    east, north = sky_to_plane(ras[1], decs[1], float(ras[0]), float(decs[0]))
    return float(np.degrees(np.arctan2(east, north)))
