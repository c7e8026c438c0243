"""What was missed: the archive is compared with the ledger, now and then by the service, and by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rapid.app.line import archive_note, note_archive
from rapid.config import Settings
from rapid.consumers.reconcile import ReconcileSource, current_nights
from rapid.errors import BadName, ConfigError, NotAvailable
from rapid.ledger import open_ledger
from rapid.pipeline.register import register
from rapid.ports import Ledger, Recorded, Source
from rapid.processing.fits import is_complete
from rapid.stores import canonical_url, local_path, open_store

__all__ = ["ReconcileReport", "catch_up_source", "reconcile"]


@dataclass(slots=True)
class ReconcileReport:
    """What a comparison found.

    ``entered`` are the keys that were not known, ``rejected`` how many names cannot be used; ``gaps`` are ranges of sequence
    numbers of which nothing is known still, by camera and night.
    """

    entered: list[str] = field(default_factory=list)
    rejected: int = 0
    gaps: dict[tuple[str, int], Sequence[tuple[int, int]]] = field(default_factory=dict)

    def take(self, recorded: Recorded) -> None:
        """Add a batch."""
        self.entered += [arrival.key for arrival in recorded.new]
        self.rejected += recorded.rejected


def catch_up_source(settings: Settings, ledger: Ledger, looked: Callable[[str], None]) -> Source | None:
    """Make the source of what the buses did not announce; None where a directory is watched, which misses nothing."""
    url = canonical_url(settings.archive.url)
    if url.startswith("file:") and settings.archive.watch:
        return None
    chosen = settings.reconcile
    return ReconcileSource(
        open_store(settings.archive.url, settings.archive.plain_options()),
        known=ledger.known,
        instruments=chosen.instruments,
        nights=lambda: current_nights(ledger.now(), chosen.nights),
        every=chosen.every,
        settle=chosen.settle,
        is_whole=_is_whole(url),
        live_window=settings.pipeline.live_window,
        looked=looked,
    )


async def reconcile(
    settings: Settings,
    *,
    nights: Sequence[int] = (),
    instruments: Sequence[str] = (),
    checked: Callable[[int], None] = lambda _: None,
    told: Callable[[Recorded], None] = lambda _: None,
) -> ReconcileReport:
    """Enter into the ledger what lies in the archive and is not known; a running service takes it up within seconds.

    Parameters
    ----------
    nights, instruments
        What is compared; the current nights, and the instruments of the settings, unless given.
    checked
        Is told how many files there are, as a negative number, and then how many of them were looked at.
    told
        Is told what became of each batch.

    Raises
    ------
    ConfigError
        If the ledger is that of another archive.
    NotAvailable, LedgerError
        If archive or ledger cannot be reached.
    """
    url = canonical_url(settings.archive.url)
    _check(settings, url)
    report = ReconcileReport()

    def taken(recorded: Recorded) -> None:
        report.take(recorded)
        told(recorded)

    async with open_ledger(settings.ledger_url, lease=settings.pipeline.lease) as ledger:
        note_archive(settings)
        chosen = nights or current_nights(ledger.now(), settings.reconcile.nights)
        source = ReconcileSource(
            open_store(settings.archive.url, settings.archive.plain_options()),
            known=ledger.known,
            instruments=instruments or settings.reconcile.instruments,
            nights=lambda: sorted(chosen, reverse=True),
            settle=settings.reconcile.settle,
            is_whole=_is_whole(url),
            live_window=settings.pipeline.live_window,
            checked=checked,
        )
        patience = settings.pipeline.patience.total_seconds()
        await register(source, ledger, offer=lambda _: None, patience=patience, told=taken)
        for night in await ledger.nights():
            place = (str(night["camera"]), int(str(night["day_obs"])))
            if place[1] in chosen and (found := await ledger.gaps(*place)):
                report.gaps[place] = found
    return report


def _check(settings: Settings, url: str) -> None:
    """Refuse an archive that is not there, or is not that of the ledger: the same key would be another file."""
    place = Path(unquote(urlsplit(url).path))
    if url.startswith("file:") and not place.is_dir():
        raise NotAvailable(f"there is no archive at {place}")
    before = archive_note(settings)
    if before not in {None, url}:
        raise ConfigError(f"this ledger is of the archive {before}, not of {url}; give {url} its own --state")


def _is_whole(url: str) -> Callable[[str], Awaitable[bool]]:
    """Make the question whether a file is complete; an object of a bucket always is."""
    in_a_directory = url.startswith("file:")

    def look(key: str) -> bool:
        try:
            path = local_path(url, key)
        except (BadName, NotAvailable):
            return True  # whatever it is, the front door says why
        return path is None or is_complete(path)

    async def is_whole(key: str) -> bool:
        return await asyncio.to_thread(look, key) if in_a_directory else True

    return is_whole
