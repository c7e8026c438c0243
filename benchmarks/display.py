"""How soon a busy night can be read after its page is asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from benchmarks import Figure, percentile
from benchmarks._page import NIGHT, shown

OPENINGS = 7


def figures() -> Iterator[Figure]:
    """Measure."""
    seconds = asyncio.run(_measure())
    yield Figure(f"display.night_of_{NIGHT}_opened_p50", round(percentile(seconds, 50), 3), "s", n=len(seconds))


async def _measure() -> list[float]:
    seconds = []
    async with shown() as night:
        for _ in range(OPENINGS + 1):
            begin = time.perf_counter()
            await night.open()
            seconds.append(time.perf_counter() - begin)
    return seconds[1:]  # the first one fills the browser's caches
