"""Criteria as dated data, and verdicts as pure functions of measurements, policy, baseline and waivers."""

from calib_verify.policy.acceptance import Accepted, accept
from calib_verify.policy.baseline import Baseline, Usual
from calib_verify.policy.frames import FrameVerdict, judge_exposure, judge_frame
from calib_verify.policy.loading import load_policy, parse_policy, policies
from calib_verify.policy.runs import ExposureVerdict, RunVerdict, judge_run
from calib_verify.policy.schema import Acceptance, Criterion, Flaw, Policy, RunRule
from calib_verify.policy.waivers import Waiver, parse_waivers, waived

__all__ = [
    "Acceptance",
    "Accepted",
    "Baseline",
    "Criterion",
    "ExposureVerdict",
    "Flaw",
    "FrameVerdict",
    "Policy",
    "RunRule",
    "RunVerdict",
    "Usual",
    "Waiver",
    "accept",
    "judge_exposure",
    "judge_frame",
    "judge_run",
    "load_policy",
    "parse_policy",
    "parse_waivers",
    "policies",
    "waived",
]
