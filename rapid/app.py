"""The composition root: settings become a running service. Here alone everything knows everything."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog

from rapid import metrics
from rapid.config import Settings
from rapid.consumers.directory import DirectorySource
from rapid.consumers.replay import ReplaySource
from rapid.errors import ConfigError, LedgerError
from rapid.health import Health, keep_beating, router
from rapid.ledger import open_ledger
from rapid.pipeline.dispatch import Pipeline
from rapid.pipeline.lanes import LanesPolicy
from rapid.pipeline.policy import Policy
from rapid.pipeline.register import register
from rapid.pipeline.tables import publish_changed_nights, publish_nights
from rapid.ports import Gallery, Ledger, Recorded, Source, State, Store
from rapid.processing.fits import is_complete
from rapid.stores import canonical_url, open_store
from rapid.study import study_task, warm
from rapid.systemd import Notifier, keep_watchdog, watchdog_interval
from rapid.tv.publish import StoreGallery
from rapid.tv.server import create_app, serve
from rapid.workers import LocalWorkers, local_workers

__all__ = ["ReplayReport", "Selection", "replay", "run_daemon", "run_display", "stop_on_signals"]

_log = structlog.get_logger(__name__)

INSPECTION = timedelta(seconds=5)
"""How often the service looks at itself: ledger reachable, workers up, anything waiting that nobody queued."""

SILENCE = timedelta(seconds=60)
"""A part that has not been heard of for so long hangs: a look takes milliseconds, a busy database some seconds."""

Announce = Callable[[str], None]


async def run_daemon(settings: Settings, *, stop: asyncio.Event, announce: Announce = lambda _: None) -> None:
    """Watch the archive, study what arrives, show it on the page, until `stop` is set; then drain.

    Parameters
    ----------
    announce
        Is told the URL of the page once it answers.

    Raises
    ------
    ConfigError
        If a setting is impossible or another service works on this ledger.
    LedgerError, NotAvailable, WorkerDied
        If something indispensable cannot be had.
    """
    notifier = Notifier.from_environment()
    health = Health()
    source = _directory(settings, health)
    async with _line(settings) as line:
        recovered = await line.pipeline.recover()
        health.expect("ledger", deadline=SILENCE)
        health.expect("workers", deadline=SILENCE)
        health.expect("source", deadline=SILENCE + 3 * settings.archive.rescan)

        def up(url: str) -> None:
            notifier.ready(f"page at {url}")
            _log.info("service is up", page=url, archive=settings.archive.url, recovered=recovered)
            announce(url)

        async with asyncio.TaskGroup() as group:
            working = group.create_task(line.pipeline.run())
            servants = [
                *_vital_signs(group, health, notifier),
                group.create_task(_inspect(line, health)),
                group.create_task(_register(line, source)),
                group.create_task(_write_tables(line)),
                group.create_task(_serve(settings, line.ledger, line.store, health, up)),
            ]
            await stop.wait()
            notifier.stopping("finishing the exposures in work")
            line.pipeline.stop()
            await working
            for servant in servants:
                servant.cancel()
        await publish_nights(line.ledger, line.gallery, patience=line.patience)
    _log.info("service has stopped")


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
    """What a replay did."""

    announced: int = 0
    known: int = 0
    rejected: int = 0
    new: dict[int, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Exposures that have their row."""
        return len(self.new) - len(self.failed)

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
    source = ReplaySource(
        open_store(settings.archive.url, settings.archive.plain_options()),
        instrument=selection.instrument,
        day_obs=selection.day_obs,
        prefix=selection.prefix,
        interval=selection.interval,
    )
    begun(await source.count())
    async with _line(settings) as line:
        await line.pipeline.recover()
        async with asyncio.TaskGroup() as group:
            working = group.create_task(line.pipeline.run())
            tables = group.create_task(_write_tables(line))
            reading = group.create_task(_register(line, source, told=report.take))
            await _until_settled(line.pipeline, reading, report, stop=stop, advanced=advanced)
            reading.cancel()
            line.pipeline.stop()
            await working
            tables.cancel()
        await publish_nights(line.ledger, line.gallery, patience=line.patience)
        buried = await line.ledger.arrivals(states=[State.FAILED], limit=len(report.new) + 1000)
        report.failed = {arrival.key: arrival.error for arrival in buried if arrival.id in report.new}
    return report


async def run_display(settings: Settings, *, stop: asyncio.Event, announce: Announce = lambda _: None) -> None:
    """Show what a daemon beside us, or an earlier one, has written, until `stop` is set. Nothing is changed."""
    health = Health()
    health.expect("ledger", deadline=SILENCE)
    notifier = Notifier.from_environment()
    store = open_store(settings.gallery_url, settings.gallery.plain_options())

    def up(url: str) -> None:
        notifier.ready(f"page at {url}")
        announce(url)

    async with open_ledger(settings.ledger_url, read_only=True) as ledger, asyncio.TaskGroup() as group:
        servants = [
            *_vital_signs(group, health, notifier),
            group.create_task(_inspect_ledger(ledger, health)),
            group.create_task(_serve(settings, ledger, store, health, up)),
        ]
        await stop.wait()
        notifier.stopping()
        for servant in servants:
            servant.cancel()


