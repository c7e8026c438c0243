"""The verdict on a run: a pure function of the frames it consists of, in whatever order they came."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from calib_verify.measurements import FrameMeasurements, Level
from calib_verify.measurements.exposures import exposure_levels
from calib_verify.policy.acceptance import Accepted, accept
from calib_verify.policy.baseline import Baseline
from calib_verify.policy.frames import FrameVerdict, judge_exposure, judge_frame
from calib_verify.policy.persistence import change_verdicts, persistent_verdicts
from calib_verify.policy.schema import Acceptance, Policy, RunRule
from calib_verify.policy.waivers import Waiver
from calib_verify.verdicts import Outcome, Verdict, worst

__all__ = ["ExposureVerdict", "RunVerdict", "judge_run"]


@dataclass(frozen=True, slots=True)
class ExposureVerdict:
    """The verdict on one exposure: its frames, what was judged over all of them, and what both come to."""

    exposure_id: int
    obs_id: str
    outcome: Outcome
    frames: tuple[FrameVerdict, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """The verdict on a run.

    Attributes
    ----------
    policy, baseline
        Identities of what it was judged by.
    outcome, reason
        What it comes to.
    verdicts
        On the run as a whole.
    accepted
        What the summit's rule says, where the policy has it.
    """

    policy: str
    baseline: str
    outcome: Outcome
    reason: str
    exposures: tuple[ExposureVerdict, ...]
    verdicts: tuple[Verdict, ...] = ()
    accepted: Accepted | None = None


def judge_run(
    frames: Sequence[FrameMeasurements],
    policy: Policy,
    *,
    baseline: Baseline | None = None,
    waivers: Sequence[Waiver] = (),
    expected: int | None = None,
) -> RunVerdict:
    """Judge the frames of one run.

    Parameters
    ----------
    frames
        Of one kind and camera, each once.
    expected
        Exposures the run should have; what the policy says when left out.
    """
    ordered = sorted(frames, key=lambda frame: (frame.subject.exposure_id, frame.subject.detector))
    exposures = tuple(_exposures(ordered, policy, baseline, waivers))
    identity = baseline.identity if baseline else ""
    if policy.acceptance is not None:
        accepted = accept(
            {one.exposure_id: _failures(one, policy.acceptance) for one in exposures},
            detectors=_detectors(ordered, policy.acceptance),
            rule=policy.acceptance,
        )
        outcome, reason = _by_acceptance(accepted, exposures)
        return RunVerdict(policy.identity, identity, outcome, reason, exposures, accepted=accepted)
    assert policy.run is not None  # noqa: S101 - the schema has one of the two
    verdicts = (
        *_incomplete(ordered, policy.run, expected),
        *persistent_verdicts([(one.exposure_id, _all_verdicts(one)) for one in exposures], policy.run),
        *change_verdicts(ordered, policy, baseline, waivers),
    )
    outcome = worst(one.outcome for one in verdicts) if verdicts else _of_nothing(exposures)
    worst_of_all = next((one for one in verdicts if one.outcome is outcome), None)
    reason = f"{worst_of_all.criterion} {worst_of_all.amplifier}: {worst_of_all.reason}" if worst_of_all else ""
    return RunVerdict(policy.identity, identity, outcome, reason or _all_said(exposures), exposures, verdicts)


def _exposures(
    frames: Sequence[FrameMeasurements], policy: Policy, baseline: Baseline | None, waivers: Sequence[Waiver]
) -> Iterator[ExposureVerdict]:
    by_exposure: dict[tuple[int, str], list[FrameMeasurements]] = defaultdict(list)
    for frame in frames:
        by_exposure[frame.subject.exposure_id, frame.subject.obs_id].append(frame)
    for (exposure_id, obs_id), members in by_exposure.items():
        judged = tuple(judge_frame(frame, policy, baseline=baseline, waivers=waivers) for frame in members)
        together = judge_exposure(members[0].subject, exposure_levels(members), policy, waivers)
        outcome = worst([*(one.outcome for one in judged), *(one.outcome for one in together)])
        yield ExposureVerdict(exposure_id, obs_id, outcome, judged, together)


def _all_verdicts(exposure: ExposureVerdict) -> tuple[Verdict, ...]:
    return (*(one for frame in exposure.frames for one in frame.verdicts), *exposure.verdicts)


# --- the summit's rule -------------------------------------------------------------------------------------------


def _failures(exposure: ExposureVerdict, rule: Acceptance) -> Mapping[str, int]:
    """Count how often each test failed; what is waived did not."""
    hidden = rule.exposure_level_hides and bool(exposure.verdicts)
    counted = exposure.verdicts if hidden else _all_verdicts(exposure)
    return Counter(one.criterion for one in counted if one.counts and one.outcome is Outcome.FAIL)


def _detectors(frames: Sequence[FrameMeasurements], rule: Acceptance) -> int:
    instrument = next((frame.subject.instrument for frame in frames if frame.subject.instrument), "")
    return rule.detectors.get(instrument, max(len({frame.subject.detector for frame in frames}), 1))


def _by_acceptance(accepted: Accepted, exposures: Sequence[ExposureVerdict]) -> tuple[Outcome, str]:
    if not exposures:
        return Outcome.INCONCLUSIVE, "no exposures"
    if not accepted.accepted:
        return Outcome.FAIL, f"rejected: {accepted.reason}"
    if accepted.success:
        hidden = sum(one.outcome is Outcome.FAIL for one in exposures)
        return Outcome.PASS, f"certified: {accepted.reason}" + (
            f" that counts; {hidden} exposures failed" if hidden else ""
        )
    return Outcome.WARN, f"certified although tests failed: {accepted.reason}"


# --- ours --------------------------------------------------------------------------------------------------------


def _incomplete(frames: Sequence[FrameMeasurements], rule: RunRule, expected: int | None) -> Iterator[Verdict]:
    """Say which exposures and detectors are missing."""
    by_exposure: dict[int, set[str]] = defaultdict(set)
    for frame in frames:
        by_exposure[frame.subject.exposure_id].add(frame.subject.detector)
    kind = frames[0].subject.kind if frames else ""
    wanted = next((n for name, n in rule.expected.items() if name == kind), 0) if expected is None else expected
    if len(by_exposure) < max(wanted, 1):
        yield _missing("", f"{len(by_exposure)} of {max(wanted, 1)} exposures are there", len(by_exposure))
    every = set().union(*(found for exposure, found in by_exposure.items() if exposure))
    for exposure, found in sorted(by_exposure.items()):
        for detector in sorted(every - found if exposure else ()):
            yield _missing(detector, f"is missing in exposure {exposure}", None)


def _missing(detector: str, reason: str, n: int | None) -> Verdict:
    level = Level.DETECTOR if detector else Level.RUN
    return Verdict("COMPLETENESS", level, detector, "", Outcome.INCONCLUSIVE, value=n, reason=reason)


def _of_nothing(exposures: Sequence[ExposureVerdict]) -> Outcome:
    """With no verdict on the run itself it is as good as the worst of its exposures."""
    return worst(one.outcome for one in exposures)


def _all_said(exposures: Sequence[ExposureVerdict]) -> str:
    return f"{len(exposures)} exposures, nothing to be said against any"
