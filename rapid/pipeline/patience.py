"""Calling somebody who may be away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from rapid.errors import LedgerError, NotAvailable

__all__ = ["patiently"]

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0


async def patiently(
    call: Callable[[], Awaitable[_T]], seconds: float, *, told: Callable[[str], None] = lambda _: None
) -> _T:
    """Call until it succeeds, with growing pauses; what is called must be idempotent.

    Parameters
    ----------
    told
        Is told why it failed, each time, and in the end, well or ill, an empty word.

    Raises
    ------
    LedgerError, NotAvailable
        The last one, if it still fails after `seconds`.
    """
    pause, waited = FIRST_PAUSE, 0.0
    try:
        while True:
            try:
                return await call()
            except (LedgerError, NotAvailable) as error:
                if waited >= seconds:
                    raise
                told(str(error))
                _log.warning("away, trying again", why=str(error), pause=pause)
            await asyncio.sleep(pause)
            waited += pause
            pause = min(2 * pause, LONGEST_PAUSE)
    finally:
        told("")
