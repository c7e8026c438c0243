"""How soon a browser shows what the feed says.

The time is from the call that appends an event to the moment at which a page that already shows a busy night has the
row in its document, told by an observer inside the page. Server and browser read the same machine's clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from benchmarks import Figure, percentile
from benchmarks._page import NIGHT, Shown, shown
from tests.support.memory_feed import entry_of

EVENTS = 60

PAUSE = 0.25
"""Seconds between events: each is a row of its own, not one of a crowd."""

OBSERVER = """
() => {
  window.arrived = {};
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) {
      if (node.dataset?.key) window.arrived[node.dataset.key] = performance.timeOrigin + performance.now();
    }
  }).observe(document.querySelector("#table"), { childList: true, subtree: true });
}
"""


def figures() -> Iterator[Figure]:
    """Measure."""
    seconds = asyncio.run(_measure())
    for percent in (50, 95):
        yield Figure(f"spine.feed_to_page_p{percent}", round(percentile(seconds, percent), 4), "s", n=len(seconds))


async def _measure() -> list[float]:
    async with shown() as night:
        await night.open()
        return await _follow(night)


async def _follow(night: Shown) -> list[float]:
    """Append events one by one; return how long each took to the page [s]."""
    await night.page.evaluate(OBSERVER)
    appended: dict[str, float] = {}
    for seq_num in range(NIGHT + 1, NIGHT + EVENTS + 1):
        appended[f"{seq_num}/R00_S00"] = time.time()
        await night.feed.append(entry_of(seq_num))
        await asyncio.sleep(PAUSE)
    await night.page.wait_for_function("count => Object.keys(window.arrived).length >= count", arg=EVENTS)
    arrived: dict[str, float] = await night.page.evaluate("() => window.arrived")
    return [arrived[key] / 1000 - begin for key, begin in appended.items()]
