"""Header-data units as bytes: cards, padding, checksums.

Checksums are those of the FITS Standard 4.0, section 4.4.2.7 and appendix J: the ones' complement sum of all
32-bit words of a unit is -0 once the CHECKSUM card is in place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from rapid.simulation.rice import BLOCK, compress_rows

__all__ = [
    "Cards",
    "Unit",
    "Value",
    "card_text",
    "compressed_image",
    "empty_table",
    "encode_checksum",
    "file_bytes",
    "json_bytes",
    "primary",
    "word_sum",
]

Value = str | int | float | bool | None
Cards = Sequence[tuple[str, Value, str]]

_RECORD = 2880
_CARD = 80
_UNSUMMED = "0" * 16
_FORBIDDEN = frozenset(range(0x3A, 0x41)) | frozenset(range(0x5B, 0x61))  # ASCII punctuation, not allowed in a CHECKSUM


@dataclass(frozen=True, slots=True)
class Unit:
    """One header-data unit: ``header`` and ``data`` are whole records; ``sums`` are the values of CHECKSUM and DATASUM."""

    header: bytes
    data: bytes
    sums: tuple[str, str]


def primary(cards: Cards) -> Unit:
    """Make the primary unit, without data."""
    mandatory: Cards = [
        ("SIMPLE", True, "conforms to FITS standard"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 0, "number of array dimensions"),
        ("EXTEND", True, "extensions are permitted"),
    ]
    return _sealed(card_text([*mandatory, *cards]), b"")


def empty_table(cards: Cards) -> Unit:
    """Make a binary table without rows or columns, which is there for its cards alone."""
    return _sealed(_table_cards(0, 0, 0, 0) + card_text(cards), b"")


def compressed_image(pixels: NDArray[np.int32], cards: bytes) -> Unit:
    """Make the binary table that holds an image compressed by row.

    Parameters
    ----------
    pixels
        Shape (ny, nx).
    cards
        The image's own cards as text: everything but its structure and sums (see `card_text`).
    """
    ny, nx = pixels.shape
    rows = compress_rows(pixels)
    plain = _sealed_sums(_image_cards("XTENSION", "", nx, ny) + cards, word_sum(pixels.view(np.uint32)))
    form = card_text(
        [
            ("TTYPE1", "COMPRESSED_DATA", "label for field 1"),
            ("TFORM1", f"1PB({int(rows.lengths.max())})", "data format of field: variable length array"),
        ]
    )
    structure = _table_cards(8, ny, len(rows.heap), 1) + form + _tile_cards(nx) + _image_cards("ZTENSION", "Z", nx, ny)
    own = card_text(
        [
            ("ZHECKSUM", plain[0], "checksum of the uncompressed HDU"),
            ("ZDATASUM", plain[1], "checksum of the uncompressed data"),
        ]
    )
    data = rows.descriptors.astype(">i4").tobytes() + rows.heap.tobytes()
    return _sealed(structure + cards + own, data)


def card_text(cards: Cards) -> bytes:
    """Write cards as FITS text, without END; None is an undefined value, and the text of a COMMENT is its comment."""
    header = fits.Header()
    for keyword, value, comment in cards:
        header.append(_card(keyword, value, comment), end=True, bottom=True)
    text: str = header.tostring(endcard=False, padding=False)
    return text.encode("ascii")


def file_bytes(units: Sequence[Unit]) -> bytes:
    """Put the units of a file one behind the other."""
    return b"".join(part for unit in units for part in (unit.header, unit.data))


def json_bytes(content: object, *, indent: int | None = 1) -> bytes:
    """Write what stands beside a FITS file; without an indent it takes a tenth of the time."""
    return (json.dumps(content, indent=indent, allow_nan=False) + "\n").encode("utf-8")


def word_sum(words: NDArray[np.uint32]) -> int:
    """Return the ones' complement sum of 32-bit words given as numbers (not as bytes in some order)."""
    return _fold(int(words.sum(dtype=np.uint64)))


