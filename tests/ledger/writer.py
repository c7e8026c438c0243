"""A process that writes and says what was acknowledged: ``python writer.py URL MODE``.

``flood`` writes until it is killed; ``trickle`` writes a few times with pauses and ends.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta

from rapid.ledger import open_ledger
from tests.support.ledgers import COLUMNS, arrived, rejected, row_of


def say(*words: object) -> None:
    """Tell the parent."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def flood(url: str) -> None:
    """Record three, finish the first, bury the second, leave the third running; say so; for ever."""
    async with open_ledger(url, lease=timedelta(milliseconds=1)) as ledger:
        await ledger.recover()
        first = (await ledger.counts()).received
        while True:
            recorded = await ledger.record([*(arrived(first + one) for one in (1, 2, 3)), rejected(f"message {first}")])
            say("recorded", *(arrival.seq_num for arrival in recorded.new))
            good, bad, open_ended = [await ledger.begin(arrival) for arrival in recorded.new]
            assert good is not None
            assert bad is not None
            assert open_ended is not None
            say("begun", first + 3)
            await ledger.complete(good, row_of(first + 1), COLUMNS, timings={})
            say("done", first + 1)
            await ledger.fail(bad, error="broken", detail="", retry_at=None)
            say("failed", first + 2)
            first += 3


async def trickle(url: str) -> None:
    """Write five times; say when each was durable."""
    async with open_ledger(url) as ledger:
        for seq_num in range(1, 6):
            await asyncio.sleep(0.15)
            await ledger.record([arrived(seq_num)])
            say("recorded", seq_num, time.time())


if __name__ == "__main__":
    asyncio.run({"flood": flood, "trickle": trickle}[sys.argv[2]](sys.argv[1]))
