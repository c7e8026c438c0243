"""The lock of a ledger that is one service's own."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from rapid.ledger import beside_database, is_served, lock


def test_who_only_looks_never_keeps_a_service_from_starting(tmp_path: Path) -> None:
    place = tmp_path / "ledger.lock"
    with place.open("a+", encoding="utf-8") as looker, place.open("a+", encoding="utf-8") as service:
        fcntl.flock(looker, fcntl.LOCK_SH)
        threading.Timer(0.03, fcntl.flock, (looker, fcntl.LOCK_UN)).start()
        lock(service)
        assert is_served(f"sqlite:///{tmp_path}/ledger.sqlite") is True
    assert place.read_text(encoding="utf-8") == f"{os.getpid()}\n"
    assert is_served(f"sqlite:///{tmp_path}/ledger.sqlite") is False


def test_a_second_service_is_refused_soon(tmp_path: Path) -> None:
    place = beside_database(f"sqlite:///{tmp_path}/night.sqlite", "lock")
    assert place == tmp_path / "night.lock"
    with place.open("a+", encoding="utf-8") as first, place.open("a+", encoding="utf-8") as second:
        lock(first)
        begin = time.monotonic()
        with pytest.raises(BlockingIOError):
            lock(second)
        assert time.monotonic() - begin < 2


def test_the_lock_tells_nothing_of_a_ledger_that_is_shared() -> None:
    assert is_served("postgresql://summit/rapid") is None
