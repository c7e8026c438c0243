"""Charge that pushed what came after it aside is brought back, and none is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from rapid.errors import BadCalibration, InputError
from rapid.processing.isr.brighter_fatter import TOLERANCE, BrighterFatterKernel, correct_brighter_fatter
from tests.support.charge import exposed, potential, star

SKY = 1000.0


def size_of(image: np.ndarray) -> float:
    light = image - SKY
    y, x = np.indices(light.shape)
    flux = light.sum()
    return sum((light * (axis - (light * axis).sum() / flux) ** 2).sum() / flux for axis in (y, x))


@pytest.mark.parametrize("sigma", [1.06, 1.6, 2.5])  # 0.5 to 1.2 arcsec
@pytest.mark.parametrize("peak", [30_000.0, 90_000.0])
def test_a_star_gets_its_size_back(sigma: float, peak: float) -> None:
    kernel = potential()
    pixels, sides, floors = (light + SKY for light in star(61, sigma, peak, 30.2, 29.9))
    seen = exposed(pixels, sides, floors, kernel, 100)
    found = correct_brighter_fatter(seen.astype(np.float32), BrighterFatterKernel(kernel))
    growth, left = size_of(seen) - size_of(pixels), size_of(found.image.astype(float)) - size_of(pixels)
    assert growth > 2e-7 * peak * size_of(pixels)  # a percent and more at saturation
    assert abs(left) < 0.03 * growth  # the field grows with the image as it was: the rest is of the second order
    assert np.abs(found.image - pixels).max() < 0.1 * np.abs(seen - pixels).max()
    assert found.image.sum(dtype=float) == pytest.approx(pixels.sum(), rel=1e-6)


def test_a_flat_gets_its_noise_back() -> None:
    size, level = 500, 60_000.0
    kernel = potential()
    flat = np.full((size, size), level)
    sides, floors = np.full((size, size + 1), level), np.full((size + 1, size), level)
    seen = exposed(flat, sides, floors, kernel, 20, seed=1)
    found = correct_brighter_fatter(seen.astype(np.float32), BrighterFatterKernel(kernel))
    inner = np.s_[10:-10, 10:-10]

    def covariance(image: np.ndarray, y: int, x: int) -> float:
        part = image[inner].astype(float) - image[inner].mean()
        return float((part[y:, x:] * part[: len(part) - y, : len(part) - x]).mean() / level)

    error = 1 / 480
    assert covariance(seen, 0, 0) < 0.9
    assert covariance(seen, 0, 2) > 4 * error
    assert covariance(found.image, 0, 0) == pytest.approx(1, abs=4 * np.sqrt(2) * error + 0.005)
    for lag in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0)):
        assert covariance(found.image, *lag) == pytest.approx(0, abs=4 * error)


def test_steps_are_recorded_until_nothing_changes() -> None:
    pixels = (star(61, 1.6, 90_000, 30, 30)[0] + SKY).astype(np.float32)
    kernel = BrighterFatterKernel(potential())
    found = correct_brighter_fatter(pixels, kernel)
    assert found.converged
    assert found.changes[-1] <= TOLERANCE < found.changes[-2]
    assert all(later < 0.3 * earlier for earlier, later in zip(found.changes, found.changes[1:], strict=False))
    hasty = correct_brighter_fatter(pixels, kernel, tolerance=1e-30)
    assert not hasty.converged or hasty.changes[-1] == 0
    assert len(hasty.changes) <= 10


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), turns=st.integers(0, 3), flip=st.booleans(), height=st.integers(17, 300))
def test_charge_is_kept_however_the_image_lies(seed: int, turns: int, flip: bool, height: int) -> None:
    chance = np.random.default_rng(seed)
    image = chance.uniform(0, 50_000, (height, 40)).astype(np.float32)
    kernel = BrighterFatterKernel(potential())
    found = correct_brighter_fatter(image, kernel)

    def lay(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(array[::-1] if flip else array, turns))

    assert found.image.sum(dtype=float) == pytest.approx(image.sum(dtype=float), rel=1e-7)
    assert correct_brighter_fatter(lay(image), kernel).image == pytest.approx(lay(found.image), abs=0.3)


def test_the_field_is_that_of_a_plain_convolution() -> None:
    """With tiny effects one step is all; it must not show where the tiles of the convolution meet."""
    chance = np.random.default_rng(2)
    image = chance.uniform(900, 1100, (530, 300)).astype(np.float32)
    kernel = potential(1e-7)
    field = fftconvolve(image - 1000.0, kernel, mode="same")
    expected = np.zeros_like(field)
    for axis in (0, 1):
        light = np.moveaxis(image.astype(float), axis, -1)
        padded = np.pad(light, ((0, 0), (1, 1)), mode="edge")
        line = (7 * (light[:, 1:] + light[:, :-1]) - padded[:, :-3] - padded[:, 3:]) / 12
        flow = np.pad(line * np.diff(np.moveaxis(field, axis, -1)), ((0, 0), (1, 1)))
        expected += np.moveaxis(0.5 * np.diff(flow), -1, axis)
    found = correct_brighter_fatter(image, BrighterFatterKernel(kernel), tolerance=1.0).image
    assert np.abs(expected).max() > 0.005
    # the median of the image stands for the sky outside; float32 rounds to 0.00006
    inner = np.s_[8:-8, 8:-8]
    assert (found - image)[inner] == pytest.approx(expected[inner], abs=3e-4)


def test_pixels_that_are_no_numbers_stay_alone() -> None:
    image = np.random.default_rng(3).uniform(500, 5000, (60, 60)).astype(np.float32)
    image[10, 10], image[20:40, 30] = np.inf, np.nan
    found = correct_brighter_fatter(image, BrighterFatterKernel(potential()))
    assert found.converged
    assert np.array_equal(np.isfinite(found.image), np.isfinite(image))
    good = np.isfinite(image)
    assert found.image[good].sum(dtype=float) == pytest.approx(image[good].sum(dtype=float), rel=1e-7)
    nothing = correct_brighter_fatter(np.full((40, 40), np.nan, np.float32), BrighterFatterKernel(potential()))
    assert np.isnan(nothing.image).all()


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.zeros((4, 4)), "no pixel in its centre"),
        (np.zeros((3, 5)), "no pixel in its centre"),
        (np.zeros((1, 1)), "no pixel in its centre"),
        (np.full((3, 3), 1e-3), "too strong"),
        (np.array([[0, 0, 0], [1e-6, 0, 0], [0, 0, 0]]), "pushes to one side"),
        (np.full((3, 3), np.nan), "9 of 9"),
        (np.zeros(3), "wrong shape"),
    ],
)
def test_impossible_kernels_are_refused(kernel: np.ndarray, message: str) -> None:
    with pytest.raises(BadCalibration, match=message):
        BrighterFatterKernel(kernel)


def test_impossible_images_are_refused() -> None:
    kernel = BrighterFatterKernel(potential())
    for image in (np.zeros((60, 60)), np.zeros((10, 60), np.float32), np.zeros(60, np.float32)):
        with pytest.raises(InputError, match="cannot be corrected"):
            correct_brighter_fatter(image, kernel)
    with pytest.raises(InputError, match="positive tolerance"):
        correct_brighter_fatter(np.zeros((60, 60), np.float32), kernel, tolerance=0)
