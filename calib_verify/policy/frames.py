"""The verdict on one frame: a pure function of measurements, policy, baseline and waivers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from calib_verify.measurements import FrameMeasurements, Level, Measurement, Subject
from calib_verify.policy.baseline import Baseline
from calib_verify.policy.schema import Criterion, Policy
from calib_verify.policy.statistics import Comparison, Incomparable, Places, compare
from calib_verify.policy.waivers import Waiver, waived
from calib_verify.verdicts import Outcome, Verdict, worst

__all__ = ["FrameVerdict", "judge_exposure", "judge_frame"]


@dataclass(frozen=True, slots=True)
class FrameVerdict:
    """The verdicts on one frame, and what they come to.

    ``policy`` and ``baseline`` are the identities of what it was judged by. ``not_applied`` says which criteria had nothing
    to compare with, and why.
    """

    subject: Subject
    policy: str
    baseline: str
    outcome: Outcome
    verdicts: tuple[Verdict, ...]
    not_applied: tuple[tuple[str, str], ...] = ()

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """Those that are not good and count."""
        return tuple(one for one in self.verdicts if one.counts and one.outcome is not Outcome.PASS)


def judge_frame(
    frame: FrameMeasurements, policy: Policy, *, baseline: Baseline | None = None, waivers: Sequence[Waiver] = ()
) -> FrameVerdict:
    """Judge one frame. The same arguments give the same verdict, whenever it is asked for."""
    places = frame.by_place()
    verdicts: list[Verdict] = []
    skipped: dict[str, str] = {}
    for criterion in policy.criteria:
        if not _concerns(criterion, frame):
            continue
        if criterion.optional and not any(name == criterion.quantity for name, _ in places):
            skipped[criterion.name] = f"{criterion.quantity} was not looked for on this frame"
            continue
        amplifiers = frame.amplifiers if criterion.level is Level.AMPLIFIER else ("",)
        for amplifier in amplifiers:
            verdict = _judged(criterion, frame, places, amplifier, baseline)
            if isinstance(verdict, Incomparable):
                skipped[criterion.name] = verdict.reason
            else:
                verdicts.append(waived(verdict, frame.subject, waivers))
    return FrameVerdict(
        subject=frame.subject,
        policy=policy.identity,
        baseline=baseline.identity if baseline else "",
        outcome=worst(one.outcome for one in verdicts if one.counts),
        verdicts=tuple(verdicts),
        not_applied=tuple(sorted(skipped.items())),
    )


def judge_exposure(
    subject: Subject, measurements: Sequence[Measurement], policy: Policy, waivers: Sequence[Waiver] = ()
) -> tuple[Verdict, ...]:
    """Judge what was measured on all detectors of an exposure together; `subject` is that of any of them."""
    places = {(each.name, ""): each for each in measurements}
    return tuple(
        waived(_decided(criterion, compare(criterion, places, ""), "", ""), subject, waivers)
        for criterion in policy.criteria
        if criterion.level is Level.EXPOSURE and subject.kind in criterion.kinds
    )


def _concerns(criterion: Criterion, frame: FrameMeasurements) -> bool:
    """Tell whether a criterion is about this frame; of one that could not be measured nothing else is asked."""
    if frame.failure:
        return criterion.statistic == "processed" and (not frame.subject.kind or frame.subject.kind in criterion.kinds)
    return criterion.level in {Level.AMPLIFIER, Level.DETECTOR} and frame.subject.kind in criterion.kinds


def _judged(
    criterion: Criterion, frame: FrameMeasurements, places: Places, amplifier: str, baseline: Baseline | None
) -> Verdict | Incomparable:
    detector = frame.subject.detector
    if criterion.statistic == "processed":
        outcome = Outcome.FAIL if frame.failure else Outcome.PASS
        value = 0.0 if frame.failure else 1.0
        return Verdict(criterion.name, criterion.level, detector, "", outcome, value, 1.0, reason=frame.failure)
    usual = baseline.usual(frame.subject, detector, amplifier, criterion.quantity) if baseline else None
    compared = compare(criterion, places, amplifier, usual)
    if isinstance(compared, Incomparable) and not compared.applies:
        return compared
    return _decided(criterion, compared, detector, amplifier)


def _decided(criterion: Criterion, compared: Comparison | Incomparable, detector: str, amplifier: str) -> Verdict:
    if isinstance(compared, Incomparable):
        return Verdict(
            criterion.name,
            criterion.level,
            detector,
            amplifier,
            Outcome(criterion.missing),
            reason=compared.reason,
            counts=criterion.counts,
        )
    outcome, reason = _outcome(criterion, compared)
    return Verdict(
        criterion=criterion.name,
        level=criterion.level,
        detector=detector,
        amplifier=amplifier,
        outcome=outcome,
        value=compared.value if math.isfinite(compared.value) else None,
        low=_finite(compared.low),
        high=_finite(compared.high),
        uncertainty=compared.uncertainty,
        unit=compared.unit,
        reason=reason,
        probability=compared.probability,
        counts=criterion.counts,
    )


def _outcome(criterion: Criterion, compared: Comparison) -> tuple[Outcome, str]:
    value = compared.value
    if not _keeps(value, compared.low, compared.high, strict=compared.strict):
        return Outcome(criterion.beyond), _said(compared, compared.low, compared.high)
    if criterion.missing != "FAIL" and _in_doubt(compared):
        return (
            Outcome.INCONCLUSIVE,
            f"uncertain by {compared.uncertainty:.3g}, more than the limits are apart from their middle",
        )
    if not _keeps(value, compared.warn_low, compared.warn_high, strict=False):
        return Outcome.WARN, _said(compared, compared.warn_low, compared.warn_high)
    if not math.isfinite(value):
        return Outcome(criterion.missing), "no number comes out"
    return Outcome.PASS, ""


def _keeps(value: float, low: float | None, high: float | None, *, strict: bool) -> bool:
    """Tell whether a value is inside; NaN never is where there is a limit."""
    if strict:
        return (low is None or value > low) and (high is None or value < high)
    return (low is None or value >= low) and (high is None or value <= high)


def _in_doubt(compared: Comparison) -> bool:
    if compared.uncertainty is None or compared.low is None or compared.high is None:
        return False
    return compared.uncertainty > 0.5 * (compared.high - compared.low)


def _said(compared: Comparison, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        limits = f"at most {high:.4g}" if low is None else f"at least {low:.4g}"
    else:
        limits = f"{low:.4g} to {high:.4g}"
    return f"{compared.value:.4g} {compared.unit}".strip() + f", expected {limits}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
