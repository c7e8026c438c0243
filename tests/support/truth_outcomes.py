"""How far from the truth an exposure was measured: differences with their expected errors, and the stars that were found."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tests.support.truth import Conditions, Seen, look

__all__ = ["Difference", "Outcome", "Stars", "compared", "pulls", "table"]

Values = NDArray[np.float64]

_BETWEEN = np.linspace(0.1, 0.9, 9)
_FAR = 5.0
"""Distance in FWHM beyond which a neighbour does not hide a star, whatever its light."""

_TEN_SIGMA = 10.0


@dataclass(frozen=True)
class Difference:
    """Measured less true, and what the measurement says its standard error is."""

    value: float
    error: float

    @property
    def pull(self) -> float:
        """The difference in standard errors."""
        return self.value / self.error


@dataclass(frozen=True)
class Stars:
    """Stars of ten sigma that rise out of their neighbours' light, those of them found, all sources, and sources of nothing."""

    expected: int
    found: int
    sources: int
    spurious: int


@dataclass(frozen=True)
class Outcome:
    """One exposure measured; relative differences for seeing, sky and noise, arcsec for the pointing, mag for the zero point.

    `failures` are the reasons given for what was not measured; the differences of such are NaN.
    """

    conditions: Conditions
    seeing: Difference
    e1: Difference
    e2: Difference
    sky: Difference
    noise: Difference
    east: Difference
    north: Difference
    zero_point: Difference
    zero_point_scatter: float
    stars: Stars
    failures: tuple[str, ...]


def compared(conditions: Conditions) -> Outcome:
    """Take an exposure through the whole walk and compare it with the truth; the pixels are let go."""
    seen = look(conditions)
    study, sky = seen.study, seen.truth["sky"]
    background, psf, comparison = study.background, study.psf, study.comparison
    assert background is not None
    assert psf is not None
    assert comparison is not None
    found, photometry = comparison.astrometry, comparison.photometry
    zero_point = photometry.zero_point if photometry else None
    width = float(sky["fwhm_px"])
    east, north = sky["pointing_error_arcsec"]
    return Outcome(
        conditions=conditions,
        seeing=Difference(psf.fwhm / width - 1, psf.fwhm_error / width),
        e1=Difference(psf.e1 - sky["e1"], psf.e1_error),
        e2=Difference(psf.e2 - sky["e2"], psf.e2_error),
        sky=Difference(background.level / conditions.sky - 1, background.level_error / conditions.sky),
        noise=Difference(background.noise / seen.noise - 1, background.noise_error / seen.noise),
        east=Difference(found.pointing_ra - east, found.pointing_error),
        north=Difference(found.pointing_dec - north, found.pointing_error),
        zero_point=Difference(zero_point.value - sky["zero_point"], zero_point.error) if zero_point else _NOTHING,
        zero_point_scatter=zero_point.scatter if zero_point else math.nan,
        stars=_stars(seen),
        failures=tuple(filter(None, (study.why_not, psf.doubt, found.reason, comparison.why_no_photometry))),
    )


def pulls(differences: Iterable[Difference]) -> float:
    """Return the root of the mean square of differences in their standard errors: 1 where errors are what they say."""
    return math.sqrt(np.mean([one.pull**2 for one in differences]))


def table(outcomes: Iterable[Outcome]) -> str:
    """Write one line an exposure: its conditions, the differences, and stars found of those expected, spurious of all."""
    columns = " ".join(f"{name:>8s}" for name in _COLUMNS)
    lines = [f"{'camera':8s} seeing    sky  time  density | {columns} | stars       spurious"]
    for one in outcomes:
        c, s = one.conditions, one.stars
        measured = (one.seeing, one.e1, one.e2, one.sky, one.noise, one.east, one.north, one.zero_point)
        lines.append(
            f"{c.camera:8s} {c.seeing:6.1f} {c.sky:6.0f} {c.exposure_time:5.0f} {c.density:8.1f} | "
            + " ".join(f"{difference.value:+8.4f}" for difference in measured)
            + f" {one.zero_point_scatter:8.4f} | {s.found:4d}/{s.expected:4d} {s.spurious:5d}/{s.sources:5d} "
            + "; ".join(one.failures)
        )
    return "\n".join(lines)


_COLUMNS = ("seeing", "e1", "e2", "sky", "noise", "east", "north", "zero pt", "scatter")
_NOTHING = Difference(math.nan, math.nan)


def _stars(seen: Seen) -> Stars:
    sources = seen.study.sources
    assert sources is not None
    fwhm = seen.conditions.fwhm
    true = np.array([(star["x"], star["y"], star["flux"]) for star in seen.truth["stars"]]).reshape(-1, 3)
    places, found = true[:, :2], np.column_stack([sources.x, sources.y])
    wanted = _of_ten_sigma(seen, places, true[:, 2])
    if not len(sources):
        return Stars(int(wanted.sum()), 0, 0, 0)
    apart, _ = cKDTree(found).query(places)
    inside = _inside(found, seen.study.frame.image.shape, fwhm)
    alone, _ = cKDTree(places).query(found[inside])
    return Stars(
        expected=int(wanted.sum()),
        found=int((apart[wanted] < 0.5 * fwhm).sum()),
        sources=int(inside.sum()),
        spurious=int((alone > fwhm).sum()),
    )


def _of_ten_sigma(seen: Seen, places: Values, flux: Values) -> NDArray[np.bool_]:
    """Tell the stars away from the rim with a signal to noise of 10 under their profile, in the light of all others.

    Towards every neighbour the light has to fall to half of their peak, and that of the others must not be a fifth of it.
    """
    conditions = seen.conditions
    peak = flux * conditions.peak
    others, resolved = np.zeros(len(flux)), np.ones(len(flux), np.bool_)
    for i, near in enumerate(cKDTree(places).query_ball_point(places, _FAR * conditions.fwhm)):
        neighbours = np.array([j for j in near if j != i], np.intp)
        if neighbours.size == 0:
            continue
        apart = np.hypot(*(places[neighbours] - places[i]).T)
        others[i] = float((peak[neighbours] * _profile(conditions, apart)).sum())
        way = _BETWEEN[:, None]
        light = peak[i] * _profile(conditions, way * apart) + peak[neighbours] * _profile(conditions, (1 - way) * apart)
        resolved[i] = bool((light.min(axis=0) < 0.5 * peak[i]).all())
    variance = conditions.noise_area * (seen.noise**2 + others) + flux
    clear = _inside(places, seen.study.frame.image.shape, 2 * conditions.fwhm) & resolved & (others < 0.2 * peak)
    return np.asarray(clear & (flux > _TEN_SIGMA * np.sqrt(variance)))


def _profile(conditions: Conditions, radius: Values) -> Values:
    return np.asarray((1 + (radius / conditions.alpha) ** 2) ** -conditions.beta)


def _inside(places: Values, shape: tuple[int, ...], margin: float) -> NDArray[np.bool_]:
    ny, nx = shape
    x, y = places.T
    return np.asarray((x > margin) & (x < nx - 1 - margin) & (y > margin) & (y < ny - 1 - margin))
