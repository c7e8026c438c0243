"""Adaptive moments of Gaussians are their own moments, however bright and wherever they begin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.moments import adaptive_moments, measure_moments
from tests.support.stars import READ_NOISE, Stars, light_of, observed


def gaussian(x: float, y: float, xx: float, yy: float, xy: float, flux: float, size: int = 120) -> np.ndarray:
    v, u = np.mgrid[:size, :size] - np.array([y, x])[:, None, None]
    inverse = np.linalg.inv(np.array([[xx, xy], [xy, yy]]))
    q = inverse[0, 0] * u**2 + 2 * inverse[0, 1] * u * v + inverse[1, 1] * v**2
    return (flux * np.exp(-0.5 * q)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(50, 70),
    y=st.floats(50, 70),
    xx=st.floats(2, 60),
    yy=st.floats(2, 60),
    skew=st.floats(-0.6, 0.6),
    flux=st.floats(1e-3, 1e6),
    off=st.floats(-1, 1),
)
def test_a_gaussian_is_recovered(
    x: float, y: float, xx: float, yy: float, skew: float, flux: float, off: float
) -> None:
    xy = skew * np.sqrt(xx * yy)
    image = gaussian(x, y, xx, yy, xy, flux)
    sigma = np.array([1.2 * (xx * yy) ** 0.25])
    found = adaptive_moments(image, np.array([x + off]), np.array([y - off]), sigma)[0]
    assert found[:2] == pytest.approx([x, y], abs=0.02)
    assert found[2:] == pytest.approx([xx, yy, xy], rel=0.01, abs=0.02 * max(xx, yy))


@pytest.mark.parametrize("value", [0.0, -5.0, 3.0])
def test_where_there_is_nothing_it_does_not_converge(value: float) -> None:
    image = np.full((400, 400), value, np.float32)
    assert np.isnan(adaptive_moments(image, np.array([200.0]), np.array([200.0]), np.array([3.0]))).all()


def test_at_the_edge_and_beyond_nothing_is_read_outside() -> None:
    image = gaussian(0, 0, 9, 9, 0, 100)
    places = np.array([0.0, -5.0, 119.0, 200.0])
    found = adaptive_moments(image, places, places, np.full(4, 3.0))
    assert found.shape == (4, 5)
    assert np.isnan(found[3]).all()


@pytest.mark.parametrize("flux", [1e4, 1e5])
def test_errors_are_the_scatter_of_many_measurements(flux: float) -> None:
    grid, chance = np.arange(20.0, 900, 40), np.random.default_rng(4)
    x, y = (a.ravel() + chance.uniform(-0.5, 0.5, len(grid) ** 2) for a in np.meshgrid(grid, grid))
    stars = Stars(4.0, x, y, np.full(len(x), flux), e1=0.1, e2=0.05)
    image = observed(light_of(stars, (900, 900), 1000), seed=2)
    noise = np.hypot(np.sqrt(1000), READ_NOISE)
    found = measure_moments(image, x, y, np.full(len(x), 1.7), sky=np.full(len(x), 1000.0), noise=float(noise))
    assert found.converged.all()
    for name in ("xx", "yy", "xy"):
        ratio = getattr(found, name).std() / np.median(getattr(found, f"{name}_error"))
        assert ratio == pytest.approx(1, abs=0.12), name
    assert (found.x - x).std() / np.median(found.x_error) == pytest.approx(1, abs=0.12)
    assert 0.9 < found.flux.std() / np.median(found.flux_error) < 1.6, "that the size is free adds to it"


def test_a_centre_does_not_walk_to_a_brighter_neighbour() -> None:
    image = gaussian(50, 60, 9, 9, 0, 1e5) + gaussian(62, 60, 9, 9, 0, 1e3)
    found = adaptive_moments(image, np.array([62.0]), np.array([60.0]), np.array([3.0]))[0]
    assert np.isnan(found).all() or abs(found[0] - 62) < 5
