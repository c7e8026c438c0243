"""A real browser, kept on a short leash."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Route, async_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_LOCAL = {"127.0.0.1", "localhost", "::1"}


def find_chromium() -> Path | None:
    """Return the browser that tools/install-system-parts installs, under any of its names."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return None if found is None else Path(found)


@asynccontextmanager
async def launch(chromium: Path) -> AsyncIterator[Browser]:
    """Run Chromium without a window."""
    async with async_playwright() as playwright:
        # a container has no user namespaces for the sandbox and a small /dev/shm
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def watched_page(browser: Browser) -> AsyncIterator[Page]:
    """Open a page; fail if it asked another machine for anything, raised, or wrote an error to its console."""
    complaints: list[str] = []

    async def local_only(route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and address.hostname not in _LOCAL:
            complaints.append(f"asked for {route.request.url}")
            await route.abort()
        else:
            await route.continue_()

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"wrote to the console: {message.text}")

    def on_error(error: Error) -> None:
        complaints.append(f"raised {error}")

    context = await browser.new_context(viewport={"width": 1400, "height": 900})
    await context.route("**/*", local_only)
    page = await context.new_page()
    page.on("console", on_console)
    page.on("pageerror", on_error)
    try:
        yield page
    finally:
        await context.close()
    if complaints:
        pytest.fail("the page " + "; ".join(complaints), pytrace=False)
