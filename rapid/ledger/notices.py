"""What one process of PostgreSQL's clients tells the others: the feed has grown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
import structlog

__all__ = ["announce", "listen"]

_log = structlog.get_logger(__name__)

_CHANNEL = "rapid_feed"
_PAUSE = 1.0
"""Before the next try to listen [s], when the server is away: as often as the feed is looked at meanwhile."""


def announce(connection: sa.Connection) -> None:
    """Tell everybody, when this transaction is committed."""
    connection.exec_driver_sql(f"NOTIFY {_CHANNEL}")


async def listen(arguments: Mapping[str, Any], heard: Callable[[], None]) -> None:
    """Call `heard` for every notice, for ever; and once after each connection, since notices may have been missed.

    A server that is away is tried again; whoever waits for the feed looks for himself meanwhile.
    """
    import psycopg  # noqa: PLC0415 - the driver is an extra: it is there when such a ledger is

    told = False
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**arguments, autocommit=True) as connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                heard()
                told = False
                async for _ in connection.notifies():
                    heard()
        except psycopg.Error as error:
            if not told:  # once for each time it is away
                _log.warning("notices of the ledger are not heard, trying again", why=" ".join(str(error).split()))
            told = True
        await asyncio.sleep(_PAUSE)
