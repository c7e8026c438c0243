"""Decompression of RICE_1 tiles of 32-bit integers.

The stream is that of the FITS tile compression convention (FITS 4.0, section 10.4.1; Pence et al. 2009, PASP 121, 414):
the first pixel as it is, then for each block of pixels a 5-bit code and the differences to the pixel before, folded to
non-negative numbers and split into a unary and a binary part.

The next bits of the stream are kept in one word: ``word`` holds them left-aligned, ``have`` of them are meant to be
used, ``place`` is the byte the word is topped up from. A damaged tile can make the reader look at bytes behind the tile,
never behind the data: at the end of every block it is checked that the bits used were the tile's own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.bits import leading_zeros, load_word
from rapid.processing.jit import compiled

__all__ = ["LARGEST_BLOCK", "SLACK", "decode_tiles"]

LARGEST_BLOCK: Final = 32
"""Most pixels per block that are understood; the convention has 16 and 32."""

SLACK: Final = 8 * (LARGEST_BLOCK + 2)
"""Bytes that a damaged block can be read on after the end of its tile: seven a pixel, and a word."""

_CODE_BITS: Final = 5
_RAW_CODE: Final = 26
"""Code of a block whose differences are stored as plain 32-bit numbers; no larger code exists."""


def decode_tiles(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    pixels: NDArray[np.int32],
    *,
    block: int,
) -> int:
    """Decode tiles into consecutive pixels.

    Parameters
    ----------
    data
        Bytes the tiles are in. They are copied unless some more follow the last tile: a reader of whole words looks there.
    starts, lengths
        First byte and number of bytes of each tile; they must lie within `data`.
    pixels
        Where the pixels go, shape (tiles, pixels per tile), C order.
    block
        Pixels per block, 1 to `LARGEST_BLOCK`.

    Returns
    -------
    int
        Index of the first tile that is damaged, or -1 when all could be decoded: every pixel is then a decoded one.

    Raises
    ------
    ValueError
        If the block has another size, or there is not one start and one length for each row of `pixels`.
    """
    if not 1 <= block <= LARGEST_BLOCK:
        raise ValueError(f"expected 1 to {LARGEST_BLOCK} pixels per block, found {block}")
    if not len(starts) == len(lengths) == len(pixels):
        raise ValueError(f"expected {len(pixels)} tiles, found {len(starts)} starts and {len(lengths)} lengths")
    ends = starts + lengths
    if ends.size and ends.max() + SLACK > data.size:
        data = np.concatenate([data, np.zeros(SLACK, np.uint8)])
    return int(_decode_tiles(data, starts, ends, pixels, block))


@compiled
def _decode_tiles(
    data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], pixels: NDArray[np.int32], block: int
) -> int:
    for tile in range(starts.size):
        if not _decode_tile(data, starts[tile], ends[tile], pixels[tile], block):
            return tile
    return -1


@compiled
def _decode_tile(data: NDArray[np.uint8], place: int, end: int, pixels: NDArray[np.int32], block: int) -> bool:
    if end - place < 4:
        return False
    last = np.uint32(load_word(data, place) >> np.uint64(32))
    place += 4
    word, have = np.uint64(0), 0
    for first in range(0, pixels.size, block):
        stop = min(first + block, pixels.size)
        word, have, place = _top_up(data, word, have, place)
        code = int(word >> np.uint64(64 - _CODE_BITS))
        word <<= np.uint64(_CODE_BITS)
        have -= _CODE_BITS
        if code == 0:
            for i in range(first, stop):
                pixels[i] = np.int32(last)
        elif code < _RAW_CODE:
            for i in range(first, stop):
                word, have, place, folded = _coded(data, word, have, place, end, code - 1)
                last = np.uint32(last + _unfold(folded))
                pixels[i] = np.int32(last)
        elif code == _RAW_CODE:
            for i in range(first, stop):
                word, have, place, folded = _plain(data, word, have, place)
                last = np.uint32(last + _unfold(folded))
                pixels[i] = np.int32(last)
        if code > _RAW_CODE or 8 * place - have > 8 * end:
            return False
    return True


@compiled
def _top_up(data: NDArray[np.uint8], word: np.uint64, have: int, place: int) -> tuple[np.uint64, int, int]:
    """Fill the word to at least 56 bits."""
    word |= load_word(data, place) >> np.uint64(have)
    place += (63 - have) >> 3
    return word, have | 56, place


@compiled
def _coded(  # noqa: PLR0917 - compiled functions take their arguments by position
    data: NDArray[np.uint8], word: np.uint64, have: int, place: int, end: int, low: int
) -> tuple[np.uint64, int, int, np.uint32]:
    """Read a number of zeros, a one, and `low` binary digits."""
    word, have, place = _top_up(data, word, have, place)
    zeros = 0
    while word < np.uint64(1 << 33) and 8 * place - have <= 8 * end:  # the word may be ahead of the bits used
        zeros += 31
        word <<= np.uint64(31)
        word, have, place = _top_up(data, word, have - 31, place)
    lead = min(leading_zeros(word), 30)
    word <<= np.uint64(lead)
    binary = (word & np.uint64(0x7FFF_FFFF_FFFF_FFFF)) >> np.uint64(63 - low)
    word <<= np.uint64(low + 1)
    folded = (np.uint64(zeros + lead) << np.uint64(low)) | binary
    return word, have - (lead + 1 + low), place, np.uint32(folded)


@compiled
def _plain(data: NDArray[np.uint8], word: np.uint64, have: int, place: int) -> tuple[np.uint64, int, int, np.uint32]:
    """Read 32 binary digits."""
    word, have, place = _top_up(data, word, have, place)
    return word << np.uint64(32), have - 32, place, np.uint32(word >> np.uint64(32))


@compiled
def _unfold(folded: np.uint32) -> np.uint32:
    """Turn 0, 1, 2, 3 ... back into 0, -1, 1, -2 ... (modulo 2**32)."""
    return (folded >> np.uint32(1)) ^ (np.uint32(0) - (folded & np.uint32(1)))
