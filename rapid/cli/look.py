"""``rapid status`` and ``rapid dead-letters``: what was received, done, failed, and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rapid.cli.options import AsJson, ConfigFile, StateDir, settings_from
from rapid.cli.text import shown
from rapid.errors import InputError
from rapid.gather.gaps import gaps_text
from rapid.ports import Arrival, Counts, DeadLetter, Ledger, Standing, State

__all__ = ["add_to"]

_console = Console(highlight=False, soft_wrap=True)
_T = TypeVar("_T")

_letters = typer.Typer(no_args_is_help=True, help="What could not be used: kept whole, with the reason.")

SHOWN = 20

MOST = 100_000
"""Dead letters that `retry --all` looks through."""


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.command()(status)
    cli.add_typer(_letters, name="dead-letters")


def status(config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False) -> None:
    """Tell what was received, what is running, done and failed, and why.

    Works beside a running daemon, and after it: says when no service is running on this ledger; "service" is null in
    the JSON where the ledger cannot tell, as one in PostgreSQL. Exit code 1 when there are failures nobody has dealt with.

    Example: `rapid status --state /var/lib/rapid`
    """
    from rapid.ledger import is_served

    counts, running, failed, nights, waited_for = _with_ledger(config, state, _look)
    service = is_served(settings_from(config, state=state).ledger_url)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "service": service,
                    "counts": {"received": counts.received, **asdict(counts)},
                    "running": [_arrival(arrival) for arrival in running],
                    "failed": [_arrival(arrival) for arrival in failed],
                    "nights": nights,
                    "gathering": [_standing(standing) for standing in waited_for],
                },
                default=str,
            )
        )
    else:
        _print_status(service, counts, running, failed, nights=nights, waited_for=waited_for)
    if counts.failed or counts.dead_letters:
        raise typer.Exit(1)


@_letters.command("list")
def list_letters(config: ConfigFile = None, state: StateDir = None, as_json: AsJson = False) -> None:
    """List the dead letters that were not retried, newest first."""
    letters = _with_ledger(config, state, lambda ledger: ledger.dead_letters())
    if as_json:
        typer.echo(json.dumps([_letter(letter) for letter in letters]))
        return
    if not letters:
        typer.echo("no dead letters")
        return
    if not _console.is_terminal:
        for letter in letters:
            typer.echo(
                f"{letter.id}\t{_clock(letter.at)}\t{letter.kind}\t{shown(letter.subject)}\t{shown(letter.reason)}"
            )
        return
    table = Table("id", "when (UTC)", "kind", "what", "why", box=None, header_style="bold")
    for letter in letters:
        table.add_row(
            str(letter.id),
            _clock(letter.at),
            letter.kind,
            escape(shown(letter.subject)),
            escape(shown(letter.reason)),
        )
    _console.print(table)


@_letters.command("show")
def show_letter(
    number: Annotated[int, typer.Argument(help="Its id, as `list` shows it.")],
    config: ConfigFile = None,
    state: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter whole: reason, traceback, and the bytes of a message."""
    letter = _with_ledger(config, state, lambda ledger: ledger.dead_letter(number))
    if as_json:
        typer.echo(json.dumps(_letter(letter) | {"body": letter.body.decode("utf-8", "backslashreplace")}))
        return
    for name, value in _letter(letter).items():
        if value not in {"", None}:
            typer.echo(f"{name:>12}  {shown(str(value), lines=True)}")
    if letter.body:
        typer.echo(f"{'body':>12}  {shown(letter.body.decode('utf-8', 'backslashreplace'), lines=True)}")


