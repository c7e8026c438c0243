"""Bits of a mask asked for and set in one pass, and the few places in an image where something is to be done.

Each of these is one line of numpy as well, which makes an image of its own for every step of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["append", "append_marked", "flagged", "new_marks", "set_flag"]


def flagged(mask: NDArray[np.uint16], bits: int) -> NDArray[np.bool_]:
    """Return True where a mask has one of the bits, same shape."""
    found = np.empty(mask.shape, np.bool_)
    _flagged(mask.reshape(-1), np.uint16(bits), found.reshape(-1))
    return found


def set_flag(mask: NDArray[np.uint16], where: NDArray[np.bool_], bit: int) -> None:
    """Set a bit of a mask, shape (ny, nx), where the other array is True, **in place**."""
    _set_flag(mask, where, np.uint16(bit))


@compiled
def new_marks(size: int) -> NDArray[np.uint8]:
    """Make a line of marks for so many pixels, all 0: as long as `append_marked` needs it."""
    return np.zeros(-(-size // 8) * 8, np.uint8)


@compiled
def append_marked(
    marks: NDArray[np.uint8], first: int, places: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], int]:
    """Append the place of every mark to the first `n` places; `first` is that of the first mark. Eight are seen at once."""
    found = np.int32(0)
    for x in range(marks.size):
        found += np.int32(marks[x])
    if found:
        places = _with_room(places, n, int(found))
        n = _list(marks, marks.view(np.uint64), first, places, n)
    return places, n


@compiled
def _list(marks: NDArray[np.uint8], words: NDArray[np.uint64], first: int, places: NDArray[np.int64], n: int) -> int:
    for word in range(words.size):
        if words[word]:
            for x in range(8 * word, 8 * word + 8):
                if marks[x]:
                    places[n] = first + x
                    n += 1
    return n


@compiled
def append(places: NDArray[np.int64], n: int, place: int) -> tuple[NDArray[np.int64], int]:
    """Put a place behind the first `n`, in a longer array when this one is full."""
    places = _with_room(places, n, 1)
    places[n] = place
    return places, n + 1


@compiled
def _with_room(places: NDArray[np.int64], n: int, more: int) -> NDArray[np.int64]:
    if n + more <= places.size:
        return places
    longer = np.empty(2 * n + more + 64, np.int64)
    longer[:n] = places[:n]
    return longer


@compiled
def _flagged(mask: NDArray[np.uint16], bits: np.uint16, found: NDArray[np.bool_]) -> None:
    for x in range(mask.size):
        found[x] = (mask[x] & bits) != 0


@compiled
def _set_flag(mask: NDArray[np.uint16], where: NDArray[Any], bit: np.uint16) -> None:
    for y in range(mask.shape[0]):
        line, marks = mask[y], where[y]
        wanted = np.int32(0)
        for x in range(line.size):
            wanted += np.int32(marks[x])
        if wanted:
            for x in range(line.size):
                line[x] |= bit if marks[x] else np.uint16(0)
