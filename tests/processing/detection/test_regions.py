"""Regions are cut where two peaks stand out of the saddle between them, whichever way the image is turned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.detection.matched import gaussian_kernel, matched_filter, noise_factor
from rapid.processing.detection.regions import Regions, regions_above
from rapid.processing.detection.squares import Squares, sky_free_squares

SHAPE = (60, 80)


def squares_of(light: np.ndarray, hidden: np.ndarray | None = None, full: np.ndarray | None = None) -> Squares:
    none = np.zeros(light.shape, np.bool_)
    return Squares(light.astype(np.float32), none if hidden is None else hidden, none if full is None else full, 1)


def cut(light: np.ndarray, *, stands_out: float = 1.0, contrast: float = 0.0, **planes: np.ndarray) -> Regions:
    squares = squares_of(light, **planes)
    return regions_above(squares, squares.light, limit=5.0, stands_out=stands_out, contrast=contrast, photon_factor=0.0)


def blob(x: float, y: float, height: float, sigma: float = 3.0) -> np.ndarray:
    v, u = np.indices(SHAPE)
    return height * np.exp(-0.5 * ((u - x) ** 2 + (v - y) ** 2) / sigma**2)


def test_one_star_has_its_place_light_and_size() -> None:
    light = blob(30.3, 25.6, 1000)
    found = cut(light)
    assert len(found) == 1
    assert (found.x[0], found.y[0]) == pytest.approx((30.3, 25.6), abs=0.05)
    assert found.flux[0] == pytest.approx(light[light > 5].sum(), rel=1e-5)
    assert found.area[0] == (light > 5).sum()
    assert (found.xx[0], found.yy[0], found.xy[0]) == pytest.approx((9, 9, 0), abs=0.4)
    assert (found.peak_x[0], found.peak_y[0]) == (30, 26)
    assert not found.blended[0]
    assert not found.saturated[0]
    assert not found.cut[0]


def test_a_pair_is_cut_at_its_saddle_and_said_to_be_one() -> None:
    light = blob(25, 30, 1000) + blob(40, 30, 300)
    found = cut(light)
    assert sorted(np.round(found.x)) == [25, 40]
    assert found.blended.all()
    assert found.flux.sum() == pytest.approx(light[light > 5].sum(), rel=1e-5)


@pytest.mark.parametrize(("stands_out", "contrast"), [(290.0, 0.0), (1.0, 10.0)])
def test_a_peak_that_does_not_stand_out_is_part_of_the_other(stands_out: float, contrast: float) -> None:
    found = cut(blob(25, 30, 1000) + blob(40, 30, 300), stands_out=stands_out, contrast=contrast)
    assert len(found) == 1
    assert round(found.peak_x[0]) == 25
    assert not found.blended[0]


def test_full_pixels_are_one_source_however_they_rise_and_fall() -> None:
    light = blob(25, 30, 1000) + blob(34, 30, 900)
    assert len(cut(light)) == 2
    found = cut(light, full=light > 100)
    assert len(found) == 1
    assert found.saturated[0]


def test_what_is_hidden_is_no_source_and_cuts_those_beside_it() -> None:
    light, hidden = blob(25, 30, 1000), np.zeros(SHAPE, np.bool_)
    hidden[:, 25:] = True
    found = cut(light, hidden=hidden)
    assert found.cut.all()
    assert found.box[:, 1].max() == 24
    assert cut(blob(1, 30, 1000)).cut.all()


def test_nothing_is_nothing() -> None:
    assert len(cut(np.zeros(SHAPE))) == 0


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    turn=st.sampled_from(["left-right", "up-down", "transposed"]),
    factor=st.sampled_from([0.5, 1.0, 4.0]),
)
def test_turning_and_scaling_change_nothing_else(seed: int, turn: str, factor: float) -> None:
    chance = np.random.default_rng(seed)
    light = chance.normal(0, 1, SHAPE)
    for _ in range(8):
        light += blob(chance.uniform(0, 79), chance.uniform(0, 59), chance.uniform(10, 200))
    turned = {"left-right": light[:, ::-1], "up-down": light[::-1], "transposed": light.T}[turn]
    plain, other = cut(light, stands_out=4.0), scaled(np.ascontiguousarray(turned), factor)
    assert len(plain) == len(other)
    assert np.sort(other.flux) == pytest.approx(factor * np.sort(plain.flux), rel=1e-4, abs=1e-3 * factor)
    assert np.sort(other.area).tolist() == np.sort(plain.area).tolist()
    x, y = (other.x, other.y) if turn != "transposed" else (other.y, other.x)
    x = SHAPE[1] - 1 - x if turn == "left-right" else x
    y = SHAPE[0] - 1 - y if turn == "up-down" else y
    key, mine = np.lexsort((y, x)), np.lexsort((plain.y, plain.x))
    assert x[key] == pytest.approx(plain.x[mine], abs=1e-3)
    assert y[key] == pytest.approx(plain.y[mine], abs=1e-3)


def scaled(light: np.ndarray, factor: float) -> Regions:
    squares = squares_of(light * factor)
    return regions_above(
        squares, squares.light, limit=5 * factor, stands_out=4 * factor, contrast=0.0, photon_factor=0.0
    )


@settings(max_examples=20, deadline=None)
@given(side=st.integers(1, 7), seed=st.integers(0, 100), height=st.integers(20, 60), width=st.integers(20, 70))
def test_squares_are_sums_above_the_sky(side: int, seed: int, height: int, width: int) -> None:
    chance = np.random.default_rng(seed)
    image = chance.normal(0, 1, (height, width)).astype(np.float32)
    mask = np.where(chance.uniform(size=image.shape) < 0.02, 1, 0).astype(np.uint16)
    mask[chance.uniform(size=image.shape) < 0.02] |= 2
    image[3, 5] = np.nan
    found = sky_free_squares(image, mask, np.full((2, 3), 7.0, np.float32), side, hide=1, saturated=2)
    ny, nx = height // side, width // side

    def part(a: np.ndarray) -> np.ndarray:
        return a[: ny * side, : nx * side].reshape(ny, side, nx, side)

    hidden = part((mask & 1) > 0).any(axis=(1, 3)) | np.isnan(part(image)).any(axis=(1, 3))
    np.testing.assert_array_equal(found.hidden, hidden)
    np.testing.assert_array_equal(found.full, part((mask & 2) > 0).any(axis=(1, 3)))
    wanted = np.where(hidden, 0, part(image).sum(axis=(1, 3)) - 7.0 * side**2)
    np.testing.assert_allclose(found.light, wanted, atol=1e-3)


def test_the_filter_has_the_noise_it_says_and_keeps_the_light() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (600, 600)).astype(np.float32)
    for sigma in (0.3, 0.8, 1.7):
        kernel = gaussian_kernel(sigma)
        assert matched_filter(noise, kernel)[20:-20, 20:-20].std() == pytest.approx(noise_factor(kernel), rel=0.02)
        point = np.zeros((41, 41), np.float32)
        point[20, 20] = 1
        assert matched_filter(point, kernel).sum() == pytest.approx(1, rel=1e-5)