@contextmanager
def stop_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set `stop`; a second one cancels the task that entered here."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stopped() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@dataclass(frozen=True, slots=True)
class _Line:
    """The parts that work together on one ledger."""

    ledger: Ledger
    workers: LocalWorkers
    store: Store
    gallery: Gallery
    pipeline: Pipeline
    patience: float


@asynccontextmanager
async def _line(settings: Settings) -> AsyncIterator[_Line]:
    """Open ledger, workers and stores, and put the pipeline on them."""
    with _alone(settings.state):
        async with (
            open_ledger(settings.ledger_url) as ledger,
            local_workers(
                study_task,
                count=settings.workers.count,
                warm=warm,
                recycle_after=settings.workers.recycle_after,
            ) as workers,
        ):
            store = open_store(settings.gallery_url, settings.gallery.plain_options())
            gallery = StoreGallery(store)
            pipeline = Pipeline(
                ledger,
                workers,
                gallery,
                archive=canonical_url(settings.archive.url),
                options=settings.archive.plain_options(),
                policy=_policy(settings),
            )
            yield _Line(ledger, workers, store, gallery, pipeline, settings.pipeline.patience.total_seconds())


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the state directory: a second service on the same ledger would take the first one's work for abandoned.

    Raises
    ------
    ConfigError
        If somebody holds it already.
    """
    place = state.expanduser() / "rapid.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            msg = f"another rapid (process {lock.read().strip() or '?'}) works in {place.parent}; give this one its own --state"
            raise ConfigError(msg) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


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


def _directory(settings: Settings, health: Health) -> DirectorySource:
    url = canonical_url(settings.archive.url)
    if not url.startswith("file:"):
        msg = f"archive.url: only a directory can be watched, found {url}; `rapid replay` reads a bucket"
        raise ConfigError(msg)

    def looked(why: str) -> None:
        if why:
            health.fail("source", why)
        else:
            health.beat("source")

    return DirectorySource(
        Path(unquote(urlsplit(url).path)),
        is_complete=is_complete,
        rescan=settings.archive.rescan,
        live_window=settings.pipeline.live_window,
        force_polling=settings.archive.polling,
        looked=looked,
    )


def _vital_signs(group: asyncio.TaskGroup, health: Health, notifier: Notifier) -> list[asyncio.Task[None]]:
    """Beat for the event loop and, where systemd watches, keep its watchdog quiet."""
    tasks = [group.create_task(keep_beating(health))]
    every = watchdog_interval()
    if every is not None:
        tasks.append(group.create_task(keep_watchdog(notifier, lambda: health.live().ok, every=every)))
    return tasks


async def _register(line: _Line, source: Source, told: Callable[[Recorded], None] = lambda _: None) -> None:
    def taken(recorded: Recorded) -> None:
        line.pipeline.changed.set()
        told(recorded)

    await register(source, line.ledger, offer=line.pipeline.offer, patience=line.patience, told=taken)


async def _write_tables(line: _Line) -> None:
    pause = Policy().table_pause.total_seconds()
    await publish_changed_nights(line.ledger, line.gallery, line.pipeline.changed, pause=pause, patience=line.patience)


async def _serve(settings: Settings, ledger: Ledger, store: Store, health: Health, ready: Announce) -> None:
    app = create_app(ledger, store, title=settings.web.title, extra=[router(health)])
    await serve(app, host=settings.web.host, port=settings.web.port, ready=ready)


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
    advanced(report.announced - pipeline.unsettled)


async def _inspect(line: _Line, health: Health) -> None:
    """Look at the ledger and the workers now and then, and tell health and metrics."""
    while True:
        await _look_at_ledger(line.ledger, health)
        metrics.WORKERS.set(alive := len(line.workers.pids))
        if alive:
            health.beat("workers")
        else:
            health.fail("workers", "no worker process is up")
        try:
            await line.pipeline.look_again()
        except LedgerError as error:
            _log.warning("ledger cannot be read", why=str(error))
        await asyncio.sleep(INSPECTION.total_seconds())


async def _inspect_ledger(ledger: Ledger, health: Health) -> None:
    while True:
        await _look_at_ledger(ledger, health)
        await asyncio.sleep(INSPECTION.total_seconds())


async def _look_at_ledger(ledger: Ledger, health: Health) -> None:
    try:
        counts = await ledger.counts()
    except LedgerError as error:
        health.fail("ledger", str(error))
        return
    health.beat("ledger")
    metrics.DEAD_LETTERS.set(counts.dead_letters)