@_letters.command("retry")
def retry_letters(
    numbers: Annotated[list[int] | None, typer.Argument(help="Their ids, as `list` shows them.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All buried exposures.")] = False,
    config: ConfigFile = None,
    state: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Give buried exposures their attempts back. A running daemon takes them up within seconds, or when its queue
    is short again; else the next one does.

    Example: `rapid dead-letters retry 3 4`, or after a disk came back: `rapid dead-letters retry --all`
    """
    if everything == bool(numbers):
        raise typer.BadParameter("say which, by their ids, or --all", param_hint="NUMBERS")

    async def retry(ledger: Ledger) -> list[Arrival]:
        return [await ledger.retry(number) for number in numbers or ()]

    arrivals = _with_ledger(config, state, _retry_all if everything else retry, write=True)
    if as_json:
        typer.echo(json.dumps([_arrival(arrival) for arrival in arrivals], default=str))
        return
    for arrival in arrivals:
        typer.echo(f"{shown(arrival.key)} waits for a worker again")
    if not arrivals:
        typer.echo("no exposure is buried")


async def _retry_all(ledger: Ledger) -> list[Arrival]:
    """Retry all buried exposures; one that a running daemon has dealt with meanwhile is passed over."""
    letters = await ledger.dead_letters(limit=MOST)
    by_arrival = {letter.arrival_id: letter.id for letter in letters if letter.arrival_id is not None}
    retried = []
    for number in by_arrival.values():
        with suppress(InputError):
            retried.append(await ledger.retry(number))
    return retried


async def _look(
    ledger: Ledger,
) -> tuple[Counts, Sequence[Arrival], Sequence[Arrival], Sequence[Mapping[str, Any]], Sequence[Standing]]:
    nights = [
        {**night, "gaps": list(await ledger.gaps(str(night["camera"]), int(str(night["day_obs"]))))}
        for night in await ledger.nights()
    ]
    return (
        await ledger.counts(),
        await ledger.arrivals(states=[State.RUNNING]),
        await ledger.arrivals(states=[State.FAILED], limit=SHOWN),
        nights,
        await ledger.exposures.in_progress(limit=SHOWN),
    )


def _with_ledger(
    config: Any, state: Any, call: Callable[[Ledger], Coroutine[Any, Any, _T]], *, write: bool = False
) -> _T:
    """Open the ledger of the settings, ask it one thing, and close it."""
    from rapid.ledger import open_ledger

    settings = settings_from(config, state=state)

    async def ask() -> _T:
        async with open_ledger(settings.ledger_url, read_only=True) as ledger:
            if not write:
                return await call(ledger)
        async with open_ledger(settings.ledger_url) as ledger:
            return await call(ledger)

    return asyncio.run(ask())


def _print_status(
    service: bool | None,
    counts: Counts,
    running: Sequence[Arrival],
    failed: Sequence[Arrival],
    *,
    nights: Sequence[Mapping[str, Any]],
    waited_for: Sequence[Standing],
) -> None:
    _console.print(
        f"received {counts.received}   waiting {counts.waiting}   running {counts.running}   "
        f"done {counts.done}   failed {counts.failed}   superseded {counts.superseded}   "
        f"dead letters {counts.dead_letters}"
    )
    if service is False:
        _console.print("no service is running on this ledger")
    now = datetime.now(UTC)
    for arrival in running:
        waited = (now - arrival.recorded_at).total_seconds()
        _console.print(
            f"running: {escape(shown(arrival.key))}, attempt {arrival.attempts}, recorded {waited:.0f} s ago"
        )
    for arrival in failed:
        _console.print(f"[red]failed[/red]: {escape(shown(arrival.error or arrival.key))}")
    if counts.failed > len(failed):
        _console.print(f"... and {counts.failed - len(failed)} more; see `rapid dead-letters list`")
    for standing in waited_for:
        finished = sum(detector.state in {State.DONE, State.FAILED} for detector in standing.detectors)
        _console.print(
            f"gathering: {standing.name.obs_id}, {len(standing.detectors)} files, {finished} finished, "
            f"until {_clock(standing.due_at) if standing.due_at else 'more come'}"
        )
    for night in nights[:SHOWN]:
        gaps = f", nothing of seq {gaps_text(night['gaps'])}" if night["gaps"] else ""
        _console.print(
            f"night {night['day_obs']} {night['camera']}: {night['exposures']} exposures, "
            f"{night['failed']} failed, last seq {night['last_seq_num']}{gaps}"
        )


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "obs_id": standing.name.obs_id,
        "detectors": {detector.name: detector.state.value for detector in standing.detectors},
        "revision": standing.revision,
        "due_at": standing.due_at and standing.due_at.isoformat(),
    }


def _arrival(arrival: Arrival) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(arrival).items()}


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(letter).items() if name != "body"}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _clock(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")
