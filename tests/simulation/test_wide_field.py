"""What LATISS has not: a PSF hardly wider than a pixel, shapes that differ from star to star, vignetting."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from scipy import integrate

from rapid.processing.geometry import detectors
from rapid.simulation.camera import camera_of, full_well
from rapid.simulation.optics import field_optics, focal_plane, vignetting
from rapid.simulation.passbands import COMCAM_PASSBANDS, LSSTCAM_PASSBANDS
from rapid.simulation.stars import Psf, Shapes, draw_stars

LSSTCAM = detectors("LSSTCam")


def drawn(psf: Psf, x: float, y: float, flux: float, shapes: Shapes | None = None) -> np.ndarray:
    image = np.zeros((121, 121), dtype=np.float32)
    draw_stars(image, np.array([x]), np.array([y]), np.array([flux]), psf, shapes=shapes)
    return image.astype(np.float64)


@pytest.mark.parametrize(("fwhm", "beta"), [(2.5, 3.5), (3.9, 3.0), (6.0, 2.7), (6.0, 4.5), (10.0, 3.5)])
def test_a_pixel_integrates_the_light_that_falls_on_it(fwhm: float, beta: float) -> None:
    psf = Psf(fwhm, beta, 0.1, -0.05)
    image = drawn(psf, 60.3, 59.8, 1.0e5)
    size = np.sqrt(1 - 0.1**2 - 0.05**2) * psf.scale**2
    peak = 1.0e5 * (beta - 1) / (np.pi * psf.scale**2)

    def light(v: float, u: float) -> float:
        return peak * (1 + (0.9 * u * u + 0.1 * u * v + 1.1 * v * v) / size) ** -beta

    for j, i in [(60, 60), (60, 61), (58, 63), (70, 60), (52, 45)]:
        dx, dy = i - 60.3, j - 59.8
        expected, _ = integrate.dblquad(light, dx - 0.5, dx + 0.5, dy - 0.5, dy + 0.5)
        assert image[j, i] == pytest.approx(expected, rel=2e-3, abs=1e-4 * peak)


def test_all_the_light_is_drawn() -> None:
    """But what is beyond the radius of the disc: (1 + R^2/alpha^2)^(1 - beta)."""
    psf = Psf(4.0, 3.5)
    assert drawn(psf, 60.1, 60.4, 1.0e5).sum() == pytest.approx(1.0e5, rel=2e-3)


def test_stars_have_shapes_of_their_own() -> None:
    psf = Psf(4.0, 3.5)
    shapes = Shapes(np.array([5.0]), np.array([0.2]), np.array([-0.1]))
    alone = drawn(Psf(5.0, 3.5, 0.2, -0.1), 60.2, 60.2, 1e5)
    np.testing.assert_allclose(drawn(psf, 60.2, 60.2, 1e5, shapes), alone, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", ["R22_S11", "R01_S00", "R44_SG0", "R40_SW1"])
def test_vignetting_follows_the_curve(name: str) -> None:
    detector = LSSTCAM[name]
    light = vignetting(detector)
    assert light.shape == detector.shape
    text = files("rapid.simulation").joinpath("data", "lsstcam_vignetting.json").read_text()
    curve = json.loads(text)
    chance = np.random.default_rng(detector.number)
    y, x = chance.integers(0, detector.height, 200), chance.integers(0, detector.width, 200)
    radius = np.hypot(*focal_plane(detector, x.astype(float), y.astype(float)))
    expected = np.interp(radius, curve["radius_mm"], curve["relative"])
    np.testing.assert_allclose(light[y, x], expected, atol=6e-3)
    assert np.median(np.abs(light[y, x] - expected)) < 5e-5


def test_optics_are_perfect_in_the_middle_and_grow_outwards() -> None:
    optics = field_optics("LSSTCam")
    assert optics is not None
    assert field_optics("LATISS") is None
    factor, e1, e2 = optics.shapes(np.array([0.0, 317.0, 0.0, 224.15]), np.array([0.0, 0.0, 317.0, 224.15]))
    np.testing.assert_allclose(factor, 1 + optics.growth * np.array([0, 1, 1, 1]), rtol=1e-4)
    np.testing.assert_allclose(e1, optics.astigmatism * np.array([0, 1, -1, 0]), atol=1e-4)
    np.testing.assert_allclose(e2, optics.astigmatism * np.array([0, 0, 0, 1]), atol=1e-4)


def test_amplifiers_are_those_of_the_tables() -> None:
    camera, detector = camera_of("LSSTCam", "R22_S11"), LSSTCAM["R22_S11"]
    assert camera.gains == {amplifier.name: amplifier.gain for amplifier in detector.amplifiers}
    measured = camera_of("LSSTCam", "R22_S11", measured_gains=True)
    ratios = [measured.gains[amplifier.name] / amplifier.gain for amplifier in detector.amplifiers]
    assert all(0.98 < ratio < 1.03 for ratio in ratios)
    assert len(set(camera.levels.values())) > 10
    assert all(20_000 < level < 30_000 for level in camera.levels.values())
    text = files("rapid.simulation").joinpath("data", "lsstcam_electronics.json").read_text()
    table = json.loads(text)
    for key in ("bias", "gain"):
        assert {name: len(values) for name, values in table[key].items()} == {
            name: len(one.amplifiers) for name, one in LSSTCAM.items()
        }
    assert min(full_well(amplifier) for one in LSSTCAM.values() for amplifier in one.amplifiers) > 1e4


@pytest.mark.parametrize("bands", [LSSTCAM_PASSBANDS, COMCAM_PASSBANDS])
def test_the_dark_sky_gives_the_fiducial_electrons(bands: dict) -> None:
    """32.95 electron a second and pixel of 0.2 arcsec in r; one electron a second at 28.50 through one airmass."""
    (r,) = (one for one in bands.values() if one.band == "r")
    assert 10 ** (0.4 * (r.zero_point - r.sky)) * 0.2**2 == pytest.approx(32.95)
    assert r.zero_point - r.extinction == pytest.approx(28.50)
    assert sorted(one.band for one in bands.values()) == sorted("ugrizy")
