"""What is above a limit is brought together with its neighbours, whatever its shape, and put in order by islands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, label

from rapid.processing.detection.matched import gaussian_kernel, matched_filter
from rapid.processing.detection.samples import Samples, count_above, samples_above
from rapid.processing.detection.squares import Squares

EIGHT = np.ones((3, 3), np.bool_)


def field(seed: int, shape: tuple[int, int], share: float) -> tuple[Squares, np.ndarray]:
    """Return light of chance, in whole numbers so that many are equal, and which of it is above 0 and not hidden."""
    chance = np.random.default_rng(seed)
    light = np.where(chance.uniform(size=shape) < share, chance.integers(1, 6, shape), -1).astype(np.float32)
    hidden, full = chance.uniform(size=shape) < 0.05, chance.uniform(size=shape) < 0.05
    return Squares(light, hidden, full, 1), (light > 0) & ~hidden


def gathered(squares: Squares, kernel: np.ndarray | None = None) -> Samples:
    return samples_above(squares, squares.light, kernel, 0.0)


shapes = st.tuples(st.integers(1, 14), st.integers(1, 14))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), shape=shapes, share=st.floats(0, 1))
def test_all_that_is_above_the_limit_is_there_as_it_is(seed: int, shape: tuple[int, int], share: float) -> None:
    squares, above = field(seed, shape, share)
    found = gathered(squares)
    y, x = np.nonzero(above)
    np.testing.assert_array_equal(found.place, y * found.pitch + x)
    np.testing.assert_array_equal(found.filtered, squares.light[above])
    np.testing.assert_array_equal(found.light, squares.light[above])
    np.testing.assert_array_equal(found.full, squares.full[above])
    beyond = np.pad(squares.hidden, 1, constant_values=True)
    np.testing.assert_array_equal(found.cut, binary_dilation(beyond, EIGHT)[1:-1, 1:-1][above])
    assert count_above(squares.light, squares.hidden, 0.0) == above.sum()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), shape=shapes, share=st.floats(0, 1))
def test_order_goes_by_islands_and_down_in_each(seed: int, shape: tuple[int, int], share: float) -> None:
    squares, above = field(seed, shape, share)
    found = gathered(squares)
    island = label(above, EIGHT)[0][above]
    wanted = np.lexsort((found.place, -found.sharp, island))
    np.testing.assert_array_equal(found.order, wanted)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), shape=shapes, share=st.floats(0, 1))
def test_rows_above_and_below_begin_where_they_say(seed: int, shape: tuple[int, int], share: float) -> None:
    found = gathered(field(seed, shape, share)[0])
    y, x = np.divmod(found.place, found.pitch)
    for i in range(len(found.place)):
        for first, row in ((found.below[i], y[i] - 1), (found.above[i], y[i] + 1)):
            beside = np.flatnonzero((y == row) & (np.abs(x - x[i]) <= 1))
            if beside.size:
                assert first == beside[0]
            else:
                assert first == len(x) or y[first] != row or x[first] > x[i] + 1


@pytest.mark.parametrize("sigma", [0.3, 0.9, 2.0])
def test_sharper_light_is_that_of_the_filter(sigma: float) -> None:
    squares, above = field(3, (40, 50), 0.4)
    kernel = gaussian_kernel(sigma)
    np.testing.assert_allclose(
        gathered(squares, kernel).sharp, matched_filter(squares.light, kernel)[above], rtol=1e-5, atol=1e-5
    )


def test_large_islands_are_in_order_as_well() -> None:
    light = np.random.default_rng(1).uniform(1, 2, (50, 60)).astype(np.float32)
    none = np.zeros(light.shape, np.bool_)
    found = gathered(Squares(light, none, none, 1))
    assert (np.diff(found.sharp[found.order]) <= 0).all()
    assert np.array_equal(np.sort(found.order), np.arange(light.size))
