"""The pages in a real browser, from a real server. The `page` fixture fails a test whose page wrote an error to its
console, raised, or asked any other machine for anything."""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import expect

from rapid.ports import DeadLetter
from rapid.tv.server import create_app
from tests.support.live_server import served
from tests.support.memory_feed import MemoryFeed, MemoryStore, entry_of

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.system

SOON = 5000  # ms; what a page does, it does well within this
HOSTILE = "<img src=x onerror=\"document.body.dataset.ran='yes'\"><script>document.body.dataset.ran='yes'</script>"


@dataclass
class Site:
    """A display with what it shows."""

    url: str
    feed: MemoryFeed
    store: MemoryStore

    async def expose(self, seq_num: int, **changes: Any) -> dict[str, Any]:
        """Publish an exposure with two pictures."""
        entry = entry_of(seq_num, **changes)
        day = f"{entry['day_obs'] // 10000}-{entry['day_obs'] // 100 % 100:02}-{entry['day_obs'] % 100:02}"
        for channel in ("monitor", "imexam"):
            key = f"auxtel/{day}/{channel}/{seq_num:06}/auxtel_{channel}_{day}_{seq_num:06}.png"
            self.store.objects[key] = picture(seq_num)
            entry["channels"] = {**entry["channels"], channel: key}
        await self.feed.append(entry)
        return entry


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    feed, store = MemoryFeed(), MemoryStore()
    async with served(create_app(feed, store, title="Test summit")) as url:  # type: ignore[arg-type]
        yield Site(url, feed, store)


def picture(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (64, 48), level % 256).save(buffer, "PNG")
    return buffer.getvalue()


def row(page: Page, seq_num: int) -> Any:
    return page.locator(f'tr[data-key="{seq_num}/R00_S00"]')


async def open_night(site: Site, page: Page, day_obs: int = 20260315) -> None:
    await page.goto(f"{site.url}auxtel/{day_obs}")
    await expect(page.locator('output.line[data-state="live"]')).to_be_visible(timeout=SOON)
    await expect(page.locator("#table table, #table .empty")).to_be_visible(timeout=SOON)


# --- the night -------------------------------------------------------------------------------------------------------


async def test_the_newest_night_is_shown_newest_first(site: Site, page: Page) -> None:
    for seq_num in (1, 2, 10):
        await site.expose(seq_num)
    await page.goto(site.url)
    await expect(page).to_have_url(f"{site.url}auxtel/20260315", timeout=SOON)
    await expect(page.locator("tbody tr th a")).to_have_text(["10", "2", "1"], timeout=SOON)
    await expect(row(page, 10)).to_have_class(re.compile("newest"))
    await expect(row(page, 10).locator("td.state")).to_have_text("● done")
    await expect(page.locator("#summary")).to_have_text("3 exposures")
    await expect(page.locator(".front .frame img")).to_have_attribute("alt", "monitor picture of exposure 10")
    await expect(page.locator(".front .title")).to_have_text("Seq 10")


