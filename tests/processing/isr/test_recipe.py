"""What was put into a raw detector comes out of the recipe: level, noise, gain, place, and what is wrong with it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rapid.errors import BadLayout
from rapid.processing.frame import Frame, Mask, RawDetector
from rapid.processing.geometry import Detector
from rapid.processing.isr import EDGE_WIDTH, calibrate
from rapid.processing.isr.overscan import serial_levels
from rapid.processing.isr.products import RECIPE
from tests.support.frames import NAME, bias_level, info_of, latiss, read_out, small_detector, with_overscan

DETECTOR = small_detector()
SKY = 400.0


def calibrated(raw: RawDetector, detector: Detector = DETECTOR) -> Frame:
    return calibrate(raw, info_of(raw), detector, repair=False)


def detail(frame: Frame, step: str) -> str:
    return next(seen.detail for seen in frame.recipe if seen.name == step)


@pytest.fixture(scope="module")
def raw() -> RawDetector:
    return read_out(np.full(DETECTOR.shape, SKY), DETECTOR)


@pytest.fixture(scope="module")
def frame(raw: RawDetector) -> Frame:
    return calibrated(raw)


def test_level_noise_and_gain_of_every_amplifier(frame: Frame) -> None:
    for index, (amplifier, seen) in enumerate(zip(DETECTOR.amplifiers, frame.amplifiers, strict=True)):
        noise = math.hypot(amplifier.read_noise, amplifier.gain / math.sqrt(12))
        assert seen.name == amplifier.name
        assert seen.bias_level == pytest.approx(bias_level(index), abs=4)
        assert seen.read_noise == pytest.approx(noise, rel=0.01)
        assert seen.overscan_noise == pytest.approx(noise / amplifier.gain, rel=0.01)
        assert seen.median == pytest.approx(SKY, rel=0.003)
        assert seen.sigma == pytest.approx(math.hypot(math.sqrt(SKY), noise), rel=0.015)
        assert (seen.dead, seen.n_saturated) == (False, 0)


@pytest.mark.parametrize("overscan", [32, 54, 64, 96])
def test_overscans_of_any_width_work(overscan: int) -> None:
    raw = read_out(np.full(DETECTOR.shape, SKY), DETECTOR, size=with_overscan(DETECTOR, overscan))
    frame = calibrated(raw)
    assert np.median(frame.image) == pytest.approx(SKY, rel=0.003)
    assert detail(frame, "serial overscan").startswith(f"row medians of {overscan - 6} columns")


def test_without_rows_of_overscan_the_step_is_not_done() -> None:
    frame = calibrated(read_out(np.full(DETECTOR.shape, SKY), DETECTOR, size=(2000, 576)))
    assert {step.name: step.done for step in frame.recipe}["parallel overscan"] is False
    assert np.median(frame.image) == pytest.approx(SKY, rel=0.01)


@pytest.mark.parametrize("serial", ["E2V-CCD250-360", "E2V"])
def test_a_sensor_of_the_other_vendor_is_refused(raw: RawDetector, serial: str) -> None:
    """Its segments are as large, so that without this some of its overscan would be taken for light."""
    other = replace(info_of(raw), detector_serial=serial)
    with pytest.raises(
        BadLayout, match="not the sensor that LATISS has at R00_S00; expected one of ITL, as ITL-3800C-068; found E2V"
    ):
        calibrate(raw, other, DETECTOR)


@pytest.mark.parametrize("serial", ["ITL-3800C-098", None, "spare 3"])
def test_another_sensor_of_the_vendor_has_the_gains_of_the_one_that_is_there(
    raw: RawDetector, serial: str | None
) -> None:
    frame = calibrate(raw, replace(info_of(raw), detector_serial=serial), DETECTOR, repair=False)
    assert detail(frame, "gain") == ("nominal" if serial is None else f"nominal of ITL-3800C-068, not of {serial}")


def test_every_pixel_lands_in_its_place() -> None:
    whole = latiss()
    light = np.zeros(whole.shape)
    y, x = np.indices(whole.shape)
    light[(x % 50 == 7) & (y % 40 == 11)] = 20_000
    frame = calibrated(read_out(light, whole), whole)
    np.testing.assert_array_equal(frame.image > 10_000, light > 10_000)


def test_structure_along_rows_and_columns_is_taken_out(raw: RawDetector) -> None:
    width, height = raw.segments[0].shape[::-1]
    pattern = np.round(40 * np.sin(np.arange(height) / 3))[:, None] + np.round(25 * np.cos(np.arange(width) / 90))
    shaken = replace(raw, segments=tuple((segment + pattern).astype(np.int32) for segment in raw.segments))
    image = calibrated(shaken).image
    assert image.mean(axis=1).std() == pytest.approx(0, abs=1.5)
    blocks = image[:, : image.shape[1] // 40 * 40].mean(axis=0).reshape(-1, 40).mean(axis=1)
    assert blocks.std() < 1.0


def test_a_trail_into_the_overscan_does_not_move_its_rows(raw: RawDetector) -> None:
    bled = [segment.copy() for segment in raw.segments]
    bled[0][700:708, 512:] += 3000
    bled[0][2000:, 200:206] += 3000
    frame = calibrated(replace(raw, segments=tuple(bled)))
    assert "8 rows taken from neighbours" in detail(frame, "serial overscan")
    box = DETECTOR.amplifiers[0].bbox
    part = frame.image[box.slices]
    assert np.median(part, axis=1).min() == pytest.approx(SKY, rel=0.05)
    assert np.median(part, axis=0).min() == pytest.approx(SKY, rel=0.05)


@pytest.mark.parametrize("rows", [16, 40, 100])
@pytest.mark.parametrize("first", [0, 700, 1500])
@pytest.mark.parametrize("charge", [300, 3000])
def test_a_wide_bleed_is_not_taken_for_the_level(raw: RawDetector, rows: int, first: int, charge: int) -> None:
    clean = raw.segments[0]
    bled = clean.copy()
    bled[first : first + rows, 512:] += charge
    expected, none = serial_levels(clean, 525)
    levels, replaced = serial_levels(bled, 525)
    assert (none, replaced) == (0, rows)
    assert np.abs(levels - expected).max() < 6
    assert np.abs(np.mean(levels - expected)) < 0.1


@pytest.mark.parametrize("amplitude", [-60, 60])
def test_a_level_that_drifts_at_the_first_rows_is_followed(raw: RawDetector, amplitude: int) -> None:
    drift = np.round(amplitude * np.exp(-np.arange(2048) / 40))[:, None].astype(np.int32)
    expected, _ = serial_levels(raw.segments[0], 525)
    levels, replaced = serial_levels(raw.segments[0] + drift, 525)
    assert replaced == 0
    np.testing.assert_allclose(levels - drift[:, 0], expected, atol=0.6)


def test_full_pixels_are_masked_and_counted() -> None:
    light = np.full(DETECTOR.shape, SKY)
    light[1000:1010, 300:320] = 400_000
    frame = calibrated(read_out(light, DETECTOR))
    full = (frame.mask & Mask.SATURATED) != 0
    np.testing.assert_array_equal(full, light > 100_000)
    assert sum(seen.n_saturated for seen in frame.amplifiers) == 200
    assert np.isfinite(frame.image[full]).all()


@pytest.mark.parametrize("kind", ["constant", "converter noise", "zero", "full"])
def test_an_amplifier_without_signal_is_dead(raw: RawDetector, kind: str) -> None:
    noise = np.round(np.random.default_rng(1).normal(0, 0.7, raw.segments[1].shape))
    dead = {
        "constant": 8000 + 0 * noise,
        "converter noise": 8000 + noise,
        "zero": 0 * noise,
        "full": 0 * noise + 262143,
    }[kind]
    segments = (raw.segments[0], dead.astype(np.int32), *raw.segments[2:])
    frame = calibrated(replace(raw, segments=segments))
    assert [seen.dead for seen in frame.amplifiers] == [False, True, False, False]
    part = DETECTOR.amplifiers[1].bbox.slices
    assert np.isnan(frame.image[part]).all()
    assert ((frame.mask[part] & (Mask.BAD | Mask.NO_DATA)) == (Mask.BAD | Mask.NO_DATA)).all()
    assert np.isnan(frame.image).sum() == DETECTOR.amplifiers[1].bbox.width * DETECTOR.amplifiers[1].bbox.height
    assert detail(frame, "dead amplifiers") == "C13"


def test_an_amplifier_that_sees_no_light_while_others_do_is_dead() -> None:
    light = np.full(DETECTOR.shape, SKY)
    light[DETECTOR.amplifiers[2].bbox.slices] = 0
    frame = calibrated(read_out(light, DETECTOR))
    assert [seen.dead for seen in frame.amplifiers] == [False, False, True, False]


def test_in_the_dark_nobody_is_dead() -> None:
    frame = calibrated(read_out(np.zeros(DETECTOR.shape), DETECTOR))
    assert not any(seen.dead for seen in frame.amplifiers)
    assert np.median(frame.image) == pytest.approx(0, abs=1)


def test_the_rim_is_marked_and_the_frame_is_read_only(frame: Frame) -> None:
    rim = (frame.mask & Mask.EDGE) != 0
    assert rim[:EDGE_WIDTH].all()
    assert rim[:, -EDGE_WIDTH:].all()
    assert not rim[EDGE_WIDTH:-EDGE_WIDTH, EDGE_WIDTH:-EDGE_WIDTH].any()
    with pytest.raises(ValueError, match="read-only"):
        frame.image[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        frame.mask[0, 0] = 1


def test_segments_that_are_not_the_detectors_are_refused(raw: RawDetector) -> None:
    with pytest.raises(BadLayout, match=rf"^{NAME}: wrong number of segments for LATISS R00_S00; expected 4; found 3"):
        calibrated(replace(raw, segments=raw.segments[:3]))
    narrow = tuple(segment[:, :512] for segment in raw.segments)
    with pytest.raises(BadLayout, match=r"Segment12 is too small.*at least 519 x 2000 pixels.*found 512 x 2048"):
        calibrated(replace(raw, segments=narrow))
    uneven = (*raw.segments[:3], np.pad(raw.segments[3], ((0, 0), (0, 8))))
    with pytest.raises(
        BadLayout, match=r"another size than Segment.*expected 576 x 2048 pixels, all alike; found 584 x"
    ):
        calibrated(replace(raw, segments=uneven))


def test_the_recipe_is_told_in_its_order(frame: Frame) -> None:
    assert [step.name for step in frame.recipe] == list(RECIPE)
    assert [step.name for step in frame.recipe if step.done] == [
        "bad amplifiers",
        "saturation",
        "serial overscan",
        "parallel overscan",
        "gain",
        "assembly",
        "dead amplifiers",
        "variance",
        "edge",
    ]
    reasons = {step.name: (step.wanted, step.detail) for step in frame.recipe if not step.done}
    assert reasons["flat"] == (True, "no calibration")
    assert reasons["brighter-fatter"] == (False, "not for LATISS")
    assert reasons["cosmic rays"] == (False, "not asked for")
