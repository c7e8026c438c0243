"""The observatory's clipped statistics, against a plain computation of their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calib_verify.measurements.clipping import lsst_statistics, plain_moments


def by_definition(values: NDArray[np.float32], clip: float, passes: int) -> tuple[float, ...]:
    """Return n, mean, stdev, median, iqr, mean_clipped, stdev_clipped, n_clipped."""
    kept = values[np.isfinite(values)].astype(np.float64)
    low, middle, high = np.percentile(kept, [25, 50, 75])
    centre, half, inside = middle, clip * 0.741301109252802 * (high - low), kept
    for _ in range(passes):
        inside = kept[np.abs(kept - centre) <= half]
        centre = inside.mean() if inside.size else math.nan
        half = clip * (inside.std(ddof=1) if inside.size > 1 else math.nan)
    spread = inside.std(ddof=1) if inside.size > 1 else math.nan
    plain = kept.std(ddof=1) if kept.size > 1 else math.nan
    return kept.size, kept.mean(), plain, middle, high - low, centre, spread, kept.size - inside.size


def found(image: NDArray[np.float32], clip: float = 5.0, passes: int = 3) -> tuple[float, ...]:
    s = lsst_statistics(image, clip=clip, passes=passes)
    return s.n, s.mean, s.stdev, s.median, s.iqr, s.mean_clipped, s.stdev_clipped, s.n_clipped


@pytest.mark.parametrize(("level", "noise"), [(0.0, 8.4), (29_000.0, 170.0), (-3.0, 0.01), (0.0, 0.0), (1e-30, 1e-32)])
def test_they_are_those_of_the_definition(level: float, noise: float) -> None:
    chance = np.random.default_rng(3)
    image = chance.normal(level, noise, (301, 257)).astype(np.float32)
    image[3, :40] += np.float32(100 * noise)
    image[7, 5], image[8, 6], image[9, 7] = np.nan, np.inf, -np.inf
    np.testing.assert_allclose(found(image), by_definition(image, 5.0, 3), rtol=1e-9, atol=1e-9 * noise)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32) | st.just(math.nan), min_size=1, max_size=60),
    st.floats(1.0, 6.0),
    st.integers(1, 4),
)
def test_of_any_few_values(values: list[float], clip: float, passes: int) -> None:
    image = np.array(values, np.float32).reshape(1, -1)
    if not np.isfinite(image).any():
        assert lsst_statistics(image).n == 0
        return
    expected = by_definition(image.ravel(), clip, passes)
    result = found(image, clip, passes)
    np.testing.assert_allclose(result[:5], expected[:5], rtol=1e-6, atol=1e-6)
    if not at_the_limit(image.ravel(), clip, passes):
        rounding = 1e-6 + 1e-7 * np.nanmax(np.abs(image))  # of the largest value, as it is stored
        np.testing.assert_allclose(result[5:], expected[5:], rtol=1e-6, atol=rounding)


def at_the_limit(values: NDArray[np.float32], clip: float, passes: int) -> bool:
    """Tell whether rounding decides about some value in some pass."""
    kept = values[np.isfinite(values)].astype(np.float64)
    close = 1e-6 * np.abs(kept).max()
    low, centre, high = np.percentile(kept, [25, 50, 75])
    half = clip * 0.741301109252802 * (high - low)
    for _ in range(passes):
        beyond = np.abs(kept - centre) - half
        if (np.abs(beyond) <= close).any():
            return True
        inside = kept[beyond < 0]
        if inside.size < 2:
            return False
        centre, half = inside.mean(), clip * inside.std(ddof=1)
    return False


def test_masked_pixels_do_not_count() -> None:
    chance = np.random.default_rng(4)
    image = chance.normal(5.0, 2.0, (50, 60)).astype(np.float32)
    mask = chance.integers(0, 8, image.shape).astype(np.uint16)
    kept = image[(mask & 5) == 0]
    s = lsst_statistics(image, mask, 5)
    assert s.n == kept.size
    assert s.median == pytest.approx(np.median(kept.astype(np.float64)), rel=1e-12)
    assert s.mean == pytest.approx(kept.mean(dtype=np.float64), rel=1e-12)
    n, mean, spread = plain_moments(image, mask, 5)
    assert (n, mean) == (kept.size, pytest.approx(s.mean, rel=1e-12))
    assert spread == pytest.approx(kept.std(dtype=np.float64, ddof=1), rel=1e-12)


def test_a_part_of_an_image_needs_no_copy() -> None:
    image = np.random.default_rng(5).normal(0, 1, (90, 80)).astype(np.float32)
    part = image[11:61, 7:66]
    assert lsst_statistics(part) == lsst_statistics(part.copy())


def test_without_pixels_there_are_no_numbers() -> None:
    s = lsst_statistics(np.full((4, 5), np.nan, np.float32))
    assert s.n == 0
    assert math.isnan(s.mean)
    assert math.isnan(s.stdev_clipped)
