"""What stars send between them is known, so that the sky can be seen there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rapid.processing.background import background_of
from rapid.processing.frame import Psf
from rapid.processing.geometry import Box
from rapid.processing.isr.amplifier_interfaces import interface_offsets
from rapid.processing.isr.amplifier_offsets import fit_amplifier_offsets
from rapid.processing.psf import no_psf, psf_of
from rapid.processing.source_light import light_between
from rapid.processing.sources import detect_in, no_sources
from tests.support.stars import READ_NOISE, Stars, light_of, observed

SHAPE, SKY, FWHM = (1200, 1536), 300.0, 6.0
NOISE = math.hypot(math.sqrt(SKY), READ_NOISE)
BOXES = tuple(Box(i * 192, j * 600, 192, 600) for j in (1, 0) for i in range(8))


def field(seed: int, n: int) -> tuple[Stars, np.ndarray, np.ndarray]:
    """Return stars, their light alone, and the image with sky and noise."""
    chance = np.random.default_rng(seed)
    x, y = chance.uniform(10, [SHAPE[1] - 10, SHAPE[0] - 10], (n, 2)).T
    stars = Stars(FWHM, x, y, 10 ** chance.uniform(3.3, 6, n))
    return stars, light_of(stars, SHAPE, 0), observed(light_of(stars, SHAPE, SKY), seed=seed)


def measured(image: np.ndarray):
    none = np.zeros(image.shape, np.bool_)
    sky = background_of(image, none)
    sources = detect_in(image, none, none, sky)
    return sources, psf_of(image, sky, sources)


@pytest.mark.parametrize(("n", "hidden_at_most"), [(40, 0.15), (400, 0.6)])
def test_the_light_between_stars_is_what_they_send(n: int, hidden_at_most: float) -> None:
    _, light, image = field(n, n)
    sources, psf = measured(image)
    found = light_between(sources, psf, noise=NOISE, shape=SHAPE)
    assert found is not None
    hidden = found.hidden(SHAPE)
    assert 0 < hidden.mean() < hidden_at_most
    assert np.percentile(light[~hidden], 99.7) < NOISE, "hardly anything bright is between them"
    cells = light.reshape(SHAPE[0] // 8, 8, SHAPE[1] // 8, 8).mean(axis=(1, 3))
    seen = np.isfinite(found.cells)
    left = cells[seen] - found.cells[seen]
    assert abs(left.mean()) < 0.2 * cells[seen].mean()
    assert np.percentile(np.abs(left), 99) < 0.2 * NOISE


def test_pedestals_under_stars_are_found_with_the_right_errors() -> None:
    pulls, blind, borders, ours = [], [], [], []
    for seed in range(4):
        _, _, image = field(seed, 150)
        truth = np.random.default_rng(seed + 100).normal(0, 1, 16)
        for box, pedestal in zip(BOXES, truth, strict=True):
            image[box.slices] += np.float32(pedestal)
        none = np.zeros(SHAPE, np.bool_)
        light = light_between(*measured(image), noise=NOISE, shape=SHAPE)
        offsets = fit_amplifier_offsets(image, none, BOXES, light=light)
        off = offsets.pedestals - truth + truth.mean()
        pulls.append(off / offsets.errors)
        ours.append(rms(off))
        blind.append(rms(fit_amplifier_offsets(image, none, BOXES).pedestals - truth + truth.mean()))
        borders.append(rms(interface_offsets(image, none, BOXES) - truth + truth.mean()))
    assert 0.7 < rms(np.array(pulls)) < 1.35
    assert rms(np.array(ours)) < 0.7 * rms(np.array(blind))
    assert all(one < 0.5 * other for one, other in zip(ours, borders, strict=True))


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def test_without_a_profile_stars_are_hidden_and_nothing_is_taken_off() -> None:
    _, _, image = field(1, 20)
    sources, psf = measured(image)
    found = light_between(sources, replace(psf, profile=None), noise=NOISE, shape=SHAPE)
    assert found is not None
    assert set(np.unique(found.cells[np.isfinite(found.cells)])) == {0.0}
    y, x = np.indices(SHAPE)
    apart = np.hypot(x[..., None] - sources.x, y[..., None] - sources.y).min(axis=2)
    hidden = found.hidden(SHAPE)
    assert hidden[apart < 2.5 * psf.fwhm].all()
    assert not hidden[apart > 2.5 * psf.fwhm + 13].any()


def test_where_nothing_is_known_there_is_no_light() -> None:
    psf = Psf(FWHM, 0.1, 0.0, 0.0, 10)
    assert light_between(no_sources("none"), psf, noise=NOISE, shape=SHAPE) is None
    sources, _ = measured(field(1, 20)[2])
    assert light_between(sources, no_psf("no star"), noise=NOISE, shape=SHAPE) is None


def test_the_light_around_a_place_is_the_mean_of_what_is_seen() -> None:
    _, _, image = field(2, 60)
    found = light_between(*measured(image), noise=NOISE, shape=SHAPE)
    assert found is not None
    x, y = np.array([15.5, 600.5, SHAPE[1] - 10.0]), np.array([15.5, 431.5, 3.0])
    for place, value in enumerate(found.around(x, y, 32)):
        i, j = (round((each[place] - 15.5) / 8) for each in (x, y))
        rows = np.clip(np.arange(j, j + 4), 0, 149)
        columns = np.clip(np.arange(i, i + 4), 0, 191)
        part = found.cells[np.ix_(rows, columns)]
        assert value == pytest.approx(np.nanmean(part) if np.isfinite(part).any() else 0.0)
    with pytest.raises(ValueError, match="read-only"):
        found.cells[0, 0] = 1
