"""Rice compression of 32-bit images by row, as the camera writes them (RICE_1, BLOCKSIZE 32, BYTEPIX 4).

The bit stream is that of the FITS Standard 4.0, section 10.4.1: per row the first pixel as it is, then blocks of
32 differences, folded to unsigned, each split at a bit chosen for its block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.jit import compiled

__all__ = ["BLOCK", "CompressedRows", "compress_rows"]

BLOCK = 32
_SPLIT_BITS = 5  # bits that hold the split of a block, for 32-bit pixels
_MAX_SPLIT = 25  # from here on the differences are stored as they are


@dataclass(frozen=True, slots=True)
class CompressedRows:
    """The rows of an image, one behind the other in ``heap`` (uint8); ``lengths`` (int32) is each one's bytes."""

    heap: NDArray[np.uint8]
    lengths: NDArray[np.int32]

    @property
    def descriptors(self) -> NDArray[np.int32]:
        """Length and offset of every row, shape (ny, 2): the column of the binary table that holds the image."""
        ends = np.cumsum(self.lengths, dtype=np.int64)
        return np.column_stack([self.lengths, ends - self.lengths]).astype(np.int32)


def compress_rows(pixels: NDArray[np.int32]) -> CompressedRows:
    """Compress every row of an image, shape (ny, nx), losslessly."""
    ny, nx = pixels.shape
    room = np.empty(ny * _worst_case(nx), dtype=np.uint8)
    lengths = np.empty(ny, dtype=np.int32)
    used = _encode(np.ascontiguousarray(pixels), room, lengths)
    return CompressedRows(room[:used].copy(), lengths)


def _worst_case(nx: int) -> int:
    """Bytes of a row in which no block can be compressed, with the flush of the last word."""
    return 4 + 4 * nx + -(-nx // BLOCK) + 8


@compiled
def _encode(pixels: NDArray[np.int32], out: NDArray[np.uint8], lengths: NDArray[np.int32]) -> int:
    ny, nx = pixels.shape
    folded = np.empty(BLOCK, dtype=np.uint32)
    used = 0
    for row in range(ny):
        begin = used
        previous = np.uint32(pixels[row, 0])
        word, free = np.uint64(previous), 32  # `word` holds 64 - free bits not yet written, right-aligned
        for first in range(0, nx, BLOCK):
            count = min(BLOCK, nx - first)
            total = 0.0
            for i in range(count):
                value = np.uint32(pixels[row, first + i])
                folded[i] = _fold(np.int32(value - previous))
                total += np.float64(folded[i])
                previous = value
            word, free, used = _put_block(folded, count, total, word, free, out, used)
        word, free, used = _flush(word, free, out, used)
        if free < 64:  # the last, incomplete byte
            out[used] = np.uint8((word << np.uint64(free - 56)) & np.uint64(255))
            used += 1
        lengths[row] = used - begin
    return used


@compiled
def _fold(difference: np.int32) -> np.uint32:
    """Interleave negative and positive differences: 0, -1, 1, -2, ... become 0, 1, 2, 3, ..."""
    return np.uint32((difference << np.int32(1)) ^ (difference >> np.int32(31)))


@compiled
def _split(total: float, count: int) -> int:
    """Choose the bit at which the differences of a block are split: the length of half their mean."""
    mean = (total - count // 2 - 1) / count
    half = np.int64(max(mean, 0.0)) >> 1
    split = 0
    while half > 0:
        half >>= 1
        split += 1
    return split


@compiled
def _put_block(  # noqa: PLR0917 - compiled functions take no keywords
    folded: NDArray[np.uint32], count: int, total: float, word: np.uint64, free: int, out: NDArray[np.uint8], used: int
) -> tuple[np.uint64, int, int]:
    split = _split(total, count)
    if split >= _MAX_SPLIT:
        word, free, used = _put(np.uint64(_MAX_SPLIT + 1), _SPLIT_BITS, word, free, out, used)
        for i in range(count):
            word, free, used = _put(np.uint64(folded[i]), 32, word, free, out, used)
        return word, free, used
    if total == 0.0:
        return _put(np.uint64(0), _SPLIT_BITS, word, free, out, used)
    word, free, used = _put(np.uint64(split + 1), _SPLIT_BITS, word, free, out, used)
    low_mask = (np.uint64(1) << np.uint64(split)) - np.uint64(1)
    for i in range(count):
        value = np.uint64(folded[i])
        zeros = int(value >> np.uint64(split))
        while zeros >= 24:
            word, free, used = _put(np.uint64(0), 24, word, free, out, used)
            zeros -= 24
        tail = (np.uint64(1) << np.uint64(split)) | (value & low_mask)
        if zeros + 1 + split > 32:
            word, free, used = _put(np.uint64(0), zeros, word, free, out, used)
            zeros = 0
        word, free, used = _put(tail, zeros + 1 + split, word, free, out, used)
    return word, free, used


@compiled
def _put(  # noqa: PLR0917 - as above
    value: np.uint64, bits: int, word: np.uint64, free: int, out: NDArray[np.uint8], used: int
) -> tuple[np.uint64, int, int]:
    """Append up to 32 bits; at least that many are free."""
    word = (word << np.uint64(bits)) | value
    free -= bits
    if free < 32:
        word, free, used = _flush(word, free, out, used)
    return word, free, used


@compiled
def _flush(word: np.uint64, free: int, out: NDArray[np.uint8], used: int) -> tuple[np.uint64, int, int]:
    """Write the complete bytes that wait in the word."""
    while free <= 56:
        out[used] = np.uint8((word >> np.uint64(56 - free)) & np.uint64(255))
        used += 1
        free += 8
    return word, free, used
