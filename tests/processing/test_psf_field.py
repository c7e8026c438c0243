"""The model of the point-spread function over a detector gives back what was put in, and says how well."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rapid.processing.frame import Sources
from rapid.processing.psf_field import field_at, fit_field

SHAPE = (4000, 4072)


def stars_of(n: int, *, seed: int = 0, error: float = 0.01, junk: int = 0) -> Sources:
    """Stars whose moments change over the detector, with errors."""
    chance = np.random.default_rng(seed)
    x, y = chance.uniform(0, SHAPE[1] - 1, n), chance.uniform(0, SHAPE[0] - 1, n)
    size, e1, e2 = truth(x, y)
    trace = 2 * size**2 * (1 + error * chance.normal(size=n))
    e1, e2 = e1 + error * chance.normal(size=n), e2 + error * chance.normal(size=n)
    e1[:junk] += 0.4
    errors = np.full(n, error)
    ones = np.ones(n)
    return Sources(
        x, y, 1e5 * ones, 1e3 * ones, ones, 0.5 * trace * (1 + e1) + 1 / 12, 0.5 * trace * (1 - e1) + 1 / 12,
        0.5 * trace * e2, np.zeros(n, np.bool_), np.ones(n, np.bool_),
        xx_error=errors * trace / math.sqrt(2), yy_error=errors * trace / math.sqrt(2), xy_error=errors * trace / 2,
    )  # fmt: skip


def truth(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    u, v = 2 * x / (SHAPE[1] - 1) - 1, 2 * y / (SHAPE[0] - 1) - 1
    return 2.0 + 0.1 * u - 0.05 * v**2, 0.03 * u * v + 0.02, -0.04 * v + 0.01 * u**2


def test_the_change_over_the_field_is_recovered() -> None:
    field = fit_field(stars_of(400), SHAPE)
    assert field is not None
    assert field.order == 2
    assert field.n_reserved == pytest.approx(40, abs=18)
    assert field.n_stars + field.n_reserved > 390
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, SHAPE[1] - 1, 9), np.linspace(0, SHAPE[0] - 1, 9)))
    found = field_at(field, x, y)
    for model, true, allowed in zip(found, truth(x, y), (0.008, 0.008, 0.008), strict=True):
        assert np.abs(model - true).max() < allowed


def test_reserved_stars_scatter_as_their_errors_say() -> None:
    field = fit_field(stars_of(3000), SHAPE)
    assert field is not None
    share = 0.01 / math.hypot(0.01, 0.003), 0.005 / math.hypot(0.005, 0.003)
    ratios = np.array(field.scatter) / np.array(field.expected)
    assert ratios == pytest.approx([share[1], share[0], share[0]], abs=0.1), "what a short exposure adds is not drawn"
    assert np.array(field.offset) == pytest.approx(0, abs=0.003)


def test_stars_that_are_none_are_left_out() -> None:
    field = fit_field(stars_of(400, junk=12), SHAPE)
    assert field is not None
    assert field_at(field, np.array([2000.0]), np.array([2000.0]))[1, 0] == pytest.approx(0.02, abs=0.006)


@pytest.mark.parametrize(("n", "order"), [(40, 2), (18, 1), (6, 0)])
def test_the_order_is_what_the_stars_allow(n: int, order: int) -> None:
    field = fit_field(stars_of(n), SHAPE, kept=np.zeros(n, np.bool_))
    assert field is not None
    assert field.order == order
    assert all(math.isnan(value) for value in field.scatter)


def test_a_few_stars_are_no_model() -> None:
    assert fit_field(stars_of(3), SHAPE) is None
    assert fit_field(stars_of(0), SHAPE) is None
