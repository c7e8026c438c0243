"""One detector in memory: exactly what was asked for, and found again in its pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rapid.errors import ConfigError, UnknownInstrument
from rapid.processing.fits import read_raw
from rapid.processing.geometry import detectors
from rapid.simulation.effects import Effects, bad_columns, crosstalk_matrix
from rapid.simulation.exposure import DetectorReadout
from rapid.simulation.sequences import Target
from rapid.simulation.single import PlacedStars, simulate_detector

E2V = detectors("LSSTCam")["R22_S11"]
NOTHING = PlacedStars(np.empty(0), np.empty(0), np.empty(0))


def assembled(readout: DetectorReadout) -> np.ndarray:
    """Put the detector together in the plainest way [electron], the overscan of each row taken off."""
    detector = readout.camera.detector
    image = np.zeros(detector.shape)
    for amplifier, pixels in zip(detector.amplifiers, readout.segments, strict=True):
        level = np.mean(pixels[amplifier.serial_overscan.slices], axis=1, keepdims=True)
        data = (pixels[amplifier.data.slices] - level) * readout.camera.gains[amplifier.name]
        image[amplifier.bbox.slices] = data[amplifier.turn]
    return image


def settled(readout: DetectorReadout, image: np.ndarray) -> np.ndarray:
    """Keep the pixels of an image that are away from where the bias settles."""
    boxes = [a.bbox for a in readout.camera.detector.amplifiers]
    return np.concatenate([image[b.y0 + 700 : b.y0 + 1300, b.x0 + 130 : b.x0 + 380].ravel() for b in boxes])


@pytest.fixture(scope="module")
def grid() -> PlacedStars:
    """Stars far from each other and from the borders of amplifiers."""
    x, y = np.meshgrid(np.arange(256.3, 4096, 512), [500.2, 1100.7, 2900.1, 3500.6])
    return PlacedStars(x.ravel(), y.ravel(), np.full(x.size, 60_000.0))


@pytest.fixture(scope="module")
def exposed(grid: PlacedStars) -> DetectorReadout:
    return simulate_detector("LSSTCam", "R22_S11", seeing=0.9, sky=800.0, stars=grid, seed=5)


# --- what is returned ----------------------------------------------------------------------------------------------


def test_in_memory_it_is_what_the_file_says(exposed: DetectorReadout) -> None:
    raw, files = exposed.raw(), exposed.files()
    read = read_raw(files.fits, name=raw.name)
    assert read.name == raw.name == "MC_O_20260217_000001_R22_S11.fits"
    for ours, theirs in zip(raw.segments, read.segments, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert not ours.flags.writeable
    header = {key: value for key, value in read.header.items() if key not in {"CHECKSUM", "DATASUM"}}
    assert dict(raw.header) == header
    assert json.loads(files.truth) == json.loads(json.dumps(exposed.truth()))


def test_the_same_arguments_give_the_same_pixels(exposed: DetectorReadout, grid: PlacedStars) -> None:
    again = simulate_detector("LSSTCam", "R22_S11", seeing=0.9, sky=800.0, stars=grid, seed=5)
    other = simulate_detector("LSSTCam", "R22_S11", seeing=0.9, sky=800.0, stars=grid, seed=5, number=2)
    np.testing.assert_array_equal(exposed.segments[3], again.segments[3])
    assert (exposed.segments[3] != other.segments[3]).mean() > 0.9
    assert other.raw().header["SEQNUM"] == 2


@pytest.mark.parametrize(("camera", "name"), [("LATISS", "R00_S00"), ("LSSTComCam", "R22_S02"), ("LSSTCam", "R44_SW1")])
def test_any_detector_of_any_camera(camera: str, name: str) -> None:
    readout = simulate_detector(camera, name, kind="bias")
    detector = detectors(camera)[name]
    assert len(readout.raw().segments) == len(detector.amplifiers)
    image = assembled(readout)
    assert image.shape == detector.shape
    assert settled(readout, image).mean() == pytest.approx(0.0, abs=0.5)
    assert readout.truth()["stars"] == []


@pytest.mark.parametrize(
    ("arguments", "error", "complaint"),
    [
        ({"camera": "DECam"}, UnknownInstrument, "no such camera to simulate; expected LATISS or LSSTCam"),
        ({"detector": "R22_S33"}, UnknownInstrument, "LSSTCam has no such detector; expected R01_S00 ... R44_SW1"),
        ({"kind": "arc"}, ConfigError, "expected a kind among bias, dark, flat, science; found 'arc'"),
        ({"band": "q"}, ConfigError, "expected a band among u, g, r, i, z, y; found 'q'"),
        ({"target": Target(name="low", ra=10.0, dec=80.0)}, ConfigError, "low is at elevation"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint.replace("(", r"\(")):
        simulate_detector(**({"camera": "LSSTCam", "detector": "R22_S11"} | arguments))


# --- what was asked for --------------------------------------------------------------------------------------------


def test_sky_and_noise_are_those_asked_for(exposed: DetectorReadout) -> None:
    truth, image = exposed.truth(), assembled(exposed)
    sample = settled(exposed, image)
    sample = sample[np.abs(sample - np.median(sample)) < 250]
    dark = truth["dark_current"] * truth["dark_time"]
    assert truth["sky"]["sky_electron_per_px"] == pytest.approx(800.0, rel=1e-12)
    # 2.4 million pixels of 30 electron, and columns of the bias of 0.4 adu: 0.02 and 0.02 electron
    assert sample.mean() == pytest.approx(800.0 + dark, abs=0.3)
    box = E2V.amplifiers[3].bbox
    part = image[box.y0 + 700 : box.y0 + 1300, box.x0 + 130 : box.x0 + 380]
    difference = (part[1:] - part[:-1]) / np.sqrt(2)
    difference = difference[np.abs(difference) < 180]
    amplifier = E2V.amplifiers[3]
    response = (0.006 * 800.0) ** 2
    variance = 800.0 + dark + response + amplifier.read_noise**2 * (1 + 1 / 54) + amplifier.gain**2 / 12
    assert difference.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / difference.size) * 1.3)


def test_stars_are_those_asked_for(exposed: DetectorReadout, grid: PlacedStars) -> None:
    """Places as they were given, and flux in a wide aperture within its error."""
    truth, image = exposed.truth(), assembled(exposed) - 800.0
    told = np.array([[star["x"], star["y"], star["flux"]] for star in truth["stars"]])
    found = sorted(map(tuple, np.round(told[:, :2], 2)))
    np.testing.assert_allclose(found, sorted(zip(grid.x, grid.y, strict=True)), atol=0.006)
    radius, scale = 25.0, truth["sky"]["fwhm_px"] / (2 * np.sqrt(2 ** (1 / 3.5) - 1))
    inside = 1 - (1 + (radius / scale) ** 2) ** -2.5
    y, x = np.indices((81, 81)) - 40
    pulls = []
    for star_x, star_y, flux in told:
        i, j = round(star_x), round(star_y)
        cut = image[j - 40 : j + 41, i - 40 : i + 41]
        r = np.hypot(x + i - star_x, y + j - star_y)
        ring = (r > 32) & (r < 40)
        light = (cut - np.median(cut[ring]))[r < radius].sum()
        pixels = np.pi * radius**2  # and the median of the ring, which is as uncertain as that of all its pixels
        error = np.sqrt(flux + pixels * 890.0 * (1 + np.pi / 2 * pixels / ring.sum()))
        pulls.append((light - flux * inside) / error)
    assert abs(np.median(pulls)) < 4 * 1.25 / np.sqrt(len(pulls))
    assert 0.5 < np.percentile(np.abs(pulls), 68) < 1.5


def test_seeing_is_that_of_the_light_and_pixels_widen_it() -> None:
    """At 0.5 arcsec the pixels of 0.2 arcsec add a twelfth of a square pixel to the second moment on each axis."""
    star = PlacedStars(np.array([1024.25]), np.array([1000.5]), np.array([90_000.0]))
    exposed = simulate_detector("LSSTCam", "R22_S11", seeing=0.5, beta=6.0, sky=0.0, stars=star)
    fwhm = exposed.truth()["sky"]["fwhm_px"]
    assert fwhm == pytest.approx(0.5 / E2V.pixel_scale)
    scale = fwhm / (2 * np.sqrt(2 ** (1 / 6.0) - 1))
    cut = exposed.scene.charge[940:1061, 964:1085].astype(float)
    cut -= np.median(cut)
    y, x = np.indices(cut.shape)
    x, y = x + 964 - 1024.25, y + 940 - 1000.5
    near = np.hypot(x, y) < 12
    moment = (cut * (x**2 + y**2))[near].sum() / cut[near].sum()
    # <r^2> of the disc within a radius R, and that of a pixel.
    disc = np.linspace(0, 12, 100_001)
    profile = (1 + (disc / scale) ** 2) ** -6.0 * disc
    assert moment == pytest.approx((profile * disc**2).sum() / profile.sum() + 1 / 6, rel=0.01)
    assert cut[near].sum() == pytest.approx(90_000.0, rel=0.02)


def test_pointing_error_clouds_and_dead_amplifiers(grid: PlacedStars) -> None:
    clear = simulate_detector("LSSTCam", "R22_S11", stars=grid)
    cloudy = simulate_detector(
        "LSSTCam", "R22_S11", stars=grid, transmission=0.5, pointing_error=(3.0, -4.0), dead={"C05": 1200.0}
    )
    first, second = clear.truth()["sky"], cloudy.truth()["sky"]
    assert first["zero_point"] - second["zero_point"] == pytest.approx(2.5 * np.log10(2.0))
    assert (second["boresight_dec"] - first["boresight_dec"]) * 3600 == pytest.approx(-4.0, abs=1e-6)
    assert cloudy.raw().header["DECSTART"] == clear.raw().header["DECSTART"]
    dead = next(i for i, amplifier in enumerate(E2V.amplifiers) if amplifier.name == "C05")
    assert cloudy.segments[dead].mean() == pytest.approx(1200.0, abs=0.1)


def test_the_synthetic_sky_is_deep_enough() -> None:
    """Stars beyond Gaia, so that the detection limit lies within the catalogue."""
    truth = simulate_detector("LSSTCam", "R22_S11", target=Target(name="a", hour_angle=0.2, dec=-5.0)).truth()
    magnitudes = np.array([star["magnitude"] for star in truth["stars"]])
    assert (magnitudes > 23.5).sum() > 300
    counts, _ = np.histogram(magnitudes, bins=np.arange(18.0, 25.1))
    assert (np.diff(counts) > 0).all()


# --- effects -------------------------------------------------------------------------------------------------------


def test_measured_gains_differ_from_the_nominal_ones() -> None:
    nominal = simulate_detector("LSSTCam", "R22_S11", kind="flat", exposure_time=1.0)
    measured = simulate_detector(
        "LSSTCam", "R22_S11", kind="flat", exposure_time=1.0, effects=Effects(measured_gains=True)
    )
    for index, amplifier in enumerate(E2V.amplifiers):
        ratio = measured.truth()["amplifiers"][amplifier.name]["gain"] / amplifier.gain
        box = amplifier.data.slices
        level = nominal.camera.levels[amplifier.name]
        seen = (nominal.segments[index][box].mean() - level) / (measured.segments[index][box].mean() - level)
        assert seen == pytest.approx(ratio, rel=2e-3)


def test_crosstalk_is_that_of_the_matrix() -> None:
    """A block of light in one amplifier, seen in all others in the order of reading."""
    charge = np.zeros(E2V.shape, dtype=np.float32)
    source = 2
    box = E2V.amplifiers[source].bbox
    charge[box.y0 + 900 : box.y0 + 1100, box.x0 + 200 : box.x0 + 300] = 100_000.0
    effects = Effects(crosstalk=5e-4)
    matrix = crosstalk_matrix(E2V, 5e-4)
    segments = effects.read_out(charge, E2V)
    lit = segments[source] > 0
    for target, segment in enumerate(segments):
        if target != source:
            np.testing.assert_allclose(segment[lit], 100_000.0 * matrix[target, source], rtol=1e-5)
            assert not segment[~lit].any()
    assert matrix[1, 2] > 10 * abs(matrix[12, 2]) > 0
    assert np.abs(matrix).max() <= 5e-4
    assert (np.diag(matrix) == 0).all()


@pytest.mark.parametrize(("name", "axis"), [("serial_cti", 1), ("parallel_cti", 0)])
def test_charge_left_behind_trails_into_the_overscan(name: str, axis: int) -> None:
    """The extended pixel edge response: first overscan pixel over the last of the image is CTI times transfers."""
    charge = np.full(E2V.shape, 50_000.0, dtype=np.float32)
    segment = Effects(**{name: 2e-6}).read_out(charge, E2V)[0]
    data = E2V.amplifiers[0].data
    middle = segment[500] if axis == 1 else segment[:, 200]
    last = (data.x0 + data.width if axis == 1 else data.y0 + data.height) - 1
    transfers = last + 1
    assert middle[last + 1] / middle[last] == pytest.approx(2e-6 * transfers, rel=2e-3)
    assert middle[last + 2] < 0.01 * middle[last + 1]
    assert segment.sum(dtype=float) == pytest.approx(50_000.0 * data.width * data.height, rel=1e-5)


def test_nonlinearity_takes_its_share() -> None:
    straight, bent = (
        assembled(simulate_detector("LSSTCam", "R22_S11", kind="flat", level=80_000.0, effects=Effects(nonlinearity=q)))
        for q in (0.0, 0.05)
    )
    middle = np.s_[600:1500, 100:4000]
    assert 1 - np.median(bent[middle]) / np.median(straight[middle]) == pytest.approx(0.05 * 0.8, rel=0.02)


def test_bad_columns_are_where_the_truth_says() -> None:
    effects = Effects(bad_columns=4)
    exposed = simulate_detector("LSSTCam", "R22_S11", kind="flat", level=20_000.0, exposure_time=10.0, effects=effects)
    image, told = assembled(exposed), exposed.truth()["effects"]["bad_columns"]
    assert [column["bright"] for column in told] == [False, True, False, True]
    assert told == exposed.effects.told(E2V)["bad_columns"]
    assert bad_columns(E2V, 2) == bad_columns(E2V, 4)[:2]
    for column in told:
        seen = np.median(image[column["y0"] : column["y1"], column["x"]])
        beside = np.median(image[column["y0"] : column["y1"], max(column["x"] - 1, 0)])
        assert (seen > 1.1 * beside) if column["bright"] else (abs(seen) < 10)


def test_without_effects_nothing_is_done() -> None:
    one, other = (
        simulate_detector("LSSTCam", "R00_SW0", kind="flat", effects=effects) for effects in (None, Effects())
    )
    for a, b in zip(one.segments, other.segments, strict=True):
        np.testing.assert_array_equal(a, b)
    assert other.truth()["effects"]["crosstalk_matrix"] is None
