"""What a verification came to, as a value and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from calib_verify.policy import ExposureVerdict, FrameVerdict, RunVerdict
from calib_verify.run_state import RunKey, RunState
from calib_verify.verdicts import Outcome, Verdict, worst

__all__ = ["FORMAT", "Report", "RunReport", "report_to_json"]

FORMAT: Final = "calib-verify report 1"


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run: what was measured, and the verdict."""

    key: RunKey
    state: RunState
    verdict: RunVerdict


@dataclass(frozen=True, slots=True)
class Report:
    """All runs that were verified together; ``skipped`` are files that are no calibrations, with the reason."""

    runs: tuple[RunReport, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst of the runs; without any, INCONCLUSIVE."""
        return worst(run.verdict.outcome for run in self.runs)


def report_to_json(report: Report) -> dict[str, Any]:
    """Return the verdicts as JSON has them; those that passed are counted only."""
    return {
        "format": FORMAT,
        "outcome": report.outcome,
        "runs": [_run(run) for run in report.runs],
        "skipped": [{"file": name, "reason": reason} for name, reason in report.skipped],
    }


def _run(run: RunReport) -> dict[str, Any]:
    verdict = run.verdict
    return {
        **asdict(run.key),
        "policy": verdict.policy,
        "baseline": verdict.baseline,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "accepted": None if verdict.accepted is None else asdict(verdict.accepted),
        "verdicts": [_verdict(one) for one in verdict.verdicts],
        "exposures": [_exposure(one) for one in verdict.exposures],
    }


def _exposure(exposure: ExposureVerdict) -> dict[str, Any]:
    return {
        "exposure_id": exposure.exposure_id,
        "obs_id": exposure.obs_id,
        "outcome": exposure.outcome,
        "verdicts": [_verdict(one) for one in exposure.verdicts],
        "frames": [_frame(one) for one in exposure.frames],
    }


def _frame(frame: FrameVerdict) -> dict[str, Any]:
    return {
        "detector": frame.subject.detector,
        "outcome": frame.outcome,
        "judged": len(frame.verdicts),
        "passed": sum(one.outcome is Outcome.PASS for one in frame.verdicts),
        "verdicts": [_verdict(one) for one in frame.verdicts if one.outcome is not Outcome.PASS],
        "not_applied": dict(frame.not_applied),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return asdict(verdict)
