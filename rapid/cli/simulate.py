"""``rapid simulate``: a night as real raw files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rapid.cli.options import AsJson
from rapid.errors import ConfigError

if TYPE_CHECKING:
    from rapid.simulation.night import SimulatedExposure
    from rapid.simulation.plan import NightPlan

__all__ = ["add_to"]

_console = Console(stderr=True)


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command("simulate")(simulate_night)


def simulate_night(
    out: Annotated[Path, typer.Argument(help="Directory to write to; files appear as the camera would write them.")],
    *,
    night: Annotated[
        str, typer.Option("--night", "-n", help="A plan (YAML file), or one that comes along: night, demo, short.")
    ] = "night",
    instrument: Annotated[str, typer.Option("--instrument", "-i", help="The camera.")] = "LATISS",
    seed: Annotated[int, typer.Option(help="The same seed gives the same files, to the byte.")] = 1,
    pace: Annotated[
        str,
        typer.Option(help="`once`: as fast as it goes; `real`: in real time, from now on; a number: that much faster."),
    ] = "once",
    start: Annotated[
        datetime | None, typer.Option(help="When the night begins, UTC; the plan's own date unless given.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="Stars of your own (FITS, CSV); a synthetic sky unless given.", exists=True)
    ] = None,
    processes: Annotated[int, typer.Option("--processes", "-j", min=1, help="Exposures made at once.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Simulate a night: biases, darks, flats, stars, spectra, a focus sweep, and what goes wrong.

    Every exposure is a raw file as the camera writes it, with its JSON sidecar; what went into it is written
    beside, in OUT/truth. Files appear whole: each is renamed into its place.

    Examples: `rapid simulate OUT`, `rapid simulate --night plan.yaml --pace real OUT`
    """
    from rapid.simulation.night import simulate

    plan = _plan(night, instrument)
    exposures = plan.exposures()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console) as progress:
        bar = progress.add_task(f"simulating {instrument}", total=len(exposures))

        def written(exposure: SimulatedExposure) -> None:
            progress.advance(bar)
            if as_json:
                typer.echo(json.dumps({"path": str(exposure.path), "obs_id": exposure.obs_id}))

        made = simulate(
            plan,
            out,
            seed=seed,
            start=start.replace(tzinfo=UTC) if start else None,
            pace=_pace(pace),
            catalogue=catalogue,
            on_exposure=written,
            processes=processes,
        )
    if not as_json:
        typer.echo(f"{len(made)} exposures in {out}")


def _plan(night: str, instrument: str) -> NightPlan:
    from rapid.simulation.plan import builtin_plan, builtin_plans, load_plan

    plan = builtin_plan(night) if night in builtin_plans() else load_plan(Path(night))
    if instrument != plan.instrument:
        msg = f"the plan {night} is for {plan.instrument}, not {instrument}"
        raise ConfigError(msg)
    return plan


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
