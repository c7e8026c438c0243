"""The two that run for good: the daemon, and the display beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from rapid import metrics
from rapid.announce import Announcer
from rapid.announce.watching import watch
from rapid.app.catching_up import catch_up_source
from rapid.app.collecting import collect_seldom
from rapid.app.line import Line, open_line, publish_last, take_in, write_tables
from rapid.app.results import failing_components, make_announcers
from rapid.app.sources import open_sources
from rapid.config import Settings
from rapid.errors import LedgerError, NotAvailable
from rapid.health import Health, keep_beating, router
from rapid.ledger import open_ledger
from rapid.pipeline.hearing import Hearing
from rapid.ports import Ledger, Source, Store
from rapid.stores import open_store
from rapid.systemd import Notifier, keep_watchdog, watchdog_interval
from rapid.tv.server import create_app, serve

__all__ = ["run_daemon", "run_display"]

_log = structlog.get_logger(__name__)

INSPECTION = timedelta(seconds=5)
"""How often the service looks at itself: ledger reachable, workers up, anything waiting that nobody queued."""

SILENCE = timedelta(seconds=60)
"""A part that has not been heard of for so long hangs: a look takes milliseconds, a busy database some seconds."""

LISTING = timedelta(minutes=5)
"""Longest the archive may take over the list of its current nights: 400 000 files in pages of a thousand."""

GALLERY_INSPECTION = timedelta(seconds=10)
"""How often it looks whether the gallery is there: a request to a store, so not too often."""

HANGING = timedelta(seconds=30)
"""A gallery that does not answer for so long is away."""

LAST_WORDS = 5.0
"""How long the end waits until the last results are published [s]; what is left the next start does."""

Announce = Callable[[str], None]


async def run_daemon(settings: Settings, *, stop: asyncio.Event, announce: Announce = lambda _: None) -> None:
    """Hear what arrives, study it, show it on the page, until `stop` is set; then drain.

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
    collect_seldom()
    notifier = Notifier.from_environment()
    health = Health()
    hearing = Hearing()
    async with (
        open_sources(settings, health, heard=hearing.heard) as announcing,
        open_line(settings, hearing) as line,
    ):
        sources = [*announcing, *_catching_up(settings, line, health)]
        announcers = make_announcers(settings, line.ledger, health)
        recovered = await line.pipeline.recover()
        health.expect("ledger", deadline=SILENCE)
        health.expect("workers", deadline=SILENCE)
        health.expect("pipeline", deadline=SILENCE)
        health.expect("gallery", deadline=SILENCE)

        def up(url: str) -> None:
            notifier.ready(f"page at {url}")
            _log.info("service is up", page=url, archive=settings.archive.url, recovered=recovered)
            announce(url)

        async with asyncio.TaskGroup() as group:
            working = group.create_task(line.pipeline.run())
            servants = [
                *_vital_signs(group, health, notifier),
                group.create_task(_inspect(line, health)),
                group.create_task(_inspect_gallery(line.store, health)),
                *[group.create_task(take_in(line, source)) for source in sources],
                group.create_task(line.gather.run()),
                group.create_task(write_tables(line)),
                group.create_task(_serve(settings, line.ledger, line.store, health, up)),
                *_telling(group, settings, line, health, announcers),
            ]
            await stop.wait()
            notifier.stopping("finishing the exposures in work")
            line.pipeline.stop()
            await working
            await asyncio.gather(*(announcer.catch_up(within=LAST_WORDS) for announcer in announcers))
            for servant in servants:
                servant.cancel()
        await publish_last(line, settings)
    _log.info("service has stopped")


async def run_display(settings: Settings, *, stop: asyncio.Event, announce: Announce = lambda _: None) -> None:
    """Show what a daemon beside us, or an earlier one, has written, until `stop` is set. Nothing is changed."""
    health = Health()
    health.expect("ledger", deadline=SILENCE)
    health.expect("gallery", deadline=SILENCE)
    notifier = Notifier.from_environment()

    def up(url: str) -> None:
        notifier.ready(f"page at {url}")
        announce(url)

    async with open_ledger(settings.ledger_url, read_only=True) as ledger, asyncio.TaskGroup() as group:
        # after the ledger, which must be there: a store makes its directory, and a misspelt state is left alone
        store = open_store(settings.gallery_url, settings.gallery.plain_options())
        servants = [
            *_vital_signs(group, health, notifier),
            group.create_task(_inspect_ledger(ledger, health)),
            group.create_task(_inspect_gallery(store, health)),
            group.create_task(_serve(settings, ledger, store, health, up)),
        ]
        await stop.wait()
        notifier.stopping()
        for servant in servants:
            servant.cancel()


def _catching_up(settings: Settings, line: Line, health: Health) -> list[Source]:
    """Make the source of what was missed, where anything can be, and let health expect it."""

    def looked(why: str) -> None:
        if why:
            health.fail("reconcile", why)
        else:
            health.beat("reconcile")

    source = catch_up_source(settings, line.ledger, looked)
    if source is None:
        return []
    health.expect("reconcile", deadline=2 * settings.reconcile.every + LISTING)
    return [source]


def _vital_signs(group: asyncio.TaskGroup, health: Health, notifier: Notifier) -> list[asyncio.Task[None]]:
    """Beat for the event loop and, where systemd watches, keep its watchdog quiet."""
    tasks = [group.create_task(keep_beating(health))]
    every = watchdog_interval()
    if every is not None:
        tasks.append(group.create_task(keep_watchdog(notifier, lambda: health.live().ok, every=every)))
    return tasks


def _telling(
    group: asyncio.TaskGroup, settings: Settings, line: Line, health: Health, announcers: list[Announcer]
) -> list[asyncio.Task[None]]:
    """Tell other systems, where there are any, of results and of what is worth an alert."""
    if not announcers:
        return []
    watching = watch(line.ledger, lambda: failing_components(health), silence=settings.results.silence)
    return [group.create_task(task) for task in (watching, *(announcer.run() for announcer in announcers))]


async def _serve(settings: Settings, ledger: Ledger, store: Store, health: Health, ready: Announce) -> None:
    app = create_app(ledger, store, title=settings.web.title, extra=[router(health)])
    await serve(app, host=settings.web.host, port=settings.web.port, ready=ready)


async def _inspect(line: Line, health: Health) -> None:
    """Look at the ledger and the workers now and then, and tell health and metrics."""
    while True:
        await _look_at_ledger(line.ledger, health)
        metrics.WORKERS.set(alive := len(line.workers.pids))
        line.workers.mend()
        if line.pipeline.trouble:
            health.fail("pipeline", line.pipeline.trouble)
        else:
            health.beat("pipeline")
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


async def _inspect_gallery(store: Store, health: Health) -> None:
    """Look whether the gallery can be reached, now and then."""
    while True:
        try:
            async with asyncio.timeout(HANGING.total_seconds()):
                await anext(aiter(store.list()), None)
        except NotAvailable as error:
            health.fail("gallery", str(error))
        except TimeoutError:
            health.fail("gallery", f"no answer for {HANGING.total_seconds():.0f} s")
        else:
            health.beat("gallery")
        await asyncio.sleep(GALLERY_INSPECTION.total_seconds())


async def _look_at_ledger(ledger: Ledger, health: Health) -> None:
    try:
        counts = await ledger.counts()
    except LedgerError as error:
        health.fail("ledger", str(error))
        return
    health.beat("ledger")
    metrics.DEAD_LETTERS.set(counts.dead_letters)
