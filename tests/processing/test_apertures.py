"""Circles hold what they hold: exact areas, sep's sums, Moffat's curve of growth; and the top hat does not see the sky."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sep
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.apertures import curve_of_growth, measure_apertures
from rapid.processing.background import background_of
from rapid.processing.circles import circle_sums
from rapid.processing.frame import Mask
from rapid.processing.sources import detect_in
from tests.support.stars import READ_NOISE, Stars, light_of, observed

ONE = np.ones((80, 90), np.float32)


@settings(max_examples=100, deadline=None)
@given(x=st.floats(25, 60), y=st.floats(25, 50), radius=st.floats(0.05, 24))
def test_the_area_of_a_circle_is_that_of_a_circle(x: float, y: float, radius: float) -> None:
    sums = circle_sums(ONE, None, np.array([x]), np.array([y]), np.array([radius]), sky=np.zeros(1))
    assert sums[0, 0] == pytest.approx(math.pi * radius**2, rel=1e-9)


def test_sums_are_those_of_sep() -> None:
    chance = np.random.default_rng(1)
    image = chance.normal(100, 10, (200, 200)).astype(np.float32)
    x, y = chance.uniform(30, 170, (2, 50))
    radii = np.array([1.0, 3.3, 7.7, 20.0])
    sums = circle_sums(image, None, x, y, radii, sky=np.zeros(50))
    for column, radius in zip(sums.T, radii, strict=True):
        np.testing.assert_allclose(column, sep.sum_circle(image, x, y, radius, subpix=0)[0], rtol=1e-4)


def test_a_circle_that_cannot_be_seen_as_a_whole_has_no_sum() -> None:
    image, mask = ONE.copy(), np.zeros(ONE.shape, np.uint16)
    image[40, 40] = np.nan
    mask[20, 60] = Mask.BAD
    x, y = np.array([40.0, 60, 0, 30, np.nan]), np.array([40.0, 22, 0, 20, 30])
    sums = circle_sums(image, mask, x, y, np.array([1.0, 4.0]), sky=np.zeros(5))
    np.testing.assert_array_equal(np.isfinite(sums), [[0, 0], [1, 0], [0, 0], [1, 1], [0, 0]])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("x", "away", "summed"),
    [(45.0, 10, [1, 1, 0]), (45.0, 4, [1, 0, 0]), (45.0, 0, [0, 0, 0]), (4.0, None, [1, 0, 0]), (8.0, None, [1, 1, 0])],
)
def test_what_is_outside_of_a_circle_does_not_spoil_it(
    x: float, away: int | None, summed: list[int], flip: bool
) -> None:
    image = ONE.copy()
    if away is not None:
        image[40, int(x) + away] = np.nan
    if flip:
        image, x = np.ascontiguousarray(image[:, ::-1]), image.shape[1] - 1 - x
    radii = np.array([3.0, 6.0, 12.0])
    sums = circle_sums(image, None, np.array([x]), np.array([40.0]), radii, sky=np.zeros(1))
    np.testing.assert_allclose(sums[0], np.where(summed, math.pi * radii**2, np.nan))


def test_a_mirrored_image_has_the_same_sums() -> None:
    chance = np.random.default_rng(5)
    image = chance.normal(100, 10, (200, 220)).astype(np.float32)
    mask = np.where(chance.random(image.shape) < 3e-3, np.uint16(Mask.BAD), np.uint16(0))
    x, y = chance.uniform(0, 200, (2, 300))
    radii, sky = np.array([1.0, 3.3, 7.7, 15.0]), np.full(300, 90.0)
    sums = circle_sums(image, mask, x, y, radii, sky=sky)
    image, mask = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
    np.testing.assert_allclose(circle_sums(image, mask, 219 - x, y, radii, sky=sky), sums, rtol=1e-9, atol=1e-6)
    seen = np.isfinite(sums).mean(axis=0)
    assert np.all((seen > 0) & (seen < 1)), "of every radius some have a sum and some have none"


@pytest.mark.parametrize(
    ("bits", "summed"),
    [
        (Mask.BAD, False),
        (Mask.NO_DATA, False),
        (Mask.COSMIC_RAY, False),
        (Mask.BAD | Mask.DETECTED, False),
        (Mask.BAD | Mask.INTERPOLATED, True),
        (Mask.COSMIC_RAY | Mask.INTERPOLATED, True),
        (Mask.SATURATED, True),
        (Mask.DETECTED | Mask.EDGE, True),
    ],
)
def test_a_finite_pixel_without_a_meaning_is_not_summed(bits: Mask, summed: bool) -> None:
    mask = np.zeros(ONE.shape, np.uint16)
    mask[40, 43] = bits
    sums = circle_sums(ONE, mask, np.array([40.0]), np.array([40.0]), np.array([2.0, 5.0]), sky=np.zeros(1))
    assert sums[0, 0] == pytest.approx(4 * math.pi)
    assert np.isfinite(sums[0, 1]) == summed


def test_a_frame_keeps_what_is_hidden_out_of_the_light_of_its_sources() -> None:
    stars = Stars(5.0, np.array([50.3, 150.1]), np.array([80.2, 79.7]), np.array([2e4, 2e4]))
    image = observed(light_of(stars, (160, 200), 100), seed=3)
    bad = np.zeros(image.shape, np.bool_)
    bad[80, 158], image[80, 158] = True, 5e4
    sky = background_of(image, bad)
    found = detect_in(image, bad, np.zeros_like(bad), sky)
    beside, alone = np.argsort(-found.x)[:2]
    assert found.apertures is not None
    assert np.isnan(found.apertures.tophat_flux[beside])
    assert np.isfinite(found.apertures.flux[beside, 0]), "the hot pixel is outside of this circle"
    assert np.isfinite(found.apertures.tophat_flux[alone])


def test_fluxes_and_errors_of_stars_and_of_the_top_hat_on_a_wrong_sky() -> None:
    grid = np.arange(40.0, 800, 60)
    x, y = (a.ravel() + 0.3 for a in np.meshgrid(grid, grid))
    stars = Stars(5.0, x, y, np.full(len(x), 2e4))
    image = observed(light_of(stars, (800, 800), 100), seed=1)
    noise = math.sqrt(100 + READ_NOISE**2)
    right, wrong = (
        measure_apertures(image, None, x, y, fwhm=5.0, sky=np.full(len(x), sky), noise=noise) for sky in (100.0, 97.0)
    )
    inside = 1 - (1 + (right.radii / stars.alpha) ** 2) ** (1 - stars.beta)
    np.testing.assert_allclose(right.flux.mean(axis=0) / 2e4, inside, rtol=0.03)
    np.testing.assert_allclose(right.flux.std(axis=0) / right.flux_error.mean(axis=0), 1, atol=0.2)
    assert wrong.tophat_flux == pytest.approx(right.tophat_flux, rel=1e-6)
    assert right.tophat_flux.std() / right.tophat_flux_error.mean() == pytest.approx(1, abs=0.2)
    outer = 1 - (1 + (1.7 * right.tophat_radius / stars.alpha) ** 2) ** (1 - stars.beta)
    wanted = inside[-1] - (outer - inside[-1]) / (1.7**2 - 1)
    assert right.tophat_flux.mean() / 2e4 == pytest.approx(wanted, rel=0.01)
    with pytest.raises(ValueError, match="read-only"):
        right.flux[0, 0] = 1


def test_the_curve_of_growth_is_that_of_the_profile() -> None:
    stars = Stars(6.0, np.array([100.2]), np.array([99.7]), np.array([1e6]))
    image = light_of(stars, (200, 200), 0).astype(np.float32)
    radii, growth = curve_of_growth(image, None, stars.x, stars.y, fwhm=6.0, sky=np.zeros(1))
    wanted = 1 - (1 + (radii / stars.alpha) ** 2) ** (1 - stars.beta)
    np.testing.assert_allclose(growth[0][4:] / 1e6, wanted[4:], rtol=0.012)
    assert radii[-1] == pytest.approx(18)
