"""Raw files from disk or memory: opened by what they contain, checked, decompressed.

The only module of the core that touches the disk.
"""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from astropy.io import fits as astropy_fits
from astropy.io.fits.verify import VerifyError

from rapid.errors import BadFile, BadLayout, NotAvailable, TruncatedFile
from rapid.processing.checksums import Checksums, check_sums
from rapid.processing.frame import RawDetector
from rapid.processing.guider import GuiderStamps, region_of, times_of
from rapid.processing.hdus import Hdu, walk
from rapid.processing.layout import check_segments, check_stamps, least_hdus, refuse_guider
from rapid.processing.pixels import StoredSegments, read_images

__all__ = ["CONTENT_LIMIT", "RawSource", "is_complete", "open_raw", "read_guider", "read_raw"]

RawSource = Path | bytes
"""Where a raw file is, or its content."""

CONTENT_LIMIT: Final = 128 * 2**20
"""Most bytes taken of one file, before and after gzip; an uncompressed raw has 76 million."""

_GZIP: Final = b"\x1f\x8b"

_MEMBERS: Final = 4096
"""Most gzip streams in one file: a raw in the blocks of 64 kB that bgzip writes has 1200."""

_SLICE: Final = 2**16
"""Bytes given to zlib at a time: what is behind the end of a stream is copied, and must not be the whole file."""


def read_raw(source: RawSource, *, name: str, checksums: Checksums = Checksums.PRESENT) -> RawDetector:
    """Read one raw file with all its pixels.

    Parameters
    ----------
    source
        Where it is, or its content: plain FITS or gzip, whatever the suffix; images may be tile-compressed.
    name
        The file's name, for messages.
    checksums
        What is asked of its checksums.

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
        If the segments are not those of a detector: 16, or 8 of one half of a wavefront sensor.
    BadFile
        If compressed content is damaged, or a checksum wrong.
    """
    raw, stored = _open(source, name, checksums)
    return replace(raw, segments=read_images(stored.content, stored.images, name=name))


def open_raw(source: RawSource, *, name: str, checksums: Checksums = Checksums.PRESENT) -> RawDetector:
    """Open one raw file: all is checked that can be without its pixels, which stay as they are stored.

    As `read_raw`, but for what is wrong with the pixels themselves: that is raised where a segment is read.
    """
    return _open(source, name, checksums)[0]


def _open(source: RawSource, name: str, checksums: Checksums) -> tuple[RawDetector, StoredSegments]:
    content, hdus = _walked(source, name)
    images = tuple(hdu for hdu in hdus if hdu.is_image)
    header = _primary_cards(content[: hdus[0].data_start])
    refuse_guider(hdus[0], images, name)
    check_segments(hdus[0], images, name)
    check_sums(content, hdus, checksums, name=name)
    stored = StoredSegments(content, images, name)
    return RawDetector(name, header, stored), stored


def read_guider(source: RawSource, *, name: str) -> GuiderStamps:
    """Read the stamps of one guider.

    Parameters
    ----------
    source, name
        As of `read_raw`.

    Raises
    ------
    NotAvailable
        If the file is not there.
    NotFits, TruncatedFile
        If the content is not FITS, or ends too early.
    BadLayout
        If it is another kind of file, or has more or larger stamps than any exposure.
    BadFile
        If compressed content is damaged.
    """
    content, hdus = _walked(source, name)
    images = tuple(hdu for hdu in hdus if hdu.is_image)
    check_stamps(hdus[0], images, name)
    header = _primary_cards(content[: hdus[0].data_start])
    check_sums(content, hdus, Checksums.PRESENT, name=name)
    stored = StoredSegments(content, images, name)
    stamps = np.empty((len(images), *images[0].image_shape), np.int32)
    for index, stamp in enumerate(stamps):
        stored.read_into(index, stamp)
    stamps.flags.writeable = False
    return GuiderStamps(name, header, stamps, times_of(images), region_of(header, images[0].image_shape))


def is_complete(path: Path) -> bool:
    """Tell whether a file is a whole uncompressed-on-the-outside raw: its length is exactly what its headers say.

    Only headers are read. False for anything that is not (yet) a FITS file with the images that its detector has, or that
    a guider's header promises; also for a gzip stream, whose end cannot be known without reading it; and for a file that is
    gone.
    """
    try:
        with path.open("rb") as stream:
            length = stream.seek(0, io.SEEK_END)

            def read(offset: int, size: int) -> bytes:
                stream.seek(offset)
                return stream.read(size)

            hdus = tuple(walk(read, length, name=path.name))
            return len(hdus) >= least_hdus(hdus[0], path.name)
    except (BadFile, OSError):
        return False


def _walked(source: RawSource, name: str) -> tuple[bytes, tuple[Hdu, ...]]:
    """Return the unpacked content and its HDUs."""
    content = _plain(_content(source, name), name)
    return content, tuple(walk(lambda offset, size: content[offset : offset + size], len(content), name=name))


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
    place = taken = 0
    for _ in range(_MEMBERS):
        if not content.startswith(_GZIP, place):
            return b"".join(pieces) if pieces else content
        place, taken = _unpack_member(content, place, taken, pieces, name)
    raise BadLayout("too many gzip streams in one file", subject=name, expected=f"fewer than {_MEMBERS}", found="more")


def _unpack_member(content: bytes, place: int, taken: int, pieces: list[bytes], name: str) -> tuple[int, int]:
    """Unpack one gzip stream, slice by slice; return where it ends, and how much all have given so far [bytes]."""
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    while not stream.eof:
        piece = content[place : place + _SLICE]
        if not piece:
            raise TruncatedFile(
                "the gzip stream has no end",
                subject=name,
                expected="a whole stream",
                found=f"{len(content)} bytes of one",
            )
        try:
            pieces.append(stream.decompress(piece, CONTENT_LIMIT + 1 - taken))
        except zlib.error as error:
            raise BadFile("the gzip stream is damaged", subject=name, expected="gzip data", found=str(error)) from error
        place += len(piece) - len(stream.unused_data)
        taken += len(pieces[-1])
        if taken > CONTENT_LIMIT:
            raise BadLayout(
                "unpacks to more than any raw file", subject=name, expected=f"up to {CONTENT_LIMIT} bytes", found="more"
            )
    return place, taken


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
