"""The camera's numbers, found again in its pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from astropy.io import fits

from rapid.processing.geometry import detectors
from rapid.simulation.camera import ADC_LIMIT, DARK_CURRENT, Camera, camera_of, full_well, latiss
from rapid.simulation.night import SimulatedExposure
from tests.support.nights import read_assembled, read_segments

AMPLIFIERS = detectors("LATISS")["R00_S00"].amplifiers

Find = Callable[..., list[SimulatedExposure]]


@pytest.fixture(scope="module")
def camera() -> Camera:
    return latiss()


@pytest.fixture(scope="module")
def biases(find: Find) -> list[list[np.ndarray]]:
    return [read_segments(exposure.path) for exposure in find("bias")]


@pytest.fixture(scope="module")
def flats(find: Find) -> list[list[np.ndarray]]:
    return [read_segments(exposure.path) for exposure in find("flat")]


@pytest.mark.parametrize("index", range(16))
def test_bias_level_and_read_noise(biases: list[list[np.ndarray]], camera: Camera, index: int) -> None:
    amplifier = AMPLIFIERS[index]
    first, second = (bias[index][amplifier.serial_overscan.slices] for bias in biases)
    assert np.median(first) == pytest.approx(camera.levels[amplifier.name], abs=8.0)  # the drift has 1.5 adu
    difference = first - second
    difference -= difference.mean(axis=1, keepdims=True)
    n = difference.size
    noise = np.sqrt((difference**2).sum() / (n * 63 / 64) / 2) * amplifier.gain
    # Rounding to whole adu adds 1/12 adu^2; the standard error of a standard deviation is 1/sqrt(2n).
    expected = np.hypot(amplifier.read_noise, amplifier.gain / np.sqrt(12))
    assert noise == pytest.approx(expected, abs=4 * expected / np.sqrt(2 * n))


@pytest.mark.parametrize("index", range(16))
def test_gain_by_photon_transfer(flats: list[list[np.ndarray]], index: int) -> None:
    """Variance over mean of a pair of flats; good to sqrt(2/n) = 0.14 %."""
    amplifier = AMPLIFIERS[index]
    overscans = [np.mean(flat[index][amplifier.serial_overscan.slices], axis=1, keepdims=True) for flat in flats]
    first, second = (
        flat[index][amplifier.data.slices] - overscan for flat, overscan in zip(flats, overscans, strict=True)
    )
    difference = first - second
    kept = np.abs(difference - np.median(difference)) < 6 * difference.std()  # cosmic rays
    noise = (amplifier.read_noise / amplifier.gain) ** 2
    # The mean of the overscan of a row has a 64th of its variance.
    variance = difference[kept].var() / 2 - noise * (1 + 1 / 64) - 1 / 12
    gain = 0.5 * (first[kept].mean() + second[kept].mean()) / variance
    assert gain == pytest.approx(amplifier.gain, rel=4 * np.sqrt(2 / kept.sum()))


def test_pixels_respond_the_same_in_every_flat(flats: list[list[np.ndarray]]) -> None:
    """Response (0.6 %) and photons (0.6 % at 30000 electron): half of the variance is common to both flats."""
    box = (slice(800, 1200), slice(100, 400))
    first, second = (flat[3][box] - flat[3][box].mean() for flat in flats)
    common = (first * second).mean() / np.sqrt((first**2).mean() * (second**2).mean())
    assert common == pytest.approx(0.52, abs=0.04)


def test_flat_level_and_vignetting(find: Find) -> None:
    flat = read_assembled(find("flat")[0])
    assert flat.image.mean() == pytest.approx(flat.truth["flat_level"], rel=0.003)
    assert flat.image[:60, :60].mean() < 0.85 * flat.image[1970:2030, 2006:2066].mean()


def test_dark_current_and_hot_pixels(find: Find, camera: Camera) -> None:
    dark = read_assembled(find("dark")[0])
    middle = np.zeros(camera.detector.shape, dtype=bool)
    for amplifier in AMPLIFIERS:  # away from where the bias settles
        box = amplifier.bbox
        middle[box.y0 + 600 : box.y0 + 1400, box.x0 + 100 : box.x0 + 400] = True
    seconds = dark.header["DARKTIME"]
    sample = dark.image[middle]
    sample = sample[np.abs(sample) < 60]
    assert sample.mean() == pytest.approx(
        DARK_CURRENT * seconds, abs=0.1
    )  # columns of the bias: 0.4 adu / sqrt(300 * 16)
    hottest = np.argsort(camera.hot_currents)[-20:]
    found = dark.image[tuple(camera.hot_pixels[:, hottest])]
    np.testing.assert_allclose(found, camera.hot_currents[hottest] * seconds, rtol=0.15)


def test_overscans_and_prescan_see_no_light(flats: list[list[np.ndarray]], camera: Camera) -> None:
    for index, amplifier in enumerate(AMPLIFIERS):
        level = camera.levels[amplifier.name]
        pixels = flats[0][index]
        assert abs(pixels[amplifier.parallel_overscan.slices].mean() - level) < 10
        assert abs(pixels[:2000, :3].mean() - level) < 20
        assert pixels[1000, 3] > level + 5000


def test_counting_noise_of_few_photons(camera: Camera) -> None:
    """Mean and variance of 4 electron a pixel: Poisson, with the read noise on top."""
    charge = np.full(camera.detector.shape, 4.0, dtype=np.float32)
    segment = camera.read_out(charge, seed=3, number=1, dead={})[0].astype(np.float64)
    amplifier = AMPLIFIERS[0]
    light, empty = segment[200:1900, 100:500], segment[200:1900, 513:]
    electrons = (light.mean() - empty.mean()) * amplifier.gain
    assert electrons == pytest.approx(4.0, abs=0.3)  # rows and columns of the bias pattern
    rows = light.mean(axis=1, keepdims=True)
    columns = light.mean(axis=0, keepdims=True)
    variance = (light - rows - columns + light.mean()).var() * amplifier.gain**2
    expected = 4.0 + amplifier.read_noise**2 + amplifier.gain**2 / 12
    assert variance == pytest.approx(expected, rel=0.01)


def test_full_pixels_stop_at_full_well(camera: Camera) -> None:
    charge = np.full(camera.detector.shape, 1e6, dtype=np.float32)
    for amplifier, segment in zip(AMPLIFIERS, camera.read_out(charge, seed=1, number=1, dead={}), strict=True):
        data = segment[amplifier.data.slices]
        assert data.max() <= ADC_LIMIT
        assert np.median(data) == pytest.approx(
            camera.levels[amplifier.name] + full_well(amplifier) / amplifier.gain, abs=10
        )
        assert data.min() - camera.levels[amplifier.name] > amplifier.saturation


def test_a_dead_amplifier_says_nothing(find: Find) -> None:
    exposure = find("science", "dead_amplifier")[0]
    segments = read_segments(exposure.path)
    dead = next(index for index, amplifier in enumerate(AMPLIFIERS) if amplifier.name == "C13")
    assert segments[dead].mean() == pytest.approx(2500.0, abs=0.1)
    assert segments[dead].std() < 1.0
    assert all(segment.std() > 5 for index, segment in enumerate(segments) if index != dead)


def test_the_camera_is_the_same_every_night(camera: Camera) -> None:
    again = camera_of.__wrapped__("LATISS", "R00_S00")
    np.testing.assert_array_equal(camera.response, again.response)
    np.testing.assert_array_equal(camera.columns, again.columns)
    np.testing.assert_array_equal(camera.hot_pixels, again.hot_pixels)
    assert camera.illumination.mean() == pytest.approx(1.0, abs=1e-4)


def test_exposures_differ_and_repeat(camera: Camera) -> None:
    charge = np.zeros(camera.detector.shape, dtype=np.float32)
    one, same, other = (camera.read_out(charge, seed=5, number=n, dead={})[7] for n in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.9


def test_headers_say_what_the_pixels_are(find: Find) -> None:
    with fits.open(find("bias")[0].path) as hdus:
        for amplifier, hdu in zip(AMPLIFIERS, hdus[1:17], strict=True):
            x0, y0 = amplifier.data.x0, amplifier.data.y0
            assert (
                hdu.header["DATASEC"] == f"[{x0 + 1}:{x0 + amplifier.data.width},{y0 + 1}:{y0 + amplifier.data.height}]"
            )
