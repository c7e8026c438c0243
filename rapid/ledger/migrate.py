"""How a database becomes, or stays, what `rapid.ledger.schema` says.

A fresh database walks through every revision, as an old one does: there is one road only.
"""

from __future__ import annotations

import threading
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from rapid.errors import ConfigError, LedgerError

__all__ = ["check", "upgrade"]

_MIGRATIONS = Path(__file__).parent / "migrations"
_ONE_AT_A_TIME = threading.Lock()
"""Alembic hands its context to the environment script through a global."""


def upgrade(connection: sa.Connection, *, to: str = "head") -> None:
    """Bring the database to a revision, inside the transaction of the connection.

    Raises
    ------
    ConfigError
        If a newer release has written it.
    """
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    if _current(connection) == _scripts().get_current_head() and to == "head":
        return
    with _ONE_AT_A_TIME:
        command.upgrade(config, to)


def check(connection: sa.Connection) -> None:
    """Make sure that a database which may not be changed is of our revision.

    Raises
    ------
    ConfigError
        If a newer release has written it.
    LedgerError
        If it is still to be brought up to date by the process that writes.
    """
    current, head = _current(connection), _scripts().get_current_head()
    if current != head:
        msg = f"the ledger is at revision {current or 'none'}, expected {head}: the process that writes has yet to bring it up to date"
        raise LedgerError(msg)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_MIGRATIONS))


def _current(connection: sa.Connection) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    scripts = _scripts()
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        msg = (
            f"the ledger was written by a newer release: it is at revision {current}, this one knows up to "
            f"{scripts.get_current_head()}; install the newer release, or give another place for the ledger"
        )
        raise ConfigError(msg)
    return current
