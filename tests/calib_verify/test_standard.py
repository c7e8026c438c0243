"""The policy ``standard`` on made-up measurements: limits on both sides, doubt, baselines, waivers, whole runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib_verify.measurements import QUANTITIES, FrameMeasurements
from calib_verify.measurements.records import frame_from_json, frame_to_json
from calib_verify.measurements.values import not_measured
from calib_verify.policy import Baseline, Waiver, judge_frame, judge_run, load_policy
from calib_verify.policy.multiplicity import discoveries, persists
from calib_verify.verdicts import Outcome, Verdict, worst
from rapid.errors import InputError
from tests.calib_verify.frames import AMPLIFIERS, frame

STANDARD = load_policy("standard")
HEALTHY = {"cosmic_ray_pixels": 100.0}


def bias(number: int = 1, **bad: dict[str, float | None]) -> FrameMeasurements:
    return frame(number, bad=bad, **HEALTHY)


def test_a_healthy_bias_passes() -> None:
    verdict = judge_frame(bias(), STANDARD)
    assert verdict.outcome is Outcome.PASS
    assert dict(verdict.not_applied)["LEVEL_CHANGE"] == "no baseline to compare with"


@pytest.mark.parametrize(
    ("values", "outcome", "criterion"),
    [
        ({"noise_robust": 8.2 * 1.04}, Outcome.WARN, "NOISE_PREDICTED"),
        ({"noise_robust": 8.2 * 1.06}, Outcome.FAIL, "NOISE_PREDICTED"),
        ({"noise_robust": 8.2 * 0.96}, Outcome.WARN, "NOISE_PREDICTED"),
        ({"noise_robust": 8.2 * 0.94}, Outcome.FAIL, "NOISE_PREDICTED"),
        ({"mean_clipped": 2.0}, Outcome.WARN, "LEVEL"),
        ({"mean_clipped": -4.0}, Outcome.FAIL, "LEVEL"),
        ({"read_noise": 6.0}, Outcome.FAIL, "READ_NOISE"),
        ({"cr_noise": 8.2 * 1.2}, Outcome.WARN, "OUTLIERS"),
        ({"bias_shift_count": 1.0}, Outcome.WARN, "BIAS_SHIFTS"),
        ({"noise_robust": None}, Outcome.INCONCLUSIVE, "NOISE_PREDICTED"),
    ],
)
def test_limits_on_both_sides(values: dict[str, float | None], outcome: Outcome, criterion: str) -> None:
    verdict = judge_frame(bias(C04=values), STANDARD)
    assert verdict.outcome is outcome
    assert criterion in {one.criterion for one in verdict.failed}
    assert {one.amplifier for one in verdict.failed} == {"C04"}
    assert all(one.reason for one in verdict.failed)


@settings(deadline=None)
@given(st.sampled_from(sorted(bias().by_place())))
def test_missing_data_is_never_a_pass(place: tuple[str, str]) -> None:
    """Whatever is taken away, nothing gets better; and what a criterion needs is asked for."""
    whole = bias()
    left = tuple(each for each in whole.measurements if (each.name, each.amplifier) != place)
    verdict = judge_frame(replace(whole, measurements=left), STANDARD)
    needed = {
        name
        for one in STANDARD.criteria
        if "bias" in one.kinds and one.expected is None
        for name in (one.quantity, one.reference)
    }
    assert (verdict.outcome is Outcome.INCONCLUSIVE) is (place[0] in needed)


def test_a_frame_without_measurements_is_no_pass() -> None:
    nothing = replace(bias(), measurements=())
    assert judge_frame(nothing, STANDARD).outcome is Outcome.INCONCLUSIVE
    failed = judge_frame(replace(nothing, failure="damaged"), STANDARD)
    assert failed.outcome is Outcome.FAIL
    assert [one.reason for one in failed.failed] == ["damaged"]


def test_a_value_more_uncertain_than_its_limits_says_nothing() -> None:
    whole = bias()
    vague = tuple(
        replace(each, uncertainty=4.0) if (each.name, each.amplifier) == ("mean_clipped", "C04") else each
        for each in whole.measurements
    )
    verdict = judge_frame(replace(whole, measurements=vague), STANDARD)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert [one.criterion for one in verdict.failed] == ["LEVEL"]


def test_a_verdict_says_what_was_compared_with_what() -> None:
    (one,) = judge_frame(bias(C04={"mean_clipped": -4.0}), STANDARD).failed
    assert (one.value, one.low, one.high, one.uncertainty, one.unit) == (-4.0, -3.0, 3.0, 0.2, "electron")
    assert one.reason == "-4 electron, expected -3 to 3"


def test_a_verdict_without_reason_or_value_cannot_be() -> None:
    with pytest.raises(ValueError, match="does not say why"):
        Verdict("X", QUANTITIES["mean"].level, "", "", Outcome.FAIL, 1.0)
    with pytest.raises(ValueError, match="nothing passes without a value"):
        Verdict("X", QUANTITIES["mean"].level, "", "", Outcome.PASS)
    assert worst([]) is Outcome.INCONCLUSIVE


# --- baseline ----------------------------------------------------------------------------------------------------


def noisy(number: int, chance: np.random.Generator, offset: float = 0.0) -> FrameMeasurements:
    """Make a bias whose levels scatter by their errors; C04 lies a little off."""
    levels = {
        name: {"mean_clipped": chance.normal(0.1, 0.2), "read_noise": chance.normal(8.0, 0.017)} for name in AMPLIFIERS
    }
    levels["C04"]["mean_clipped"] += offset
    return frame(number, bad=levels, **HEALTHY)


def test_a_small_step_is_found_in_the_whole_run() -> None:
    chance = np.random.default_rng(8)
    baseline = Baseline.from_frames("March", [noisy(number, chance) for number in range(1, 21)])
    healthy = judge_run([noisy(number, chance) for number in range(1, 21)], STANDARD, baseline=baseline)
    assert healthy.outcome is Outcome.PASS
    shifted = judge_run([noisy(number, chance, 0.5) for number in range(1, 21)], STANDARD, baseline=baseline)
    assert shifted.outcome is Outcome.WARN
    assert {(one.criterion, one.amplifier) for one in shifted.verdicts} == {("LEVEL_CHANGE", "C04")}
    assert "mean of 20 frames" in shifted.reason


def test_false_alarms_of_a_healthy_run_are_rare() -> None:
    """Less than one run in a hundred: none of 60 is what 55 % of such campaigns would show at exactly that rate."""
    chance = np.random.default_rng(9)
    baseline = Baseline.from_frames("March", [noisy(number, chance) for number in range(1, 21)])
    runs = [[noisy(number, chance) for number in range(1, 11)] for _ in range(60)]
    outcomes = [judge_run(run, STANDARD, baseline=baseline).outcome for run in runs]
    assert outcomes.count(Outcome.PASS) >= 59


def test_a_baseline_survives_json() -> None:
    baseline = Baseline.from_frames("March", [bias(1), bias(2), bias(3)])
    assert Baseline.from_json(baseline.as_json()) == baseline
    usual = baseline.usual(bias().subject, "R00_S00", "C04", "mean_clipped")
    assert usual is not None
    assert (usual.value, usual.n, usual.scatter) == (0.1, 3, 0.0)
    assert usual.error == pytest.approx(0.2 * 1.2533 / np.sqrt(3), rel=1e-3)
    with pytest.raises(InputError, match="not a baseline"):
        Baseline.from_json({"identity": "x", "values": [["LATISS"]]})


def test_measurements_survive_json() -> None:
    found = replace(
        bias(),
        measurements=(*bias().measurements, not_measured(QUANTITIES["dark_current"], "no dark", detector="R00_S00")),
    )
    assert frame_from_json(frame_to_json(found)) == found
    with pytest.raises(InputError, match=r"another format.*expected calib-verify frame 1; found 2"):
        frame_from_json(frame_to_json(found) | {"format": "2"}, name="night.jsonl:3")
    with pytest.raises(InputError, match="not measurements of a frame"):
        frame_from_json([])


# --- waivers -----------------------------------------------------------------------------------------------------

NOISY_C04 = {"C04": {"noise_robust": 9.5, "cr_noise": 9.5}}


def waiver(**changes: object) -> Waiver:
    fields = {
        "instrument": "LATISS",
        "amplifier": "C04",
        "criterion": "NOISE_PREDICTED",
        "owner": "A. Person",
        "reason": "known since January",
        "issued": date(2026, 1, 1),
        "expires": date(2026, 3, 15),
    }
    return Waiver.model_validate(fields | changes)


def test_a_waiver_lets_go_and_is_named() -> None:
    verdict = judge_frame(bias(**NOISY_C04), STANDARD, waivers=[waiver()])
    assert verdict.outcome is Outcome.WAIVED
    (one,) = verdict.failed
    assert (one.bare, one.waiver) == (Outcome.FAIL, "A. Person")
    assert one.reason.endswith("waived by A. Person until 2026-03-15: known since January")
    assert judge_run([bias(n, **NOISY_C04) for n in (1, 2)], STANDARD, waivers=[waiver()]).outcome is Outcome.WAIVED


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": date(2026, 3, 14)},
        {"issued": date(2026, 3, 16), "expires": date(2026, 4, 1)},
        {"instrument": "LSSTCam"},
        {"amplifier": "C05"},
        {"detector": "R22_S11"},
        {"criterion": "LEVEL"},
    ],
)
def test_a_waiver_for_something_else_does_not_hold(changes: dict[str, object]) -> None:
    assert judge_frame(bias(**NOISY_C04), STANDARD, waivers=[waiver(**changes)]).outcome is Outcome.FAIL


def test_a_waiver_does_not_make_a_pass_anything_else() -> None:
    assert judge_frame(bias(), STANDARD, waivers=[waiver()]).outcome is Outcome.PASS


# --- runs --------------------------------------------------------------------------------------------------------


def test_a_run_says_what_is_missing() -> None:
    short = judge_run([bias(1), bias(2)], STANDARD, expected=20)
    assert (short.outcome, short.reason) == (Outcome.INCONCLUSIVE, "COMPLETENESS : 2 of 20 exposures are there")
    assert judge_run([], STANDARD).outcome is Outcome.INCONCLUSIVE
    lost = [frame(n, detector=name, **HEALTHY) for n in (1, 2) for name in ("R22_S11", "R22_S12")][:3]
    verdict = judge_run(lost, STANDARD)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "is missing in exposure 2026031500002" in verdict.reason


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(1, 6)))
def test_the_order_of_the_frames_does_not_matter(numbers: list[int]) -> None:
    frames = {n: bias(n, **(NOISY_C04 if n in {2, 4} else {})) for n in range(1, 6)}
    assert judge_run([frames[n] for n in numbers], STANDARD) == judge_run(list(frames.values()), STANDARD)


# --- many tests at once ------------------------------------------------------------------------------------------


def test_benjamini_and_hochberg_on_their_own_example() -> None:
    """The fifteen probabilities of their paper, section 4.1: at 5 % the first four are chosen."""
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    assert discoveries(p, 0.05).tolist() == [True] * 4 + [False] * 11
    assert discoveries(p[::-1], 0.05).tolist() == [False] * 11 + [True] * 4
    assert discoveries([], 0.05).tolist() == []


def test_the_share_of_false_discoveries_is_kept() -> None:
    chance = np.random.default_rng(3)
    shares = []
    for _ in range(400):
        p = np.concatenate([chance.uniform(size=900), chance.uniform(0, 1e-5, 100)])
        chosen = discoveries(p, 0.1)
        shares.append(chosen[:900].sum() / max(chosen.sum(), 1))
    assert np.mean(shares) == pytest.approx(0.09, abs=4 * np.std(shares) / np.sqrt(len(shares)))


@pytest.mark.parametrize(
    ("marks", "expected"),
    [("1", True), ("0", False), ("0100000000", False), ("0110000000", True), ("0101000000", True), ("", False)],
)
def test_persistence(marks: str, expected: bool) -> None:
    assert persists([each == "1" for each in marks], consecutive=2, share=0.2) is expected
