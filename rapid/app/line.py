"""The parts that work together on one ledger, opened and put together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog

from rapid.app.gathering import make_gather
from rapid.config import Settings
from rapid.errors import ConfigError, LedgerError, NotAvailable
from rapid.gather.service import Gather
from rapid.ledger import beside_database, is_shared, ledger_place, lock, open_ledger
from rapid.pipeline.dispatch import Pipeline
from rapid.pipeline.hearing import Hearing
from rapid.pipeline.lanes import LanesPolicy
from rapid.pipeline.policy import Policy
from rapid.pipeline.register import register
from rapid.pipeline.tables import publish_changed_nights, publish_nights
from rapid.ports import Gallery, Ledger, Recorded, Source, Store
from rapid.processing.refcat import MANIFEST_NAME
from rapid.stores import canonical_url, open_store
from rapid.study import study_task, warm
from rapid.tv.publish import StoreGallery
from rapid.workers import LocalWorkers, local_workers

__all__ = ["Line", "archive_note", "note_archive", "open_line", "publish_last", "take_in", "write_tables"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """The parts that work together on one ledger."""

    ledger: Ledger
    workers: LocalWorkers
    store: Store
    gallery: Gallery
    pipeline: Pipeline
    gather: Gather
    hearing: Hearing
    patience: float


@asynccontextmanager
async def open_line(settings: Settings, hearing: Hearing | None = None) -> AsyncIterator[Line]:
    """Open ledger, workers and stores, and put pipeline and gather on them.

    Parameters
    ----------
    hearing
        Has what sources tell apart from files.
    """
    with _alone(settings):
        async with (
            open_ledger(settings.ledger_url, lease=settings.pipeline.lease) as ledger,
            local_workers(
                study_task,
                count=settings.workers.count,
                warm=warm,
                recycle_after=settings.workers.recycle_after,
            ) as workers,
        ):
            await _same_archive(settings, ledger)
            store = open_store(settings.gallery_url, settings.gallery.plain_options())
            gallery = StoreGallery(store)
            pipeline = Pipeline(
                ledger,
                workers,
                gallery,
                archive=canonical_url(settings.archive.url),
                options=settings.archive.plain_options(),
                catalogue=_catalogue(settings),
                catalogue_options=settings.catalogue.plain_options(),
                archive_there=_archive_there(settings),
                policy=_policy(settings),
            )
            gather = make_gather(settings, ledger, pipeline.changed)
            patience = settings.pipeline.patience.total_seconds()
            yield Line(ledger, workers, store, gallery, pipeline, gather, hearing or Hearing(), patience)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold a ledger that is one service's own: a second one would take the first one's work for abandoned.

    A ledger that is shared has leases for that.

    Raises
    ------
    ConfigError
        If somebody holds it already.
    LedgerError
        If its directory cannot be written.
    """
    place = _beside_ledger(settings, "lock")
    with ExitStack() as stack:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if not is_shared(settings.ledger_url):
                lock(stack.enter_context(place.open("a+", encoding="utf-8")))
        except BlockingIOError as error:
            who = place.read_text(encoding="utf-8").strip() or "?"
            msg = f"another rapid (process {who}) works on {settings.ledger_url}; give this one its own --state"
            raise ConfigError(msg) from error
        except OSError as error:
            raise LedgerError(f"the state cannot be kept in {place.parent}: {error.strerror}") from error
        yield


def _beside_ledger(settings: Settings, suffix: str) -> Path:
    """Name a file that goes with the ledger: beside its database, or in the state directory where that is no file."""
    url = settings.ledger_url
    if url.startswith("sqlite:///"):
        return beside_database(url, suffix)
    return settings.state.expanduser() / f"ledger.{suffix}"


