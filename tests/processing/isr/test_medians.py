"""Medians of an overscan are those of numpy, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.isr.medians import column_medians, row_medians


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 140), st.integers(0, 2**31))
def test_columns_have_their_median(ny: int, nx: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    overscan, levels = chance.integers(0, 300, (ny, nx)).astype(np.int32), chance.normal(0, 3, ny)
    assert np.array_equal(column_medians(overscan, levels), np.median(overscan - levels[:, None], axis=0))


def test_columns_of_a_part_of_a_segment_have_their_median() -> None:
    segment = np.random.default_rng(1).integers(0, 2**18, (60, 600)).astype(np.int32)
    part, levels = segment[7:, 3:515], np.linspace(0, 9, 53)
    assert np.array_equal(column_medians(part, levels), np.median(part - levels[:, None], axis=0))


@pytest.mark.parametrize(
    ("row", "median"),
    [([5], 5.0), ([3, 3, 3], 3.0), ([1, 2, 3], 2.0), ([4, 2], 2.5), ([7, 7, 7, 8], 6.5 + 2 / 3), ([2, 2, 9], 2.25)],
)
def test_rows_have_the_median_of_grouped_data(row: list[int], median: float) -> None:
    """Half of the values lie below it when those of one count are spread evenly over it."""
    found = np.empty(1)
    row_medians(np.array([row], np.int32), found)
    assert found[0] == pytest.approx(median)
