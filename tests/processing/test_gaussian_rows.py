"""A Gaussian laid over rows is the one that the formula gives, wherever it lies and however it is drawn out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.gaussian_rows import exponentials, lay_rows, new_rows

SHAPE = (50, 60)
REACH = 4.0


def laid(x: float, y: float, ellipse: tuple[float, float, float]) -> np.ndarray:
    """Draw the weights as the rows say they are."""
    rows = new_rows(200)
    first, n, ratio = lay_rows(SHAPE, x, y, ellipse, REACH, rows)
    drawn = np.zeros(SHAPE)
    for k in range(n):
        weight, step = rows[2][k], rows[3][k]
        for i in range(rows[0][k], rows[1][k]):
            drawn[first + k, i] = weight
            weight, step = weight * step, step * ratio
    return drawn


def expected(x: float, y: float, ellipse: tuple[float, float, float]) -> np.ndarray:
    xx, yy, xy = ellipse
    v, u = np.indices(SHAPE)
    u, v = u - x, v - y
    q = (yy * u * u - 2 * xy * u * v + xx * v * v) / (xx * yy - xy**2)
    return np.where(q <= REACH**2, np.exp(-0.5 * q), 0.0)


@settings(max_examples=100, deadline=None)
@given(
    x=st.floats(-5, 65),
    y=st.floats(-5, 55),
    xx=st.floats(0.7, 400),
    yy=st.floats(0.7, 400),
    slant=st.floats(-0.97, 0.97),
)
def test_weights_are_those_of_the_formula(x: float, y: float, xx: float, yy: float, slant: float) -> None:
    ellipse = (xx, yy, slant * np.sqrt(xx * yy))
    found, wanted = laid(x, y, ellipse), expected(x, y, ellipse)
    rim = np.exp(-0.5 * REACH**2)
    inside = wanted > rim * (1 + 1e-9)
    np.testing.assert_allclose(found[inside], wanted[inside], rtol=1e-9)
    assert (found[~inside] <= rim * (1 + 1e-6)).all()


def test_a_gaussian_outside_the_image_has_no_rows() -> None:
    assert not laid(30.0, -30.0, (4.0, 4.0, 0.0)).any()
    assert not laid(-30.0, 20.0, (4.0, 4.0, 0.0)).any()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-690, 690), min_size=1, max_size=40))
def test_exponentials_are_exact_to_the_last_digits(values: list[float]) -> None:
    found = np.array(values)
    exponentials(found)
    np.testing.assert_allclose(found, np.exp(values), rtol=2e-15)


def test_exponentials_beyond_all_bounds_stay_ordinary_numbers() -> None:
    found = np.array([-1e300, -800.0, 800.0, 1e300])
    exponentials(found)
    assert np.isfinite(found).all()
    assert found[:2] == pytest.approx(0.0, abs=1e-300)
