"""Night tables are written out whenever they changed, a little later and together."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from rapid.pipeline.patience import patiently
from rapid.ports import Gallery, Ledger

__all__ = ["publish_changed_nights", "publish_nights"]

_log = structlog.get_logger(__name__)


async def publish_changed_nights(
    ledger: Ledger, gallery: Gallery, changed: asyncio.Event, *, pause: float, patience: float
) -> None:
    """Write out what changed, for ever: each time `changed` is set, at most every `pause` seconds."""
    while True:
        await changed.wait()
        changed.clear()
        await publish_nights(ledger, gallery, patience=patience)
        await asyncio.sleep(pause)


async def publish_nights(ledger: Ledger, gallery: Gallery, *, patience: float) -> None:
    """Write out every night whose table changed since it was last written, and remember that it was."""
    for camera, day_obs, version in await patiently(ledger.unpublished_nights, patience):
        _, columns, entries = await patiently(partial(ledger.night, camera, day_obs), patience)
        await patiently(partial(gallery.publish_night, camera, day_obs, columns, entries), patience)
        await patiently(partial(ledger.mark_night_published, camera, day_obs, version), patience)
        _log.debug("night table written", camera=camera, day_obs=day_obs, exposures=len(entries))
