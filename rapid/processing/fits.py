"""Raw files from disk or memory: opened by what they contain, checked, decompressed.

The only module of the core that touches the disk.
"""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from astropy.io import fits as astropy_fits
from astropy.io.fits.verify import VerifyError
from numpy.typing import NDArray

from rapid.errors import BadFile, BadLayout, NotAvailable, TruncatedFile
from rapid.processing.frame import RawDetector
from rapid.processing.hdus import Hdu, walk
from rapid.processing.rice import decode_tiles

__all__ = ["CONTENT_LIMIT", "SEGMENTS", "RawSource", "is_complete", "read_raw"]

RawSource = Path | bytes
"""Where a raw file is, or its content."""

CONTENT_LIMIT: Final = 128 * 2**20
"""Most bytes taken of one file, before and after gzip; an uncompressed raw has 76 million."""

SEGMENTS: Final = 16
"""Amplifiers of a science detector."""

_RAW_HDUS: Final = 1 + SEGMENTS
_WIDTHS: Final = range(512, 1025)
_HEIGHTS: Final = range(2000, 2305)
"""Sizes an amplifier image can have: the smallest imaging area of the cameras' detectors (509 x 2000 after 3 columns of
prescan) up to generous overscans."""

_ORDER: Final = tuple(f"SEGMENT{n:02d}" for n in (*range(10, 18), *range(7, -1, -1)))
_GUIDER_NAME: Final = re.compile(r"_guider\.fits(\.(fz|gz))?$")
_GZIP: Final = b"\x1f\x8b"


def read_raw(source: RawSource, *, name: str) -> RawDetector:
    """Read one raw file.

    Parameters
    ----------
    source
        Where it is, or its content: plain FITS or gzip, whatever the suffix; images may be tile-compressed.
    name
        The file's name, for messages.

    Returns
    -------
    RawDetector
        Primary cards (undefined and unreadable ones are None) and the pixels [adu] of the segments, exactly as stored.

    Raises
    ------
    NotAvailable
        If the file is not there.
    NotFits, TruncatedFile
        If the content is not FITS, or ends too early.
    BadLayout
        If the segments are not those of a science detector.
    BadFile
        If compressed content is damaged.
    """
    content = _plain(_content(source, name), name)
    hdus = tuple(walk(lambda offset, size: content[offset : offset + size], len(content), name=name))
    images = tuple(hdu for hdu in hdus if hdu.is_image)
    header = _primary_cards(content[: hdus[0].data_start])
    _refuse_guider(hdus, images, name)
    _check_layout(images, name)
    segments = _read_segments(content, images, name)
    return RawDetector(name, header, segments)


def is_complete(path: Path) -> bool:
    """Tell whether a file is a whole uncompressed-on-the-outside raw: its length is exactly what its headers say.

    Only headers are read. False for anything that is not (yet) a FITS file with the HDUs of a raw; also for a gzip stream,
    whose end cannot be known without reading it; and for a file that is gone.
    """
    try:
        with path.open("rb") as stream:
            length = stream.seek(0, io.SEEK_END)

            def read(offset: int, size: int) -> bytes:
                stream.seek(offset)
                return stream.read(size)

            return sum(1 for _ in walk(read, length, name=path.name)) >= _RAW_HDUS
    except (BadFile, OSError):
        return False


def _content(source: RawSource, name: str) -> bytes:
    if isinstance(source, bytes):
        content = source
    else:
        try:
            with source.open("rb") as stream:
                content = stream.read(CONTENT_LIMIT + 1)
        except OSError as error:
            raise NotAvailable(f"{name}: the file cannot be read: {error.strerror or error}") from error
    if len(content) > CONTENT_LIMIT:
        raise BadLayout("larger than any raw file", subject=name, expected=f"up to {CONTENT_LIMIT} bytes", found="more")
    return content


def _plain(content: bytes, name: str) -> bytes:
    """Undo gzip, if it is that, taking no more memory than a raw can need."""
    pieces: list[bytes] = []
    taken = 0
    while content.startswith(_GZIP):
        stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            pieces.append(stream.decompress(content, CONTENT_LIMIT + 1 - taken))
        except zlib.error as error:
            raise BadFile("the gzip stream is damaged", subject=name, expected="gzip data", found=str(error)) from error
        taken += len(pieces[-1])
        if taken > CONTENT_LIMIT:
            raise BadLayout(
                "unpacks to more than any raw file", subject=name, expected=f"up to {CONTENT_LIMIT} bytes", found="more"
            )
        if not stream.eof:
            raise TruncatedFile(
                "the gzip stream has no end",
                subject=name,
                expected="a whole stream",
                found=f"{len(content)} bytes of one",
            )
        content = stream.unused_data
    return b"".join(pieces) if pieces else content


