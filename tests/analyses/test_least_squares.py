"""The minimum is where it is known to be, or where scipy finds it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from rapid.analyses.least_squares import minimise
from rapid.analyses.profiles import moffat

OPEN = np.full(2, np.inf)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(-20, 20), st.floats(-20, 20))
def test_a_straight_line_is_solved_exactly(slope: float, intercept: float, a: float, b: float) -> None:
    x = np.linspace(-1, 2, 30)
    found = minimise(lambda p: p[0] * x + p[1] - slope * x - intercept, np.array([a, b]), -OPEN, OPEN)
    np.testing.assert_allclose(found.p, [slope, intercept], atol=1e-4)
    design = np.stack([x, np.ones_like(x)], axis=1)
    np.testing.assert_allclose(found.matrix, design.T @ design, rtol=1e-4)


def test_a_narrow_curved_valley_is_followed() -> None:
    found = minimise(lambda p: np.array([10 * (p[1] - p[0] ** 2), 1 - p[0]]), np.array([-1.2, 1.0]), -OPEN, OPEN)
    np.testing.assert_allclose(found.p, [1.0, 1.0], atol=1e-4)
    assert found.cost < 1e-9


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.floats(2.0, 9.0), st.floats(0.02, 0.8))
def test_a_profile_is_fitted_as_scipy_fits_it(seed: int, fwhm: float, inverse_beta: float) -> None:
    r = np.linspace(0, 25, 900)
    light = moffat(r, 1000.0, 20.0, fwhm, 1 / inverse_beta) + 5 * np.random.default_rng(seed).standard_normal(r.shape)

    def residuals(p: np.ndarray) -> np.ndarray:
        return (moffat(r, p[0], p[2], p[1], 1 / p[3]) - light) / 5

    low, high = np.array([0.0, 0.5, -np.inf, 0.002]), np.array([np.inf, 60.0, np.inf, 0.95])
    start = np.array([900.0, 5.0, 15.0, 0.33])
    ours = minimise(residuals, start, low, high)
    theirs = least_squares(residuals, start, bounds=(low, high), x_scale="jac")
    assert ours.cost <= 2 * theirs.cost * (1 + 1e-6)
    np.testing.assert_allclose(ours.p[:3], theirs.x[:3], rtol=2e-3, atol=0.05)


@pytest.mark.parametrize("start", [[0.5, 0.5], [2.0, -3.0], [0.0, 0.0], [1.0, 1.0]])
def test_bounds_hold_and_the_others_still_settle(start: list[float]) -> None:
    """The free minimum is at (3, 3 - 2) with a strong correlation; within the bounds it is at (1, 3)."""
    found = minimise(
        lambda p: np.array([10 * (p[0] + p[1] - 4.0), p[0] - 3.0]),
        np.array(start),
        np.array([0.0, -5.0]),
        np.array([1.0, 5.0]),
    )
    np.testing.assert_allclose(found.p, [1.0, 3.0], atol=1e-5)


def test_residuals_that_do_not_depend_on_the_parameters() -> None:
    found = minimise(lambda p: np.array([3.0, 4.0]) + 0 * p, np.array([1.0, 2.0]), -OPEN, OPEN)
    assert found.cost == 25.0
    np.testing.assert_array_equal(found.p, [1.0, 2.0])
