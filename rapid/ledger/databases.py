"""Which database an address names."""

from __future__ import annotations

from datetime import timedelta

from rapid.errors import ConfigError
from rapid.ledger.engines import Engines
from rapid.ledger.postgres import open_postgres, place_of
from rapid.ledger.sqlite import open_sqlite

__all__ = ["is_shared", "ledger_place", "open_engines"]

_EXPECTED = "expected sqlite:////absolute/path, sqlite:///relative/path, or postgresql://user@host/database for several services"


def open_engines(url: str, *, read_only: bool, busy_timeout: timedelta, readers: int) -> Engines:
    """Prepare to open a database; the first use connects.

    Raises
    ------
    ConfigError
        If the URL is not one of a database that a ledger is kept in.
    LedgerError
        If it shall only be read and there is none yet.
    """
    if is_shared(url):
        return open_postgres(url, read_only=read_only, busy_timeout=busy_timeout, readers=readers)
    return open_sqlite(url, read_only=read_only, busy_timeout=busy_timeout, readers=readers)


def is_shared(url: str) -> bool:
    """Tell whether several services may work on the ledger of this address.

    Raises
    ------
    ConfigError
        If no ledger is kept there.
    """
    scheme, found, _ = url.partition("://")
    if not found:
        msg = f"the address of the ledger is not a URL; {_EXPECTED}"
        raise ConfigError(msg)
    if scheme not in {"sqlite", "postgresql"}:
        msg = f"no ledger is kept in {scheme}; {_EXPECTED}"
        raise ConfigError(msg)
    return scheme == "postgresql"


def ledger_place(url: str) -> str:
    """Write the address of a ledger as it may be shown: without a password."""
    return place_of(url) if is_shared(url) else url
