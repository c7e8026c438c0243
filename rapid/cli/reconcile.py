"""``rapid reconcile``: enter what lies in the archive and was never announced."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from rapid.cli.options import AsJson, ConfigFile, StateDir, prepare, settings_from
from rapid.cli.text import shown

if TYPE_CHECKING:
    from rapid.app import ReconcileReport
    from rapid.ports import Recorded

__all__ = ["add_to"]

_console = Console(stderr=True)


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command()(reconcile)


def reconcile(
    archive: Annotated[
        str | None,
        typer.Argument(help="Directory or s3://bucket/prefix; that of the settings unless given.", show_default=False),
    ] = None,
    *,
    night: Annotated[
        list[int] | None,
        typer.Option("--night", "-n", help="day_obs, as 20260315; again for more. The current nights unless given."),
    ] = None,
    instrument: Annotated[
        list[str] | None, typer.Option("--instrument", "-i", help="As LSSTCam; again for more. All unless given.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Endpoint of an S3 archive that is not Amazon's, as http://localhost:9000.")
    ] = None,
    config: ConfigFile = None,
    state: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Compare the archive with the ledger, and enter the files that nobody announced.

    A running service takes them up within seconds, the newest exposure first; else the next one does. It makes such a
    comparison of the current nights by itself every few minutes; this is for older nights, and for the impatient.
    What is known already is left alone, so it may be said as often as you like.

    Example: `rapid reconcile s3://raw --night 20260315 --state /var/lib/rapid`
    """
    from rapid import app
    from rapid.cli.service import archive_options

    settings = settings_from(config, archive=archive, archive_options=archive_options(endpoint), state=state)
    prepare(settings, level="error" if settings.log.level == "info" else None)
    with _progress() as progress:
        bar = progress.add_task("listing", total=None)
        total = 0

        def checked(files: int) -> None:
            nonlocal total
            total -= min(files, 0)
            progress.update(bar, description="comparing", total=total, advance=max(files, 0))

        def told(recorded: Recorded) -> None:
            if not as_json:
                for arrival in recorded.new:
                    typer.echo(f"entered {shown(arrival.key)}")

        report = asyncio.run(
            app.reconcile(settings, nights=night or (), instruments=instrument or (), checked=checked, told=told)
        )
    _tell(report, total, as_json=as_json)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=_console,
        transient=True,
    )


def _tell(report: ReconcileReport, total: int, *, as_json: bool) -> None:
    """Say what was entered, and what is missing still."""
    from rapid.gather.gaps import gaps_text

    if as_json:
        gaps = [
            {"camera": camera, "day_obs": day_obs, "gaps": [list(gap) for gap in found]}
            for (camera, day_obs), found in sorted(report.gaps.items())
        ]
        facts = {"files": total, "entered": report.entered, "rejected": report.rejected, "gaps": gaps}
        typer.echo(json.dumps(facts, sort_keys=True))
        return
    refused = f", {report.rejected} refused (see `rapid dead-letters list`)" if report.rejected else ""
    typer.echo(f"{len(report.entered)} of {total} files entered, the others were known{refused}")
    for (camera, day_obs), found in sorted(report.gaps.items()):
        typer.echo(f"{camera} {day_obs}: nothing is known of seq {gaps_text(found)}")
