"""Tracks of charge are found, and stars of the best seeing are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, label
from scipy.special import erf

from rapid.errors import InputError
from rapid.processing.isr.cosmic_rays import find_cosmic_rays
from rapid.simulation.cosmic_rays import draw_cosmic_rays

AROUND = np.ones((3, 3), bool)
READ_NOISE = 6.0


def stars(chance: np.random.Generator, n: int, size: int, fwhm: float) -> np.ndarray:
    """Return the light [electron] of Gaussian stars of 1 000 to a million electrons, integrated over pixels."""
    light = np.zeros((size, size))
    scale = fwhm / 2.3548 * np.sqrt(2)
    half = int(np.ceil(2.5 * fwhm))
    offset = np.arange(-half, half + 1)
    for _ in range(n):
        y, x = chance.uniform(half + 1, size - half - 1, 2)
        row, column = round(y), round(x)
        along_y = 0.5 * (erf((offset + row - y + 0.5) / scale) - erf((offset + row - y - 0.5) / scale))
        along_x = 0.5 * (erf((offset + column - x + 0.5) / scale) - erf((offset + column - x - 0.5) / scale))
        stamp = np.s_[row - half : row + half + 1, column - half : column + half + 1]
        light[stamp] += 10 ** chance.uniform(3.0, 6.0) * np.outer(along_y, along_x)
    return light


def observed(light: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    return (chance.poisson(light) + chance.normal(0, READ_NOISE, light.shape)).astype(np.float32)


def none(image: np.ndarray) -> np.ndarray:
    return np.zeros(image.shape, bool)


@pytest.mark.parametrize(("fwhm", "sky"), [(2.5, 100.0), (2.5, 1500.0), (5.0, 800.0), (8.0, 800.0)])
def test_tracks_are_found_and_little_else(fwhm: float, sky: float) -> None:
    chance = np.random.default_rng(int(10 * fwhm + sky))
    size, n_stars = 1500, 600
    light = sky + stars(chance, n_stars, size, fwhm)
    charge = np.zeros((size, size), np.float32)
    draw_cosmic_rays(charge, 1200.0, chance)
    image = observed(light, chance) + charge
    found = find_cosmic_rays(image, image > 150_000)

    noise = np.sqrt(light + READ_NOISE**2)
    groups, n = label(charge > 0, AROUND)
    peaks = np.zeros(n + 1)
    np.maximum.at(peaks, groups.ravel(), (charge / noise).ravel())
    bright = np.flatnonzero(peaks > 10)
    assert len(bright) > 50
    seen = np.isin(bright, np.unique(groups[found.hit]))
    assert seen.mean() > 0.96  # those missed lie on bright stars
    assert found.hit[charge > 5 * noise].mean() > 0.94
    assert charge[found.hit].sum() > 0.95 * charge.sum()
    false = found.hit & ~binary_dilation(charge > 0, AROUND)
    assert false.sum() <= 5e-6 * false.size
    assert found.n_pixels == found.hit.sum()
    assert found.n_events == label(found.hit, AROUND)[1]


@pytest.mark.parametrize("sky", [30.0, 800.0])
@pytest.mark.parametrize("fwhm", [2.5, 3.5])
def test_stars_of_half_an_arcsecond_survive(fwhm: float, sky: float) -> None:
    chance = np.random.default_rng(3)
    image = observed(sky + stars(chance, 3000, 2000, fwhm), chance)
    found = find_cosmic_rays(image, image > 150_000)
    assert found.n_pixels <= 1


def test_bleed_trails_are_not_taken_for_tracks() -> None:
    chance = np.random.default_rng(8)
    image = observed(50 * stars(chance, 20, 800, 5.0) + 800, chance)
    full = 140_000.0
    for x in np.flatnonzero(image.max(axis=0) > full):
        column = image[:, x]
        excess = np.maximum(column - full, 0).sum()
        np.minimum(column, full, out=column)
        for y in np.argsort(np.abs(np.arange(column.size) - column.argmax()), kind="stable"):
            taken = min(full - column[y], excess)
            column[y] += taken
            excess -= taken
    saturated = image > 0.95 * full
    assert saturated.sum() > 200
    assert find_cosmic_rays(image, saturated).n_pixels == 0


def test_an_empty_sky_has_none_beyond_chance() -> None:
    image = np.random.default_rng(4).normal(800, 30, (2000, 2000)).astype(np.float32)
    # four pairs a pixel, each exceeded by 5.5 standard errors in two of 10^8
    assert find_cosmic_rays(image, none(image)).n_pixels <= 2


def test_where_less_light_falls_nothing_is_made_up_and_tracks_are_seen() -> None:
    chance = np.random.default_rng(5)
    size = 1000
    vignetted = np.interp(np.arange(size), [0, 600, size], [1.0, 1.0, 0.2])
    light = np.broadcast_to(800 * vignetted[:, None], (size, size)).copy()
    light[:, 500] = 0.0  # a dead column that nobody knows of
    image = observed(light, chance)
    assert find_cosmic_rays(image, none(image)).n_pixels == 0
    charge = np.zeros_like(image)
    draw_cosmic_rays(charge, 1500.0, chance)
    charge[:, 495:506] = 0.0
    found = find_cosmic_rays(image + charge, none(image))
    assert found.hit[charge > 300].mean() > 0.97


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), turns=st.integers(0, 3), flip=st.booleans())
def test_it_does_not_matter_how_the_image_lies(seed: int, turns: int, flip: bool) -> None:
    chance = np.random.default_rng(seed)
    image = observed(200 + stars(chance, 5, 80, 3.0), chance)
    draw_cosmic_rays(image, 20_000.0, chance)
    bad = chance.uniform(size=image.shape) < 0.01

    def lay(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(array[::-1] if flip else array, turns))

    first = find_cosmic_rays(image, bad, level=200, noise=15.4)
    second = find_cosmic_rays(lay(image), lay(bad), level=200, noise=15.4)
    assert (lay(first.hit) == second.hit).all()
    assert not first.hit[bad].any()
    assert first.n_events > 0


def test_sky_and_noise_are_measured_where_they_are_not_given() -> None:
    chance = np.random.default_rng(6)
    image = observed(np.full((600, 600), 800.0), chance)
    draw_cosmic_rays(image, 3000.0, chance)
    image[100:200, 100:200] = np.nan
    before = image.copy()
    measured = find_cosmic_rays(image, none(image))
    given_ones = find_cosmic_rays(image, none(image), level=800.0, noise=28.9)
    assert np.count_nonzero(measured.hit != given_ones.hit) <= 0.02 * given_ones.n_pixels
    assert np.array_equal(image, before, equal_nan=True)
    assert not measured.hit[np.isnan(image)].any()


@pytest.mark.parametrize("value", [np.nan, 0.0, 500.0])
def test_where_there_is_no_noise_it_says_why(value: float) -> None:
    image = np.full((100, 100), value, np.float32)
    found = find_cosmic_rays(image, none(image))
    assert found.n_pixels == 0
    assert not found.hit.any()
    assert "cannot be measured" in found.reason


def test_of_too_many_none_is_marked_and_it_says_why() -> None:
    image = np.random.default_rng(9).normal(800, 10, (600, 600)).astype(np.float32)
    scattered, comb, bad = image.copy(), image.copy(), none(image)
    scattered[::8, ::8] += 1000
    comb[100, 200:400] += 1000
    comb[101:500, 200:400:14] += 1000
    bad[102:500:2, 199:399:14] = True  # half of the teeth can only be followed
    for hidden in (scattered, comb):
        found = find_cosmic_rays(hidden, bad, level=800.0, noise=10.0)
        assert found.reason.startswith("too many")
        assert (found.n_pixels, found.n_events, found.hit.sum()) == (0, 0, 0)
    image[4::12, 4::12] += 1000
    found = find_cosmic_rays(image, none(image), level=800.0, noise=10.0)
    assert (found.reason, found.n_events) == ("", 2500)


def test_a_track_ends_at_the_rim_of_the_image() -> None:
    image = np.random.default_rng(7).normal(100, 10, (50, 60)).astype(np.float32)
    image[40:, 30] += 1000
    image[20, :8] += 1000
    hit = find_cosmic_rays(image, none(image)).hit
    assert hit[40:, 30].all()
    assert hit[20, :8].all()
    assert hit.sum() == 18


def test_a_real_field_from_which_they_were_taken_has_none(shared_data: Path) -> None:
    """The SDSS pipeline had removed them; stars (4.5 pixels wide) and galaxies are all that is left."""
    with fits.open(shared_data / "onsky_images/sdss_5754_r3_0280/fpC-005754-r3-0280.fit.gz") as opened:
        electrons = ((opened[0].data.astype(np.float32) - 1000) * 4.72).astype(np.float32)
    saturated = electrons > 200_000
    assert find_cosmic_rays(electrons, saturated).n_pixels <= 3
    charge = np.zeros_like(electrons)
    draw_cosmic_rays(charge, 1000.0, np.random.default_rng(1))
    hit = find_cosmic_rays(electrons + charge, saturated).hit
    assert hit[charge > 500].mean() > 0.95  # ten standard deviations of the sky


def test_impossible_arguments_are_refused() -> None:
    image = np.zeros((10, 10), np.float32)
    with pytest.raises(InputError, match=r"expected \(10, 10\); found \(9, 10\)"):
        find_cosmic_rays(image, np.zeros((9, 10), bool))
    with pytest.raises(InputError, match="noise -1"):
        find_cosmic_rays(image, none(image), noise=-1)
    with pytest.raises(InputError, match="fwhm 0"):
        find_cosmic_rays(image, none(image), fwhm=0)
