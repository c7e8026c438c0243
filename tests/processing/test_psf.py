"""The width and shape of Moffat stars are recovered over the seeing of a whole year."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rapid.processing.apertures import curve_of_growth
from rapid.processing.background import background_of
from rapid.processing.frame import Psf, Sources
from rapid.processing.moffat import effective_width, fit_moffats
from rapid.processing.peek import Expectation, expectation
from rapid.processing.psf import psf_of
from rapid.processing.sources import detect_in, no_sources
from rapid.processing.stack import measure_profile
from rapid.simulation.stars import Psf as DrawnPsf
from rapid.simulation.stars import draw_stars
from tests.support.frames import Field, draw, latiss
from tests.support.stars import light_of, observed, scatter_stars
from tests.support.studies import make_info

SHAPE = (1400, 1400)


def measure(field: Field, shape: tuple[int, int] = SHAPE) -> Psf:
    chance = np.random.default_rng(field.seed + 100)
    image = (chance.poisson(draw(field, shape).light) + chance.normal(0, 9, shape)).astype(np.float32)
    none = np.zeros(shape, np.bool_)
    sky = background_of(image, none)
    return psf_of(image, sky, detect_in(image, none, none, sky))


@pytest.mark.parametrize("seeing", [0.7, 0.9, 1.2, 1.6, 2.0])
@pytest.mark.parametrize("beta", [2.5, 3.5, 5.0])
def test_seeing_is_unbiased(seeing: float, beta: float) -> None:
    fwhm = seeing / latiss().pixel_scale
    found = measure(Field(fwhm=fwhm, beta=beta, stars=60, fluxes=(3e4, 8e5), seed=int(10 * seeing + beta)))
    assert found.fwhm == pytest.approx(fwhm, rel=0.02)
    assert abs(found.fwhm - fwhm) < 5 * found.fwhm_error + 0.005 * fwhm
    assert found.n_stars > 10
    alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
    assert found.effective_fwhm == pytest.approx(effective_width(alpha, beta), rel=0.03)


@pytest.mark.parametrize("angle", [0.0, 0.5, math.pi / 4, 1.2, 2.6])
def test_ellipticity_is_recovered(angle: float) -> None:
    field = Field(fwhm=11, q=0.85, angle=angle, stars=60, fluxes=(3e4, 8e5), seed=int(10 * angle))
    found = measure(field)
    assert (found.e1, found.e2) == pytest.approx(field.ellipticity, abs=0.01)
    assert found.fwhm == pytest.approx(11, rel=0.02)


def test_errors_are_those_of_repeated_measurements() -> None:
    fields = [Field(fwhm=10, stars=40, fluxes=(2e4, 2e5), seed=seed) for seed in range(12)]
    found = [measure(field, (900, 900)) for field in fields]
    scatter = np.std([psf.fwhm for psf in found], ddof=1)
    claimed = np.median([psf.fwhm_error for psf in found])
    assert 0.4 < scatter / claimed < 2.5


def test_one_star_is_enough_and_its_error_is_that_of_the_fit() -> None:
    found = measure(Field(fwhm=10, stars=1, fluxes=(3e5, 3e5), seed=5), (600, 600))
    assert found.n_stars == 1
    assert found.fwhm == pytest.approx(10, rel=0.02)
    assert 0 < found.fwhm_error < 0.2


def test_without_a_star_it_says_why() -> None:
    found = measure(Field(stars=0), (600, 600))
    assert math.isnan(found.fwhm)
    assert (found.n_stars, found.reason) == (0, "nothing above 5 sigma of the sky")
    sky = background_of(np.ones((99, 99), np.float32), np.zeros((99, 99), np.bool_))
    assert psf_of(np.ones((99, 99), np.float32), sky, no_sources("")).reason == "no single unsaturated star"


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan, -1e30])
def test_a_star_that_is_not_there_cannot_be_fitted(value: float) -> None:
    image = np.full((100, 100), value, np.float32)
    here = np.array([50.0])
    fits = fit_moffats(image, here, here, np.array([[9.0, 9.0, 0.0]]), sky=np.zeros(1), noise=10.0)
    assert np.isnan(fits).all()
    star = np.array([True])
    sources = Sources(here, here, here, here, here, here * 0 + 9, here * 0 + 9, here * 0, ~star, star)
    sky = background_of(
        np.random.default_rng(1).normal(0, 1, (99, 99)).astype(np.float32), np.zeros((99, 99), np.bool_)
    )
    assert psf_of(image, sky, sources).reason == "none of 1 stars could be fitted"


def test_the_effective_width_of_a_gaussian_is_its_fwhm() -> None:
    beta = 5000.0
    alpha = 10 / (2 * math.sqrt(2 ** (1 / beta) - 1))
    assert effective_width(alpha, beta) == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize("fwhm", [2.5, 3.0, 4.0])
def test_narrow_stars_are_as_wide_as_before_the_pixels(fwhm: float) -> None:
    stars = scatter_stars((700, 700), 60, fwhm, (2e4, 4e5), seed=int(10 * fwhm), e=(0.1, -0.06))
    image = observed(light_of(stars, (700, 700), 300), seed=1)
    none = np.zeros(image.shape, np.bool_)
    sky = background_of(image, none)
    found = psf_of(image, sky, detect_in(image, none, none, sky))
    assert found.fwhm == pytest.approx(fwhm, rel=0.006)
    assert (found.e1, found.e2) == pytest.approx((0.1, -0.06), abs=0.004)


@pytest.mark.parametrize(
    ("donut", "kind"), [(0, "in_focus"), (5, "in_focus"), (14, "in_focus"), (40, "donut"), (83, "donut")]
)
def test_out_of_focus_the_width_is_that_at_half_maximum_and_doubted(donut: float, kind: str) -> None:
    psf, side = DrawnPsf(10.0, 3.5, donut=donut), 1000 if donut < 30 else 1600
    chance, places = np.random.default_rng(5), np.arange(side // 8, side, side // 4) + 0.3
    x, y = (a.ravel() for a in np.meshgrid(places, places))
    image = np.full((side, side), 300, np.float32)
    draw_stars(image, x, y, 1e5 * 5 ** chance.uniform(0, 1, len(x)), psf)
    image = chance.poisson(image).astype(np.float32)
    none = np.zeros(image.shape, np.bool_)
    sky = background_of(image, none)
    found = psf_of(image, sky, detect_in(image, none, none, sky, binning=2), expected=Expectation(donut + 8.0))
    assert found.kind == kind
    assert found.fwhm == pytest.approx(psf.full_width() or donut, rel=0.06 if kind == "donut" else 0.02)
    assert (found.doubt == "") == (donut < 10)
    if kind == "donut":
        assert found.doubt.endswith(f"pixels, {donut + 8} by the focus offset")


def test_spectra_without_a_star_have_the_width_across() -> None:
    chance, (rows, columns) = np.random.default_rng(3), np.indices((900, 600))
    image = 100 + 400 * np.exp(-0.5 * ((columns - 300.4) / 4.0) ** 2) * (np.abs(rows - 450) < 350)
    image = chance.normal(chance.poisson(image), 8).astype(np.float32)
    none = np.zeros(image.shape, np.bool_)
    sky = background_of(image, none)
    sources = detect_in(image, none, none, sky, binning=2)
    found = psf_of(image, sky, sources, expected=Expectation(dispersed=True))
    assert found.kind == "dispersed"
    assert found.fwhm == pytest.approx(2.3548 * 4.0, rel=0.03)
    assert found.doubt == "no single star: width of 1 spectrum across the dispersion"
    assert psf_of(image, sky, sources).reason == "no single unsaturated star"


def test_what_the_header_lets_expect() -> None:
    detector = latiss()
    assert expectation(make_info(focus_z=0.0), detector) == Expectation(0.0, dispersed=False)
    found = expectation(make_info(focus_z=-0.8, disperser="holo4_003"), detector)
    assert found.donut == pytest.approx(0.8 * 41 / 18 / 0.01)
    assert found.dispersed
    assert expectation(make_info(focus_z=None, disperser="empty_1"), detector) == Expectation()
    camera = expectation(make_info(instrument="LSSTCam", focus_z=1.5, disperser=""), detector)
    assert camera.donut == pytest.approx(1.5 / 1.234 / 0.01)
    assert not camera.dispersed


def test_the_light_of_a_neighbour_is_no_part_of_a_donut() -> None:
    """A brighter donut two diameters away raised the profile to half of its maximum again."""
    image = np.random.default_rng(3).normal(300, 18, (900, 900)).astype(np.float32)
    shape, x, y = DrawnPsf(6.0, 3.5, donut=100.0), np.array([330.0, 560.0]), np.array([450.0, 450.0])
    draw_stars(image, x, y, np.array([3e6, 9e6]), shape)
    growth = curve_of_growth(image, None, x[:1], y[:1], fwhm=100.0, sky=np.full(1, 300.0))
    found = measure_profile(
        image, x[:1], y[:1], sky=np.full(1, 300.0), noise=18.0, ellipse=(0.0, 0.0), fwhm=100.0, growth=growth
    )
    assert found is not None
    assert found.hollow
    assert found.half_maximum == pytest.approx(100, rel=0.05)
