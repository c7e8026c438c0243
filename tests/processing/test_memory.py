"""Asking for memory changes nothing, wherever it is."""

from __future__ import annotations

import numpy as np
import pytest

from rapid.processing.memory import prefetch_line, prefetch_row, prefetch_square


@pytest.mark.parametrize(("row", "first", "stop"), [(0, 0, 40), (29, 0, 40), (-9, -100, 60), (10**6, 0, 40), (3, 5, 5)])
def test_asking_for_any_place_does_no_harm(row: int, first: int, stop: int) -> None:
    image = np.arange(1200, dtype=np.float32).reshape(30, 40)
    kept = image.copy()
    prefetch_row(image, row, first, stop)
    prefetch_row(image[5:, 3:20], row, first, stop)
    prefetch_line(image.ravel(), first + 40 * row, stop + 40 * row)
    assert np.array_equal(image, kept)


@pytest.mark.parametrize(
    ("x", "y"), [(3.0, 4.0), (-39.0, -2.0), (39.5, 29.5), (1e300, 5.0), (np.nan, 5.0), (5.0, -np.inf)]
)
@pytest.mark.parametrize("reach", [0.0, 12.0, 1e9, np.nan])
def test_asking_for_any_square_does_no_harm(x: float, y: float, reach: float) -> None:
    image = np.arange(1200, dtype=np.float32).reshape(30, 40)
    kept = image.copy()
    prefetch_square(image, x, y, reach)
    assert np.array_equal(image, kept)
