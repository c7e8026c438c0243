"""A star counts as single when no neighbour that matters is within its reach."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.stars import select_stars

SHAPE = (400, 300)


def selected(x: np.ndarray, y: np.ndarray, flux: np.ndarray, variance: float) -> np.ndarray:
    same = np.full(x.size, variance)
    return select_stars(
        x=x, y=y, xx=same, yy=same, xy=np.zeros(x.size), flux=flux, signal_to_noise=np.full(x.size, 100.0),
        clean=np.ones(x.size, np.bool_), shape=SHAPE,
    )  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 60), sigma=st.sampled_from([1.5, 4.0, 25.0]))
def test_single_stars_are_those_without_a_neighbour_that_matters(seed: int, n: int, sigma: float) -> None:
    chance = np.random.default_rng(seed)
    x, y = chance.uniform(0, SHAPE[1], n), chance.uniform(0, SHAPE[0], n)
    flux = 10 ** chance.uniform(0, 4, n)
    reach = min(5 * sigma, 100.0)
    near = np.hypot(x[:, None] - x, y[:, None] - y) <= reach
    matters = ~np.eye(n, dtype=np.bool_) & (flux[None, :] >= 0.02 * flux[:, None])
    margin = 5 * sigma
    inside = (x > margin) & (x < SHAPE[1] - 1 - margin) & (y > margin) & (y < SHAPE[0] - 1 - margin)
    np.testing.assert_array_equal(selected(x, y, flux, sigma**2), inside & ~(near & matters).any(axis=1))
