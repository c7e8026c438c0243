"""The pixels of one image HDU, however they are stored: plain, as the summit compresses them, or otherwise.

What a header says about tiles is checked before anybody divides by it, and no pixel is handed on that the converter
cannot have given.
"""

from __future__ import annotations

import io
import math
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, overload

import numpy as np
from astropy.io import fits as astropy_fits
from astropy.io.fits.hdu.compressed._compression import CfitsioException
from astropy.io.fits.hdu.compressed._tiled_compression import _column_dtype
from astropy.io.fits.verify import VerifyError
from numpy.typing import NDArray

from rapid.errors import BadFile, BadLayout
from rapid.processing.hdus import Card, Hdu
from rapid.processing.rice import SLACK, decode_tiles

__all__ = ["HIGHEST_COUNT", "StoredSegments", "read_images"]

HIGHEST_COUNT: Final = 2**18 - 1
"""What the converter gives at most [adu]; the least is 0."""

_CODECS: Final = frozenset({"RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "NOCOMPRESS"})
"""Ways to compress counts. PLIO_1 is one for masks, whose decoder trusts its input."""

_SETTINGS: Final[Mapping[str, frozenset[int]]] = {"BLOCKSIZE": frozenset({16, 32}), "BYTEPIX": frozenset({1, 2, 4, 8})}
"""What the settings of RICE_1 can be (FITS 4.0, section 10.4.1)."""

_MOST_COLUMNS: Final = 999
"""Most columns of a FITS table (FITS 4.0, section 7.3.1); astropy goes through as many as the header claims."""

_LARGEST_SETTING: Final = 2**31 - 1

_WIDEST: Final = 8
"""Most bytes of a pixel in a gzip tile; astropy tells by the size of the tile how many there are."""

_CODEC_ERRORS: Final = (
    CfitsioException,
    VerifyError,
    zlib.error,
    OSError,
    EOFError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What astropy and its codecs were seen to raise, or may by their source, on content that is not what it claims."""


@dataclass(frozen=True, slots=True)
class StoredSegments(Sequence[NDArray[np.int32]]):
    """The segments of a raw file as they are stored; each is read when it is asked for.

    All segments of a detector in memory take four times the file. What needs one at a time asks `read_into` for it, with
    a buffer that is used again and again; an item is a new array, read-only.

    Raises
    ------
    BadLayout
        By reading: if it is stored in an impossible way, holds no whole numbers, or no counts of the converter.
    BadFile
        By reading: if compressed content is damaged.
    """

    content: bytes
    images: tuple[Hdu, ...]
    name: str

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.int32]: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[NDArray[np.int32], ...]: ...

    def __getitem__(self, index: int | slice) -> NDArray[np.int32] | tuple[NDArray[np.int32], ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        pixels = np.empty(self.images[index].image_shape, np.int32)
        self.read_into(index, pixels)
        pixels.flags.writeable = False
        return pixels

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return (self[i] for i in range(len(self)))

    def shape_of(self, index: int) -> tuple[int, int]:
        """Shape (ny, nx) of a segment, without reading it."""
        return self.images[index].image_shape

    def read_into(self, index: int, pixels: NDArray[np.int32]) -> None:
        """Read one segment [adu] into an array of its shape."""
        hdu = self.images[index]
        _read_image(self.content, hdu, pixels, self.name)
        _check_counts(pixels, hdu, self.name)


def read_images(content: bytes, images: Sequence[Hdu], *, name: str) -> tuple[NDArray[np.int32], ...]:
    """Read the pixels of images of one size.

    Parameters
    ----------
    content
        The whole file.
    images
        Its image HDUs, their shapes checked and alike.
    name
        The file's name, for messages.

    Returns
    -------
    tuple of array
        Pixels [adu], each int32 of shape (ny, nx), read-only, all within 0 to `HIGHEST_COUNT`.

    Raises
    ------
    BadLayout
        If they are stored in an impossible way, are no whole numbers, or no counts of the converter.
    BadFile
        If compressed content is damaged.
    """
    stored = StoredSegments(content, tuple(images), name)
    pixels = np.empty((len(images), *images[0].image_shape), np.int32)
    for index, image in enumerate(pixels):
        stored.read_into(index, image)
    pixels.flags.writeable = False
    return tuple(pixels)


def _read_image(content: bytes, hdu: Hdu, pixels: NDArray[np.int32], name: str) -> None:
    if _is_plain_int32(hdu):
        stored = np.frombuffer(content, ">i4", count=pixels.size, offset=hdu.data_start)
        pixels[...] = stored.reshape(pixels.shape)
        return
    if hdu.is_compressed:
        _check_tiling(hdu, name)
    if _is_rice_int32(hdu):
        _decode_rice(content, hdu, pixels, name)
    else:
        _read_with_astropy(content, hdu, pixels, name)


def _check_counts(pixels: NDArray[np.int32], hdu: Hdu, name: str) -> None:
    """Refuse what the converter cannot have given; as unsigned numbers, negative ones are too large as well."""
    if pixels.view(np.uint32).max() > HIGHEST_COUNT:
        raise _no_counts(hdu, int(pixels.min()), int(pixels.max()), name)


def _no_counts(hdu: Hdu, least: int, most: int, name: str) -> BadLayout:
    return BadLayout(
        f"{hdu.extname} holds what the converter cannot give",
        subject=name,
        expected=f"counts from 0 to {HIGHEST_COUNT}",
        found=f"{least} to {most}",
    )


def _check_tiling(hdu: Hdu, name: str) -> None:
    """Refuse settings of the compression that cannot be, before they are used."""
    cards = hdu.cards
    if cards.get("ZCMPTYPE") not in _CODECS:
        raise _bad_setting(hdu, "ZCMPTYPE", f"one of {', '.join(sorted(_CODECS))}", cards.get("ZCMPTYPE"), name)
    if not 1 <= hdu.number("TFIELDS") <= _MOST_COLUMNS:
        raise _bad_setting(hdu, "TFIELDS", f"1 to {_MOST_COLUMNS}", cards.get("TFIELDS"), name)
    for axis, size in zip((2, 1), hdu.image_shape, strict=True):
        keyword = f"ZTILE{axis}"
        if keyword in cards and not 1 <= hdu.number(keyword) <= size:
            raise _bad_setting(hdu, keyword, f"1 to {size}", cards[keyword], name)
    _check_table(hdu, name)
    for keyword in (keyword for keyword in cards if keyword.startswith("ZVAL")):
        setting, value = cards.get(f"ZNAME{keyword.removeprefix('ZVAL')}"), cards[keyword]
        possible = _SETTINGS.get(str(setting))
        if possible is not None and hdu.number(keyword) not in possible:
            wanted = " or ".join(map(str, sorted(possible)))
            raise _bad_setting(hdu, f"{keyword} ({setting})", f"{wanted}, a whole number", value, name)
        if not _is_size(value):
            raise _bad_setting(hdu, keyword, f"0 to {_LARGEST_SETTING}", value, name)


def _check_table(hdu: Hdu, name: str) -> None:
    """Refuse a table that has not one row for each tile, or tiles finer than the rows of the image: they take for ever."""
    height, width = hdu.image_shape
    tiles = -(-height // hdu.number("ZTILE2", 1)) * -(-width // hdu.number("ZTILE1", width))
    if hdu.number("NAXIS2") != tiles or tiles > height:
        raise BadLayout(
            f"the tile table of {hdu.extname} does not fit its image",
            subject=name,
            expected=f"{tiles} rows, and no more than {height}",
            found=f"{hdu.number('NAXIS2')} rows",
        )


def _is_size(value: Card) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= _LARGEST_SETTING


def _bad_setting(hdu: Hdu, keyword: str, expected: str, found: Card, name: str) -> BadLayout:
    return BadLayout(f"{hdu.extname} has an impossible {keyword}", subject=name, expected=expected, found=repr(found))


def _is_plain_int32(hdu: Hdu) -> bool:
    cards = hdu.cards
    return not hdu.is_compressed and cards.get("BITPIX") == 32 and _unscaled(cards)


def _is_rice_int32(hdu: Hdu) -> bool:
    """Tell whether it is what the summit writes: RICE_1, one column, tiles of whole rows of 32-bit integers."""
    cards = hdu.cards
    settings = {cards.get(f"ZNAME{n}"): cards.get(f"ZVAL{n}") for n in (1, 2)}
    return (
        cards.get("ZCMPTYPE") in {"RICE_1", "RICE_ONE"}
        and cards.get("ZBITPIX") == 32
        and cards.get("TFIELDS") == 1
        and str(cards.get("TFORM1")).lstrip("1").startswith(("PB", "QB"))
        and cards.get("ZTILE1", cards.get("ZNAXIS1")) == cards.get("ZNAXIS1")
        and hdu.image_shape[0] % hdu.number("ZTILE2", 1) == 0
        and settings.get("BYTEPIX", 4) == 4
        and settings.get("BLOCKSIZE", 32) in {16, 32}
        and _unscaled(cards)
    )


def _unscaled(cards: Mapping[str, object]) -> bool:
    return cards.get("BSCALE", 1) == 1 and cards.get("BZERO", 0) == 0


def _decode_rice(content: bytes, hdu: Hdu, pixels: NDArray[np.int32], name: str) -> None:
    cards = hdu.cards
    tiles = hdu.image_shape[0] // hdu.number("ZTILE2", 1)
    settings = {cards.get(f"ZNAME{n}"): hdu.number(f"ZVAL{n}") for n in (1, 2)}
    lengths, starts = _descriptors(content, hdu, tiles, name)
    some_more = min(hdu.data_size + SLACK, len(content) - hdu.data_start)
    data = np.frombuffer(content, np.uint8, count=some_more, offset=hdu.data_start)
    bad = decode_tiles(data, starts, lengths, pixels.reshape(tiles, -1), block=settings.get("BLOCKSIZE", 32))
    if bad >= 0:
        raise BadFile(
            f"a compressed tile of {hdu.extname} is damaged",
            subject=name,
            expected="RICE_1 data",
            found=f"noise in tile {bad}",
        )


def _descriptors(content: bytes, hdu: Hdu, tiles: int, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read where the tiles are, as (lengths, starts) [bytes] within the data unit, and check that they are in it."""
    wide = "Q" in str(hdu.cards.get("TFORM1"))
    row, rows = (16 if wide else 8), hdu.number("NAXIS2")
    if hdu.number("NAXIS1") != row or rows != tiles:
        raise BadLayout(
            f"the tile table of {hdu.extname} does not fit its image",
            subject=name,
            expected=f"{tiles} rows of {row} bytes",
            found=f"{rows} rows of {hdu.number('NAXIS1')} bytes",
        )
    table = np.frombuffer(content, ">i8" if wide else ">i4", count=2 * tiles, offset=hdu.data_start).reshape(tiles, 2)
    lengths = table[:, 0].astype(np.int64)
    starts = table[:, 1].astype(np.int64) + hdu.number("THEAP", row * tiles)
    outside = (lengths < 0) | (starts < 0) | (lengths > hdu.data_size) | (starts > hdu.data_size - lengths)
    if outside.any():
        raise BadFile(
            f"a compressed tile of {hdu.extname} lies outside its table",
            subject=name,
            expected=f"within {hdu.data_size} bytes",
            found=f"tile {int(outside.argmax())} elsewhere",
        )
    return lengths, starts


def _read_with_astropy(content: bytes, hdu: Hdu, pixels: NDArray[np.int32], name: str) -> None:
    """Read an image that is stored in a way the summit does not use."""
    alone = content[: hdu.data_start] if hdu.index == 0 else _primary_block() + content[hdu.header_start : hdu.end]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with astropy_fits.open(io.BytesIO(alone), memmap=False) as opened:
                _check_gzip_tiles(opened[1], hdu, name)
                data = np.asarray(opened[1].data)
    except _CODEC_ERRORS as error:
        raise BadFile(
            f"{hdu.extname} cannot be decompressed",
            subject=name,
            expected="pixels",
            found=str(error) or type(error).__name__,
        ) from error
    if not np.issubdtype(data.dtype, np.integer) or data.shape != hdu.image_shape:
        raise BadLayout(
            f"{hdu.extname} does not hold counts",
            subject=name,
            expected=f"whole numbers, shape {hdu.image_shape}",
            found=f"{data.dtype.name}, shape {data.shape}",
        )
    least, most = int(data.min()), int(data.max())
    if least < 0 or most > HIGHEST_COUNT:
        raise _no_counts(hdu, least, most, name)
    pixels[...] = data


def _check_gzip_tiles(image: object, hdu: Hdu, name: str) -> None:
    """Refuse gzip tiles that hold more than their pixels, before astropy unpacks them without a limit."""
    if not isinstance(image, astropy_fits.CompImageHDU):
        return
    limit = _WIDEST * min(math.prod(image.tile_shape), math.prod(hdu.image_shape))
    for tile in _gzip_tiles(image):
        stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        unpacked = len(stream.decompress(tile, limit + 1))
        if unpacked > limit or stream.unused_data.lstrip(b"\0"):
            raise BadLayout(
                f"a gzip tile of {hdu.extname} holds more than its pixels",
                subject=name,
                expected=f"one stream of up to {limit} bytes",
                found="more",
            )


def _gzip_tiles(image: astropy_fits.CompImageHDU) -> Iterator[bytes]:
    """Give the tiles that astropy will take for gzip, from where it will take them."""
    table, rows = image._bintable, image.compressed_data  # noqa: SLF001
    heap_start = table._data_offset + table._theap  # noqa: SLF001
    heap = table._get_raw_data(table.header["PCOUNT"], np.uint8, heap_start)  # noqa: SLF001
    columns = ["COMPRESSED_DATA"] if image.compression_type.startswith("GZIP") else []
    columns += [column for column in rows.dtype.names if column == "GZIP_COMPRESSED_DATA"]
    for column in columns:
        width = _column_dtype(rows.columns, column).itemsize
        for size, start in np.array(rows[column]):
            if size:
                yield heap[start : start + size * width].tobytes()


def _primary_block() -> bytes:
    cards = (
        b"SIMPLE  =                    T",
        b"BITPIX  =                    8",
        b"NAXIS   =                    0",
        b"END",
    )
    return b"".join(card.ljust(80) for card in cards).ljust(2880)
