"""Charge that traps held back is measured in the overscan and brought back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.errors import BadCalibration, InputError
from rapid.processing.isr.cti import Cti, correct_cti, measure_cti
from tests.support import charge

REGISTER, WIDTH = 130, 170


def shifted(image: np.ndarray, rate: float, decay: float) -> np.ndarray:
    return charge.shifted(image, rate, decay, register=REGISTER)


def flat(level: float, noise: float, rows: int, seed: int = 1) -> np.ndarray:
    """Return an amplifier [electron] with an empty prescan of 3 and an overscan."""
    chance = np.random.default_rng(seed)
    image = np.zeros((rows, WIDTH))
    image[:, 3:REGISTER] = chance.poisson(level, (rows, REGISTER - 3))
    return image


@pytest.mark.parametrize("decay", [0.6, 1.5])
def test_a_trail_is_measured_within_its_error(decay: float) -> None:
    rate, level = 3e-6, 100_000
    pulls = []
    for seed in range(6):
        chance = np.random.default_rng(100 + seed)
        seen = shifted(flat(level, 0, 500, seed), rate, decay) + chance.normal(0, 5, (500, WIDTH))
        found = measure_cti(seen, REGISTER)
        assert found.reason == ""
        assert found.rate_error < 0.05 * rate
        pulls += [(found.rate - rate) / found.rate_error, (found.decay - decay) / found.decay_error]
        ratio = math.exp(-1 / decay)
        two = rate * (1 + ratio) * (REGISTER - ratio / (1 - ratio)) / (REGISTER + 1)
        pulls.append((found.eper - two) / found.eper_error)
    # 18 pulls, twelve of them free: 0.2 each side
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1, abs=0.5)
    assert abs(np.mean(pulls)) < 0.9


@pytest.mark.parametrize("rate", [1e-7, 5e-6, 5e-5])
def test_a_star_comes_back_and_no_charge_is_lost(rate: float) -> None:
    decay = 1.2
    truth = flat(1_000, 0, 64)
    truth[:, 60:64] += [5_000, 60_000, 60_000, 5_000]
    seen = shifted(truth, rate, decay)
    stack = seen.astype(np.float32)[None].copy()
    correct_cti(stack, Cti([rate], [decay], REGISTER))
    # second order of (rate x transfers), and float32
    assert np.abs(stack[0] - truth).max() < 65_000 * (rate * REGISTER) ** 2 + 0.005
    if rate > 1e-6:
        assert np.abs(stack[0] - truth).max() < 0.02 * np.abs(seen - truth).max()
    assert stack.sum(dtype=np.float64) == pytest.approx(truth.sum(), rel=1e-7)


def test_what_was_measured_corrects() -> None:
    rate, decay = 4e-6, 1.0
    seen = shifted(flat(80_000, 0, 1000), rate, decay) + np.random.default_rng(2).normal(0, 5, (1000, WIDTH))
    found = measure_cti(seen, REGISTER)
    stack = seen.astype(np.float32)[None].copy()
    correct_cti(stack, Cti([found.rate], [found.decay], REGISTER))
    after = measure_cti(stack[0], REGISTER)
    assert abs(after.eper) < 4 * after.eper_error
    assert found.eper > 30 * found.eper_error


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.1, 10), rate=st.floats(0, 1e-4), decay=st.floats(0.3, 5))
def test_it_is_linear_and_rows_do_not_meet(seed: int, scale: float, rate: float, decay: float) -> None:
    image = np.random.default_rng(seed).uniform(0, 50_000, (37, 60)).astype(np.float32)
    cti = Cti([rate], [decay], 50)
    once, scaled, turned = image[None].copy(), (image * np.float32(scale))[None], image[::-1][None].copy()
    for stack in (once, scaled, turned):
        correct_cti(stack, cti)
    assert scaled == pytest.approx(once * scale, rel=3e-6, abs=1e-3)
    assert (turned[0, ::-1] == once[0]).all()


def test_the_parallel_direction_is_the_transposed_one() -> None:
    rate, decay = 5e-6, 1.0
    columns = np.zeros((WIDTH, 200))
    columns[:REGISTER] = np.random.default_rng(3).poisson(90_000, (REGISTER, 200))
    seen = shifted(columns.T, rate, decay).T
    found = measure_cti(seen.T, REGISTER)
    assert found.rate == pytest.approx(rate, rel=0.01)


def test_a_pixel_that_is_no_number_stays_alone() -> None:
    stack = np.full((1, 20, 60), 1000, np.float32)
    stack[0, 3, 30] = np.nan
    correct_cti(stack, Cti([1e-5], [1.0], 50))
    assert np.count_nonzero(np.isnan(stack)) == 1


def test_without_a_trail_there_is_a_limit_and_a_reason() -> None:
    image = flat(50_000, 0, 400) + np.random.default_rng(4).normal(0, 5, (400, WIDTH))
    found = measure_cti(image, REGISTER)
    assert abs(found.eper) < 4 * found.eper_error
    assert math.isnan(found.rate)
    assert "does not stand out" in found.reason


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((400, WIDTH)), "no even light"),
        (np.full((400, WIDTH), np.nan), "only 0 rows"),
        (flat(1000, 0, 20), "only 20 rows"),
    ],
)
def test_where_nothing_can_be_measured_it_says_why(image: np.ndarray, reason: str) -> None:
    found = measure_cti(image, REGISTER)
    assert reason in found.reason
    assert math.isnan(found.eper)
    assert math.isnan(found.rate)


@pytest.mark.parametrize(
    ("rate", "decay", "register", "message"),
    [
        ([-1e-6], [1], 50, "rate is impossible"),
        ([0.01], [1], 50, "rate is impossible"),
        ([1e-6], [0], 50, "trails are impossible"),
        ([1e-6], [1, 1], 50, "trails are impossible"),
        ([1e-6], [1], 0, "trails are impossible"),
        ([np.nan], [1], 50, "1 of 1"),
    ],
)
def test_impossible_coefficients_are_refused(
    rate: list[float], decay: list[float], register: int, message: str
) -> None:
    with pytest.raises(BadCalibration, match=message):
        Cti(rate, decay, register)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="not enough overscan"):
        measure_cti(np.zeros((400, WIDTH)), WIDTH - 10)
    with pytest.raises(InputError, match=r"expected \(1, ny, nx\)"):
        correct_cti(np.zeros((2, 4, 4), np.float32), Cti([1e-6], [1], 3))
