"""A LATISS night through the real service and into a real browser: latency, cost, memory.

Work: exposures of the `short` night (science, flat, bias, spectrum; 14-25 MB each, RICE compressed) are renamed into a
watched directory, one every 2.5 s, with `monitor` and `imexam` on two workers; then as many more at once as make 200.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import Figure, percentile
from tests.support import raws
from tests.support.browser import find_chromium, launch, watched_page
from tests.support.daemon import Daemon, daemon
from tests.support.nights import simulated_night

PACED, TOTAL = 40, 200
PAUSE = 2.5
FIRST = 1000
"""Sequence number of the first exposure that is sent."""

WATCH = """() => {
  window.doneAt = {};
  const note = () => document.querySelectorAll('tr[data-state="done"]').forEach((row) => {
    const seq = row.dataset.key.split("/")[0];
    if (!(seq in window.doneAt)) window.doneAt[seq] = Date.now() / 1000;
  });
  new MutationObserver(note).observe(document.documentElement, {subtree: true, childList: true, attributes: true});
  note();
}"""


def figures() -> Iterator[Figure]:
    """Measure the spine."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        templates = _templates(place / "night")
        archive = place / "raw"
        archive.mkdir()
        with daemon(archive, place / "state", "--workers", "2") as service:
            latencies = asyncio.run(_paced(service, archive, templates))
            yield Figure("spine.file_to_page_p50", percentile(latencies, 50), "s", len(latencies))
            yield Figure("spine.file_to_page_p95", percentile(latencies, 95), "s", len(latencies))
            early = _resident(service)
            begin = time.monotonic()
            for number in range(PACED, TOTAL):
                _send(archive, templates[number % len(templates)], FIRST + number)
            service.wait_settled(TOTAL, 900)
            yield Figure("spine.exposures_per_s", (TOTAL - PACED) / (time.monotonic() - begin), "1 / s", TOTAL - PACED)
            yield from _costs(service)
            yield Figure("spine.daemon_mb_after_40", early[0], "Mbyte", 1)
            late = _resident(service)
            yield Figure("spine.daemon_mb_after_200", late[0], "Mbyte", 1)
            yield Figure("spine.workers_mb_after_40", early[1], "Mbyte", 2)
            yield Figure("spine.workers_mb_after_200", late[1], "Mbyte", 2)


def _templates(night: Path) -> list[bytes]:
    simulated_night(night)
    whole = sorted(night.glob("LATISS/*/*/*.fits"))[:-1]  # the last one is cut short on purpose
    return [path.read_bytes() for path in whole]


def _send(archive: Path, template: bytes, seq_num: int) -> float:
    """Rename an exposure into place; return when that was, Unix time."""
    raw = raws.as_exposure(template, seq_num)
    obs_id = raws.obs_id_of(raw)
    folder = archive / "LATISS" / obs_id.split("_")[2] / obs_id
    folder.mkdir(parents=True)
    hidden = folder / f".{obs_id}_R00_S00.fits"
    hidden.write_bytes(raw)
    hidden.rename(folder / f"{obs_id}_R00_S00.fits")
    return time.time()


async def _paced(service: Daemon, archive: Path, templates: list[bytes]) -> list[float]:
    """Send exposures one by one while a browser shows the night; return seconds from file to row."""
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("this needs Chromium; tools/install-system-parts installs it")
    night = raws.obs_id_of(templates[0]).split("_")[2]
    async with launch(chromium) as browser, watched_page(browser) as page:
        await page.goto(f"{service.url}auxtel/{night}")
        await page.wait_for_selector('output.line[data-state="live"]')
        await page.evaluate(WATCH)
        sent = {}
        for number in range(PACED):
            begin = time.monotonic()
            seq_num = FIRST + number
            sent[seq_num] = await asyncio.to_thread(_send, archive, templates[number % len(templates)], seq_num)
            await asyncio.sleep(max(0.0, PAUSE - (time.monotonic() - begin)))
        await page.wait_for_function(f"Object.keys(window.doneAt).length >= {PACED}", timeout=60_000)
        shown = await page.evaluate("window.doneAt")
        await page.close()
    return [shown[str(seq_num)] - at for seq_num, at in sent.items()]


def _costs(service: Daemon) -> Iterator[Figure]:
    """CPU of an exposure, and wall time of each stage of the work, medians."""
    (night,) = service.get("api/v1/nights")["nights"]
    rows = service.get(f"api/v1/nights/auxtel/{night['day_obs']}")["rows"]
    times = [row["timings"] for row in rows if row["state"] == "done"]
    yield Figure("spine.cpu_s", statistics.median(each["cpu"] for each in times), "s", len(times))
    for stage in sorted({name for each in times for name in each if name.startswith("work_")}):
        taken = [each[stage] for each in times if stage in each]
        yield Figure(f"spine.stage.{stage.removeprefix('work_')}_s", statistics.median(taken), "s", len(taken))
    process = psutil.Process(service.process.pid)
    used = process.cpu_times()
    yield Figure("spine.daemon_cpu_s_per_exposure", (used.user + used.system) / len(times), "s", len(times))


def _resident(service: Daemon) -> tuple[float, float]:
    """Resident memory [MB] of the daemon, and of its largest worker."""
    process = psutil.Process(service.process.pid)
    workers = [child.memory_info().rss for child in process.children(recursive=True)]
    return process.memory_info().rss / 1e6, max(workers, default=0) / 1e6
