"""The fused pass gives what the steps give one by one; the predicted variance is the one that is measured."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rapid.processing.fits import open_raw
from rapid.processing.frame import Frame, Mask, RawDetector
from rapid.processing.geometry import Box
from rapid.processing.isr import Calibrations, calibrate
from rapid.processing.isr.crosstalk import Crosstalk
from rapid.processing.isr.defects import Defects
from rapid.processing.isr.overscan import parallel_levels, serial_levels
from rapid.processing.isr.products import plan
from tests.processing.isr.calibration_frames import BIAS_NOISE, DARK, DARK_TIME, FLAT_NOISE, SKY, known, observed
from tests.support.frames import NAME, as_file, info_of, latiss, read_out, small_detector

DETECTOR = small_detector()


@pytest.fixture(scope="module")
def raw() -> RawDetector:
    return read_out(np.full(DETECTOR.shape, SKY), DETECTOR)


def step_by_step(raw: RawDetector, known: Calibrations) -> NDArray[np.float32]:
    """Do each step on whole arrays, in float64, as one would by hand."""
    image = np.empty(DETECTOR.shape)
    for amplifier in DETECTOR.amplifiers:
        segment, data = raw.segments[amplifier.hdu - 1], amplifier.data
        rows, _ = serial_levels(segment, data.x0 + data.width + 3, segment.shape[1] - 3)
        inside = slice(data.x0, data.x0 + data.width)
        columns = parallel_levels(segment, rows, first_row=data.y0 + data.height + 3, columns=inside).levels
        level = rows[data.slices[0], None] + columns
        image[amplifier.bbox.slices] = ((segment[data.slices] - level) * amplifier.gain)[amplifier.turn]
    if known.bias is not None:
        image -= np.nan_to_num(known.bias.values)
    if known.dark is not None:
        image -= np.nan_to_num(known.dark.values) * info_of(raw).dark_time
    if known.flat is not None:
        image /= np.nan_to_num(known.flat.values, nan=1.0)
    return image.astype(np.float32)


@pytest.mark.parametrize("used", [(), ("bias",), ("dark",), ("flat",), ("bias", "dark", "flat")])
def test_one_pass_gives_what_the_steps_give(raw: RawDetector, used: tuple[str, ...]) -> None:
    chosen = Calibrations(**{name: getattr(known(holes=True), name) for name in used})
    frame = calibrate(raw, info_of(raw), DETECTOR, chosen, repair=False)
    np.testing.assert_allclose(frame.image, step_by_step(raw, chosen), rtol=3e-7, atol=1e-4)
    holes = np.zeros(DETECTOR.shape, np.bool_)
    for name in used:
        holes |= np.isnan(getattr(chosen, name).values)
    np.testing.assert_array_equal((frame.mask & Mask.BAD) != 0, holes)
    assert [step.done for step in frame.recipe if step.name in used] == [True] * len(used)


def test_side_by_side_gives_what_one_by_one_gives(raw: RawDetector) -> None:
    alone = calibrate(raw, info_of(raw), DETECTOR, known(), repair=False)
    nothing = replace(known(), crosstalk=Crosstalk(np.zeros((4, 4))))
    together = calibrate(raw, info_of(raw), DETECTOR, nothing, repair=False)
    assert [step.done for step in together.recipe if step.name == "crosstalk"] == [True]
    np.testing.assert_allclose(together.image, alone.image, rtol=3e-7, atol=2e-3)
    np.testing.assert_array_equal(together.mask, alone.mask)


def test_a_file_that_is_only_opened_gives_the_same_frame() -> None:
    whole = latiss()
    raw = read_out(np.full(whole.shape, SKY), whole)
    opened = open_raw(as_file(raw.segments), name=NAME)
    for found, expected in zip(opened.segments, raw.segments, strict=True):
        np.testing.assert_array_equal(found, expected)
    lazy = calibrate(opened, info_of(opened), whole, repair=False)
    eager = calibrate(raw, info_of(raw), whole, repair=False)
    np.testing.assert_array_equal(lazy.image, eager.image)
    assert lazy.recipe == eager.recipe


def test_defects_and_bad_amplifiers_are_masked(raw: RawDetector) -> None:
    name = DETECTOR.amplifiers[3].name
    chosen = Calibrations(defects=Defects((Box(100, 2050, 2, 400),)), bad_amplifiers=frozenset({name}))
    frame = calibrate(raw, info_of(raw), DETECTOR, chosen, repair=False)
    bad = (frame.mask & Mask.BAD) != 0
    assert bad[2050:2450, 100:102].all()
    assert np.isnan(frame.image[DETECTOR.amplifiers[3].bbox.slices]).all()
    assert bad.sum() == 800 + DETECTOR.amplifiers[3].bbox.width * DETECTOR.amplifiers[3].bbox.height
    details = {step.name: step.detail for step in frame.recipe}
    assert details["defects"] == "800 pixels masked"
    assert details["bad amplifiers"] == name
    assert [seen.dead for seen in frame.amplifiers] == [False, False, False, True]


def test_repair_marks_and_fills_and_leaves_the_rest_alone(raw: RawDetector) -> None:
    hit = [segment.copy() for segment in raw.segments]
    hit[0][700, 200] += 4000
    chosen = Calibrations(defects=Defects((Box(100, 50, 1, 30),)))
    plain = calibrate(replace(raw, segments=tuple(hit)), info_of(raw), DETECTOR, chosen, repair=False)
    mended = calibrate(replace(raw, segments=tuple(hit)), info_of(raw), DETECTOR, chosen)
    filled = (mended.mask & Mask.INTERPOLATED) != 0
    np.testing.assert_array_equal(filled, (mended.mask & (Mask.BAD | Mask.COSMIC_RAY)) != 0)
    assert 31 <= filled.sum() < 50
    np.testing.assert_array_equal(mended.image[~filled], plain.image[~filled])
    assert np.abs(mended.image[filled] - SKY).max() < 6 * math.sqrt(SKY)
    assert plain.image.max() > 4000


def test_products_get_the_steps_that_are_theirs() -> None:
    info = info_of(read_out(np.zeros(DETECTOR.shape), DETECTOR))

    def done(observation_type: str, instrument: str = "LSSTCam") -> set[str]:
        exposure = replace(info, observation_type=observation_type, instrument=instrument)
        return {step for step, reason in plan(exposure, known(), repair=True).items() if not reason}

    assert {"bias", "dark", "flat", "cosmic rays", "interpolation"} <= done("science")
    assert {"bias", "dark", "flat"} & done("bias") == {"bias"}
    assert {"bias", "dark", "flat"} & done("dark") == {"bias", "dark"}
    assert {"bias", "dark", "flat", "interpolation"} & done("flat") == {"bias", "dark", "flat"}
    assert "cosmic rays" not in done("fe55"), "its X-rays look like them"
    unknown = plan(replace(info, dark_time=math.nan), known(), repair=True)
    assert unknown["dark"] == "the time in the dark is not known"
    reasons = plan(replace(info, instrument="LATISS"), Calibrations(), repair=False)
    assert reasons["brighter-fatter"] == "not for LATISS"
    assert reasons["flat"] == "no calibration"


def test_spilled_charge_is_not_taken_for_a_level(raw: RawDetector) -> None:
    full = [segment.copy() for segment in raw.segments]
    full[1][:2000, 3:512] += 40_000
    full[1][2000:, 3:512] += 30_000
    frame = calibrate(replace(raw, segments=tuple(full)), info_of(raw), DETECTOR, repair=False)
    detail = next(step.detail for step in frame.recipe if step.name == "parallel overscan")
    assert f"{DETECTOR.amplifiers[1].name} skipped (spilled over: " in detail
    expected = SKY + 40_000 * DETECTOR.amplifiers[1].gain
    assert np.median(frame.image[DETECTOR.amplifiers[1].bbox.slices]) == pytest.approx(expected, rel=0.002)


@pytest.mark.parametrize(
    ("kind", "used"),
    [
        ("bias", ()),
        ("bias", ("bias",)),
        ("dark", ("bias", "dark")),
        ("science", ()),
        ("science", ("bias", "dark", "flat")),
    ],
)
def test_the_predicted_variance_is_the_measured_one(kind: str, used: tuple[str, ...]) -> None:
    """Of four million pixels the variance is known to 0.07 %, of their overscan, from which it is predicted, to 0.2 %.

    For a single amplifier that is 0.14 and 0.41 %: 1.5 % is three and a half times their sum in squares.
    """
    frame = observed(kind, used)
    predicted = frame.variance
    assert predicted is not None
    assert float(np.mean(predicted)) == pytest.approx(_scatter(frame) ** 2, rel=0.01)
    for amplifier in DETECTOR.amplifiers:
        part = amplifier.bbox.slices
        assert float(np.mean(predicted[part])) == pytest.approx(float(np.var(frame.image[part])), rel=0.015)


def test_what_the_calibrations_add_is_not_forgotten() -> None:
    """Without them the prediction would be wrong by more than the test above allows."""
    added = BIAS_NOISE**2 + (FLAT_NOISE * SKY) ** 2
    assert added > 0.03 * (SKY + DETECTOR.amplifiers[0].read_noise ** 2)
    assert 3 * added < DARK * DARK_TIME


def test_a_frame_made_otherwise_has_no_variance(raw: RawDetector) -> None:
    frame = calibrate(raw, info_of(raw), DETECTOR)
    assert replace(frame, noise=None).variance is None
    hollow = replace(frame, image=np.full_like(frame.image, np.nan)).variance
    assert hollow is not None
    assert np.isnan(hollow).all()


def _scatter(frame: Frame) -> float:
    parts = [frame.image[amplifier.bbox.slices] for amplifier in DETECTOR.amplifiers]
    return math.sqrt(float(np.mean([np.var(part, dtype=np.float64) for part in parts])))
