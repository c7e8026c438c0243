"""An archived night, sent through the very same path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rapid.app.line import open_line, publish_last, take_in, write_tables
from rapid.config import Settings
from rapid.consumers.replay import ReplaySource
from rapid.errors import NotAvailable
from rapid.pipeline.dispatch import Pipeline
from rapid.ports import Ledger, Recorded, State
from rapid.stores import canonical_url, open_store

__all__ = ["ReplayReport", "Selection", "replay"]


@dataclass(frozen=True, slots=True)
class Selection:
    """What of an archive is replayed: everything that is None is not asked for.

    ``interval`` is the pause between exposures; None is full speed.
    """

    instrument: str | None = None
    day_obs: int | None = None
    prefix: str = ""
    interval: timedelta | None = None


@dataclass(slots=True)
class ReplayReport:
    """What a replay did with what it announced.

    ``known`` were in the ledger already; of the new ones so many are ``done``, ``failed`` (key to why) and, when it was
    stopped, ``left``.
    """

    announced: int = 0
    known: int = 0
    rejected: int = 0
    new: dict[int, str] = field(default_factory=dict)
    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    left: int = 0

    def take(self, recorded: Recorded) -> None:
        """Add a batch."""
        self.known += recorded.duplicates
        self.rejected += recorded.rejected
        self.new |= {arrival.id: arrival.key for arrival in recorded.new}
        self.announced += len(recorded.new) + recorded.duplicates + recorded.rejected


async def replay(
    settings: Settings,
    selection: Selection,
    *,
    stop: asyncio.Event,
    begun: Callable[[int], None] = lambda _: None,
    advanced: Callable[[int], None] = lambda _: None,
) -> ReplayReport:
    """Send an archived night through the very same path, and return when all of it is settled.

    Parameters
    ----------
    begun, advanced
        Are told how many files there are, and how many are settled by now.
    """
    report = ReplayReport()
    _check_archive(settings)
    source = ReplaySource(
        open_store(settings.archive.url, settings.archive.plain_options()),
        instrument=selection.instrument,
        day_obs=selection.day_obs,
        prefix=selection.prefix,
        interval=selection.interval,
    )
    begun(await source.count())
    async with open_line(settings) as line:
        await line.pipeline.recover()
        async with asyncio.TaskGroup() as group:
            working = group.create_task(line.pipeline.run())
            servants = [group.create_task(write_tables(line)), group.create_task(line.gather.run())]
            reading = group.create_task(take_in(line, source, told=report.take))
            await _until_settled(line.pipeline, reading, report, stop=stop, advanced=advanced)
            reading.cancel()
            line.pipeline.stop()
            await working
            for servant in servants:
                servant.cancel()
        await line.gather.catch_up(final=not stop.is_set())
        await publish_last(line, settings)
        await _settle_report(line.ledger, report)
    return report


def _check_archive(settings: Settings) -> None:
    """Refuse a directory that is not there: a store would be made at a slip of the pen."""
    url = urlsplit(canonical_url(settings.archive.url))
    place = Path(unquote(url.path))
    if url.scheme == "file" and not place.is_dir():
        raise NotAvailable(f"there is no archive at {place}")


async def _settle_report(ledger: Ledger, report: ReplayReport) -> None:
    """Ask the ledger what became of the new arrivals."""
    total = (await ledger.counts()).received
    for state in (State.DONE, State.FAILED, State.WAITING, State.RUNNING):
        found = await ledger.arrivals(states=[state], limit=max(total, 1))
        ours = [arrival for arrival in found if arrival.id in report.new]
        if state is State.DONE:
            report.done = len(ours)
        elif state is State.FAILED:
            report.failed = {arrival.key: arrival.error for arrival in ours}
        else:
            report.left += len(ours)


async def _until_settled(
    pipeline: Pipeline,
    reading: asyncio.Task[None],
    report: ReplayReport,
    *,
    stop: asyncio.Event,
    advanced: Callable[[int], None],
) -> None:
    """Wait until the source has ended and nothing is left to do, or until `stop` is set."""
    while not stop.is_set() and not (reading.done() and pipeline.idle):
        await asyncio.sleep(0.05)
        advanced(report.announced - pipeline.unsettled)
        if reading.done() and pipeline.idle:
            await pipeline.look_again()
    advanced(report.announced - pipeline.unsettled)
