"""The sky is found under stars, gradients and holes, with errors that are true."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.background import background_of, subtract_background
from tests.support.frames import Field, draw

SHAPE = (1500, 1300)


def empty(level: float, noise: float, seed: int = 1, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).normal(level, noise, shape).astype(np.float32)


def none(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.zeros(shape, np.bool_)


def test_an_empty_field_gives_level_and_noise_within_their_errors() -> None:
    pulls = []
    for seed in range(12):
        found = background_of(empty(300, 20, seed), none())
        chance = 1.2533 * 20 / math.sqrt(1500 * 1300)
        assert 0.99 * chance < found.level_error < 0.2
        pulls.append(((found.level - 300) / found.level_error, (found.noise / 20 - 1) / (found.noise_error / 20)))
    levels, noises = np.array(pulls).T
    assert np.abs(levels).max() < 6
    assert np.abs(noises).max() < 6


@pytest.mark.parametrize(("stars", "sky", "noise"), [(20, 0.002, 0.005), (100, 0.005, 0.02), (300, 0.02, 0.06)])
def test_stars_do_not_lift_the_sky(stars: int, sky: float, noise: float) -> None:
    light = draw(Field(stars=stars, sky=300, seed=stars), SHAPE).light
    chance = np.random.default_rng(3)
    image = (chance.poisson(light) + chance.normal(0, 9, SHAPE)).astype(np.float32)
    found = background_of(image, none())
    assert found.level == pytest.approx(300, rel=sky)
    assert found.noise == pytest.approx(math.hypot(math.sqrt(300), 9), rel=noise)


@pytest.mark.parametrize(("stars", "noise"), [(500, 0.06), (1000, 0.12)])
def test_in_a_crowded_field_the_errors_say_how_far_the_sky_is_off(stars: int, noise: float) -> None:
    shape = (2000, 2000)
    chance = np.random.default_rng(1)
    light = draw(Field(stars=stars, sky=50, fwhm=10, beta=3, seed=3), shape).light
    image = (chance.poisson(light) + chance.normal(0, 8, shape)).astype(np.float32)
    found = background_of(image, none(shape))
    assert found.noise == pytest.approx(math.sqrt(50 + 64), rel=noise)
    assert found.level == pytest.approx(50, rel=0.015)
    assert 0.4 < abs(found.level - 50) / found.level_error < 3


def test_a_gradient_is_no_noise_and_is_taken_off() -> None:
    y, x = np.indices(SHAPE)
    slope = (0.2 * x + 0.1 * y).astype(np.float32)
    image = empty(500, 10) + slope
    found = background_of(image, none())
    assert found.noise == pytest.approx(10, rel=0.03)
    rest = subtract_background(image, found)
    assert float(rest.mean()) == pytest.approx(0, abs=0.1)
    assert float(rest[:60, :60].mean()) == pytest.approx(0, abs=1)
    assert float(rest.std()) == pytest.approx(10, rel=0.01)


def test_bad_pixels_and_holes_do_not_count() -> None:
    image = empty(300, 20)
    bad = none()
    image[:, :400] = np.nan
    image[700:1300, 600:1000] = 1e6
    bad[700:1300, 600:1000] = True
    found = background_of(image, bad)
    assert found.level == pytest.approx(300, rel=0.002)
    assert found.noise == pytest.approx(20, rel=0.005)
    assert np.isfinite(found.mesh).all()
    assert np.abs(found.mesh - 300).max() < 3
    rest = subtract_background(image, found)
    assert (rest[:, :400] == 0).all()


def test_a_source_larger_than_a_box_is_no_sky() -> None:
    image = empty(300, 20)
    image[600:760, 600:760] += 5000
    found = background_of(image, none())
    assert found.level == pytest.approx(300, rel=0.002)
    assert subtract_background(image, found)[680, 600:760].mean() > 4500


def test_without_a_good_pixel_there_is_no_sky() -> None:
    found = background_of(np.full(SHAPE, np.nan, np.float32), none())
    assert math.isnan(found.level)
    assert math.isnan(found.noise)


@pytest.mark.parametrize("shape", [(60, 50), (128, 128), (200, 3000), (1, 1)])
def test_images_of_any_size_work(shape: tuple[int, int]) -> None:
    found = background_of(empty(10, 1, shape=shape), none(shape))
    assert found.level == pytest.approx(10, abs=4)
    assert subtract_background(np.full(shape, 10, np.float32), found).shape == shape


@settings(max_examples=15, deadline=None)
@given(shift=st.floats(-1e4, 1e4), scale=st.floats(0.01, 100), seed=st.integers(0, 2**32 - 1))
def test_it_moves_and_scales_with_the_image(shift: float, scale: float, seed: int) -> None:
    image = empty(0, 1, seed, (300, 300))
    first = background_of(image, none((300, 300)))
    second = background_of((image * scale + shift).astype(np.float32), none((300, 300)))
    near = 0.01 * scale + 1e-6 * abs(shift)
    assert second.level == pytest.approx(first.level * scale + shift, abs=near)
    assert second.noise == pytest.approx(first.noise * scale, rel=0.02, abs=1e-6 * abs(shift))


def test_noise_is_found_where_the_box_varies_a_hundred_times_more() -> None:
    """Bins that the spread of the box was good for are too coarse for its noise: they are made finer."""
    slope = np.arange(1024, dtype=np.float32)[:, None] * np.float32(300)
    image = np.random.default_rng(1).normal(0, 20, (1024, 1024)).astype(np.float32) + slope
    found = background_of(image, none(image.shape))
    assert found.noise == pytest.approx(20, rel=0.01)
