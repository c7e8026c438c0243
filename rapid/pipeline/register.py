"""The register: what a source announces is written down durably; then, and only then, is it settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from rapid import metrics
from rapid.pipeline.patience import patiently
from rapid.ports import Arrival, Ledger, Recorded, Source, State

__all__ = ["register"]

_log = structlog.get_logger(__name__)


async def register(
    source: Source,
    ledger: Ledger,
    *,
    offer: Callable[[Sequence[Arrival]], None],
    patience: float,
    told: Callable[[Recorded], None] = lambda _: None,
) -> None:
    """Record every batch of a source until it ends.

    Parameters
    ----------
    offer
        Takes the new arrivals that are to be worked on.
    patience
        How long the ledger may be away [s]; the source waits meanwhile, unsettled.
    told
        Is told what became of each settled batch, for a progress bar or a summary.
    """
    async with source.batches() as batches:
        async for batch in batches:
            items = list(batch.items)
            recorded = await patiently(partial(ledger.record, items), patience)
            await batch.settle()
            metrics.RECEIVED.labels(source=source.name).inc(len(recorded.new))
            metrics.DUPLICATES.inc(recorded.duplicates)
            metrics.REJECTED.labels(source=source.name).inc(recorded.rejected)
            for arrival in recorded.new:
                metrics.LAST_ARRIVAL.set(arrival.recorded_at.timestamp())
                _log.info("arrival recorded", key=arrival.key, size=arrival.size, state=arrival.state)
            offer([arrival for arrival in recorded.new if arrival.state is State.WAITING])
            told(recorded)
