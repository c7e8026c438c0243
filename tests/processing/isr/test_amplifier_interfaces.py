"""The steps at the borders of amplifiers give their pedestals, as far as that scheme goes."""

from __future__ import annotations

import numpy as np
import pytest

from rapid.processing.geometry import Box
from rapid.processing.isr.amplifier_interfaces import interface_offsets

BOXES = tuple(Box(i * 160, j * 400, 160, 400) for j in (0, 1) for i in range(4))
PEDESTALS = np.array([1.0, -2.0, 0.5, 3.0, -1.5, 2.0, -0.5, -2.5])


def image_of(noise: float) -> np.ndarray:
    image = np.random.default_rng(1).normal(300, noise, (800, 640)).astype(np.float32)
    for box, pedestal in zip(BOXES, PEDESTALS, strict=True):
        image[box.slices] += np.float32(pedestal)
    return image


def none(image: np.ndarray) -> np.ndarray:
    return np.zeros(image.shape, bool)


def test_without_noise_the_steps_are_the_pedestals() -> None:
    image = image_of(0.0)
    found = interface_offsets(image, none(image), BOXES, background=False)
    assert found == pytest.approx(PEDESTALS, abs=1e-3)


def test_with_noise_they_are_within_that_of_the_strips() -> None:
    image = image_of(10.0)
    found = interface_offsets(image, none(image), BOXES, background=False)
    # a step has the noise of two medians over 64 x 160 pixels or more, and each pedestal comes from two or three
    assert found == pytest.approx(PEDESTALS, abs=5 * 10 * 1.2533 * np.sqrt(2 / (64 * 160)))
    assert found.sum() == pytest.approx(0, abs=1e-9)


def test_a_binned_background_takes_part_of_the_pedestals_with_it() -> None:
    """The flaw that the joint fit has not."""
    image = image_of(0.0)
    with_background = interface_offsets(image, none(image), BOXES)
    assert np.abs(with_background - PEDESTALS).max() > 0.05
    assert np.corrcoef(with_background, PEDESTALS)[0, 1] > 0.9


def test_a_step_that_is_too_large_counts_as_none() -> None:
    image = image_of(0.0)
    image[BOXES[0].slices] += 100
    found = interface_offsets(image, none(image), BOXES, background=False, largest=10.0)
    assert abs(found[0]) < 5


def test_borders_without_good_pixels_count_as_none() -> None:
    image = image_of(0.0)
    bad = none(image)
    bad[BOXES[0].slices] = True
    found = interface_offsets(image, bad, BOXES, background=False)
    assert np.isfinite(found).all()
    assert not interface_offsets(np.full_like(image, np.nan), bad, BOXES, background=False).any()
