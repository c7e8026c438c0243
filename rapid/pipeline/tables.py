"""Night tables are written out whenever they changed, a little later and together."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from rapid.errors import InputError, LedgerError, NotAvailable
from rapid.pipeline.patience import patiently
from rapid.ports import Gallery, Ledger, State

__all__ = ["publish_changed_nights", "publish_nights"]

_log = structlog.get_logger(__name__)


async def publish_changed_nights(
    ledger: Ledger, gallery: Gallery, changed: asyncio.Event, *, pause: float, patience: float
) -> None:
    """Write out what changed, for ever: each time `changed` is set, at most every `pause` seconds.

    A gallery that stays away longer than `patience` is tried again: the tables can wait, the exposures cannot.
    """
    while True:
        await changed.wait()
        changed.clear()
        try:
            await publish_nights(ledger, gallery, patience=patience)
        except (LedgerError, NotAvailable) as error:
            _log.error("night tables are behind", why=str(error))
            changed.set()
        await asyncio.sleep(pause)


async def publish_nights(ledger: Ledger, gallery: Gallery, *, patience: float) -> None:
    """Write out every night whose table changed since it was last written, and remember that it was.

    A night that cannot be written at all is told once a change, and does not keep the others waiting.
    """
    for camera, day_obs, version in await patiently(ledger.unpublished_nights, patience):
        _, columns, entries = await patiently(partial(ledger.night, camera, day_obs), patience)
        if not any(entry["state"] == State.DONE for entry in entries):
            # of this night there are only names so far, and a broken file may bear any; the first row writes the table
            await patiently(partial(ledger.mark_night_published, camera, day_obs, version), patience)
            continue
        try:
            await patiently(partial(gallery.publish_night, camera, day_obs, columns, entries), patience)
        except InputError as error:
            _log.error("night table cannot be written", camera=camera, day_obs=day_obs, why=str(error))
        await patiently(partial(ledger.mark_night_published, camera, day_obs, version), patience)
        _log.debug("night table settled", camera=camera, day_obs=day_obs, exposures=len(entries))