async def test_columns_are_grouped_and_carry_their_units(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    await expect(page.locator('thead th[scope="colgroup"]')).to_have_text(
        ["exposure", "quicklook", "exposure", "quicklook"]
    )
    head = page.locator('thead th[scope="col"]', has_text="PSF FWHM")
    await expect(head.locator(".unit")).to_have_text("arcsec")
    await expect(head).to_have_attribute("title", "Full width at half maximum of the stars")
    numbers = await row(page, 1).locator("td.number").all_inner_texts()
    assert numbers == ["30.0", "0.975", "814", "31.3", "41", "1.20", "1"]


async def test_head_and_first_columns_stay_in_sight(site: Site, page: Page) -> None:
    for seq_num in range(1, 120):
        await site.expose(seq_num)
    await page.set_viewport_size({"width": 1000, "height": 700})
    await open_night(site, page)
    place = page.locator("#table")
    await place.evaluate("element => element.scrollTo(300, 1500)")
    scrolled = await place.evaluate("element => [element.scrollLeft > 100, element.scrollTop]")
    assert scrolled == [True, 1500]
    box = await place.bounding_box()
    head = await page.locator("thead th.seq").bounding_box()
    first = await page.locator("tbody th.seq").nth(60).bounding_box()
    assert box
    assert head
    assert first
    assert abs(head["y"] - box["y"]) < 3
    assert abs(head["x"] - box["x"]) < 3
    assert abs(first["x"] - box["x"]) < 3


async def test_a_new_exposure_appears_by_itself_and_quickly(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    await page.evaluate("document.body.dataset.mine = 'same page'")
    begin = time.perf_counter()
    await site.expose(2)
    await expect(row(page, 2)).to_be_visible(timeout=SOON)
    assert time.perf_counter() - begin < 4.0
    await expect(page.locator(".front .title")).to_have_text("Seq 2")
    await expect(page.locator(".front .frame img")).to_have_attribute(
        "alt", "monitor picture of exposure 2", timeout=SOON
    )
    await expect(page.locator("tbody tr.newest th a")).to_have_text(["2"])
    await expect(page.locator("output.age")).to_have_text(re.compile(r"^\d s since last exposure$"))
    assert await page.evaluate("document.body.dataset.mine") == "same page"


async def test_only_the_row_that_changed_is_drawn_again(site: Site, page: Page) -> None:
    for seq_num in (1, 2, 3):
        await site.expose(seq_num)
    await open_night(site, page)
    await page.evaluate("document.querySelectorAll('tbody tr').forEach(row => { row.dataset.old = 'yes' })")
    await site.expose(2, revision=2, cells={"psf_fwhm": 2.5})
    await expect(row(page, 2).locator("td.number").nth(1)).to_have_text("2.50", timeout=SOON)
    assert await page.locator("tbody tr[data-old]").count() == 2
    await expect(page.locator("tbody tr th a")).to_have_text(["3", "2", "1"])


async def test_an_exposure_goes_through_its_states(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    for state, text in (("waiting", "○ waiting"), ("running", "◐ running")):
        await site.feed.append(entry_of(2, state=state, revision=0))
        await expect(row(page, 2).locator("td.state")).to_have_text(text, timeout=SOON)
        await expect(page.locator(".front .title")).to_have_text("Seq 1")
    await expect(page.locator('[data-count="running"]')).to_have_text("◐ 1 running", timeout=SOON)
    await site.feed.append(entry_of(2, state="waiting", error="the worker died"))
    await expect(row(page, 2).locator("td.reason")).to_have_text("will be tried again: the worker died", timeout=SOON)
    await site.expose(2)
    await expect(row(page, 2).locator("td.state")).to_have_text("● done", timeout=SOON)
    await expect(page.locator(".front .title")).to_have_text("Seq 2")


async def test_a_failed_exposure_says_why(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    await site.feed.append(entry_of(2, state="failed", error="it is no FITS; expected SIMPLE; found GIF89a"))
    await expect(row(page, 2).locator("td.state")).to_have_text("■ failed", timeout=SOON)
    await expect(row(page, 2).locator("td.reason")).to_have_text("it is no FITS; expected SIMPLE; found GIF89a")
    await expect(page.locator(".front .alert")).to_have_text(re.compile("Seq 2 failed: it is no FITS"))
    await expect(page.locator(".front .title")).to_have_text("Seq 1")
    await expect(page.locator("#summary")).to_have_text("2 exposures · ■ 1 failed")


async def test_doubt_and_absence_show_in_the_row(site: Site, page: Page) -> None:
    await site.expose(1, notes={"psf_fwhm": "only 4 stars"})
    await site.expose(2, cells={"psf_fwhm": None}, notes={"psf_fwhm": "no star is bright enough"})
    await site.expose(3, failures={"imexam": "ValueError: no source"})
    await open_night(site, page)
    states = [await row(page, n).locator("td.state").inner_text() for n in (1, 2, 3)]
    assert states == ["▲ suspect", "● done", "▲ partly"]
    suspect, absent = row(page, 1).locator("td.noted"), row(page, 2).locator("td.absent")
    await expect(suspect).to_have_attribute("title", "0.975 ± 0.012 arcsec — only 4 stars")
    await expect(absent).to_have_text("\u2013")
    await expect(absent).to_have_attribute("title", "no star is bright enough")
    await expect(row(page, 3).locator(".chip.warn")).to_have_attribute("title", "ValueError: no source")


async def test_a_column_nobody_has_seen_before_joins_the_table(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    site.feed.columns["zero_point"] = {
        "label": "Zero point",
        "unit": "mag",
        "type": "number",
        "group": "photometry",
        "description": "",
    }
    await site.expose(2, cells={"zero_point": 25.125})
    head = page.locator('thead th[scope="col"]', has_text="Zero point")
    await expect(head).to_be_visible(timeout=SOON)
    await expect(row(page, 2).locator("td.number").last).to_have_text("25.1")


async def test_columns_are_chosen_and_remembered(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    head = page.locator('thead th[scope="col"]')
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_label("Airmass").uncheck()
    await page.get_by_label("Reason").check()
    await page.keyboard.press("Escape")
    await expect(head.filter(has_text="Airmass")).to_have_count(0)
    await expect(head.filter(has_text="Reason")).to_have_count(1)
    await page.reload()
    await expect(head.filter(has_text="Reason")).to_have_count(1, timeout=SOON)
    await expect(head.filter(has_text="Airmass")).to_have_count(0)


async def test_the_keyboard_walks_the_table_and_opens_an_exposure(site: Site, page: Page) -> None:
    for seq_num in (1, 2, 3):
        await site.expose(seq_num)
    await open_night(site, page)
    for _ in range(2):
        await page.keyboard.press("ArrowDown")
    await expect(page.locator("tr.selected th a")).to_have_text("2")
    await expect(page.locator(".front .title")).to_have_text("Seq 2")
    await expect(page.locator(".front .tag")).to_have_text("selected")
    await site.expose(4)
    await expect(row(page, 4)).to_be_visible(timeout=SOON)
    await expect(page.locator(".front .title")).to_have_text("Seq 2")
    await page.keyboard.press("Escape")
    await expect(page.locator(".front .title")).to_have_text("Seq 4")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{site.url}auxtel/20260315/4", timeout=SOON)


async def test_a_click_on_a_row_opens_the_exposure(site: Site, page: Page) -> None:
    await site.expose(5)
    await open_night(site, page)
    await row(page, 5).locator("td.number").first.click()
    await expect(page).to_have_url(f"{site.url}auxtel/20260315/5", timeout=SOON)


async def test_text_from_data_is_never_more_than_text(site: Site, page: Page) -> None:
    await site.expose(1, cells={"target": HOSTILE}, notes={"psf_fwhm": HOSTILE}, failures={HOSTILE: HOSTILE})
    await site.feed.append(entry_of(2, state="failed", error=HOSTILE))
    site.feed.columns["target"] = site.feed.columns["target"] | {"label": HOSTILE, "group": HOSTILE}
    await open_night(site, page)
    await expect(row(page, 1).locator("td", has_text="<img src=x").first).to_be_visible()
    await expect(row(page, 2).locator("td.reason")).to_have_text(HOSTILE)
    for seq_num in (1, 2):
        await page.goto(f"{site.url}auxtel/20260315/{seq_num}")
        await expect(page.locator(".metrics")).to_contain_text("<img src=x", timeout=SOON)
    assert await page.evaluate("document.body.dataset.ran") is None
    assert await page.locator('img[src="x"]').count() == 0


async def test_a_column_shows_the_digits_its_newest_values_need(site: Site, page: Page) -> None:
    await site.expose(1, cells={"psf_fwhm": None, "sky_mean": 812.0}, notes={"psf_fwhm": "no star"})
    await open_night(site, page)
    await page.keyboard.press("j")
    await site.expose(2, cells={"psf_fwhm": 0.734})
    fwhm = row(page, 2).locator("td.number").nth(1)
    await expect(fwhm).to_have_text("0.734", timeout=SOON)
    await site.expose(2, revision=2, cells={"psf_fwhm": 2.5})
    await expect(fwhm).to_have_text("2.50", timeout=SOON)
    await expect(page.locator("tr.selected th a")).to_have_text("1")
    await expect(row(page, 1)).to_be_focused()


async def test_the_keyboard_reaches_the_columns_at_the_right(site: Site, page: Page) -> None:
    await site.expose(1)
    await page.set_viewport_size({"width": 1000, "height": 700})
    await open_night(site, page)
    place = page.locator("#table")
    await page.keyboard.press("ArrowRight")
    assert await place.evaluate("element => element.scrollLeft") == 160
    await page.keyboard.press("ArrowLeft")
    assert await place.evaluate("element => element.scrollLeft") == 0
    await place.focus()
    await expect(place).to_be_focused()


async def test_what_was_measured_is_in_sight_and_times_say_their_scale(site: Site, page: Page) -> None:
    await site.expose(1)
    await page.set_viewport_size({"width": 1280, "height": 800})
    await open_night(site, page)
    heads = await page.locator('thead tr:nth-child(2) th[scope="col"] .label').all_inner_texts()
    assert heads[:5] == ["Image type", "Target", "Filter", "Exposure time", "PSF FWHM"]
    await expect(page.locator("thead th", has_text="PSF FWHM")).to_be_in_viewport(ratio=1)
    begin = page.locator('thead th[scope="col"]', has_text="Date begin")
    await expect(begin.locator(".unit")).to_have_text("TAI")
    await expect(row(page, 1).locator("td", has_text="00:01:07")).to_have_attribute(
        "title", "2026-03-16T00:01:07.250 TAI"
    )


async def test_failures_in_the_bar_are_those_of_the_night_and_lead_to_one(site: Site, page: Page) -> None:
    await site.feed.append(entry_of(1, day_obs=20260310, state="failed", error="x"))
    await site.feed.append(entry_of(2, camera="lsstcam", state="failed", error="x"))
    await site.feed.append(entry_of(3, state="failed", error="x"))
    await site.expose(4)
    await open_night(site, page)
    failed = page.locator('[data-count="failed"]')
    await expect(failed).to_have_text("■ 1 failed", timeout=SOON)
    await failed.locator("a").click()
    await expect(page.locator("tr.selected th a")).to_have_text("3")
    await open_night(site, page, 20260310)
    await expect(page.locator("output.line")).to_have_text("○ history")
    await expect(page.locator("output.age")).to_be_empty()
    await page.goto(f"{site.url}auxtel/20260309")
    await expect(page.locator("#table .empty")).to_have_text("No exposure in this night.", timeout=SOON)


async def test_many_events_at_once_are_drawn_together_and_none_is_lost(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    for seq_num in range(2, 120):
        await site.feed.append(entry_of(seq_num, state="running"))
        await site.feed.append(entry_of(seq_num))
    await expect(page.locator("td.state", has_text="done")).to_have_count(119, timeout=SOON)
    await expect(page.locator("#summary")).to_have_text("119 exposures")


async def test_doubt_is_told_in_every_head(site: Site, page: Page) -> None:
    notes = {"sky_mean": "amplifier C07 is dead", "sky_rms": "amplifier C07 is dead"}
    await site.expose(1, notes=notes)
    await open_night(site, page)
    why = "sky mean, sky rms: amplifier C07 is dead"
    for place in (row(page, 1).locator("td.state"), page.locator(".front-head .state")):
        await expect(place).to_have_text("▲ suspect")
        await expect(place).to_have_attribute("title", why)
    await page.goto(f"{site.url}auxtel/20260315/1")
    await expect(page.locator(".headline .state")).to_have_attribute("title", why, timeout=SOON)


# --- the line --------------------------------------------------------------------------------------------------------


async def test_a_lost_line_is_admitted_and_then_made_good(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    await page.evaluate("window.stop()")  # cuts the stream as a lost network does
    await expect(page.locator("output.line")).to_have_text("▲ reconnecting", timeout=SOON)
    await site.expose(2)
    await site.expose(3)
    await expect(row(page, 3)).to_be_visible(timeout=SOON)
    await expect(page.locator("tbody tr th a")).to_have_text(["3", "2", "1"])
    await expect(page.locator("output.line")).to_have_text("● live")


async def test_a_page_without_a_line_says_that_it_is_old(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    held: list[Any] = []

    async def hold(route: Any) -> None:
        held.append(route)

    await page.route(re.compile(r"/api/v1/stream"), hold)
    await page.evaluate("window.stop()")
    await expect(page.locator("output.line")).to_have_text("▲ reconnecting", timeout=SOON)
    await expect(page.locator(".counts")).to_have_class(re.compile("stale"))
    said = re.compile(r"^No connection since \d\d:\d\d:\d\d UTC; what you see may be old$")
    await expect(page.locator("#notice")).to_have_text(said, timeout=2 * SOON)
    await site.feed.append(entry_of(2, state="running"))
    for route in held:
        await route.continue_()
    await expect(page.locator("output.line")).to_have_text("● live", timeout=3 * SOON)
    await expect(page.locator('[data-count="running"]')).to_have_text("◐ 1 running", timeout=SOON)
    await expect(page.locator("#notice")).to_be_empty()
    await expect(page.locator(".counts")).not_to_have_class(re.compile("stale"))


async def test_a_line_on_which_nothing_comes_is_not_called_live(site: Site, page: Page) -> None:
    await page.clock.install()
    await site.expose(1)
    await open_night(site, page)
    await page.clock.fast_forward(15000)
    await expect(page.locator("output.line")).to_have_text("● live")
    await page.clock.fast_forward(1500)
    await expect(page.locator("output.line")).to_have_text("▲ reconnecting")
    await site.expose(2)
    await page.clock.fast_forward(2000)
    await expect(row(page, 2)).to_be_visible(timeout=SOON)
    await expect(page.locator("output.line")).to_have_text("● live")


async def test_after_a_reset_the_table_is_read_again(site: Site, page: Page) -> None:
    for seq_num in (1, 2, 3):
        await site.expose(seq_num)
    await page.route(re.compile(r"/api/v1/stream"), ahead)
    await page.route(re.compile(r"/api/v1/nights/auxtel/"), once_stale)
    await page.goto(f"{site.url}auxtel/20260315")
    await expect(page.locator("tbody tr th a")).to_have_text(["3", "2", "1"], timeout=SOON)


async def ahead(route: Any) -> None:
    """Ask for the stream after an id that the feed has not reached, as after a ledger that was replaced."""
    await route.continue_(url=re.sub(r"after=\d+", "after=999", route.request.url))


stale = {"first": True}


async def once_stale(route: Any) -> None:
    """Answer the first reading with a table that holds nothing."""
    if stale.pop("first", False):
        await route.fulfill(json={"as_of": 999, "columns": {}, "rows": []})
    else:
        await route.continue_()


# --- other nights ----------------------------------------------------------------------------------------------------


async def test_an_old_night_is_a_click_away(site: Site, page: Page) -> None:
    await site.expose(1, day_obs=20260310)
    await site.expose(2, day_obs=20260310, state="failed", error="x")
    await site.expose(1)
    await open_night(site, page)
    await page.locator("#night-name").click()
    old = page.locator("#calendar a.day", has_text="10")
    await expect(old).to_have_attribute("title", "2 exposures, 1 failed")
    await old.click()
    await expect(page).to_have_url(f"{site.url}auxtel/20260310", timeout=SOON)
    await expect(page.locator("tbody tr th a")).to_have_text(["2", "1"], timeout=SOON)
    await expect(page.locator("#newer")).to_have_attribute("href", f"{site.url}auxtel/20260315")
    await expect(page.locator("#older")).to_be_hidden()


async def test_a_wall_follows_to_the_new_night_and_a_reader_is_asked(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    await page.keyboard.press("j")
    await site.expose(1, day_obs=20260316)
    link = page.locator("#notice a")
    await expect(link).to_have_text("The night of 2026-03-16 has begun →", timeout=SOON)
    await link.click()
    await expect(page).to_have_url(f"{site.url}auxtel/20260316", timeout=SOON)
    await open_night(site, page, 20260316)
    await site.expose(1, day_obs=20260317)
    await expect(page).to_have_url(f"{site.url}auxtel/20260317", timeout=SOON)


async def test_the_first_exposure_ever_opens_its_night(site: Site, page: Page) -> None:
    await page.goto(site.url)
    await expect(page.get_by_role("heading", name="No exposure yet")).to_be_visible()
    await expect(page.locator("output.line")).to_have_text("● live", timeout=SOON)
    await site.expose(1)
    await expect(page).to_have_url(f"{site.url}auxtel/20260315", timeout=SOON)


# --- one exposure ----------------------------------------------------------------------------------------------------


async def test_an_exposure_has_its_pictures_numbers_and_latency(site: Site, page: Page) -> None:
    timings = {"file_to_seen": 0.25, "file_to_started": 0.5, "file_to_published": 1.5, "shutter_to_published": 3.0}
    entry = await site.expose(2, timings=timings | {"work_read": 0.4})
    await page.goto(f"{site.url}auxtel/20260315/2")
    await expect(page.locator(".pictures img")).to_have_count(2, timeout=SOON)
    await expect(page.locator(".pictures img").first).to_have_js_property("naturalWidth", 64)
    opened = await page.locator(".pictures figcaption a").first.get_attribute("href")
    assert opened is not None
    assert re.fullmatch(re.escape(f"{site.url}pictures/{entry['channels']['monitor']}") + r"\?v=1-[0-9a-f]+", opened)
    fwhm = page.locator('tr[data-name="psf_fwhm"]')
    await expect(fwhm.locator("td.value")).to_have_text("1.000 ± 0.012")
    await expect(fwhm.locator("td.unit")).to_have_text("arcsec")
    await expect(page.locator('tr[data-name="date_begin"] td.value')).to_have_text("2026-03-16T00:02:07.250 TAI")
    await expect(page.locator(".latency .summary")).to_have_text(
        "3.00 s from shutter close · 1.50 s from the complete file"
    )
    stages = await page.locator(".waterfall").first.locator("tr").all_inner_texts()
    assert [stage.split() for stage in stages] == [
        ["noticed", "250", "ms"],
        ["queued", "250", "ms"],
        ["published", "1.00", "s"],
    ]


async def test_a_catalogue_is_taken_home_under_a_name_that_says_whose_it_is(site: Site, page: Page) -> None:
    key = "rapid/auxtel/20260315/000002/R00_S00/sources.parquet"
    site.store.objects[key] = b"PAR1 PAR1"
    await site.expose(1)
    await site.expose(2, catalogues={"sources": key})
    await page.goto(f"{site.url}auxtel/20260315/2")
    link = page.get_by_role("link", name="sources.parquet")
    async with page.expect_download(timeout=SOON) as waiting:
        await link.click()
    download = await waiting.value
    assert download.suggested_filename == "auxtel_20260315_000002_R00_S00_sources.parquet"
    assert (await download.path()).read_bytes() == b"PAR1 PAR1"
    await page.keyboard.press("ArrowLeft")
    await expect(page).to_have_url(f"{site.url}auxtel/20260315/1", timeout=SOON)
    await expect(page.locator(".headline")).to_be_visible(timeout=SOON)
    await expect(page.locator(".downloads")).to_have_count(0)


async def test_a_missing_number_says_why(site: Site, page: Page) -> None:
    await site.expose(2, cells={"psf_fwhm": None}, notes={"psf_fwhm": "no star is bright enough"})
    await page.goto(f"{site.url}auxtel/20260315/2")
    fwhm = page.locator('tr[data-name="psf_fwhm"]')
    await expect(fwhm.locator("td.value")).to_have_text("\u2013", timeout=SOON)
    await expect(fwhm.locator("td.note")).to_have_text("no star is bright enough")


async def test_a_failed_exposure_shows_its_error_and_traceback(site: Site, page: Page) -> None:
    await site.feed.append(entry_of(2, state="failed", error="the header has no EXPTIME", arrival_id=77))
    at = datetime.now(UTC)
    site.feed.letters.append(
        DeadLetter(1, "file", "directory", "x", "no EXPTIME", "Traceback: here", b"", at, 77, None)
    )
    await page.goto(f"{site.url}auxtel/20260315/2")
    box = page.locator(".trouble.bad")
    await expect(box.locator(".error")).to_have_text("the header has no EXPTIME", timeout=SOON)
    await expect(box.locator(".retry code")).to_have_text("rapid dead-letters retry 1", timeout=SOON)
    async with page.context.expect_page() as opening:
        await box.get_by_role("link").click()
    opened = await opening.value
    await expect(opened.locator("body")).to_have_text("Traceback: here", timeout=SOON)


async def test_arrows_go_to_the_neighbours(site: Site, page: Page) -> None:
    for seq_num in (1, 4, 9):
        await site.expose(seq_num)
    await page.goto(f"{site.url}auxtel/20260315/4")
    await expect(page.locator(".metrics")).to_be_visible(timeout=SOON)
    await page.keyboard.press("ArrowRight")
    await expect(page).to_have_url(f"{site.url}auxtel/20260315/9", timeout=SOON)
    await expect(page.locator(".metrics")).to_be_visible(timeout=SOON)
    await expect(page.locator("#next")).to_be_hidden()
    await site.expose(10)
    await expect(page.locator("#next")).to_be_visible(timeout=SOON)
    await page.keyboard.press("ArrowLeft")
    await expect(page).to_have_url(f"{site.url}auxtel/20260315/4", timeout=SOON)
    await expect(page.locator(".metrics")).to_be_visible(timeout=SOON)
    await page.keyboard.press("Escape")
    await expect(page).to_have_url(f"{site.url}auxtel/20260315", timeout=SOON)


async def test_an_open_exposure_is_kept_up_to_date(site: Site, page: Page) -> None:
    await site.feed.append(entry_of(3, state="running", revision=0))
    await page.goto(f"{site.url}auxtel/20260315/3")
    await expect(page.locator(".trouble.busy h2")).to_have_text("◐ running", timeout=SOON)
    await site.expose(3)
    await expect(page.locator(".pictures img")).to_have_count(2, timeout=SOON)
    await expect(page.locator(".headline .state")).to_have_text("● done")


# --- looks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 800), (390, 844)])
async def test_nothing_sticks_out_of_the_window(site: Site, page: Page, width: int, height: int) -> None:
    for seq_num in range(1, 40):
        await site.expose(seq_num)
    await site.feed.append(entry_of(40, state="failed", error="a_long_name_without_a_blank_" * 12))
    await page.set_viewport_size({"width": width, "height": height})
    for path in ("auxtel/20260315", "auxtel/20260315/39", "auxtel/20260315/40"):
        await page.goto(f"{site.url}{path}")
        await expect(page.locator("tbody tr, .trouble").first).to_be_visible(timeout=SOON)
        await expect(page.locator("output.line")).to_have_text("● live", timeout=SOON)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await open_night(site, page)
    front, table = await page.locator(".front").bounding_box(), await page.locator("#table").bounding_box()
    assert front
    assert table
    beside = table["x"] >= front["x"] + front["width"]
    assert beside == (width > 900)


async def test_pictures_have_words_and_links_are_seen_when_tabbed_to(site: Site, page: Page) -> None:
    await site.expose(1)
    await page.goto(f"{site.url}auxtel/20260315/1")
    await expect(page.locator(".pictures img")).to_have_count(2, timeout=SOON)
    assert await page.locator("img:not([alt])").count() == 0
    for _ in range(2):
        await page.keyboard.press("Tab")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


# --- words -----------------------------------------------------------------------------------------------------------

CASES = [
    ("numberText(-0.5, 2)", "\u22120.50"),
    ("numberText(21473280, 0)", "2.15e+7"),
    ("numberText(12345.678, 1)", "12\u202f345.7"),
    ("numberText(0.00001, 2)", "1.00e\u22125"),
    ("measured(0.98312, 0.0123, {unit: 'arcsec'})", "0.983 ± 0.012"),
    ("measured(1234.4, 37.2, {unit: 'electron'})", "1234 ± 37"),
    ("valueText(true, {})", "yes"),
    ("valueText(null, {})", "\u2013"),
    ("valueText('2026-03-16T00:02:07.250', {})", "00:02:07"),
    ("valueText(30, {type: 'number'}, 1)", "30.0"),
    ("valueText(30, {type: 'integer'}, 1)", "30"),
    ("valueText(25116.81, {type: 'number'}, 3)", "25\u202f117"),
    ("valueText(0.0331, {type: 'number'}, 3)", "0.033"),
    ("ageText(119.9)", "119 s"),
    ("ageText(125)", "2 min 05 s"),
    ("ageText(7265)", "2 h 01 min"),
    ("ageText(-3)", "0 s"),
    ("secondsText(0.0412)", "41 ms"),
    ("dayText(20260315)", "2026-03-15"),
    ("unitText('electron')", "e⁻"),
    ("unitText('furlong')", "furlong"),
]


async def test_numbers_and_times_are_written_as_people_read_them(site: Site, page: Page) -> None:
    await page.goto(site.url)
    script = f"async () => {{ const m = await import('/static/js/format.js'); return [{', '.join('m.' + c for c, _ in CASES)}] }}"
    assert await page.evaluate(script) == [expected for _, expected in CASES]


async def test_a_broken_file_of_another_day_takes_nobody_away(site: Site, page: Page) -> None:
    await site.expose(1)
    await open_night(site, page)
    await site.expose(1, day_obs=20990101, state="failed", error="not FITS")
    await site.expose(2)
    await expect(page.locator("tbody tr th a").first).to_have_text("2", timeout=SOON)
    await asyncio.sleep(1)
    await expect(page).to_have_url(f"{site.url}auxtel/20260315")
    await expect(page.locator("#notice a")).to_have_count(0)
    await page.goto(site.url)
    await expect(page).to_have_url(f"{site.url}auxtel/20260315", timeout=SOON)
