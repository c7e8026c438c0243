"""What must not depend on how an image is held: level, unit, place, side, and the order of known stars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.frame import Frame, Study
from rapid.processing.measure import measure
from rapid.processing.refcat import References
from rapid.processing.wcs import boresight_wcs
from tests.support.fields import Known
from tests.support.frames import Field, add_star, info_of, read_out, small_detector
from tests.support.stars import READ_NOISE

SHAPE = (1000, 1000)
FIELD = Field(fwhm=8.0, q=0.9, angle=0.5, sky=300.0)
STARS = 30
FEW = settings(max_examples=4, deadline=None, derandomize=True)
SIDES = st.sampled_from([np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1]])


def image_of_stars() -> np.ndarray:
    """Draw stars far from the rim and from each other, with noise."""
    chance = np.random.default_rng(7)
    light = np.full(SHAPE, FIELD.sky)
    rows, columns = np.divmod(np.arange(STARS), 6)
    for row, column, flux in zip(rows, columns, np.geomspace(8e3, 8e5, STARS), strict=True):
        add_star(light, *(150 + 140 * np.array([column, row]) + chance.uniform(-15, 15, 2)), flux, FIELD)
    return np.asarray(chance.normal(chance.poisson(light), READ_NOISE), np.float32)


IMAGE = image_of_stars()
DETECTOR = replace(small_detector(), width=SHAPE[1], height=SHAPE[0])
INFO = replace(
    info_of(read_out(np.zeros(small_detector().shape), small_detector())), ra=53.0, dec=-28.0, rotator_angle=20.0
)


def measured(image: np.ndarray) -> Study:
    frame = Frame(INFO, DETECTOR, np.ascontiguousarray(image), np.zeros(image.shape, np.uint16), (), ())
    return measure(frame)


@pytest.fixture(scope="module")
def plain() -> Study:
    return measured(IMAGE)


def numbers(study: Study) -> tuple[float, float, float, float, float]:
    """Level, noise, FWHM, e1, e2."""
    assert study.background is not None
    assert study.psf is not None
    return (study.background.level, study.background.noise, study.psf.fwhm, study.psf.e1, study.psf.e2)


def test_the_field_is_measured(plain: Study) -> None:
    assert plain.why_not == ""
    assert plain.sources is not None
    assert len(plain.sources) == STARS
    assert plain.psf is not None
    assert plain.psf.n_stars > 20


@FEW
@given(level=st.floats(-200, 5000))
def test_a_higher_level_is_the_level_and_nothing_else(plain: Study, level: float) -> None:
    study = measured(IMAGE + np.float32(level))
    expected = numbers(plain)
    assert numbers(study) == pytest.approx((expected[0] + level, *expected[1:]), rel=3e-3, abs=2e-3)
    assert plain.sources is not None
    assert study.sources is not None
    np.testing.assert_allclose(study.sources.x, plain.sources.x, atol=0.02)
    np.testing.assert_allclose(study.sources.flux, plain.sources.flux, rtol=0.01)


@FEW
@given(scale=st.floats(0.2, 5.0))
def test_another_unit_scales_fluxes_and_leaves_shapes(plain: Study, scale: float) -> None:
    study = measured(IMAGE * np.float32(scale))
    level, noise, *shape = numbers(plain)
    found = numbers(study)
    assert found[:2] == pytest.approx((scale * level, scale * noise), rel=2e-3)
    # photons count otherwise in another unit, so that stars are weighted otherwise
    assert found[2:] == pytest.approx(shape, rel=5e-3, abs=2e-3)
    assert plain.sources is not None
    assert study.sources is not None
    np.testing.assert_allclose(study.sources.x, plain.sources.x, atol=0.02)
    np.testing.assert_allclose(study.sources.flux, scale * plain.sources.flux, rtol=0.02)


@FEW
@given(side=SIDES)
def test_a_flip_flips_places_and_shapes(plain: Study, side: tuple[slice, slice]) -> None:
    study = measured(IMAGE[side])
    turned = np.prod([-1 if part.step == -1 else 1 for part in side])
    level, noise, fwhm, e1, e2 = numbers(plain)
    assert numbers(study) == pytest.approx((level, noise, fwhm, e1, turned * e2), rel=3e-3, abs=2e-3)
    assert plain.sources is not None
    assert study.sources is not None
    x, y = (
        SHAPE[0] - 1 - place if part.step == -1 else place
        for place, part in zip((plain.sources.x, plain.sources.y), side[::-1], strict=True)
    )
    np.testing.assert_allclose(study.sources.x, x, atol=0.02)
    np.testing.assert_allclose(study.sources.y, y, atol=0.02)


@FEW
@given(dx=st.integers(-40, 40), dy=st.integers(-40, 40))
def test_a_moved_field_is_measured_alike(plain: Study, dx: int, dy: int) -> None:
    study = measured(np.roll(IMAGE, (dy, dx), (0, 1)))
    level, noise, *shape = numbers(plain)
    found = numbers(study)
    assert plain.background is not None
    assert found[0] == pytest.approx(level, rel=1e-3)
    # every eighth row is looked at for the noise, and these are others now
    assert found[1] == pytest.approx(noise, abs=4 * np.sqrt(2) * plain.background.noise_error)
    assert found[2:] == pytest.approx(shape, rel=1e-3, abs=1e-3)
    assert plain.sources is not None
    assert study.sources is not None
    np.testing.assert_allclose(study.sources.x, plain.sources.x + dx, atol=0.02)
    np.testing.assert_allclose(study.sources.y, plain.sources.y + dy, atol=0.02)
    # not the light of the isophote, whose rim moves with the boxes of the sky; the circles follow the width that was found
    assert plain.sources.apertures is not None
    assert study.sources.apertures is not None
    light, moved = (one.apertures.tophat_flux for one in (plain.sources, study.sources))
    assert np.abs((moved - light) / plain.sources.apertures.tophat_flux_error).max() < 0.5


@FEW
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_a_catalogue_does_not_matter(seed: int) -> None:
    frame = measured(IMAGE).frame
    first, second = (measure(frame, catalogue=Known(stars)) for stars in (known_stars(), known_stars(seed)))
    assert first.comparison is not None
    assert second.comparison is not None
    for name in ("offset_ra", "offset_dec", "rotation", "scale"):
        a, b = (getattr(one.comparison.astrometry, name) for one in (first, second))  # type: ignore[union-attr]
        assert a == pytest.approx(b, abs=1e-7, nan_ok=False), name


def known_stars(seed: int | None = None) -> References:
    """Make a catalogue of the stars that were found, at their places, in the order that a seed gives."""
    study = measured(IMAGE)
    assert study.sources is not None
    said = boresight_wcs(DETECTOR, 53.0, -28.0, 20.0)
    ra, dec = said.pixel_to_sky(study.sources.x, study.sources.y)
    order = np.arange(len(ra)) if seed is None else np.random.default_rng(seed).permutation(len(ra))
    nothing = np.full(len(ra), np.nan)
    magnitude = 25 - 2.5 * np.log10(study.sources.flux)
    return References(
        id=np.arange(len(ra)),
        ra=ra[order],
        dec=dec[order],
        epoch=np.full(len(ra), 2026.0),
        pm_ra=nothing,
        pm_dec=nothing,
        ra_error=nothing,
        dec_error=nothing,
        magnitudes={"r": magnitude[order]},
        magnitude_errors={"r": np.full(len(ra), 0.01)},
    )
