"""Bad pixels get the values that their neighbours suggest, and say so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.errors import InputError
from rapid.processing.isr.interpolation import interpolate


def plane(ny: int, nx: int, slope_y: float, slope_x: float) -> np.ndarray:
    y, x = np.mgrid[:ny, :nx]
    return (1000 + slope_y * y + slope_x * x).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), slope_y=st.floats(-10, 10), slope_x=st.floats(-10, 10), share=st.floats(0, 0.3))
def test_a_plane_is_reproduced(seed: int, slope_y: float, slope_x: float, share: float) -> None:
    truth = plane(40, 50, slope_y, slope_x)
    bad = np.random.default_rng(seed).uniform(size=truth.shape) < share
    bad[:2], bad[-2:], bad[:, :2], bad[:, -2:] = False, False, False, False
    image = np.where(bad, np.float32(1e9), truth)
    filled = interpolate(image, bad)
    assert (filled == bad).all()
    assert image == pytest.approx(truth, abs=1e-3)


def test_a_bad_column_is_bridged_the_short_way() -> None:
    """Bright stars above and below a dead column do not show in it."""
    y, x = np.mgrid[:120, :80]
    truth = (1000 + 5000 * np.exp(-0.5 * ((x - 40) ** 2 + (y - 30) ** 2) / 9)).astype(np.float32)
    bad = np.zeros(truth.shape, bool)
    bad[5:115, 40] = True
    image = truth.copy()
    image[bad] = np.nan
    interpolate(image, bad)
    # what a linear interpolation takes off the peak: across (weight 4), and along both diagonals (weight 1 each)
    off = 5000 * (4 * (1 - np.exp(-0.5 / 9)) + 2 * (1 - np.exp(-1 / 9))) / 6
    assert np.abs(image - truth).max() == pytest.approx(off, rel=0.02)
    assert np.abs(image - truth)[60:].max() < 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), turns=st.integers(0, 3), flip=st.booleans())
def test_it_does_not_matter_how_the_image_lies(seed: int, turns: int, flip: bool) -> None:
    chance = np.random.default_rng(seed)
    image = chance.normal(100, 10, (30, 30)).astype(np.float32)
    bad = chance.uniform(size=image.shape) < 0.2

    def lay(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(array[::-1] if flip else array, turns))

    turned, turned_bad = lay(image), lay(bad)
    interpolate(image, bad)
    interpolate(turned, turned_bad)
    assert turned == pytest.approx(lay(image), abs=1e-4)


def test_good_pixels_keep_their_value_and_noise_is_not_amplified() -> None:
    chance = np.random.default_rng(1)
    image = chance.normal(0, 1, (500, 500)).astype(np.float32)
    bad = chance.uniform(size=image.shape) < 0.01
    before = image.copy()
    interpolate(image, bad)
    assert (image[~bad] == before[~bad]).all()
    # isolated: two pairs at a gap of 2 and two at 2 sqrt 2, weights 4:1, each pair's mean has a variance of 1/2
    assert image[bad].std() == pytest.approx(np.sqrt(0.5 * (2 * 16 + 2 * 1) / 100), rel=0.05)


def test_numbers_that_are_none_are_bad_whatever_the_mask_says() -> None:
    image = plane(20, 20, 1, 2)
    image[5, 5], image[9, 9] = np.nan, np.inf
    filled = interpolate(image, np.zeros(image.shape, bool))
    assert np.argwhere(filled).tolist() == [[5, 5], [9, 9]]
    assert image == pytest.approx(plane(20, 20, 1, 2), abs=1e-3)


def test_out_of_reach_nothing_is_made_up() -> None:
    image = np.full((60, 60), np.nan, np.float32)
    image[:, :20] = 7
    bad = ~np.isfinite(image)
    filled = interpolate(image, bad, reach=5)
    assert filled[:, 20:25].all()
    assert not filled[:, 25:].any()
    assert (image[:, :25] == 7).all()
    assert np.isnan(image[:, 25:]).all()
    nothing = np.full((10, 10), np.nan, np.float32)
    assert not interpolate(nothing, np.ones((10, 10), bool)).any()
    assert np.isnan(nothing).all()


def test_what_cannot_be_filled_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(3, 4\).*\(4, 4\)"):
        interpolate(np.zeros((4, 4), np.float32), np.zeros((3, 4), bool))
    with pytest.raises(InputError, match="float64"):
        interpolate(np.zeros((4, 4)), np.zeros((4, 4), bool))


def test_a_blank_part_is_left_and_says_nothing_about_its_neighbours() -> None:
    image = np.random.default_rng(2).normal(100, 5, (80, 90)).astype(np.float32)
    bad, blank = np.zeros(image.shape, np.bool_), np.zeros(image.shape, np.bool_)
    blank[:, 60:] = True
    image[blank] = np.nan
    bad[:, 57:63] = bad[20, :] = True
    whole = image.copy()
    everywhere = interpolate(whole, bad)
    filled = interpolate(image, bad, blank=blank)
    assert np.isnan(image[blank]).all()
    assert not filled[blank].any()
    np.testing.assert_array_equal(filled[~blank], everywhere[~blank])
    np.testing.assert_array_equal(image[~blank], whole[~blank])


def test_a_blank_part_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="this image cannot be filled"):
        interpolate(np.zeros((4, 5), np.float32), np.zeros((4, 5), np.bool_), blank=np.zeros((5, 4), np.bool_))
