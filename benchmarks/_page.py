"""What the measurements of the page share: a busy night, a real server, a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Page

from rapid.tv.server import create_app
from tests.support.browser import find_chromium, launch, watched_page
from tests.support.live_server import served
from tests.support.memory_feed import MemoryFeed, MemoryStore, entry_of

NIGHT = 600
"""Exposures of a busy LATISS night."""


@dataclass(frozen=True)
class Shown:
    """A page that can be opened at `url`, and the feed behind it."""

    page: Page
    feed: MemoryFeed
    url: str

    async def open(self) -> None:
        """Open the night, and wait until the whole table is there and the line is live."""
        await self.page.goto(self.url)
        await self.page.wait_for_selector(f'tr[data-key="{NIGHT}/R00_S00"]')
        await self.page.wait_for_selector('tr[data-key="1/R00_S00"]')
        await self.page.wait_for_selector('output.line[data-state="live"]')


@asynccontextmanager
async def shown() -> AsyncIterator[Shown]:
    """Serve a busy night and start a browser."""
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("this needs Chromium; tools/install-system-parts installs it")
    feed = MemoryFeed()
    for seq_num in range(1, NIGHT + 1):
        await feed.append(entry_of(seq_num))
    app = create_app(feed, MemoryStore())  # type: ignore[arg-type]
    async with served(app) as url, launch(chromium) as browser, watched_page(browser) as page:
        yield Shown(page, feed, f"{url}auxtel/20260315")
        await page.close()
