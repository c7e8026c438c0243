"""What tests of parts of the ledger share: an empty one, from the inside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from rapid.ledger.databases import open_engines
from rapid.ledger.migrate import upgrade
from tests.support.ledgers import sqlite_url


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    engines = open_engines(sqlite_url(tmp_path), read_only=False, busy_timeout=timedelta(seconds=1), readers=1)
    assert engines.write is not None
    with engines.write.begin() as connection:
        upgrade(connection)
        yield connection
    engines.dispose()
