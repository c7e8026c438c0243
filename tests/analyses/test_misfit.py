"""A profile that is not the star's is told by rings."""

from __future__ import annotations

import numpy as np
import pytest

from rapid.analyses.misfit import Rings, misfit, ring_chi2, rings_of


def rings(light: list[float], residual: list[float], error: float = 1.0) -> Rings:
    return Rings(np.array(light), np.array(residual), np.full(len(light), error))


def test_rings_average_light_and_its_error() -> None:
    r = np.array([0.1, 0.5, 2.2, 2.7, 2.9, 2.1, 9.0])
    seen = rings_of(r, 10 * r, r, np.full(7, 3.0), reach=5.0)
    np.testing.assert_allclose(seen.light, [3.0, 24.75])
    np.testing.assert_allclose(seen.residual, [0.3, 2.475])
    np.testing.assert_allclose(seen.error, [3 / np.sqrt(2), 1.5])


def test_scatter_leaves_the_chi_square_of_rings_at_one_and_what_is_coherent_does_not() -> None:
    rows, columns = np.mgrid[-40:41, -40:41]
    r = np.hypot(rows, columns).ravel()
    noise = np.random.default_rng(1).standard_normal(r.shape)
    assert ring_chi2(r, noise, parameters=0) == pytest.approx(1.0, abs=0.4)
    assert ring_chi2(r, noise + 0.5 * np.sin(r / 5), parameters=0) > 10


@pytest.mark.parametrize(
    ("light", "residual", "error", "said"),
    [
        ([100, 50, 10], [1, -1, 0], 1.0, ""),
        ([80, 100, 50], [-20, 5, 0], 1.0, "the star's profile is not a Moffat: central depression"),
        ([80, 100, 50], [-20, 5, 0], 10.0, ""),
        ([98, 100, 50], [-2, 5, 0], 0.01, ""),
        ([100, 80, 10], [0, 25, 0], 1.0, "the star's profile is not a Moffat: off by 25% of its peak"),
        ([100, 80, 10], [0, 25, 0], 6.0, ""),
        ([100, 80, 10], [0, 5, 0], 0.1, ""),
        ([100], [90], 0.1, ""),
    ],
)
def test_only_what_is_significant_and_large_is_told(
    light: list[float], residual: list[float], error: float, said: str
) -> None:
    assert misfit(rings(light, residual, error)) == said
