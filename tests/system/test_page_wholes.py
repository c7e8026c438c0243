"""Exposures of several detectors, and numbers that are missing, on the page in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from rapid.gather.product import COUNTS
from rapid.tv.server import create_app
from tests.support.live_server import served
from tests.support.memory_feed import COLUMNS, MemoryFeed, MemoryStore, entry_of

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.system

DETECTORS = ("R22_S00", "R22_S01", "R22_S02")
DAY_OBS = 20260315


def detector(seq_num: int, name: str, **changes: Any) -> dict[str, Any]:
    return entry_of(seq_num, camera="lsstcam", detector_name=name, **changes)


def whole(seq_num: int, *, failed: dict[str, str], missing: int, **changes: Any) -> dict[str, Any]:
    counts = {"detectors_expected": 3, "detectors_done": 3 - len(failed) - missing, "detectors_missing": missing}
    notes = {"detectors_missing": f"{missing} of 3 files had not come at the deadline"} if missing else {}
    return detector(seq_num, "", cells=counts, failures=failed, notes=notes, arrival_id=None, **changes)


@pytest_asyncio.fixture
async def feed() -> MemoryFeed:
    feed = MemoryFeed()
    feed.columns = {**COLUMNS, **COUNTS}
    return feed


@pytest_asyncio.fixture
async def url(feed: MemoryFeed) -> AsyncIterator[str]:
    async with served(create_app(feed, MemoryStore(), title="Test summit")) as url:  # type: ignore[arg-type]
        yield url


async def test_an_exposure_leads_its_detectors_and_is_revised(url: str, feed: MemoryFeed, page: Page) -> None:
    for name in DETECTORS[:2]:
        await feed.append(detector(7, name))
    await page.goto(f"{url}lsstcam/{DAY_OBS}")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(2)
    await feed.append(whole(7, failed={}, missing=1))
    await expect(rows).to_have_count(1)
    await expect(rows.locator("td.state")).to_have_text("▲ suspect")
    await expect(rows.locator("td.state")).to_have_attribute(
        "title", "detectors missing: 1 of 3 files had not come at the deadline"
    )
    await feed.append(detector(7, DETECTORS[2], state="failed", error="not FITS"))
    await feed.append(whole(7, failed={DETECTORS[2]: "not FITS"}, missing=0, revision=2))
    await expect(rows.locator("td.state")).to_have_text("▲ partly")
    await expect(rows).to_have_count(1)
    await expect(rows.locator(".chip.warn")).to_have_text(f"▲ {DETECTORS[2]}")
    await page.goto(f"{url}lsstcam/{DAY_OBS}/7")
    await expect(page.locator("h2.detector")).to_have_text(["all detectors", *DETECTORS])
    await expect(page.locator(".trouble h2").first).to_have_text(f"▲ {DETECTORS[2]} did not finish")


async def test_an_exposure_without_a_file_has_no_traceback_to_offer(url: str, feed: MemoryFeed, page: Page) -> None:
    lost = entry_of(3, state="failed", error="no file has come", arrival_id=None)
    await feed.append({**lost, "cells": {}, "channels": {}})
    await page.goto(f"{url}auxtel/{DAY_OBS}/3")
    await expect(page.locator(".trouble .error")).to_have_text("no file has come")
    await expect(page.locator(".trouble a")).to_have_count(0)


async def test_gaps_are_told_and_heal(url: str, feed: MemoryFeed, page: Page) -> None:
    for seq_num in (1, 2, 6, 8):
        await feed.append(entry_of(seq_num))
    await page.goto(f"{url}auxtel/{DAY_OBS}")
    gaps = page.locator("#gaps")
    await expect(gaps).to_have_text("▲ nothing of seq 3\u20135, 7")
    await feed.append(entry_of(7))
    await expect(gaps).to_have_text("▲ nothing of seq 3\u20135")
    for seq_num in (3, 4, 5):
        await feed.append(entry_of(seq_num))
    await expect(gaps).to_be_empty()