async def _same_archive(settings: Settings, ledger: Ledger) -> None:
    """Make sure that what an earlier life left undone is looked for where it is.

    Raises
    ------
    ConfigError
        If something waits in the ledger that came from another archive.
    """
    url = canonical_url(settings.archive.url)
    before = archive_note(settings) or url
    counts = await ledger.counts()
    left = counts.waiting + counts.running
    if before != url and left:
        place = ledger_place(settings.ledger_url)
        msg = f"{left} exposures of {before} are not done yet in {place}; finish them, or give {url} its own --state"
        raise ConfigError(msg)
    note_archive(settings)


def archive_note(settings: Settings) -> str | None:
    """Return the URL of the archive whose files the ledger has; None where nobody has noted it yet."""
    note = _beside_ledger(settings, "archive")
    return note.read_text(encoding="utf-8").strip() if note.exists() else None


def note_archive(settings: Settings) -> None:
    """Note of which archive the ledger has files, beside it."""
    _beside_ledger(settings, "archive").write_text(f"{canonical_url(settings.archive.url)}\n", encoding="utf-8")


def _catalogue(settings: Settings) -> str:
    """Name the reference catalogue; a directory without one is a slip of the pen, a bucket may be away for a while.

    Raises
    ------
    ConfigError
        If the directory holds no catalogue.
    """
    if settings.catalogue.url is None:
        return ""
    url = canonical_url(settings.catalogue.url)
    place = Path(unquote(urlsplit(url).path))
    if url.startswith("file:") and not (place / MANIFEST_NAME).is_file():
        msg = f"catalogue.url: {place} holds no reference catalogue; `rapid refcat ingest` makes one"
        raise ConfigError(msg)
    return url


def _archive_there(settings: Settings) -> Callable[[], Awaitable[bool]]:
    """Make the question whether the archive as a whole can be reached.

    A directory that is empty counts as away: so looks a mount point with nothing mounted.
    """
    store = open_store(settings.archive.url, settings.archive.plain_options())

    async def there() -> bool:
        try:
            async for _ in store.list():
                return True
        except NotAvailable:
            pass
        return False

    def directory_there() -> bool:
        try:
            with os.scandir(root) as entries:
                return any(True for _ in entries)
        except OSError:
            return False

    url = canonical_url(settings.archive.url)
    root = unquote(urlsplit(url).path)
    return (lambda: asyncio.to_thread(directory_there)) if url.startswith("file:") else there


def _policy(settings: Settings) -> Policy:
    chosen = settings.pipeline
    return Policy(
        attempts=chosen.attempts,
        deadline=chosen.deadline,
        backoff=chosen.backoff,
        patience=chosen.patience,
        drain=chosen.drain,
        lanes=LanesPolicy(backlog_share=chosen.backlog_share, live_window=chosen.live_window),
    )


async def take_in(line: Line, source: Source, told: Callable[[Recorded], None] = lambda _: None) -> None:
    """Take in what a source announces, until it ends; see `register`."""

    def taken(recorded: Recorded) -> None:
        line.pipeline.changed.set()
        told(recorded)

    await register(
        source,
        line.ledger,
        offer=line.pipeline.offer,
        patience=line.patience,
        before_settling=lambda: line.hearing.write_down(line.ledger.exposures, patience=line.patience),
        told=taken,
    )


async def write_tables(line: Line) -> None:
    """Write night tables out as they change, until cancelled."""
    pause = Policy().table_pause.total_seconds()
    await publish_changed_nights(line.ledger, line.gallery, line.pipeline.changed, pause=pause, patience=line.patience)


async def publish_last(line: Line, settings: Settings) -> None:
    """Write the last tables; a gallery that is away does not hold up the end, the next life writes them."""
    try:
        async with asyncio.timeout(settings.pipeline.drain.total_seconds()):
            await publish_nights(line.ledger, line.gallery, patience=line.patience)
    except (TimeoutError, LedgerError, NotAvailable) as error:
        _log.error("the last night tables are not written, the next start does it", why=str(error) or "no time left")
