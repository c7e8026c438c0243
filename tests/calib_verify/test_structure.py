"""Steps of a level, correlations, corners and profiles: what is put in is found, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib_verify.measurements.bias_shift import find_bias_shifts
from calib_verify.measurements.correlations import correlations, largest
from calib_verify.measurements.cosmic_rays import _filled
from calib_verify.measurements.structure import profiles, read_corner_box, scatter
from rapid.processing.isr.interpolation import interpolate
from tests.calib_verify.frames import LATISS


def overscan(*, step: float = 0.0, row: int = 1000, rows: int = 0, slope: float = 0.0, seed: int = 1) -> np.ndarray:
    chance = np.random.default_rng(seed)
    levels = np.full(2048, 12_000.0) + slope * np.arange(2048)
    levels[row : row + rows if rows else None] += step
    return np.rint(levels[:, None] + chance.normal(0, 8, (2048, 64))).astype(np.int32)


@pytest.mark.parametrize("step", [-8.0, 6.0, 25.0])
@pytest.mark.parametrize("row", [200, 1000, 1900])
def test_a_step_of_the_level_is_found_where_it_is(step: float, row: int) -> None:
    found = find_bias_shifts(overscan(step=step, row=row))
    assert found.noise == pytest.approx(8 / np.sqrt(61), rel=0.2)
    assert len(found.shifts) == 1
    (shift,) = found.shifts
    assert abs(shift.row - row) <= 10
    assert abs(shift.height) == pytest.approx(abs(step), rel=0.35)
    assert shift.first <= shift.row <= shift.last


def test_a_step_and_its_return_are_two() -> None:
    found = find_bias_shifts(overscan(step=10.0, row=700, rows=300))
    assert [round(each.row, -2) for each in found.shifts] == [700, 1000]
    heights = [each.height for each in found.shifts]
    assert heights[0] * heights[1] < 0


@pytest.mark.parametrize("slope", [0.0, 0.02, -0.05])
def test_neither_noise_nor_slopes_are_steps(slope: float) -> None:
    assert not any(find_bias_shifts(overscan(slope=slope, seed=seed)).shifts for seed in range(5))


def test_an_overscan_without_noise_says_nothing() -> None:
    found = find_bias_shifts(np.full((2048, 64), 8000, np.int32))
    assert np.isnan(found.noise)
    assert not found.shifts
    assert np.isnan(find_bias_shifts(np.zeros((50, 64), np.int32)).noise)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 5), st.integers(2, 120), st.integers(2, 9), st.integers(0, 100))
def test_correlations_are_numpys(n: int, ny: int, nx: int, seed: int) -> None:
    parts = np.random.default_rng(seed).normal(1e4, 5, (n, ny, nx)).astype(np.float32)
    parts[1] += 0.5 * (parts[0] - np.float32(1e4))
    expected = np.corrcoef(parts.reshape(n, -1).astype(np.float64))
    found = correlations(list(parts))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert not found.flags.writeable
    upper = expected[np.triu_indices(n, 1)]
    assert abs(largest(found)) == pytest.approx(np.abs(upper).max(), abs=1e-9)


def test_a_constant_amplifier_goes_together_with_none() -> None:
    parts = [*np.random.default_rng(1).normal(0, 1, (2, 60, 50)), np.zeros((60, 50)), np.full((60, 50), np.nan)]
    found = correlations(parts)
    assert np.isnan(found[2:]).all()
    assert np.isfinite(found[:2, :2]).all()
    assert np.isnan(largest(found[2:, 2:]))


def test_profiles_leave_out_what_is_masked() -> None:
    chance = np.random.default_rng(2)
    image = chance.normal(3, 1, (40, 30)).astype(np.float32)
    mask = (chance.uniform(size=image.shape) < 0.2).astype(np.uint16)
    mask[7] = 1
    image[3, 4] = np.nan
    hidden = np.ma.masked_array(image.astype(np.float64), (mask != 0) | np.isnan(image))
    rows, columns = profiles(image, mask, 1)
    np.testing.assert_allclose(rows, hidden.mean(axis=1).filled(np.nan), rtol=1e-12)
    np.testing.assert_allclose(columns, hidden.mean(axis=0).filled(np.nan), rtol=1e-12)
    spread, error, n = scatter(rows)
    assert n == 39
    assert spread == pytest.approx(np.nanstd(rows, ddof=1))
    assert error == pytest.approx(spread / np.sqrt(76))
    assert np.isnan(scatter(np.full(5, np.nan))[0])


def test_the_corner_is_where_reading_begins() -> None:
    image = np.zeros(LATISS.shape, np.int32)
    for amplifier in LATISS.amplifiers:
        order = np.zeros((amplifier.data.height, amplifier.data.width), np.int32)
        order[:200, :200] = amplifier.hdu
        image[amplifier.bbox.slices] = order[amplifier.turn]
    for amplifier in LATISS.amplifiers:
        corner = image[read_corner_box(amplifier).slices]
        assert corner.shape == (200, 200)
        assert (corner == amplifier.hdu).all()


def test_a_hit_is_filled_as_in_the_whole_image() -> None:
    chance = np.random.default_rng(6)
    image = chance.normal(0, 8, (120, 140)).astype(np.float32)
    hit, bad = chance.uniform(size=image.shape) < 0.03, chance.uniform(size=image.shape) < 0.01
    hit[:3, :5] = hit[60:75, 30:33] = True
    hit &= ~bad
    whole = image.copy()
    interpolate(whole, hit, blank=bad)
    places = np.argwhere(hit)
    np.testing.assert_array_equal(_filled(image, hit, bad, places), whole[tuple(places.T)])
