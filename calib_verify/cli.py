"""The command ``calib-verify``."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from calib_verify.files import read_baseline, read_measurements, read_waivers, write_baseline, write_measurements
from calib_verify.measurements import FrameMeasurements
from calib_verify.measurements.records import frame_to_text
from calib_verify.policy import Baseline, Waiver, load_policy, policies
from calib_verify.report import Report, report_to_json
from calib_verify.tables import print_frames, print_policies, print_policy, print_report, print_waivers
from calib_verify.verdicts import Outcome
from calib_verify.verify import judge, measure
from rapid.errors import ConfigError, NotAvailable, RapidError

__all__ = ["EXIT_CODES", "app", "main"]

WRONG, AWAY, INTERRUPTED = 2, 5, 130

EXIT_CODES: Final = {
    Outcome.PASS: 0,
    Outcome.WAIVED: 0,
    Outcome.FAIL: 1,
    Outcome.INCONCLUSIVE: 3,
    Outcome.WARN: 4,
}
"""What the end of ``judge`` tells a script."""

app = typer.Typer(
    name="calib-verify",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""
Is this calibration good? Measures raw biases, darks and flats, and judges them. No service has to run.

**calib-verify judge /data/20260315** measures every raw of a directory and prints one verdict for each run: the
biases, the darks, the flats of a filter.

**calib-verify measure /data/20260315 -o night.jsonl** keeps the measurements; **calib-verify judge night.jsonl**
judges them again, by any policy, without the pixels: **--policy lsst-compat** gives the verdicts of cp_verify and of the
summit's acceptance rule.

**calib-verify baseline night.jsonl -o usual.json** freezes what is usual; with **--baseline usual.json** small changes
are found that no fixed limit would show.

Exit codes: 0 PASS or WAIVED, 1 FAIL, 2 wrong command or file, 3 INCONCLUSIVE, 4 WARN, 5 a file is away, 130 interrupted.
""",
)

_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False)

