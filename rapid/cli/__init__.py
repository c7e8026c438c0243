"""The command ``rapid``: one command a thing people want to do.

Exit codes: 0 all is well; 1 something failed (an exposure, a file); 2 the command or a setting is wrong;
3 something indispensable is away (ledger, store); 130 interrupted.
"""

from __future__ import annotations

import sys

import typer

from rapid.cli import bus, demo, look, reconcile, refcat, service, simulate
from rapid.errors import ConfigError, LedgerError, NotAvailable, RapidError

__all__ = ["app", "main"]

FAILED, WRONG, AWAY, INTERRUPTED = 1, 2, 3, 130

app = typer.Typer(
    name="rapid",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""
Rapid analysis and live display of telescope exposures.

Start with **rapid demo**: it simulates a night and shows it arriving. On the summit **rapid run** watches a
directory of raw files, day and night. **rapid replay** sends an archived night through the same path.

Every setting can stand in a TOML file (`--config` or `RAPID_CONFIG`), in a variable
(`RAPID_WEB__PORT=8080`), or on the command line, which wins.

Exit codes: 0 well, 1 something failed, 2 wrong command or setting, 3 ledger or store away, 130 interrupted.
""",
)
for part in (demo, simulate, service, reconcile, look, bus, refcat):
    part.add_to(app)


def main() -> None:
    """Run the command; every fault of ours becomes one sentence and an exit code."""
    try:
        app()
    except BaseExceptionGroup as group:
        _end(_first(group))
    except (RapidError, KeyboardInterrupt) as error:
        _end(error)


def _first(error: BaseException) -> BaseException:
    """Find the first real cause in a group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _end(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt):
        typer.secho("interrupted", err=True)
        sys.exit(INTERRUPTED)
    if not isinstance(error, RapidError):
        raise error
    typer.secho(f"rapid: {error}", err=True, fg=typer.colors.RED)
    sys.exit(_code(error))


def _code(error: RapidError) -> int:
    if isinstance(error, ConfigError):
        return WRONG
    return AWAY if isinstance(error, LedgerError | NotAvailable) else FAILED
