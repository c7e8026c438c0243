"""The gather, put on the ledger and the archive."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from rapid.config import Settings
from rapid.consumers.decoders.sensors import expected_sensors
from rapid.errors import BadMessage, BadName, NotAvailable
from rapid.events import ExpectedSensors
from rapid.gather.expectation import configured_detectors
from rapid.gather.progress import Deadlines
from rapid.gather.service import Gather
from rapid.ports import Ledger, Store
from rapid.stores import open_store

__all__ = ["make_gather"]

_log = structlog.get_logger(__name__)

PATIENCE = timedelta(seconds=10)
"""How long the archive may take over a list of 8 kB; what is expected is then taken from whoever else says so."""


def make_gather(settings: Settings, ledger: Ledger, changed: asyncio.Event) -> Gather:
    """Put the gather together; `changed` is set when a night table has changed by it."""
    store = open_store(settings.archive.url, settings.archive.plain_options())
    chosen = settings.gather
    return Gather(
        ledger,
        fetch_list=lambda key: _fetch(store, key),
        configured={**configured_detectors(), **chosen.expected},
        deadlines=Deadlines(files=chosen.files, processing=chosen.processing, pause=chosen.pause),
        changed=changed,
    )


async def _fetch(store: Store, key: str) -> ExpectedSensors | None:
    """Fetch the camera's list of detectors; None when it is not there, does not come, or is none."""
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return expected_sensors(await store.get(key), source="archive")
    except (NotAvailable, BadName, TimeoutError):
        return None
    except BadMessage as error:
        _log.warning("a list of expected detectors cannot be used", key=key, why=str(error))
        return None
