"""``rapid run``, ``rapid tv``, ``rapid replay``, ``rapid warm``.

What a command needs is imported when it is called: the numeric core alone takes seconds to load, and `--help` does not
need it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from rapid.cli.options import (
    AsJson,
    Catalogue,
    ConfigFile,
    Gallery,
    Host,
    Port,
    StateDir,
    WorkerCount,
    prepare,
    settings_from,
)
from rapid.cli.text import shown
from rapid.config import parse_duration

if TYPE_CHECKING:
    from rapid.app import ReplayReport

__all__ = ["add_to", "archive_options", "until_stopped"]

_console = Console(stderr=True)
T = TypeVar("T")


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.command()(run)
    cli.command()(tv)
    cli.command()(replay)
    cli.command()(warm)


def run(
    archive: Annotated[str | None, typer.Argument(help="Directory of raw files to watch.", show_default=False)] = None,
    *,
    config: ConfigFile = None,
    state: StateDir = None,
    catalogue: Catalogue = None,
    gallery: Gallery = None,
    workers: WorkerCount = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Watch a directory of raw files, study what arrives, and show it on a page. Runs until it is told to stop.

    SIGTERM or Ctrl-C finishes the exposures in work and ends; a second one ends at once. Nothing is lost either way,
    nor by a kill: the next start goes on where this one ended.

    Example: `rapid run /data/raw --state /var/lib/rapid --port 8077`
    """
    settings = settings_from(
        config,
        archive=archive,
        state=state,
        catalogue=catalogue,
        gallery=gallery,
        workers=workers,
        host=host,
        port=port,
    )
    prepare(settings)
    from rapid import app

    until_stopped(lambda stop: app.run_daemon(settings, stop=stop, announce=_announce))


def tv(
    config: ConfigFile = None, state: StateDir = None, gallery: Gallery = None, host: Host = None, port: Port = None
) -> None:
    """Show the page alone: what a daemon on the same state is writing, or what an earlier one wrote.

    It only reads. Start as many as there are walls to hang them on.

    Example: `rapid tv --state /var/lib/rapid --port 8078`
    """
    settings = settings_from(config, state=state, gallery=gallery, host=host, port=port)
    prepare(settings)
    from rapid import app

    until_stopped(lambda stop: app.run_display(settings, stop=stop, announce=_announce))


def replay(
    archive: Annotated[str, typer.Argument(help="Directory, single file, or s3://bucket/prefix.")],
    *,
    night: Annotated[
        int | None, typer.Option("--night", "-n", help="day_obs, as 20260315; all nights unless given.")
    ] = None,
    instrument: Annotated[str | None, typer.Option("--instrument", "-i", help="As LATISS; all unless given.")] = None,
    pace: Annotated[str | None, typer.Option(help="Pause between exposures, as 5s; full speed unless given.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Endpoint of an S3 archive that is not Amazon's, as http://localhost:9000.")
    ] = None,
    config: ConfigFile = None,
    state: StateDir = None,
    catalogue: Catalogue = None,
    gallery: Gallery = None,
    workers: WorkerCount = None,
    as_json: AsJson = False,
) -> None:
    """Send an archived night through the very same path as the live one, with the same results to the byte.

    What the ledger in --state knows already is not done again: give a fresh --state to do everything anew.

    Example: `rapid replay /data/raw --night 20260315 --state /tmp/again`
    """
    place, prefix = _place(archive)
    settings = settings_from(
        config,
        archive=place,
        catalogue=catalogue,
        archive_options=archive_options(endpoint),
        state=state,
        gallery=gallery,
        workers=workers,
    )
    prepare(settings, level="error" if settings.log.level == "info" else None)
    from rapid import app

    selection = app.Selection(instrument, night, prefix, interval=_pace(pace))
    with _progress() as progress:
        bar = progress.add_task("replaying", total=None)
        report = until_stopped(
            lambda stop: app.replay(
                settings,
                selection,
                stop=stop,
                begun=lambda total: progress.update(bar, total=total),
                advanced=lambda settled: progress.update(bar, completed=settled),
            )
        )
    _tell(report, as_json=as_json)


def warm() -> None:
    """Compile the numeric core and load every analysis: once after installing, so that no night waits for it."""
    from rapid.study import warm as warm_up

    warm_up()
    _console.print("the core is compiled and every analysis loads")


def until_stopped(start: Callable[[asyncio.Event], Coroutine[None, None, T]]) -> T:
    """Run something until it ends by itself or is told to stop by a signal."""
    from rapid.app import stop_on_signals

    async def body() -> T:
        stop = asyncio.Event()
        with stop_on_signals(stop):
            return await start(stop)

    try:
        return asyncio.run(body())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _place(archive: str) -> tuple[str, str]:
    """Tell the archive, and the prefix within it: a single file is one of the directory it is in."""
    path = Path(archive).expanduser()
    return (str(path.parent), path.name) if path.is_file() else (archive, "")


def archive_options(endpoint: str | None) -> dict[str, str]:
    """Make the options of an S3 archive at an endpoint that is not Amazon's."""
    if endpoint is None:
        return {}
    return {"endpoint": endpoint} | ({"allow_http": "true"} if endpoint.startswith("http://") else {})


def _announce(url: str) -> None:
    _console.print(f"page: [bold]{url}[/bold]", highlight=False)


def _pace(text: str | None) -> timedelta | None:
    pause = parse_duration(text)
    if pause is not None and not isinstance(pause, timedelta):
        raise typer.BadParameter(f"expected a duration as 5s or 1m, found {text!r}", param_hint="--pace")
    return pause


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_console,
    )


def _tell(report: ReplayReport, *, as_json: bool) -> None:
    """Say what a replay did; one that found nothing or left failures behind ends with exit code 1."""
    if as_json:
        facts = {
            "announced": report.announced,
            "done": report.done,
            "known": report.known,
            "rejected": report.rejected,
            "left": report.left,
            "failed": report.failed,
        }
        typer.echo(json.dumps(facts, sort_keys=True))
    else:
        typer.echo(
            f"{report.done} exposures done, {len(report.failed)} failed, {report.known} known before, {report.rejected} refused"
        )
        if not report.announced:
            typer.echo("there is no raw file of that night and instrument in the archive")
        if report.left:
            typer.echo(f"stopped with {report.left} left; the same command goes on with them")
        for key, error in sorted(report.failed.items()):
            typer.echo(f"  failed: {shown(error or key)}")
    if report.left:
        raise typer.Exit(130)
    if report.failed or report.rejected or not report.announced:
        raise typer.Exit(1)
