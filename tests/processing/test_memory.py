"""Asking for memory changes nothing, wherever it is."""

from __future__ import annotations

import numpy as np
import pytest

from rapid.processing.memory import prefetch_line, prefetch_row


@pytest.mark.parametrize(("row", "first", "stop"), [(0, 0, 40), (29, 0, 40), (-9, -100, 60), (10**6, 0, 40), (3, 5, 5)])
def test_asking_for_any_place_does_no_harm(row: int, first: int, stop: int) -> None:
    image = np.arange(1200, dtype=np.float32).reshape(30, 40)
    kept = image.copy()
    prefetch_row(image, row, first, stop)
    prefetch_row(image[5:, 3:20], row, first, stop)
    prefetch_line(image.ravel(), first + 40 * row, stop + 40 * row)
    assert np.array_equal(image, kept)
