"""Memory is used again when nobody looks at it, never before, and is not hoarded."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest

from rapid.processing.buffers import buffer, kept_bytes, let_go

SHAPE = (1000, 2000)
SIZE = 4 * 1000 * 2000


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    gc.collect()
    let_go()
    yield
    let_go()


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_an_array_is_what_was_asked_for() -> None:
    for dtype in (np.float32, np.uint16, np.bool_):
        array = buffer((3, 5), dtype)
        assert (array.shape, array.dtype) == ((3, 5), np.dtype(dtype))
        assert array.flags.c_contiguous
        assert array.flags.writeable
    assert buffer((0, 7), np.float32).size == 0


def test_memory_is_used_again_when_it_is_free() -> None:
    first = buffer(SHAPE, np.float32)
    place = address(first)
    del first
    assert kept_bytes() == SIZE
    again = buffer((2000, 1000), np.int32)
    assert address(again) == place
    assert kept_bytes() == 0


def test_memory_that_somebody_looks_at_is_left_alone() -> None:
    first = buffer(SHAPE, np.float32)
    first[...] = 7
    part = first[10:20, ::3].T
    del first
    assert kept_bytes() == 0
    other = buffer(SHAPE, np.float32)
    other[...] = 8
    assert (part == 7).all()
    assert not np.shares_memory(part, other)
    del part
    assert kept_bytes() == SIZE


def test_a_small_image_does_not_sit_in_the_place_of_a_large_one() -> None:
    del_me = buffer(SHAPE, np.float32)
    place = address(del_me)
    del del_me
    small = buffer((500, 2000), np.float32)
    assert address(small) != place
    large = buffer((1200, 2000), np.float32)
    assert address(large) != place
    assert kept_bytes() == SIZE


def test_small_blocks_and_too_many_are_given_back() -> None:
    for_a_moment = buffer((100, 100), np.float32)
    del for_a_moment
    assert kept_bytes() == 0
    many = [buffer((5000, 2000), np.float32) for _ in range(6)]
    many.clear()
    assert kept_bytes() == 4 * 40_000_000
    let_go()
    assert kept_bytes() == 0
