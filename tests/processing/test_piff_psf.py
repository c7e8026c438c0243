"""Piff, where it is installed, gives back the stars it was given."""

from __future__ import annotations

import numpy as np
import pytest

from rapid.processing.background import background_of
from rapid.processing.piff_psf import PiffField, fit_piff
from rapid.processing.sources import detect_in, no_sources
from tests.support.stars import light_of, observed, scatter_stars

SHAPE = (900, 900)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_star_is_drawn_as_it_was_seen() -> None:
    pytest.importorskip("piff", reason="no piff on this machine; make setup-dev installs it")
    stars = scatter_stars(SHAPE, 60, 4.0, (2e4, 2e5), seed=1, e=(0.1, -0.05))
    image = observed(light_of(stars, SHAPE, 200), seed=1)
    none = np.zeros(SHAPE, np.bool_)
    sky = background_of(image, none)
    found = fit_piff(image, sky, detect_in(image, none, none, sky))
    assert isinstance(found, PiffField)
    assert found.n_stars > 20
    assert found.n_reserved > 0
    assert found.residual == pytest.approx(1, abs=0.25)
    drawn = found.image_at(450.3, 449.8)
    assert drawn.sum() == pytest.approx(1, abs=0.01)
    one = type(stars)(4.0, np.array([15.3]), np.array([14.8]), np.array([1.0]), e1=0.1, e2=-0.05)
    wanted = light_of(one, (31, 31), 0)
    assert np.abs(drawn - wanted).max() < 0.01 * wanted.max()


def test_too_few_stars_are_a_reason() -> None:
    pytest.importorskip("piff", reason="no piff on this machine; make setup-dev installs it")
    image = np.ones(SHAPE, np.float32)
    sky = background_of(image, np.zeros(SHAPE, np.bool_))
    assert fit_piff(image, sky, no_sources("")) == "only 0 stars to fit, 12 are needed"
