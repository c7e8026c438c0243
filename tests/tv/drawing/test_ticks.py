"""Round numbers along an axis."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.tv.drawing.ticks import nice_ticks, tick_labels


@pytest.mark.parametrize(
    ("low", "high", "ticks", "labels"),
    [
        (0.0, 10.0, [0, 2, 4, 6, 8, 10], ["0", "2", "4", "6", "8", "10"]),
        (-0.13, 0.31, [-0.1, 0.0, 0.1, 0.2, 0.3], ["-0.1", "0", "0.1", "0.2", "0.3"]),
        (900.0, 16_000.0, [5000, 10_000, 15_000], ["5k", "10k", "15k"]),
        (0.0, 3e6, [0, 1e6, 2e6, 3e6], ["0", "1M", "2M", "3M"]),
        (0.0, 9000.0, [0, 2000, 4000, 6000, 8000], ["0", "2000", "4000", "6000", "8000"]),
        (0.0, 3e-7, [0, 1e-7, 2e-7, 3e-7], ["0", "1e-7", "2e-7", "3e-7"]),
        (11_000.0, 12_600.0, [11_000, 11_500, 12_000, 12_500], ["11.0k", "11.5k", "12.0k", "12.5k"]),
    ],
)
def test_ticks_and_labels(low: float, high: float, ticks: list[float], labels: list[str]) -> None:
    found = nice_ticks(low, high, 5)
    assert found == pytest.approx(ticks, abs=1e-12)
    assert tick_labels(found) == labels


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 12))
def test_ticks_are_inside_even_and_told_apart(low: float, span: float, target: int) -> None:
    ticks = nice_ticks(low, low + span, target)
    assert all(low - 1e-6 * span <= tick <= low + span + 1e-6 * span for tick in ticks)
    if span > 1e-6 * abs(low):
        assert max(2, 0.4 * target) <= len(ticks) <= 2 * target + 2
        assert len(set(tick_labels(ticks))) == len(ticks)


@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.inf), (1e20, 1e20 + 1e5)]
)
def test_an_empty_range_has_no_ticks(low: float, high: float) -> None:
    assert nice_ticks(low, high) == []
    assert tick_labels([]) == []


def test_a_single_tick_is_written() -> None:
    assert tick_labels([0.0]) == ["0"]
    assert tick_labels([2.5e16]) == ["2.5e16"]
    assert tick_labels([40.0]) == ["40"]
