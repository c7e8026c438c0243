"""Is this calibration good? Measurements, criteria and verdicts for biases, darks and flats.

``verify(paths)`` measures raw files and judges them; ``measure`` and ``judge`` are its two halves, and any past run can be judged
again by another policy from what was measured then.
"""

from calib_verify.measurements import FrameMeasurements, Measurement, measure_file
from calib_verify.policy import Baseline, Policy, Waiver, judge_frame, judge_run, load_policy, parse_waivers, policies
from calib_verify.report import Report, RunReport, report_to_json
from calib_verify.run_state import RunKey, RunState
from calib_verify.verdicts import Outcome, Verdict
from calib_verify.verify import judge, measure, verify

__all__ = [
    "Baseline",
    "FrameMeasurements",
    "Measurement",
    "Outcome",
    "Policy",
    "Report",
    "RunKey",
    "RunReport",
    "RunState",
    "Verdict",
    "Waiver",
    "judge",
    "judge_frame",
    "judge_run",
    "load_policy",
    "measure",
    "measure_file",
    "parse_waivers",
    "policies",
    "report_to_json",
    "verify",
]