Paths = Annotated[list[Path], typer.Argument(help="Raw files, directories of them, or measurements (.jsonl).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
PolicyName = Annotated[
    str, typer.Option("--policy", "-p", help="standard or lsst-compat; see `calib-verify policies`.")
]
Corrected = Annotated[
    list[str] | None,
    typer.Option(
        "--correct", help="Correct a flaw of the policy; may be repeated. `calib-verify policies NAME` lists them."
    ),
]


@app.command("measure")
def measure_command(
    paths: Paths,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write one JSON line a frame here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure calibration frames: per amplifier, detector and pair, each value with its uncertainty.

    Exit code 1 when a file could not be measured.

    Example: `calib-verify measure /data/20260315 -o night.jsonl`
    """
    frames = _frames(paths)
    if output is not None:
        write_measurements(output, frames)
    if as_json:
        for frame in frames:
            typer.echo(frame_to_text(frame))
    else:
        print_frames(_out, frames)
    if any(frame.failure for frame in frames):
        raise typer.Exit(1)


@app.command("judge")
def judge_command(  # noqa: PLR0917 - they are options of a command
    paths: Paths,
    policy: PolicyName = "standard",
    correct: Corrected = None,
    baseline: Annotated[Path | None, typer.Option(help="What is usual, as `calib-verify baseline` wrote it.")] = None,
    waivers: Annotated[Path | None, typer.Option(help="YAML list of waivers; see `calib-verify waivers`.")] = None,
    expected: Annotated[int | None, typer.Option(min=1, help="Exposures each run should have.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge calibration frames, measured now or in any night before.

    The exit code tells the verdict: 0 PASS or WAIVED, 1 FAIL, 3 INCONCLUSIVE, 4 WARN.

    Example: `calib-verify judge night.jsonl --policy lsst-compat --correct one-sided-noise`
    """
    chosen = load_policy(policy).without(correct or ())
    usual = _baseline(baseline)
    known = _waivers(waivers)
    report = judge(_frames(paths), chosen, baseline=usual, waivers=known, expected=expected)
    _show(report, as_json=as_json)
    raise typer.Exit(EXIT_CODES[report.outcome])


@app.command("baseline")
def baseline_command(
    paths: Paths,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where it is written.")],
    name: Annotated[str, typer.Option(help="What verdicts will call it.")] = "",
) -> None:
    """Freeze what is usual, from frames that are known to be good.

    Example: `calib-verify baseline night1.jsonl night2.jsonl -o usual.json --name "March 2026"`
    """
    frames = [frame for frame in _frames(paths) if not frame.failure]
    frozen = Baseline.from_frames(name or output.stem, frames)
    if not frozen.values:
        raise ConfigError("nothing was measured that a baseline could be frozen from")
    write_baseline(output, frozen)
    _out.print(f"{escape(frozen.identity)}: {len(frozen.values)} values from {len(frames)} frames")


@app.command("policies")
def policies_command(
    name: Annotated[
        str | None, typer.Argument(help="Show one of them whole: criteria, limits, reasons, flaws.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the policies, or show one: what is judged, by which limits, why, and whose criterion it is."""
    found = policies() if name is None else (load_policy(name),)
    if as_json:
        typer.echo(json.dumps([one.model_dump(mode="json") for one in found]))
    elif name is None:
        print_policies(_out, found)
    else:
        print_policy(_out, found[0])


@app.command("waivers")
def waivers_command(
    file: Annotated[Path, typer.Argument(help="YAML list of waivers.")],
    on: Annotated[str | None, typer.Option(help="Day of observation, as 2026-03-15; today when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a file of waivers and say which of them hold on a day.

    A waiver names an instrument, any of detector, amplifier and criterion, its owner, a reason, the day it was issued and
    the day it expires, a year later at most. Exit code 4 when one of them has expired.
    """
    day = _day(on)
    found = read_waivers(file)
    if as_json:
        typer.echo(json.dumps([one.model_dump(mode="json") | {"holds": _holds(one, day)} for one in found]))
    else:
        print_waivers(_out, found, day)
    if any(one.expires < day for one in found):
        raise typer.Exit(EXIT_CODES[Outcome.WARN])


def main() -> None:
    """Run the command; every fault of ours becomes one sentence and an exit code."""
    try:
        app()
    except KeyboardInterrupt:
        typer.secho("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except RapidError as error:
        typer.secho(f"calib-verify: {error}", err=True, fg=typer.colors.RED)
        sys.exit(AWAY if isinstance(error, NotAvailable) else WRONG)


def _frames(paths: list[Path]) -> list[FrameMeasurements]:
    """Read what was measured, and measure what was not, with a bar where somebody looks."""
    kept = [path for path in paths if path.suffix == ".jsonl"]
    raws = [path for path in paths if path.suffix != ".jsonl"]
    frames = [frame for path in kept for frame in read_measurements(path)]
    if raws:
        frames += _measured(raws)
    if not frames:
        raise ConfigError(f"no raw files and no measurements in {', '.join(map(str, paths))}")
    return frames


def _measured(paths: list[Path]) -> list[FrameMeasurements]:
    columns = (
        TextColumn("measuring"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def tell(path: Path, done: int, of: int) -> None:
            bar.update(task, completed=done, total=of, description=escape(path.name))

        return list(measure(paths, progress=tell))


def _baseline(path: Path | None) -> Baseline | None:
    return None if path is None else read_baseline(path)


def _waivers(path: Path | None) -> tuple[Waiver, ...]:
    return () if path is None else read_waivers(path)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        content: dict[str, Any] = report_to_json(report)
        typer.echo(json.dumps(content, allow_nan=False, default=str))
    else:
        print_report(_out, report)


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"expected a day as 2026-03-15; found {text!r}") from error


def _holds(waiver: Waiver, day: date) -> bool:
    return waiver.issued <= day <= waiver.expires
