"""Crosstalk that was put in comes out again, from all amplifiers at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.errors import BadCalibration, InputError
from rapid.processing.isr.crosstalk import Crosstalk, correct_crosstalk

N = 16


def coefficients(seed: int, size: float = 3e-4) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    linear = chance.normal(0, size, (N, N))
    quadratic = chance.normal(0, 2e-10, (N, N))
    np.fill_diagonal(linear, 0)
    np.fill_diagonal(quadratic, 0)
    return linear, quadratic


def field(seed: int, n: int = N) -> np.ndarray:
    """Return amplifiers with a sky and saturated boxes [electron], float64."""
    chance = np.random.default_rng(seed)
    signal = chance.normal(800, 30, (n, 40, 60))
    for image in signal:
        y, x = chance.integers(0, 30), chance.integers(0, 50)
        image[y : y + 8, x : x + 8] += 120_000
    return signal


def crossed(truth: np.ndarray, linear: np.ndarray, quadratic: np.ndarray) -> np.ndarray:
    """Return what the amplifiers show, pixel by pixel from the definition."""
    seen = truth.copy()
    for target in range(len(truth)):
        for source in range(len(truth)):
            seen[target] += linear[target, source] * truth[source] + quadratic[target, source] * truth[source] ** 2
    return seen


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("with_quadratic", [False, True])
def test_it_comes_out_as_it_went_in(seed: int, with_quadratic: bool) -> None:
    linear, quadratic = coefficients(seed)
    quadratic *= with_quadratic
    truth = field(seed)
    stack = crossed(truth, linear, quadratic).astype(np.float32)
    disturbed = float(np.abs(stack - truth).max())
    largest = correct_crosstalk(stack, Crosstalk(linear, quadratic))
    # left: the second order of the quadratic part, 2 q T dT of the brightest source, and the rounding of float32
    second_order = 2 * np.abs(quadratic).max() * 121_000 * disturbed
    assert disturbed > 40
    assert float(np.abs(stack - truth).max()) < 0.016 + second_order < 0.05
    assert largest.max() == pytest.approx(disturbed, rel=0.01)


def test_sources_are_what_they_are_without_their_own_crosstalk() -> None:
    """A correction with the signals as seen would leave c^2 of the source: 100 electrons here."""
    linear = np.zeros((3, 3))
    linear[1, 0] = linear[2, 1] = 0.03
    truth = np.zeros((3, 4, 4))
    truth[0] = 100_000
    stack = crossed(truth, linear, np.zeros((3, 3))).astype(np.float32)
    correct_crosstalk(stack, Crosstalk(linear))
    assert np.abs(stack - truth).max() < 0.01


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), order=st.permutations(range(6)))
def test_the_order_of_the_amplifiers_means_nothing(seed: int, order: list[int]) -> None:
    linear, quadratic = (matrix[:6, :6] for matrix in coefficients(seed))
    stack = field(seed, 6).astype(np.float32)
    turned = stack[order]
    index = np.ix_(order, order)
    correct_crosstalk(stack, Crosstalk(linear, quadratic))
    correct_crosstalk(turned, Crosstalk(linear[index], quadratic[index]))
    assert turned == pytest.approx(stack[order], abs=0.02)


def test_a_dead_amplifier_neither_gives_nor_takes() -> None:
    linear, quadratic = coefficients(1)
    truth = field(1)
    alive = np.ones(N, bool)
    alive[4] = False
    linear_alive, quadratic_alive = (np.where(alive[:, None] & alive, matrix, 0) for matrix in (linear, quadratic))
    stack = crossed(truth, linear_alive, quadratic_alive).astype(np.float32)
    stack[4] = np.nan
    correct_crosstalk(stack, Crosstalk(linear, quadratic), alive=alive)
    assert np.isnan(stack[4]).all()
    assert np.abs(stack[alive] - truth[alive]).max() < 0.2


def test_a_pixel_that_is_no_number_hurts_nobody_else() -> None:
    linear, _ = coefficients(2)
    stack = field(2).astype(np.float32)
    stack[3, 5, 7] = np.inf
    correct_crosstalk(stack, Crosstalk(linear))
    assert np.count_nonzero(~np.isfinite(stack)) == 1


def test_electrons_and_adu_give_the_same_sky() -> None:
    linear, quadratic = coefficients(3)
    gains = np.random.default_rng(3).uniform(1.0, 1.8, N)
    adu = field(3).astype(np.float32)
    electrons = (adu * gains[:, None, None]).astype(np.float32)
    correct_crosstalk(adu, Crosstalk(linear, quadratic))
    correct_crosstalk(electrons, Crosstalk(linear, quadratic).scaled(gains))
    assert electrons == pytest.approx(adu * gains[:, None, None], abs=0.05)


BAD = [
    (np.zeros((3, 4)), "not square"),
    (np.zeros(3), "wrong shape"),
    (np.eye(3) * 1e-4, "source of itself"),
    (np.array([[0, np.nan], [0, 0]]), "1 of 4"),
    (np.array([[0, 12.0], [0, 0]]), "too large"),
    (np.zeros((0, 0)), "wrong shape"),
    ([["a"]], "no array of numbers"),
]


@pytest.mark.parametrize(("matrix", "message"), BAD)
def test_impossible_coefficients_are_refused(matrix: np.ndarray, message: str) -> None:
    with pytest.raises(BadCalibration, match=message):
        Crosstalk(matrix)


def test_what_does_not_fit_is_refused() -> None:
    crosstalk = Crosstalk(np.zeros((N, N)))
    with pytest.raises(InputError, match="different detectors"):
        Crosstalk(np.zeros((16, 16)), np.zeros((8, 8)))
    with pytest.raises(InputError, match=r"expected \(16, ny, nx\)"):
        correct_crosstalk(np.zeros((8, 4, 4), np.float32), crosstalk)
    with pytest.raises(InputError, match="float64"):
        correct_crosstalk(np.zeros((16, 4, 4)), crosstalk)
    with pytest.raises(InputError, match="alive"):
        correct_crosstalk(np.zeros((16, 4, 4), np.float32), crosstalk, alive=np.ones(8, bool))
    for gains in (np.ones(8), np.zeros(16)):
        with pytest.raises(InputError, match="one gain"):
            crosstalk.scaled(gains)
    read_only = np.zeros((16, 4, 4), np.float32)
    read_only.flags.writeable = False
    with pytest.raises(InputError, match="read-only"):
        correct_crosstalk(read_only, crosstalk)


def test_coefficients_cannot_be_changed() -> None:
    mine = np.zeros((2, 2))
    crosstalk = Crosstalk(mine)
    mine[0, 1] = 1e-3
    assert not crosstalk.linear.any()
    with pytest.raises(ValueError, match="read-only"):
        crosstalk.linear[0, 1] = 1
