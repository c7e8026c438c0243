"""Memory for images, used again when nobody looks at them any more.

The system clears every page that it hands out, and a detector asks for 200 MB of them, lets them go, and asks again: that
took a tenth of all time, and three times as much on a machine whose memory is in pieces. A few blocks are kept instead.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["buffer", "kept_bytes", "let_go"]

_MOST_KEPT: Final = 160_000_000
"""Bytes that are kept at most: image, mask, and the images that are searched, of one detector."""

_LEAST_KEPT: Final = 1_000_000
"""Bytes of the smallest block worth keeping: the C library does as well with less."""

_TOO_LARGE: Final = 1.5
"""What is used of a block must not be less than one part in this: a small image shall not sit in the place of a large one."""


class _Kept:
    """Blocks that nobody uses now. What it needs is its own: leases come to an end when modules have been taken apart."""

    def __init__(self, *, most: int, least: int) -> None:
        self._blocks: dict[int, NDArray[np.uint8]] = {}
        self._most, self._least = most, least

    def bring(self, block: NDArray[np.uint8]) -> None:
        """Keep a block, when it is worth it and there is room."""
        if block.nbytes >= self._least and block.nbytes + self.size() <= self._most:
            self._blocks[id(block)] = block

    def take(self, size: int) -> NDArray[np.uint8] | None:
        """Take the smallest block that will do; meanwhile a lease may end and bring one more."""
        for block in sorted(self._all(), key=lambda each: each.nbytes):
            fits = size <= block.nbytes <= _TOO_LARGE * size
            if fits and self._blocks.pop(id(block), None) is not None:
                return block
        return None

    def size(self) -> int:
        return sum(block.nbytes for block in self._all())

    def clear(self) -> None:
        self._blocks.clear()

    def _all(self) -> list[NDArray[np.uint8]]:
        return list(self._blocks.values())


class _Lease:
    """Stands behind every array that looks at a block, and brings it back when the last one is gone."""

    __slots__ = ("__array_interface__", "_block", "_kept")

    def __init__(self, block: NDArray[np.uint8], kept: _Kept) -> None:
        self._block, self._kept = block, kept
        self.__array_interface__ = block.__array_interface__

    def __del__(self) -> None:
        self._kept.bring(self._block)


_kept: Final = _Kept(most=_MOST_KEPT, least=_LEAST_KEPT)


def buffer(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Make an array of this shape with anything in it, as `numpy.empty` does.

    Its memory is kept for the next one when the last array that looks at it is gone.
    """
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    block = _kept.take(size)
    memory = np.asarray(_Lease(np.empty(size, np.uint8) if block is None else block, _kept))
    return memory[:size].view(kind).reshape(shape)


def kept_bytes() -> int:
    """Return how much is kept that nobody uses now."""
    return _kept.size()


def let_go() -> None:
    """Give everything that is kept back to the C library."""
    _kept.clear()
