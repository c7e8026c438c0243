"""Garbage is looked for seldom, and found all the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from rapid.app.collecting import YOUNG, collect_seldom


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Circle:
    """Something that drops by no other way."""

    def __init__(self) -> None:
        self.itself = self


def test_a_circle_is_dropped_before_long() -> None:
    collect_seldom()
    gone = weakref.ref(Circle())
    assert gone() is not None
    kept = [[number] for number in range(YOUNG + 1)]
    assert gone() is None
    assert len(kept) > YOUNG


def test_what_was_there_is_not_looked_at_again() -> None:
    before = gc.get_freeze_count()
    collect_seldom()
    assert gc.get_freeze_count() > before
    assert gc.get_threshold()[0] == YOUNG
