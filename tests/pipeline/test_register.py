"""The register says what it wrote down: each of a few, and how many there were of many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rapid import metrics
from rapid.consumers.batches import PlainBatch
from rapid.ledger import open_ledger
from rapid.pipeline.register import FEW, register
from rapid.ports import Arrival, Batch
from tests.support.ledgers import arrived, key_of, sqlite_url


class Once:
    """A source that announces so many files, all in one batch, and ends."""

    name = "once"

    def __init__(self, count: int) -> None:
        self._batch = PlainBatch(tuple(arrived(number) for number in range(1, count + 1)))

    @asynccontextmanager
    async def batches(self) -> AsyncIterator[AsyncIterator[Batch]]:
        async def one() -> AsyncIterator[Batch]:
            yield self._batch

        yield one()


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 300])
async def test_a_catch_up_is_one_line_of_the_log(tmp_path: Path, count: int) -> None:
    offered: list[Arrival] = []
    before = metrics.REGISTRY.get_sample_value("rapid_received_total", {"source": "once"}) or 0.0
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        with capture_logs() as lines:
            await register(Once(count), ledger, offer=offered.extend, patience=1.0)
    assert [arrival.key for arrival in offered] == [key_of(number) for number in range(1, count + 1)]
    assert metrics.REGISTRY.get_sample_value("rapid_received_total", {"source": "once"}) == before + count
    told(lines, offered)


def told(lines: Sequence[object], new: Sequence[Arrival]) -> None:
    said = [line for line in lines if isinstance(line, dict) and line["event"].startswith("arrival")]
    if len(new) <= FEW:
        assert [line["key"] for line in said] == [arrival.key for arrival in new]
        return
    (line,) = said
    known = {"event": "arrivals recorded", "log_level": "info", "source": "once", "count": len(new)}
    ends = {"first": new[0].key, "last": new[-1].key, "size": 1000 * len(new)}
    assert line == known | ends
