"""What is heard of exposures is written down before the messages that said it are settled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from rapid.errors import LedgerError
from rapid.events import FileArrived, NextVisitCanceled, Rejected, Stage
from rapid.ledger import open_ledger
from rapid.pipeline.hearing import Hearing
from rapid.pipeline.register import register
from rapid.ports import Batch, Heard
from tests.support.ledgers import NOON, sqlite_url
from tests.support.wholes import expect, name_of, raw, seen

NAME = name_of()


class Exposures:
    """Writes down what it is told, as slowly and as badly as a test wants."""

    def __init__(self, *, failures: int = 0) -> None:
        self.written: list[Heard] = []
        self.failures = failures
        self.released = asyncio.Event()
        self.released.set()

    async def hear(self, events: Sequence[Heard]) -> None:
        await self.released.wait()
        if self.failures:
            self.failures -= 1
            raise LedgerError("the disk is full")
        self.written += events


async def test_what_says_nothing_of_an_exposure_is_let_go() -> None:
    hearing, exposures = Hearing(), Exposures()
    hearing.heard(NextVisitCanceled("group", 1, NOON, "kafka"))
    hearing.heard(seen(NAME, Stage.STARTED))
    await hearing.write_down(exposures, patience=0)  # type: ignore[arg-type]
    assert exposures.written == [seen(NAME, Stage.STARTED)]


async def test_it_is_kept_until_it_is_written() -> None:
    hearing, exposures = Hearing(), Exposures(failures=1)
    hearing.heard(seen(NAME, Stage.STARTED))
    with pytest.raises(LedgerError, match="disk is full"):
        await hearing.write_down(exposures, patience=0)  # type: ignore[arg-type]
    hearing.heard(seen(NAME, Stage.READ_OUT))
    await hearing.write_down(exposures, patience=0)  # type: ignore[arg-type]
    assert exposures.written == [seen(NAME, Stage.STARTED), seen(NAME, Stage.READ_OUT)]


async def test_a_source_waits_for_what_another_is_writing() -> None:
    hearing, exposures = Hearing(), Exposures()
    exposures.released.clear()
    hearing.heard(seen(NAME, Stage.STARTED))
    writers = [asyncio.create_task(hearing.write_down(exposures, patience=0)) for _ in range(2)]  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    hearing.heard(seen(NAME, Stage.READ_OUT))
    assert not any(writer.done() for writer in writers)
    exposures.released.set()
    await asyncio.gather(*writers)
    assert exposures.written == [seen(NAME, Stage.STARTED), seen(NAME, Stage.READ_OUT)]


class Bus:
    """Gives one batch, with what it says of exposures, and looks what is known when it is settled."""

    name = "bus"

    def __init__(self, hearing: Hearing, heard: Sequence[Heard], items: Sequence[FileArrived | Rejected], look) -> None:
        self._hearing, self._heard, self.items, self._look = hearing, heard, items, look
        self.known_when_settled: object = None

    async def settle(self) -> None:
        self.known_when_settled = await self._look()

    @asynccontextmanager
    async def batches(self) -> AsyncIterator[AsyncIterator[Batch]]:
        async def give() -> AsyncIterator[Batch]:
            for event in self._heard:
                self._hearing.heard(event)
            yield self

        yield give()


@pytest.mark.parametrize("items", [(), (raw("R22_S11", NAME),)])
async def test_a_batch_is_settled_after_what_came_with_it(tmp_path: Path, items: tuple[FileArrived, ...]) -> None:
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        hearing = Hearing()
        bus = Bus(hearing, [expect(NAME, "R22_S11")], items, partial(ledger.exposures.standing, NAME))
        write = partial(hearing.write_down, ledger.exposures, patience=0)
        await register(bus, ledger, offer=lambda _: None, patience=0, before_settling=write)
        standing = bus.known_when_settled
        assert standing.sensors == (("R22_S11", "science"),)  # type: ignore[attr-defined]
        assert len(standing.detectors) == len(items)  # type: ignore[attr-defined]