def encode_checksum(total: int) -> str:
    """Write the complement of a sum as the 16 characters of a CHECKSUM card (appendix J)."""
    complement = ~total & 0xFFFFFFFF
    text = np.zeros(16, dtype=np.int64)
    for i, byte in enumerate(complement.to_bytes(4, "big")):
        quotient, rest = divmod(byte, 4)
        four = [quotient + rest + 0x30] + [quotient + 0x30] * 3
        while any(value in _FORBIDDEN for value in four):
            four = _moved_apart(four)
        text[i::4] = four
    return bytes(np.roll(text, 1).astype(np.uint8)).decode("ascii")


def _card(keyword: str, value: Value, comment: str) -> fits.Card:
    if keyword == "COMMENT":
        return fits.Card(keyword, comment)
    name = f"HIERARCH {keyword}" if " " in keyword or len(keyword) > 8 else keyword
    room = _CARD - len(str(fits.Card(name, value)).rstrip()) - len(" / ")
    return fits.Card(name, value, comment[: max(room, 0)])


def _moved_apart(four: list[int]) -> list[int]:
    """Take pairs away from punctuation; the sum of the four stays."""
    moved = list(four)
    for first in (0, 2):
        if moved[first] in _FORBIDDEN or moved[first + 1] in _FORBIDDEN:
            moved[first] += 1
            moved[first + 1] -= 1
    return moved


def _fold(total: int) -> int:
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _byte_sum(body: bytes) -> int:
    return word_sum(np.frombuffer(body, dtype=">u4"))


def _padded(body: bytes, filler: bytes) -> bytes:
    return body + filler * (-len(body) % _RECORD)


def _sum_cards(checksum: str, datasum: str) -> bytes:
    return card_text(
        [("CHECKSUM", checksum, "checksum for the current HDU"), ("DATASUM", datasum, "checksum of the data records")]
    )


def _sealed(cards: bytes, data: bytes) -> Unit:
    data = _padded(data, b"\0")
    sums = _sealed_sums(cards, _byte_sum(data))
    return Unit(_closed(cards + _sum_cards(*sums)), data, sums)


def _sealed_sums(cards: bytes, data_sum: int) -> tuple[str, str]:
    """Return CHECKSUM and DATASUM of a unit with these cards, which the two end."""
    datasum = str(data_sum)
    header = _closed(cards + _sum_cards(_UNSUMMED, datasum))
    return encode_checksum(_fold(_byte_sum(header) + data_sum)), datasum


def _closed(cards: bytes) -> bytes:
    return _padded(cards + b"END".ljust(_CARD), b" ")


def _table_cards(width: int, rows: int, heap: int, fields: int) -> bytes:
    return card_text(
        [
            ("XTENSION", "BINTABLE", "binary table extension"),
            ("BITPIX", 8, "array data type"),
            ("NAXIS", 2, "number of array dimensions"),
            ("NAXIS1", width, "width of table in bytes"),
            ("NAXIS2", rows, "number of rows in table"),
            ("PCOUNT", heap, "number of group parameters"),
            ("GCOUNT", 1, "number of groups"),
            ("TFIELDS", fields, "number of fields in each row"),
        ]
    )


@cache
def _tile_cards(nx: int) -> bytes:
    return card_text(
        [
            ("ZIMAGE", True, "extension contains compressed image"),
            ("ZTILE1", nx, "size of tiles to be compressed"),
            ("ZTILE2", 1, "size of tiles to be compressed"),
            ("ZCMPTYPE", "RICE_1", "compression algorithm"),
            ("ZNAME1", "BLOCKSIZE", "compression block size"),
            ("ZVAL1", BLOCK, "pixels per block"),
            ("ZNAME2", "BYTEPIX", "bytes per pixel (1, 2, 4, or 8)"),
            ("ZVAL2", 4, "bytes per pixel (1, 2, 4, or 8)"),
        ]
    )


@cache
def _image_cards(extension: str, prefix: str, nx: int, ny: int) -> bytes:
    return card_text(
        [
            (extension, "IMAGE", "marks beginning of new HDU"),
            (f"{prefix}BITPIX", 32, "bits per data value"),
            (f"{prefix}NAXIS", 2, "number of axis"),
            (f"{prefix}NAXIS1", nx, "size of the n'th axis"),
            (f"{prefix}NAXIS2", ny, "size of the n'th axis"),
            (f"{prefix}PCOUNT", 0, "Required value"),
            (f"{prefix}GCOUNT", 1, "Required value"),
        ]
    )
