"""Frames as nobody wants them: they are measured as far as they go, and nothing that is missing passes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from calib_verify.measurements import MeasuredFrame, measure_raw
from calib_verify.policy import judge_frame, load_policy
from calib_verify.verdicts import Outcome
from rapid.errors import BadHeader, BadLayout
from rapid.processing.frame import RawDetector
from rapid.processing.headers import translate
from rapid.processing.isr import Calibrations
from tests.calib_verify.frames import AMPLIFIERS, observed_raw

STANDARD = load_policy("standard")


@pytest.fixture(scope="module")
def bias() -> RawDetector:
    return observed_raw("bias", 1)


def measured(raw: RawDetector, calibrations: Calibrations | None = None) -> MeasuredFrame:
    return measure_raw(raw, translate(raw.header, name=raw.name), calibrations or Calibrations())


def with_segments(raw: RawDetector, change: Callable[[np.ndarray], np.ndarray]) -> RawDetector:
    return replace(raw, segments=tuple(np.ascontiguousarray(change(each)) for each in raw.segments))


@pytest.mark.parametrize("level", [0, 8000, 262_143])
def test_nothing_comes_from_any_amplifier(bias: RawDetector, level: int) -> None:
    found = measured(with_segments(bias, lambda segment: np.full_like(segment, level))).measurements
    assert found.by_place()["noise", "C10"].value == 0.0
    assert found.by_place()["image_correlation", ""].value is None
    assert found.by_place()["bias_shift_count", "C10"].value is None
    verdict = judge_frame(found, STANDARD)
    assert verdict.outcome is Outcome.FAIL
    assert {one.amplifier for one in verdict.failed if one.outcome is Outcome.FAIL} == set(AMPLIFIERS)


def test_without_a_parallel_overscan_levels_are_known_better(bias: RawDetector) -> None:
    """Its few rows are what makes the level of an amplifier uncertain, since all columns share their errors."""
    whole = measured(bias).measurements.by_place()["mean", "C10"]
    short = measured(with_segments(bias, lambda segment: segment[:2000])).measurements.by_place()["mean", "C10"]
    assert short.uncertainty < 0.2 * whole.uncertainty
    assert math.isfinite(short.value)


def test_an_overscan_of_few_columns_makes_all_less_certain(bias: RawDetector) -> None:
    whole = measured(bias).measurements.by_place()
    narrow = measured(with_segments(bias, lambda segment: segment[:, :532])).measurements.by_place()
    for name, factor in (("mean", math.sqrt(58 / 14)), ("read_noise", math.sqrt(58 / 14))):
        ratio = narrow[name, "C10"].uncertainty / whole[name, "C10"].uncertainty
        assert ratio == pytest.approx(factor, rel=0.1)


def test_an_amplifier_that_is_not_to_be_used_is_not_measured(bias: RawDetector) -> None:
    found = measured(bias, Calibrations(bad_amplifiers=frozenset({"C07"}))).measurements
    assert found.by_place()["mean", "C07"].value is None
    verdict = judge_frame(found, STANDARD)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert {one.amplifier for one in verdict.failed} == {"C07"}


def test_what_is_no_calibration_is_refused(bias: RawDetector) -> None:
    info = replace(translate(bias.header, name=bias.name), observation_type="science")
    with pytest.raises(BadHeader, match="not a calibration; expected bias, dark, flat; found 'science'"):
        measure_raw(bias, info)
    with pytest.raises(BadLayout, match="wrong number of segments"):
        measured(replace(bias, segments=bias.segments[:15]))


def test_the_same_frame_gives_the_same_numbers(bias: RawDetector) -> None:
    assert measured(bias).measurements == measured(bias).measurements
