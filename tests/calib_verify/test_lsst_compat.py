"""The verdicts of cp_verify and of the summit's acceptance rule, flaws included, and what correcting each flaw changes."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from calib_verify.policy import ExposureVerdict, FrameVerdict, accept, judge_frame, judge_run, load_policy
from calib_verify.verdicts import Outcome
from rapid.errors import ConfigError
from tests.calib_verify.frames import AMPLIFIERS, frame

COMPAT = load_policy("lsst-compat")
DEAD = {"mean": 0.0, "noise": 0.01, "cr_noise": 0.01, "read_noise_lsst": 0.01}


def failed(verdict: FrameVerdict | ExposureVerdict) -> Counter[str]:
    return Counter(one.criterion for one in verdict.verdicts if one.outcome is Outcome.FAIL)


# --- tests of one frame ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "fails"),
    [
        pytest.param({}, set(), id="healthy"),
        pytest.param(DEAD, set(), id="dead amplifier"),
        pytest.param({"mean": 5.0}, set(), id="step of 5 electron"),
        pytest.param({"mean": 8.2}, {"MEAN"}, id="mean as large as the noise"),
        pytest.param({"mean": -8.3}, {"MEAN"}, id="mean below minus the noise"),
        pytest.param({"noise": 8.0 * 1.049, "cr_noise": 8.0 * 1.049}, set(), id="noise 4.9 % too large"),
        pytest.param({"noise": 8.0 * 1.051, "cr_noise": 8.0 * 1.051}, {"NOISE"}, id="noise 5.1 % too large"),
        pytest.param({"cr_noise": 8.2 * 1.06}, {"CR_NOISE"}, id="cosmic rays left"),
        pytest.param({"cr_noise": 8.2 / 1.06}, {"CR_NOISE"}, id="noise above the one without cosmic rays"),
        pytest.param({"mean": None, "noise": None, "cr_noise": None}, {"MEAN", "NOISE", "CR_NOISE"}, id="masked"),
        pytest.param({"read_noise_lsst": 9.0}, set(), id="overscan too noisy: it never counts"),
    ],
)
def test_a_bias(values: dict[str, float | None], fails: set[str]) -> None:
    verdict = judge_frame(frame(bad={"C04": values}), COMPAT)
    counted = {one.criterion for one in verdict.failed}
    assert counted == fails
    assert verdict.outcome is (Outcome.FAIL if fails else Outcome.PASS)
    assert {one.amplifier for one in verdict.failed} <= {"C04"}


@pytest.mark.parametrize(
    ("level", "read_noise", "noise", "passes"),
    [
        (100.0, 5.4, (100.0 + 5.4**2) ** 0.5, False),
        (1000.0, 5.4, (1000.0 + 5.4**2) ** 0.5, False),
        (40_000.0, 5.4, (40_000.0 * (1 - 3.5e-6 * 40_000.0) + 5.4**2) ** 0.5, True),
    ],
)
def test_a_flat_passes_only_by_the_brighter_fatter_effect(
    level: float, read_noise: float, noise: float, passes: bool
) -> None:
    values = {"mean": level, "noise": noise, "nominal_read_noise": read_noise}
    flat = frame(kind="flat", bad={"C10": values}, detector_mean=level, detector_scatter=0.0)
    assert (judge_frame(flat, COMPAT).outcome is Outcome.PASS) is passes
    corrected = COMPAT.without(["flat-noise-without-read-noise"])
    assert judge_frame(flat, corrected).outcome is Outcome.PASS


@pytest.mark.parametrize(("scatter", "outcome"), [(1500.0, Outcome.PASS), (1500.1, Outcome.FAIL)])
def test_the_amplifiers_of_a_flat_may_scatter_by_five_per_cent(scatter: float, outcome: Outcome) -> None:
    flat = frame(kind="flat", detector_mean=30_000.0, detector_scatter=scatter)
    assert judge_frame(flat, COMPAT).outcome is outcome


# --- the summit's rule -------------------------------------------------------------------------------------------


def run(n: int, *, bad: dict[int, tuple[int, dict[str, float]]], kind: str = "bias"):
    """Make a LATISS run of n exposures; in some of them so many amplifiers have other values."""
    frames = []
    for number in range(1, n + 1):
        count, values = bad.get(number, (0, {}))
        frames.append(frame(number, kind=kind, bad=dict.fromkeys(AMPLIFIERS[:count], values)))
    return frames


NOISY = {"noise": 9.0, "cr_noise": 9.0}


@pytest.mark.parametrize(
    ("amplifiers", "exposures", "accepted"),
    [(16, 10, True), (7, 20, True), (8, 11, False), (8, 10, True), (7, 11, True), (16, 20, False)],
)
def test_latiss_is_certified_or_rejected_as_on_the_summit(amplifiers: int, exposures: int, accepted: bool) -> None:
    frames = run(20, bad=dict.fromkeys(range(1, exposures + 1), (amplifiers, NOISY)))
    verdict = judge_run(frames, COMPAT)
    assert verdict.accepted is not None
    assert verdict.accepted.accepted is accepted
    assert (verdict.accepted.needed_failures, verdict.accepted.needed_exposures) == (8, 11)
    assert verdict.outcome is (Outcome.WARN if accepted else Outcome.FAIL)


@pytest.mark.parametrize(("failures", "accepted"), [(791, True), (792, False)])
def test_lsstcam_needs_792_failures_of_one_test(failures: int, accepted: bool) -> None:
    rule = COMPAT.acceptance
    assert rule is not None
    counts = {exposure: {"NOISE": failures, "MEAN": 791} for exposure in range(20)}
    result = accept(counts, detectors=rule.detectors["LSSTCam"], rule=rule)
    assert result.accepted is accepted
    assert result.needed_failures == 792


def test_791_and_792_amplifiers_of_a_focal_plane() -> None:
    detectors = [f"R{i // 9:02d}_S{i % 9 // 3}{i % 3}" for i in range(189)]

    def focal_plane(number: int, n: int):
        for place, detector in enumerate(detectors):
            bad = dict.fromkeys([a for i, a in enumerate(AMPLIFIERS) if place * 16 + i < n], NOISY)
            yield frame(number, bad=bad, detector=detector, instrument="LSSTCam")

    for n, accepted in ((791, True), (792, False)):
        verdict = judge_run([each for number in (1, 2) for each in focal_plane(number, n)], COMPAT)
        assert verdict.accepted is not None
        assert verdict.accepted.accepted is accepted


def test_a_healthy_run_is_certified() -> None:
    verdict = judge_run(run(20, bad={}), COMPAT)
    assert verdict.outcome is Outcome.PASS
    assert verdict.accepted is not None
    assert verdict.accepted.success


def test_a_flat_can_never_be_rejected() -> None:
    """Whatever amplifiers and detectors do: LATISS has one detector, whose scatter over the focal plane is 0."""
    terrible = {"mean": 30_000.0, "noise": 5000.0}
    frames = [
        frame(number, kind="flat", bad=dict.fromkeys(AMPLIFIERS, terrible), detector_mean=3e4, detector_scatter=2e4)
        for number in range(1, 21)
    ]
    verdict = judge_run(frames, COMPAT)
    assert verdict.accepted is not None
    assert (verdict.accepted.accepted, verdict.accepted.success) == (True, True)
    assert all(one.outcome is Outcome.FAIL for one in verdict.exposures)
    rejected = judge_run(frames, COMPAT.without(["exposure-hides-amplifiers"]))
    assert rejected.outcome is Outcome.FAIL


def two_detectors(level: float) -> list:
    return [
        frame(1, kind="flat", detector="R22_S11", instrument="LSSTCam", detector_mean=30_000.0, detector_scatter=100.0),
        frame(1, kind="flat", detector="R22_S12", instrument="LSSTCam", detector_mean=level, detector_scatter=100.0),
    ]


def test_two_detectors_of_a_flat_never_agree_to_a_twentieth_of_an_electron() -> None:
    frames = two_detectors(30_010.0)
    (exposure,) = judge_run(frames, COMPAT).exposures
    assert failed(exposure) == {"SCATTER": 1}
    (exposure,) = judge_run(frames, COMPAT.without(["absolute-exposure-scatter"])).exposures
    assert not failed(exposure)
    (exposure,) = judge_run(two_detectors(40_000.0), COMPAT.without(["absolute-exposure-scatter"])).exposures
    assert failed(exposure) == {"SCATTER": 1}


# --- flaws -------------------------------------------------------------------------------------------------------


def test_correcting_one_sided_noise_finds_the_dead_amplifier() -> None:
    corrected = COMPAT.without(["one-sided-noise"])
    assert judge_frame(frame(bad={"C04": DEAD}), COMPAT).outcome is Outcome.PASS
    verdict = judge_frame(frame(bad={"C04": DEAD}), corrected)
    assert [(one.criterion, one.amplifier) for one in verdict.failed] == [("NOISE", "C04")]
    assert corrected.identity == "lsst-compat/1-one-sided-noise"


def test_correcting_the_read_noise_makes_it_count() -> None:
    noisy = frame(bad={"C04": {"read_noise_lsst": 9.0}})
    verdict = judge_frame(noisy, COMPAT.without(["uncounted-read-noise"]))
    assert [one.criterion for one in verdict.failed] == ["READ_NOISE_CONSISTENT"]


def test_correcting_the_count_of_exposures_needs_one_less() -> None:
    frames = run(19, bad=dict.fromkeys(range(1, 11), (8, NOISY)))
    assert judge_run(frames, COMPAT).accepted.accepted is True
    assert judge_run(frames, COMPAT.without(["success-is-an-exposure"])).accepted.accepted is False


@pytest.mark.parametrize(("first", "second"), list(product([flaw.id for flaw in COMPAT.flaws], repeat=2)))
def test_flaws_are_corrected_in_any_order(first: str, second: str) -> None:
    if first == second:
        with pytest.raises(ConfigError, match=f"has no such flaw.*found '{first}'"):
            COMPAT.without([first, second])
        return
    one, other = COMPAT.without([first, second]), COMPAT.without([second, first])
    assert one.criteria == other.criteria
    assert one.acceptance == other.acceptance
    assert set(one.corrected) == {first, second}


def test_every_flaw_is_cited_and_changes_something() -> None:
    for flaw in COMPAT.flaws:
        corrected = COMPAT.without([flaw.id])
        assert flaw.citation
        assert (corrected.criteria, corrected.acceptance) != (COMPAT.criteria, COMPAT.acceptance)
