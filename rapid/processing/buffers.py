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

_kept: Final[dict[int, NDArray[np.uint8]]] = {}


def buffer(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Make an array of this shape with anything in it, as `numpy.empty` does.

    Its memory is kept for the next one when the last array that looks at it is gone.
    """
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    block = _taken(size)
    memory = np.asarray(_Lease(np.empty(size, np.uint8) if block is None else block))
    return memory[:size].view(kind).reshape(shape)


def kept_bytes() -> int:
    """Return how much is kept that nobody uses now."""
    return sum(block.nbytes for block in list(_kept.values()))


def let_go() -> None:
    """Give everything that is kept back to the system."""
    _kept.clear()


class _Lease:
    """Stands behind every array that looks at a block, and brings it back when the last one is gone."""

    __slots__ = ("__array_interface__", "_block")

    def __init__(self, block: NDArray[np.uint8]) -> None:
        self._block = block
        self.__array_interface__ = block.__array_interface__

    def __del__(self) -> None:
        block = self._block
        if block.nbytes >= _LEAST_KEPT and block.nbytes + kept_bytes() <= _MOST_KEPT:
            _kept[id(block)] = block


def _taken(size: int) -> NDArray[np.uint8] | None:
    """Take the smallest block that will do out of those that are kept; a lease may end at any moment and bring one more."""
    for block in sorted(list(_kept.values()), key=lambda each: each.nbytes):  # noqa: C414 - a copy, which nobody changes
        if size <= block.nbytes <= _TOO_LARGE * size and _kept.pop(id(block), None) is not None:
            return block
    return None
