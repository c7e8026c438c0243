"""What is drawn is found: seeing, shape, sky, noise, and the stars themselves, in every night of the year, on both cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial import cKDTree

from rapid.processing.background import background_of
from rapid.processing.frame import Background, Psf, Sources
from rapid.processing.psf import psf_of
from rapid.processing.sources import detect_in, refined
from tests.support.stars import READ_NOISE, Stars, light_of, observed, scatter_stars

SHAPE = (1200, 1200)
LATISS, LSSTCAM = 0.0957, 0.2
RESOLVED = np.linspace(0.1, 0.9, 17)


@dataclass(frozen=True)
class Night:
    """Pixel scale and seeing [arcsec], sky [electron a pixel], stars on the frame, and the flux of the faintest."""

    scale: float
    seeing: float
    sky: float
    stars: int
    faintest: float


NIGHTS = [
    Night(LATISS, 0.5, 9, 40, 500),
    Night(LATISS, 0.8, 82, 40, 1500),
    Night(LATISS, 1.2, 9, 60, 1500),
    Night(LATISS, 1.8, 49, 25, 4000),
    Night(LATISS, 2.5, 9, 15, 4000),
    Night(LSSTCAM, 0.5, 36, 80, 500),
    Night(LSSTCAM, 0.5, 1200, 400, 2000),
    Night(LSSTCAM, 0.8, 6, 80, 300),
    Night(LSSTCAM, 0.8, 36, 480, 900),
    Night(LSSTCAM, 1.2, 216, 80, 3000),
    Night(LSSTCAM, 1.8, 36, 80, 1500),
    Night(LSSTCAM, 2.5, 360, 60, 5000),
]


@dataclass(frozen=True)
class Seen:
    night: Night
    stars: Stars
    sky: Background
    sources: Sources
    psf: Psf


@pytest.fixture(scope="module")
def seen() -> list[Seen]:
    return [look(night, seed) for seed, night in enumerate(NIGHTS)]


def look(night: Night, seed: int) -> Seen:
    e = tuple(np.random.default_rng(seed).normal(0, 0.06, 2))
    fluxes = night.faintest, 1000 * night.faintest
    stars = scatter_stars(SHAPE, night.stars, night.seeing / night.scale, fluxes, seed=seed, e=(e[0], e[1]))
    image = observed(light_of(stars, SHAPE, night.sky), seed=seed)
    none = np.zeros(SHAPE, np.bool_)
    sky = background_of(image, none)
    sources = detect_in(image, none, none, sky, binning=max(1, round(0.2 / night.scale)))
    sky = refined(sky, sources)
    return Seen(night, stars, sky, sources, psf_of(image, sky, sources))


def test_seeing_and_shape(seen: list[Seen]) -> None:
    pulls = []
    for one in seen:
        assert one.psf.fwhm == pytest.approx(one.stars.fwhm, rel=0.02), one.night
        assert (one.psf.e1, one.psf.e2) == pytest.approx((one.stars.e1, one.stars.e2), abs=0.005), one.night
        assert (one.psf.kind, one.psf.doubt) == ("in_focus", ""), one.night
        pulls += [(one.psf.e1 - one.stars.e1) / one.psf.e1_error, (one.psf.e2 - one.stars.e2) / one.psf.e2_error]
    assert 0.5 < math.sqrt(np.mean(np.square(pulls))) < 1.5, "errors are what they say"


def test_sky_and_noise(seen: list[Seen]) -> None:
    for one in seen:
        chance = one.sky.noise / math.sqrt(SHAPE[0] * SHAPE[1])
        assert one.sky.level == pytest.approx(one.night.sky, rel=0.005, abs=8 * chance), one.night
        assert one.sky.noise == pytest.approx(math.hypot(READ_NOISE, math.sqrt(one.night.sky)), rel=0.01), one.night


def test_every_resolved_star_of_ten_sigma_is_found_and_little_else(seen: list[Seen]) -> None:
    expected = found = junk = all_found = 0
    for one in seen:
        wanted = of_ten_sigma(one)
        distance, _ = cKDTree(np.column_stack([one.sources.x, one.sources.y])).query(places(one.stars))
        expected += int(wanted.sum())
        found += int((distance[wanted] < 0.5 * one.stars.fwhm).sum())
        distance, _ = cKDTree(places(one.stars)).query(np.column_stack([one.sources.x, one.sources.y]))
        junk += int((distance > one.stars.fwhm).sum())
        all_found += len(one.sources)
    assert expected > 800
    assert found / expected > 0.99, f"{found} of {expected}"
    assert junk / all_found < 0.01, f"{junk} of {all_found}"


def places(stars: Stars) -> np.ndarray:
    return np.column_stack([stars.x, stars.y])


def of_ten_sigma(one: Seen) -> np.ndarray:
    """Stars away from the edge with a signal to noise of 10 in the light of all, that rise out of it on all sides.

    Towards every neighbour the light has to fall to half of their peak, and that of the others must not be a fifth of it.
    """
    stars, margin = one.stars, 2 * one.stars.fwhm
    apart = np.hypot(stars.x[:, None] - stars.x, stars.y[:, None] - stars.y)
    np.fill_diagonal(apart, np.inf)
    others = (stars.peak * stars.profile(apart)).sum(axis=1)
    between = np.inf if len(stars.x) < 2 else np.min(
        [stars.peak[:, None] * stars.profile(t * apart) + stars.peak * stars.profile((1 - t) * apart) for t in RESOLVED], axis=0
    )  # fmt: skip
    resolved = np.where(np.isfinite(apart), between < 0.5 * stars.peak[:, None], True).all(axis=1)
    variance = stars.noise_area * (READ_NOISE**2 + one.night.sky + others) + stars.flux
    inside = (np.minimum(stars.x, stars.y) > margin) & (np.maximum(stars.x, stars.y) < SHAPE[0] - 1 - margin)
    return inside & resolved & (others < 0.2 * stars.peak) & (stars.flux > 10 * np.sqrt(variance))


def test_light_inside_half_eighty_and_ninety_percent(seen: list[Seen]) -> None:
    for one in seen:
        if one.night.seeing / one.night.scale > 5 and one.psf.n_stars > 20:
            assert one.psf.profile is not None
            for part, radius, error in zip(
                (0.5, 0.8), one.psf.profile.encircled, one.psf.profile.encircled_error, strict=False
            ):
                true = one.stars.energy_radius(part)
                assert radius == pytest.approx(true, abs=4 * error + 0.03 * true), (one.night, part)


def test_widths_by_other_rules(seen: list[Seen]) -> None:
    for one in seen:
        profile, fwhm = one.psf.profile, one.stars.fwhm
        assert profile is not None
        assert profile.moffat_fwhm == pytest.approx(fwhm, rel=0.02), one.night
        assert profile.half_maximum == pytest.approx(fwhm, rel=0.03), one.night
        assert profile.gaussian_fwhm == pytest.approx(fwhm, rel=0.05), one.night
        assert one.psf.moments_fwhm == pytest.approx(1.13 * fwhm, rel=0.05), "wings count as width"
