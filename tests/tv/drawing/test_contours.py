"""Level lines are where the level is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rapid.tv.drawing.contours import level_lines


def test_the_level_line_of_a_cone_is_a_circle() -> None:
    rows, columns = np.indices((41, 51)).astype(np.float64)
    distance = np.hypot(columns - 24.3, rows - 19.8)
    lines = level_lines(-distance, -12.5)
    np.testing.assert_allclose(np.hypot(lines[..., 0] - 24.3, lines[..., 1] - 19.8), 12.5, atol=0.02)
    length = np.hypot(*(lines[:, 1] - lines[:, 0]).T).sum()
    assert length == pytest.approx(2 * np.pi * 12.5, rel=0.002)


def test_the_level_line_of_a_slope_is_straight() -> None:
    values = np.tile(np.arange(6.0), (4, 1))
    lines = level_lines(values, 2.25)
    np.testing.assert_allclose(lines[..., 0], 2.25)
    assert sorted(lines[..., 1].ravel().tolist()) == [0, 1, 1, 2, 2, 3]


@given(arrays(np.float64, (6, 7), elements=st.integers(-3, 3).map(float)), st.sampled_from([-1.5, 0.5, 2.5]))
def test_level_lines_close_or_end_at_the_border(values: np.ndarray, level: float) -> None:
    ends = np.round(level_lines(values, level).reshape(-1, 2), 9)
    places, counts = np.unique(ends, axis=0, return_counts=True)
    inner = (places[:, 0] > 0) & (places[:, 0] < 6) & (places[:, 1] > 0) & (places[:, 1] < 5)
    assert set(counts[inner]) <= {2}
    assert set(counts[~inner]) <= {1}


@pytest.mark.parametrize("middle", [0.0, 1.0])
def test_a_saddle_is_cut_by_its_middle(middle: float) -> None:
    values = np.array([[1.0, 0.0], [0.0, 1.0]]) + 0.2 * (middle - 0.5)
    lines = level_lines(values, 0.5)
    assert len(lines) == 2
    across = np.sign(lines[:, 1, 0] - lines[:, 0, 0]) * np.sign(lines[:, 1, 1] - lines[:, 0, 1])
    assert set(across) == ({1.0} if middle else {-1.0})


def test_holes_and_flat_maps_have_no_lines() -> None:
    values = np.arange(25.0).reshape(5, 5)
    values[2, 2] = np.nan
    lines = level_lines(values, 12.5)
    inside = (lines[..., 0] > 1) & (lines[..., 0] < 3) & (lines[..., 1] > 1) & (lines[..., 1] < 3)
    assert not inside.any()
    assert len(level_lines(np.ones((4, 4)), 1.0)) == 0
    assert len(level_lines(np.ones((1, 9)), 0.5)) == 0