def _primary_cards(block: bytes) -> Mapping[str, object]:
    """Read all cards of the primary header; commentary is left out, of repeated cards the first counts."""
    cards: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for card in astropy_fits.Header.fromstring(block.decode("latin-1")).cards:
            if card.keyword in {"COMMENT", "HISTORY", "", "END"}:
                continue
            cards.setdefault(card.keyword, _card_value(card))
    return cards


def _card_value(card: astropy_fits.Card) -> object:
    try:
        value = card.value
    except VerifyError:
        return None
    return None if isinstance(value, astropy_fits.card.Undefined) else value


def _refuse_guider(hdus: Sequence[Hdu], images: Sequence[Hdu], name: str) -> None:
    stamps = bool(images) and all(hdu.extname.upper() == "IMAGE" for hdu in images)
    if "N_STAMPS" in hdus[0].cards or stamps or _GUIDER_NAME.search(name):
        raise BadLayout(
            "a guider stamp file, not a science raw",
            subject=name,
            expected=f"{SEGMENTS} segments",
            found=f"{len(images)} stamps",
        )


def _check_layout(images: Sequence[Hdu], name: str) -> None:
    if len(images) != SEGMENTS:
        raise BadLayout("wrong number of segments", subject=name, expected=str(SEGMENTS), found=str(len(images)))
    for hdu, expected in zip(images, _ORDER, strict=True):
        found = hdu.extname.upper()
        if found in _ORDER and found != expected:
            raise BadLayout(
                "the segments are in another order than the camera writes them",
                subject=name,
                expected=f"{expected.title()} in HDU {hdu.index}",
                found=hdu.extname,
            )
    for hdu in images:
        height, width = hdu.image_shape
        if width not in _WIDTHS or height not in _HEIGHTS or hdu.image_shape != images[0].image_shape:
            raise BadLayout(
                f"{hdu.extname} has a size that the camera cannot have",
                subject=name,
                expected=f"{_WIDTHS.start} to {_WIDTHS.stop - 1} x {_HEIGHTS.start} to {_HEIGHTS.stop - 1} pixels, all alike",
                found=f"{width} x {height}",
            )


def _read_segments(content: bytes, images: Sequence[Hdu], name: str) -> tuple[NDArray[np.int32], ...]:
    pixels = np.empty((len(images), *images[0].image_shape), np.int32)
    for hdu, segment in zip(images, pixels, strict=True):
        if _is_plain_int32(hdu):
            segment[...] = np.frombuffer(content, ">i4", count=segment.size, offset=hdu.data_start).reshape(
                segment.shape
            )
        elif _is_rice_int32(hdu):
            _decode_rice(content, hdu, segment, name)
        else:
            segment[...] = _read_with_astropy(content, hdu, name)
    pixels.flags.writeable = False
    return tuple(pixels)


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
    data = np.frombuffer(content, np.uint8, count=hdu.data_size, offset=hdu.data_start)
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


def _read_with_astropy(content: bytes, hdu: Hdu, name: str) -> NDArray[np.int32]:
    """Read an image that is stored in a way the summit does not use."""
    alone = content[: hdu.data_start] if hdu.index == 0 else _primary_block() + content[hdu.header_start : hdu.end]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with astropy_fits.open(io.BytesIO(alone), memmap=False) as opened:
                data = np.asarray(opened[1].data)
    except (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError, zlib.error, VerifyError) as error:
        raise BadFile(
            f"{hdu.extname} cannot be decompressed", subject=name, expected="pixels", found=str(error)
        ) from error
    if not np.issubdtype(data.dtype, np.integer) or data.shape != hdu.image_shape:
        raise BadLayout(
            f"{hdu.extname} does not hold counts",
            subject=name,
            expected=f"whole numbers, shape {hdu.image_shape}",
            found=f"{data.dtype.name}, shape {data.shape}",
        )
    return data.astype(np.int32)


def _primary_block() -> bytes:
    cards = (
        b"SIMPLE  =                    T",
        b"BITPIX  =                    8",
        b"NAXIS   =                    0",
        b"END",
    )
    return b"".join(card.ljust(80) for card in cards).ljust(2880)
