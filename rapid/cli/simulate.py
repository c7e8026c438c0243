"""``rapid simulate``: a night as real raw files."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rapid.cli.options import AsJson
from rapid.errors import ConfigError

if TYPE_CHECKING:
    from rapid.simulation.night import SimulatedExposure
    from rapid.simulation.plan import NightPlan

__all__ = ["add_to", "plan_of"]

_console = Console(stderr=True)


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command("simulate")(simulate_night)


Out = Annotated[Path, typer.Argument(help="Directory to write to; files appear as the camera would write them.")]
Night = Annotated[
    str | None,
    typer.Option(
        "--night",
        "-n",
        help="A plan (YAML file), or one that comes along: night, demo, short (LATISS), lsstcam, comcam. "
        "Unless given: night, or that of the camera.",
    ),
]
Camera = Annotated[
    str | None,
    typer.Option("--instrument", "-i", help="The camera: LATISS, LSSTCam or LSSTComCam; the plan's unless given."),
]
Detectors = Annotated[
    str,
    typer.Option(
        "--detectors",
        "-d",
        help="Names of the detectors to simulate, as R22_S11,R22_S12; a raft as R22; `all` for every one. "
        "Unless given: those of the plan. Guiders (R00_SG0) take stamps when the telescope follows the sky.",
    ),
]
Pace = Annotated[
    str,
    typer.Option(help="`once`: as fast as it goes; `real`: in real time, from now on; a number: that much faster."),
]


def simulate_night(
    out: Out,
    *,
    night: Night = None,
    instrument: Camera = None,
    detectors: Detectors = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same files, to the byte.")] = 1,
    pace: Pace = "once",
    start: Annotated[
        datetime | None, typer.Option(help="When the night begins, UTC; the plan's own date unless given.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="Stars of your own (FITS, CSV); a synthetic sky unless given.", exists=True)
    ] = None,
    refcat: Annotated[
        Path | None, typer.Option(help="FITS table to write the stars of the fields to, for `rapid refcat ingest`.")
    ] = None,
    processes: Annotated[int, typer.Option("--processes", "-j", min=1, help="Detectors made at once.")] = 1,
    attended: Annotated[
        bool,
        typer.Option(
            help="Begin at the time that comes over standard input, as --start would, and no sooner; "
            "end when standard input does: with whoever started this."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a night: biases, darks, flats, stars, spectra, a focus sweep, and what goes wrong.

    Every detector of an exposure is a raw file as the camera writes it, with its JSON sidecar; what went into it is
    written beside, in OUT/truth. Of LSSTCam and ComCam the list of expected detectors comes first. One sky covers all
    detectors, and files appear whole: each is renamed into its place.

    Examples: `rapid simulate OUT`, `rapid simulate --night plan.yaml --pace real OUT`,
    `rapid simulate --instrument LSSTCam --detectors R22_S11,R22_S12 -j 2 OUT`
    """
    from rapid.simulation.night import simulate

    plan = plan_of(night, instrument)
    chosen = _chosen(plan, detectors)
    start = _attend(plan, chosen) if attended else start
    with _Bar(plan, chosen, as_json=as_json) as bar:
        made = simulate(
            plan,
            out,
            seed=seed,
            start=start.replace(tzinfo=UTC) if start else None,
            pace=_pace(pace),
            catalogue=catalogue,
            on_exposure=bar.written,
            processes=processes,
            detectors=chosen,
            reference=refcat,
        )
    if not as_json:
        exposures = len({one.obs_id for one in made})
        files = f", {len(made)} raw files" if len(made) > exposures else ""
        typer.echo(f"{exposures} exposures{files} in {out}")


class _Bar:
    """Shows how far the night has come, and prints a line of JSON for each file where that is asked for."""

    def __init__(self, plan: NightPlan, detectors: tuple[str, ...], *, as_json: bool) -> None:
        from rapid.simulation.night import raw_files

        self._as_json = as_json
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(TextColumn("{task.description}"), *columns, console=_console)
        self._task = self._progress.add_task(f"simulating {plan.instrument}", total=raw_files(plan, detectors))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def written(self, exposure: SimulatedExposure) -> None:
        """Count a file."""
        self._progress.advance(self._task)
        if self._as_json:
            line = {"path": str(exposure.path), "obs_id": exposure.obs_id, "detector": exposure.detector}
            typer.echo(json.dumps(line))


def _chosen(plan: NightPlan, text: str) -> tuple[str, ...]:
    """Read the names of detectors and rafts; none for those of the plan."""
    from rapid.processing.geometry import detectors

    known = tuple(detectors(plan.instrument))
    if text.strip() == "all":
        return known
    named: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        matching = [name for name in known if part in {name, name.partition("_")[0]}]
        if not matching:
            msg = f"{plan.instrument} has no detector or raft {part!r}; it has {known[0]} to {known[-1]}"
            raise typer.BadParameter(msg, param_hint="--detectors")
        named += matching
    return tuple(named)


def _attend(plan: NightPlan, detectors: tuple[str, ...]) -> datetime:
    """Make ready, and wait for the begin of the night, which somebody tells who stays with us."""
    from rapid.simulation.night import get_ready

    get_ready(plan, detectors)
    begins = _told_begin()
    _end_with_input()
    time.sleep(max(0.0, (begins - datetime.now(UTC)).total_seconds()))
    return begins


def _told_begin() -> datetime:
    """Read when the night begins, UTC, from a line of standard input."""
    line = sys.stdin.readline().strip()
    try:
        told = datetime.fromisoformat(line)
    except ValueError:
        msg = f"expected a time on standard input, as 2026-03-15T23:10:00, found {line!r}"
        raise ConfigError(msg) from None
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)


def _end_with_input() -> None:
    """End this process as SIGTERM would once nobody holds the other end of its standard input."""

    def wait() -> None:
        while sys.stdin.buffer.read(1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def plan_of(night: str | None, instrument: str | None = None) -> NightPlan:
    """Load the plan of a night, by name or from a file."""
    from rapid.simulation.plan import builtin_plan, builtin_plans, load_plan

    name = night or _PLANS.get(instrument or "LATISS", "night")
    plan = builtin_plan(name) if name in builtin_plans() else load_plan(Path(name))
    if instrument not in {None, plan.instrument}:
        msg = f"the plan {name} is for {plan.instrument}, not {instrument}"
        raise ConfigError(msg)
    return plan


_PLANS = {"LSSTCam": "lsstcam", "LSSTComCam": "comcam"}


def _pace(text: str) -> float | None:
    if text == "once":
        return None
    if text == "real":
        return 1.0
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < 1e6:
        raise typer.BadParameter(f"expected once, real, or a positive number, found {text!r}", param_hint="--pace")
    return factor
