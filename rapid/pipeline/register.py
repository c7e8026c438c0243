"""The register: what a source announces is written down durably; then, and only then, is it settled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from rapid import metrics
from rapid.pipeline.patience import patiently
from rapid.ports import Arrival, Ledger, Recorded, Source, State

__all__ = ["register"]

_log = structlog.get_logger(__name__)

FEW = 20
"""So many arrivals of a batch have a line of the log each: an exposure of one detector, or what a night brings live. More
of them are a catch-up, where writing the log would cost more than writing the ledger."""


async def _nothing_else() -> None:
    return


async def register(
    source: Source,
    ledger: Ledger,
    *,
    offer: Callable[[Sequence[Arrival]], None],
    patience: float,
    before_settling: Callable[[], Awaitable[None]] = _nothing_else,
    told: Callable[[Recorded], None] = lambda _: None,
) -> None:
    """Record every batch of a source until it ends.

    Parameters
    ----------
    offer
        Takes the new arrivals that are to be worked on.
    patience
        How long the ledger may be away [s]; the source waits meanwhile, unsettled.
    before_settling
        Writes down whatever else a batch may rest on.
    told
        Is told what became of each settled batch, for a progress bar or a summary.
    """
    async with source.batches() as batches:
        async for batch in batches:
            items = list(batch.items)
            recorded = await patiently(partial(ledger.record, items), patience)
            await before_settling()
            await batch.settle()
            metrics.RECEIVED.labels(source=source.name).inc(len(recorded.new))
            metrics.DUPLICATES.inc(recorded.duplicates)
            metrics.REJECTED.labels(source=source.name).inc(recorded.rejected)
            _tell(recorded.new, source.name)
            offer([arrival for arrival in recorded.new if arrival.state is State.WAITING])
            told(recorded)


def _tell(new: Sequence[Arrival], source: str) -> None:
    if not new:
        return
    metrics.LAST_ARRIVAL.set(new[-1].recorded_at.timestamp())
    if len(new) > FEW:
        facts = {"count": len(new), "first": new[0].key, "last": new[-1].key, "size": sum(one.size for one in new)}
        _log.info("arrivals recorded", source=source, **facts)
        return
    for arrival in new:
        _log.info("arrival recorded", key=arrival.key, size=arrival.size, state=arrival.state)
