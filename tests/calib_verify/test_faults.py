"""Faults put into simulated LATISS exposures, and what both policies say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from calib_verify.measurements import FrameMeasurements, MeasuredFrame, measure_pair, measure_raw
from calib_verify.policy import Baseline, judge_frame, judge_run, load_policy
from calib_verify.verdicts import Outcome
from rapid.processing.frame import RawDetector
from rapid.processing.headers import translate
from tests.calib_verify.frames import AMPLIFIERS, LATISS, Fault, observed_raw

STANDARD, COMPAT = load_policy("standard"), load_policy("lsst-compat")
INDEX = 4
SPOILT = LATISS.amplifiers[INDEX]
DATA = SPOILT.data.slices

Segments = list[NDArray[np.int32]]


def dead(segments: Segments) -> None:
    noise = np.random.default_rng(1).normal(8000, 0.7, segments[INDEX].shape)
    segments[INDEX][...] = np.rint(noise)


def noise(percent: float) -> Fault:
    def add(segments: Segments) -> None:
        more = SPOILT.read_noise / SPOILT.gain * np.sqrt((1 + percent / 100) ** 2 - 1)
        segments[INDEX] += np.rint(np.random.default_rng(2).normal(0, more, segments[INDEX].shape)).astype(np.int32)

    return add


def step(electrons: float) -> Fault:
    """Raise the data above the overscan; by chance where it is no whole number of adu."""

    def add(segments: Segments) -> None:
        data = segments[INDEX][DATA]
        data += np.floor(electrons / SPOILT.gain + np.random.default_rng(3).uniform(size=data.shape)).astype(np.int32)

    return add


def light_leak(segments: Segments) -> None:
    for segment, amplifier in zip(segments, LATISS.amplifiers, strict=True):
        part = segment[amplifier.data.slices]
        across = np.linspace(0, 1, LATISS.width)[amplifier.bbox.slices[1]][:: -1 if amplifier.flip_x else 1]
        part += np.random.default_rng(amplifier.hdu).poisson(np.broadcast_to(20 * across, part.shape)).astype(np.int32)


def hot_columns(segments: Segments) -> None:
    x = SPOILT.data.x0
    for column in (40, 41, 200, 330):
        segments[INDEX][SPOILT.data.slices[0], x + column] += 300


def gain(factor: float) -> Fault:
    def change(segments: Segments) -> None:
        level = np.median(segments[INDEX][:, SPOILT.data.x0 + SPOILT.data.width + 5 :])
        segments[INDEX][...] = np.rint(level + (segments[INDEX] - level) / factor)

    return change


def saturated(segments: Segments) -> None:
    segments[INDEX][SPOILT.data.slices][:, 100:140] = 262_143


def measured(raw: RawDetector, fault: Fault | None = None) -> MeasuredFrame:
    segments = [each.copy() for each in raw.segments]
    if fault is not None:
        fault(segments)
    return measure_raw(replace(raw, segments=tuple(segments)), translate(raw.header, name=raw.name))


@pytest.fixture(scope="module")
def biases() -> list[RawDetector]:
    return [observed_raw("bias", number) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def healthy(biases: list[RawDetector]) -> list[FrameMeasurements]:
    return [measured(raw).measurements for raw in biases]


@pytest.fixture(scope="module")
def usual(healthy: list[FrameMeasurements]) -> Baseline:
    return Baseline.from_frames("the first two", healthy[:2])


def where(verdict, outcome: Outcome) -> set[tuple[str, str]]:
    return {(one.criterion, one.amplifier) for one in verdict.failed if one.outcome is outcome}


def test_the_healthy_camera_passes(healthy: list[FrameMeasurements], usual: Baseline) -> None:
    for frame in healthy:
        for baseline in (None, usual):
            assert judge_frame(frame, STANDARD, baseline=baseline).outcome is Outcome.PASS
        assert judge_frame(frame, COMPAT).outcome is Outcome.PASS
    assert judge_run(healthy, STANDARD, baseline=usual).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("fault", "found", "by", "compat"),
    [
        pytest.param(dead, Outcome.FAIL, "READ_NOISE", Outcome.PASS, id="dead amplifier"),
        pytest.param(noise(6), Outcome.FAIL, "READ_NOISE_CHANGE", Outcome.FAIL, id="noise +6 %"),
        pytest.param(noise(2), Outcome.WARN, "READ_NOISE_TREND", Outcome.PASS, id="noise +2 %"),
        pytest.param(step(5), Outcome.FAIL, "LEVEL", Outcome.PASS, id="step of 5 electron"),
        pytest.param(step(2.5), Outcome.WARN, "LEVEL_CHANGE", Outcome.PASS, id="step of 2.5 electron"),
        pytest.param(light_leak, Outcome.FAIL, "LEVEL", None, id="light leak"),
        pytest.param(hot_columns, Outcome.FAIL, "COLUMNS", Outcome.PASS, id="hot columns"),
    ],
)
def test_a_bias_with_a_fault(
    biases: list[RawDetector], usual: Baseline, fault: Fault, found: Outcome, by: str, compat: Outcome | None
) -> None:
    frame = measured(biases[2], fault).measurements
    verdict = judge_frame(frame, STANDARD, baseline=usual)
    assert verdict.outcome is found, verdict.failed
    assert by in {criterion for criterion, _ in where(verdict, found)}
    if fault is not light_leak:
        assert {amplifier for _, amplifier in where(verdict, Outcome.FAIL)} <= {SPOILT.name}
    if compat is not None:
        assert judge_frame(frame, COMPAT).outcome is compat


def test_one_bad_frame_warns_and_two_fail(biases: list[RawDetector], healthy: list[FrameMeasurements]) -> None:
    def run(*bad: int) -> list[FrameMeasurements]:
        frames = []
        for number in range(1, 21):
            frame = spoilt if number in bad else healthy[2]
            subject = replace(frame.subject, exposure_id=2026021700000 + number, obs_id=f"exposure {number}")
            frames.append(replace(frame, subject=subject))
        return frames

    spoilt = measured(biases[2], step(5)).measurements
    one = judge_run(run(7), STANDARD)
    assert (one.outcome, one.verdicts[0].bare) == (Outcome.WARN, Outcome.FAIL)
    assert [each.obs_id for each in one.exposures if each.outcome is Outcome.FAIL] == ["exposure 7"]
    assert "in 1 of 20 exposures: 2026021700007; it did not come back" in one.reason
    assert judge_run(run(7, 8), STANDARD).outcome is Outcome.FAIL
    assert judge_run(run(3, 7, 11), STANDARD).outcome is Outcome.WARN
    assert judge_run(run(3, 7, 11, 15), STANDARD).outcome is Outcome.FAIL


# --- flats -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flats() -> list[RawDetector]:
    return [observed_raw("flat", number) for number in (11, 12)]


def pair(raws: Sequence[RawDetector], fault: Fault | None = None) -> FrameMeasurements:
    first, second = (measured(raw, fault) for raw in raws)
    assert first.pairing is not None
    assert second.pairing is not None
    found = measure_pair(first.pairing, second.pairing, [each.gain for each in LATISS.amplifiers])
    frame = second.measurements
    return replace(frame, measurements=(*frame.measurements, *found))


@pytest.fixture(scope="module")
def usual_flat(flats: list[RawDetector]) -> Baseline:
    frame = pair(flats)
    baseline = Baseline.from_frames("a pair", [frame])
    for known in (None, baseline):
        assert judge_frame(frame, STANDARD, baseline=known).outcome is Outcome.PASS
    return baseline


@pytest.mark.parametrize(
    ("fault", "found", "by"),
    [
        pytest.param(gain(1.10), Outcome.FAIL, "PAIR_GAIN", id="gain +10 %"),
        pytest.param(gain(1.007), Outcome.WARN, "AMPLIFIER_LEVEL_CHANGE", id="gain +0.7 %"),
        pytest.param(saturated, Outcome.FAIL, "SATURATION", id="saturated"),
        pytest.param(dead, Outcome.FAIL, "AMPLIFIER_LEVEL", id="dead amplifier"),
    ],
)
def test_a_flat_with_a_fault(
    flats: list[RawDetector], usual_flat: Baseline, fault: Fault, found: Outcome, by: str
) -> None:
    verdict = judge_frame(pair(flats, fault), STANDARD, baseline=usual_flat)
    assert verdict.outcome is found, verdict.failed
    assert (by, SPOILT.name) in where(verdict, found)


def test_a_dead_amplifier_is_measured_as_it_is(biases: list[RawDetector]) -> None:
    places = measured(biases[2], dead).measurements.by_place()
    assert places["noise", SPOILT.name].value == pytest.approx(
        0.76 * SPOILT.gain, abs=0.05
    )  # with the steps of the converter
    assert places["mean", SPOILT.name].value == pytest.approx(0.0, abs=0.1)
    others = [places["noise", name].value for name in AMPLIFIERS if name != SPOILT.name]
    assert min(others) > 7
