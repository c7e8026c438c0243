"""Level and scatter of the bulk of some values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.geometry import Box
from rapid.processing.statistics import box_statistics, clipped, half_sample_mode

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, shift=st.floats(-1e5, 1e5), scale=st.floats(1e-3, 1e3), dirty=st.floats(0, 0.05))
def test_they_move_and_scale_with_the_values(seed: int, shift: float, scale: float, dirty: float) -> None:
    chance = np.random.default_rng(seed)
    values = chance.normal(0, 1, 20_000)
    values[chance.uniform(size=values.size) < dirty] += 50
    first, second = clipped(values), clipped(values * scale + shift)
    near = 1e-3 * scale + 1e-9 * abs(shift)
    assert second.median == pytest.approx(first.median * scale + shift, abs=near)
    assert second.mean == pytest.approx(first.mean * scale + shift, abs=near)
    assert second.sigma == pytest.approx(first.sigma * scale, rel=2e-3)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_they_do_not_depend_on_the_order(seed: int) -> None:
    chance = np.random.default_rng(seed)
    values = chance.normal(1000, 7, 1000)
    assert clipped(values) == clipped(chance.permutation(values))


def test_gaussian_values_give_their_parameters() -> None:
    values = np.random.default_rng(1).normal(1000, 30, (2000, 1000)).astype(np.float32)
    found = clipped(values)
    assert found.median == pytest.approx(1000, abs=4 * 1.2533 * 30 / math.sqrt(2e6))
    assert found.mean == pytest.approx(1000, abs=4 * 30 / math.sqrt(2e6))
    assert found.sigma == pytest.approx(30, rel=4 / math.sqrt(4e6) + 2e-4)
    assert found.n > 0.9999 * values.size


@pytest.mark.parametrize("dirt", [1e6, -1e6, math.nan, math.inf])
def test_a_tenth_of_dirt_changes_little(dirt: float) -> None:
    chance = np.random.default_rng(2)
    values = chance.normal(100, 5, 200_000)
    values[chance.uniform(size=values.size) < 0.1] = dirt
    found = clipped(values)
    assert found.median == pytest.approx(100, abs=0.1)
    assert found.sigma == pytest.approx(5, rel=0.01)


def test_whole_numbers_narrower_than_their_step_keep_their_scatter() -> None:
    values = np.round(np.random.default_rng(3).normal(20, 0.3, 100_000)).astype(np.int32)
    assert clipped(values).sigma == pytest.approx(values.std(), rel=0.02)


def test_values_all_alike_have_no_scatter() -> None:
    found = clipped(np.full((5, 7), 3.0, np.float32))
    assert (found.mean, found.median, found.sigma, found.n) == (3.0, 3.0, 0.0, 35)


@pytest.mark.parametrize("values", [np.zeros(0), np.full(9, math.nan)])
def test_nothing_gives_nan(values: np.ndarray) -> None:
    found = clipped(values)
    assert math.isnan(found.median)
    assert math.isnan(found.sigma)
    assert found.n == 0


def test_a_box_is_plain_mean_and_population_deviation() -> None:
    pixels = np.arange(200, dtype=np.int32).reshape(10, 20) ** 2
    part = pixels[2:6, 3:13].astype(float)
    found = box_statistics(pixels, Box(3, 2, 10, 4))
    assert (found.mean, found.std, found.n) == (pytest.approx(part.mean()), pytest.approx(part.std(ddof=0)), 40)
    assert math.isnan(box_statistics(pixels, Box(30, 0, 5, 5)).mean)


def test_the_mode_is_where_values_crowd() -> None:
    chance = np.random.default_rng(5)
    values = np.concatenate([chance.normal(2, 0.01, 80), chance.uniform(0, 10, 120)])
    assert half_sample_mode(values) == pytest.approx(2, abs=0.05)
    assert half_sample_mode(np.array([4.0])) == 4.0
    assert half_sample_mode(np.array([1.0, 5.0, 5.5])) == 5.25
    assert math.isnan(half_sample_mode(np.zeros(0)))


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_the_mode_is_among_the_values(values: list[float]) -> None:
    assert min(values) <= half_sample_mode(np.array(values)) <= max(values)
