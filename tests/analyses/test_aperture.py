"""Sky, centre and growth of a star's light, against what was drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.analyses.aperture import Sky, centroid, encircled_energy, local_sky, radii_of_energy
from rapid.analyses.profiles import Profile
from rapid.analyses.star import Cutout
from tests.support.studies import Star

SIZE = 97


def drawn(
    star: Star, *, sky: float = 300.0, noise: float = 0.0, usable: np.ndarray | None = None, seed: int = 1
) -> Cutout:
    rows, columns = np.indices((SIZE, SIZE)).astype(np.float64)
    pixels = sky + star.light(columns, rows)
    pixels += noise * np.random.default_rng(seed).standard_normal(pixels.shape)
    whole = np.ones((SIZE, SIZE), np.bool_)
    return Cutout(pixels, whole if usable is None else usable, np.zeros((SIZE, SIZE), np.uint16), 0, 0, SIZE // 2)


SKY = Sky(300.0, 0.1, 5.0, 1000)


@settings(deadline=None, max_examples=30)
@given(st.floats(-3, 3), st.floats(-3, 3), st.sampled_from([3.0, 8.0, 14.0]), st.sampled_from([2.5, 3.5, math.inf]))
def test_shifting_the_star_shifts_the_centroid(dx: float, dy: float, fwhm: float, beta: float) -> None:
    cutout = drawn(Star(48 + dx, 48 + dy, 1e6, fwhm, beta))
    x, y = centroid(cutout, SKY, x=48.0, y=48.0, sigma=max(fwhm, 6.0) / 2.3548)
    assert (x, y) == pytest.approx((48 + dx, 48 + dy), abs=0.01)


def test_the_centroid_is_as_good_as_the_photons() -> None:
    star = Star(48.3, 47.8, 2e4, 8.0)
    found = [centroid(drawn(star, noise=20.0, seed=seed), SKY, x=48.0, y=48.0, sigma=3.4) for seed in range(30)]
    error = np.array(found) - (48.3, 47.8)
    assert np.abs(error.mean(axis=0)).max() < 0.05
    assert error.std(axis=0).max() < 0.2


@pytest.mark.parametrize("hole", ["core", "column", "side"])
def test_masked_pixels_do_not_push_the_centroid(hole: str) -> None:
    rows, columns = np.indices((SIZE, SIZE))
    lost = {
        "core": np.hypot(columns - 49.2, rows - 47.7) < 5,
        "column": (columns >= 50) & (columns < 53),
        "side": columns < 46,
    }[hole]
    cutout = drawn(Star(48.4, 47.7, 1e6, 8.0, 3.0), usable=~lost)
    garbage = np.where(lost, 1e6, cutout.pixels)
    cutout = Cutout(garbage, cutout.usable, cutout.mask, 0, 0, SIZE // 2)
    assert centroid(cutout, SKY, x=48.0, y=48.0, sigma=4.0) == pytest.approx((48.4, 47.7), abs=0.02)


@pytest.mark.parametrize("level", [0.0, -50.0])
def test_the_centroid_stays_where_there_is_no_light(level: float) -> None:
    cutout = drawn(Star(48, 48, level * 100, 8.0))
    assert centroid(cutout, SKY, x=47.5, y=48.5, sigma=3.4) == (47.5, 48.5)


def test_the_centroid_does_not_run_away_to_a_brighter_star() -> None:
    cutout = drawn(Star(80, 48, 1e8, 14.0))
    assert centroid(cutout, SKY, x=40.0, y=48.0, sigma=3.0) == (40.0, 48.0)


def test_the_sky_around_a_star() -> None:
    sky = local_sky(drawn(Star(48, 48, 1e6, 8.0), noise=12.0), 48.0, 48.0)
    assert sky is not None
    assert abs(sky.level - 300.0) < 4 * sky.error
    assert sky.noise == pytest.approx(12.0, rel=0.05)
    assert sky.error == pytest.approx(math.sqrt(math.pi / 2) * 12.0 / math.sqrt(sky.n), rel=0.1)


def test_the_sky_of_a_flat_image_has_no_noise() -> None:
    sky = local_sky(drawn(Star(48, 48, 0.0, 8.0)), 48.0, 48.0)
    assert sky is not None
    assert (sky.level, sky.noise) == (300.0, 0.0)


def test_too_few_pixels_have_no_sky() -> None:
    assert local_sky(drawn(Star(48, 48), usable=np.zeros((SIZE, SIZE), np.bool_)), 48.0, 48.0) is None


@pytest.mark.parametrize(("fwhm", "modelled"), [(2.0, True), (4.0, True), (8.0, True), (8.0, False)])
def test_the_encircled_energy_of_a_gaussian(fwhm: float, modelled: bool) -> None:
    star = Star(48.37, 47.81, 1e6, fwhm)
    profile = Profile(star.amplitude, 300.0, fwhm, 0.0, math.inf, 1.0) if modelled else None
    radii, growth = encircled_energy(drawn(star), 300.0, x=48.37, y=47.81, reach=40.0, profile=profile)
    assert growth[-1] == pytest.approx(1e6, rel=2e-3)
    expected = [star.energy_radius(fraction) for fraction in (0.5, 0.8, 0.9)]
    assert radii_of_energy(radii, growth, (0.5, 0.8, 0.9)) == pytest.approx(expected, rel=0.01)


def test_the_light_missing_from_a_profile_is_still_counted() -> None:
    star = Star(48.0, 48.0, 1e6, 8.0, 3.0)
    wrong = Profile(0.7 * star.amplitude, 300.0, 9.0, 0.0, 4.0, 1.0)
    without = encircled_energy(drawn(star), 300.0, x=48.0, y=48.0, reach=40.0)[1]
    with_it = encircled_energy(drawn(star), 300.0, x=48.0, y=48.0, reach=40.0, profile=wrong)[1]
    np.testing.assert_allclose(with_it, without, atol=0.012e6)
    assert with_it[-1] == pytest.approx(without[-1], rel=1e-3)


def test_the_encircled_energy_of_a_moffat_star_within_a_radius() -> None:
    star = Star(48.0, 48.0, 1e6, 6.0, 3.5)
    radii, growth = encircled_energy(drawn(star), 300.0, x=48.0, y=48.0, reach=36.0)
    within = 1 - (1 + radii**2 / star.alpha**2) ** (1 - star.beta)
    np.testing.assert_allclose(growth[2:] / 1e6, within[2:], rtol=0.015, atol=0.002)


@pytest.mark.parametrize("hole", ["column", "half"])
def test_masked_pixels_and_edges_take_no_energy_away(hole: str) -> None:
    usable = np.ones((SIZE, SIZE), np.bool_)
    if hole == "column":
        usable[:, 50:53] = False
    else:
        usable[:, :47] = False
    star = Star(48.0, 48.0, 1e6, 8.0)
    radii, growth = encircled_energy(drawn(star, usable=usable), 300.0, x=48.0, y=48.0, reach=40.0)
    assert growth[-1] == pytest.approx(1e6, rel=0.01)
    assert radii_of_energy(radii, growth, (0.5,)) == pytest.approx([star.energy_radius(0.5)], rel=0.01)


def test_the_sky_is_taken_off_before_light_is_summed_up() -> None:
    star = Star(48.0, 48.0, 1e6, 8.0)
    low = encircled_energy(drawn(star, sky=0.0), 0.0, x=48.0, y=48.0, reach=40.0)[1]
    high = encircled_energy(drawn(star, sky=5000.0), 5000.0, x=48.0, y=48.0, reach=40.0)[1]
    np.testing.assert_allclose(low, high, rtol=1e-6, atol=0.1)


def test_no_light_has_no_radius() -> None:
    assert all(
        math.isnan(radius) for radius in radii_of_energy(np.arange(3.0), np.array([0.0, -1.0, -2.0]), (0.5, 0.8))
    )
