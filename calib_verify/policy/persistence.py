"""What comes back from exposure to exposure, and what only the whole run tells."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from calib_verify.measurements import FrameMeasurements, Level, Subject
from calib_verify.policy.baseline import Baseline, Usual
from calib_verify.policy.multiplicity import discoveries, persists
from calib_verify.policy.schema import Criterion, Policy, RunRule
from calib_verify.policy.waivers import Waiver, waived
from calib_verify.verdicts import Outcome, Verdict

__all__ = ["change_verdicts", "persistent_verdicts"]

Place = tuple[str, Level, str, str]


def persistent_verdicts(exposures: Sequence[tuple[int, Sequence[Verdict]]], rule: RunRule) -> Iterator[Verdict]:
    """Say what is wrong in a run: as bad as it was where it came back, a warning where it did not.

    What is uncertain stays so however often it happened; what was waived stays waived.

    Parameters
    ----------
    exposures
        Number and verdicts of each, in the order they were taken.
    """
    bad: dict[Place, list[tuple[int, Verdict]]] = defaultdict(list)
    for place, (_, verdicts) in enumerate(exposures):
        for one in verdicts:
            if one.counts and one.outcome is not Outcome.PASS:
                bad[one.criterion, one.level, one.detector, one.amplifier].append((place, one))
    for key in sorted(bad):
        yield _summed(bad[key], [number for number, _ in exposures], rule)


def _summed(found: Sequence[tuple[int, Verdict]], numbers: Sequence[int], rule: RunRule) -> Verdict:
    _, example = max(found, key=lambda one: _RANK[one[1].outcome])
    failed = {place for place, one in found if one.outcome is Outcome.FAIL}
    where = ", ".join(str(numbers[place]) for place, _ in found[:3]) + (" ..." if len(found) > 3 else "")
    reason = f"{example.reason}; in {len(found)} of {len(numbers)} exposures: {where}"
    if example.outcome is Outcome.FAIL:
        marks = [place in failed for place in range(len(numbers))]
        if not persists(marks, consecutive=rule.consecutive, share=rule.share):
            return replace(example, outcome=Outcome.WARN, bare=Outcome.FAIL, reason=f"{reason}; it did not come back")
    return replace(example, reason=reason)


_RANK: Mapping[Outcome, int] = {outcome: rank for rank, outcome in enumerate(Outcome)}


def change_verdicts(
    frames: Sequence[FrameMeasurements], policy: Policy, baseline: Baseline | None, waivers: Sequence[Waiver]
) -> Iterator[Verdict]:
    """Compare the means over the run with the baseline, and say which changes chance does not explain.

    A level that is uncertain by 0.2 electron in one frame is so by 0.05 in the mean of twenty.
    """
    if policy.run is None or baseline is None:
        return
    tests = [test for criterion in policy.criteria if criterion.chance for test in _tests(frames, criterion, baseline)]
    chosen = discoveries([one.probability or 0.0 for _, one in tests], policy.run.false_discovery_rate)
    for (subject, verdict), stands_out in zip(tests, chosen, strict=True):
        if stands_out:
            yield waived(verdict, subject, waivers)


def _tests(
    frames: Sequence[FrameMeasurements], criterion: Criterion, baseline: Baseline
) -> Iterator[tuple[Subject, Verdict]]:
    """Give the mean of a quantity over the run against the baseline, as the verdict it is if it stands out."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    subject: dict[str, Subject] = {}
    for frame in frames:
        if frame.subject.kind not in criterion.kinds:
            continue
        subject.setdefault(frame.subject.detector, frame.subject)
        for each in frame.measurements:
            if each.name == criterion.quantity and each.value is not None:
                found[each.detector, each.amplifier].append((each.value, each.uncertainty or 0.0))
    for (detector, amplifier), values in sorted(found.items()):
        usual = baseline.usual(subject[detector], detector, amplifier, criterion.quantity)
        if usual is not None and len(values) > 1:
            verdict = _change(criterion, values, usual)
            yield subject[detector], replace(verdict, detector=detector, amplifier=amplifier)


def _change(criterion: Criterion, values: Sequence[tuple[float, float]], usual: Usual) -> Verdict:
    n = len(values)
    mean = math.fsum(value for value, _ in values) / n
    own = math.sqrt(math.fsum(max(error, usual.scatter) ** 2 for _, error in values)) / n
    error = math.hypot(own, usual.error, criterion.floor)
    z = (mean - usual.value) / error if error else math.nan
    return Verdict(
        criterion=criterion.name,
        level=Level.AMPLIFIER,
        detector="",
        amplifier="",
        outcome=Outcome(criterion.beyond),
        value=z if math.isfinite(z) else None,
        uncertainty=1.0,
        reason=f"mean of {n} frames {mean:.6g}, usually {usual.value:.6g}, {error:.2g} is the error of the difference",
        probability=math.erfc(abs(z) / math.sqrt(2.0)) if math.isfinite(z) else 1.0,
    )
