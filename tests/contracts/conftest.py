"""The ledgers that must pass the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rapid.ledger import open_ledger
from rapid.ports import Ledger
from tests.support.ledgers import (
    Clock,
    Opener,
    sqlite_url,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Opener:
    """Opens one and the same ledger each time it is called; another kind of ledger is another parameter."""
    url = sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return lambda: open_ledger(url, clock=clock)


@pytest.fixture
async def ledger(opener: Opener) -> AsyncIterator[Ledger]:
    async with opener() as ledger:
        yield ledger
