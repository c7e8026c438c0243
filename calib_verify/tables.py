"""Tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from calib_verify.measurements import FrameMeasurements, Measurement
from calib_verify.policy import Criterion, ExposureVerdict, Policy, Waiver
from calib_verify.report import Report, RunReport
from calib_verify.verdicts import Outcome, Verdict

__all__ = ["print_frames", "print_policies", "print_policy", "print_report", "print_waivers"]

_COLOURS: Final = {
    Outcome.PASS: "green",
    Outcome.WAIVED: "cyan",
    Outcome.WARN: "yellow",
    Outcome.INCONCLUSIVE: "magenta",
    Outcome.FAIL: "bold red",
}

_SHOWN: Final = 12
"""Verdicts of a run or frame that are shown; the rest are counted."""


def print_report(console: Console, report: Report) -> None:
    """Print the verdict of every run, what is wrong with it, and which exposures are to blame."""
    for run in report.runs:
        _print_run(console, run)
    for name, reason in report.skipped:
        console.print(f"[dim]skipped {_safe(name)}: {_safe(reason)}")
    console.print(f"{_coloured(report.outcome)}  {len(report.runs)} runs")


def print_frames(console: Console, frames: Sequence[FrameMeasurements]) -> None:
    """Print the measurements of every frame."""
    for frame in frames:
        subject = frame.subject
        console.print(f"[bold]{_safe(subject.obs_id)} {_safe(subject.detector)}[/] {_safe(subject.kind)}")
        if frame.failure:
            console.print(f"  [red]{_safe(frame.failure)}")
            continue
        table = Table("quantity", "where", "value", "error", "unit", "n", box=None, header_style="bold")
        for each in frame.measurements:
            table.add_row(each.name, each.amplifier or "detector", *_numbers(each), each.unit, str(each.n))
        console.print(table)


def print_policies(console: Console, found: Sequence[Policy]) -> None:
    """Print one line a policy."""
    table = Table("policy", "version", "valid from", "criteria", "author", "why", box=None, header_style="bold")
    for one in found:
        table.add_row(one.name, str(one.version), str(one.valid_from), str(len(one.criteria)), one.author, one.reason)
    console.print(table)


def print_policy(console: Console, policy: Policy) -> None:
    """Print a policy whole."""
    console.print(f"[bold]{policy.identity}[/] from {policy.valid_from}, by {escape(policy.author)}")
    console.print(f"{escape(policy.reason)} [dim]({escape(policy.citation)})")
    table = Table("criterion", "of", "level", "statistic", "limits", "why", box=None, header_style="bold")
    for one in policy.criteria:
        table.add_row(one.name, ", ".join(one.kinds), one.level, _statistic(one), _limits(one), one.reason)
    console.print(table)
    for flaw in policy.flaws:
        console.print(f"[yellow]flaw[/] {flaw.id}: {escape(flaw.what)} [dim]({escape(flaw.citation)})")


def print_waivers(console: Console, found: Sequence[Waiver], day: date) -> None:
    """Print the waivers and whether they hold on a day."""
    table = Table("holds", "what", "until", "owner", "why", box=None, header_style="bold")
    for one in found:
        holds = "expired" if one.expires < day else "not yet" if day < one.issued else "yes"
        what = " ".join((one.instrument, one.detector, one.amplifier, one.criterion))
        table.add_row(holds, _safe(what), str(one.expires), _safe(one.owner), _safe(one.reason))
    console.print(table)


def _print_run(console: Console, run: RunReport) -> None:
    key, verdict = run.key, run.verdict
    what = " ".join(part for part in (key.instrument, str(key.day_obs), key.kind, key.physical_filter) if part)
    console.print(
        f"{_coloured(verdict.outcome)}  [bold]{_safe(what)}[/]  {_safe(verdict.reason)}  [dim]{verdict.policy}"
    )
    _print_verdicts(console, verdict.verdicts, "  ")
    for exposure in verdict.exposures:
        if exposure.outcome is not Outcome.PASS:
            _print_exposure(console, exposure, whole=not verdict.verdicts)


def _print_exposure(console: Console, exposure: ExposureVerdict, *, whole: bool) -> None:
    console.print(f"  {_coloured(exposure.outcome)}  {_safe(exposure.obs_id)}")
    if whole:
        _print_verdicts(console, exposure.verdicts, "    ")
        for frame in exposure.frames:
            _print_verdicts(console, frame.failed, "    ")


def _print_verdicts(console: Console, verdicts: Sequence[Verdict], indent: str) -> None:
    bad = [one for one in verdicts if one.outcome is not Outcome.PASS]
    for one in bad[:_SHOWN]:
        where = " ".join(part for part in (one.detector, one.amplifier) if part)
        console.print(f"{indent}{_coloured(one.outcome)}  {one.criterion} {_safe(where)}: {_safe(one.reason)}")
    if len(bad) > _SHOWN:
        console.print(f"{indent}[dim]and {len(bad) - _SHOWN} more")


def _coloured(outcome: Outcome) -> str:
    return f"[{_COLOURS[outcome]}]{outcome:<12}[/]"


def _safe(text: str) -> str:
    """Write what came from outside so that it can neither colour the terminal nor move the cursor."""
    return escape("".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text))


def _numbers(measurement: Measurement) -> tuple[str, str]:
    if measurement.value is None:
        return f"[dim]{_safe(measurement.reason)}[/]", ""
    return f"{measurement.value:.6g}", "" if measurement.uncertainty is None else f"{measurement.uncertainty:.2g}"


def _statistic(criterion: Criterion) -> str:
    against = criterion.reference or ("" if criterion.expected is None else str(criterion.expected))
    return " ".join(part for part in (criterion.statistic, criterion.quantity, against) if part)


def _limits(criterion: Criterion) -> str:
    def pair(low: float | None, high: float | None) -> str:
        return "" if low is None and high is None else f"{'' if low is None else low} .. {'' if high is None else high}"

    warn = pair(criterion.warn_low, criterion.warn_high)
    return pair(criterion.low, criterion.high) + (f" (warn {warn})" if warn else "")
