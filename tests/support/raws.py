"""Raw files as they should not be, each made from a good one."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
from astropy.io import fits

__all__ = ["as_exposure", "edited_header", "with_hdus"]

_OBS_ID = re.compile(rb"AT_O_(\d{8})_(\d{6})")


def as_exposure(raw: bytes, seq_num: int) -> bytes:
    """Make a raw file be another exposure of its night: every card that names it is changed in place."""
    found = _OBS_ID.search(raw)
    assert found
    old = found[0]
    new = b"AT_O_%s_%06d" % (found[1], seq_num)
    renamed = raw.replace(old, new)
    card = re.search(rb"SEQNUM  =\s+(\d+)", renamed)
    assert card
    text = card[0]
    number = b"%d" % seq_num
    changed = (
        text[: len(text) - len(number)] + number
        if len(number) > len(card[1])
        else text.replace(card[1], number.rjust(len(card[1])))
    )
    assert len(changed) == len(text)
    return renamed.replace(text, changed, 1)


def obs_id_of(raw: bytes) -> str:
    """Read the exposure's name."""
    found = _OBS_ID.search(raw)
    assert found
    return found[0].decode()


def edited_header(raw: bytes, change: Callable[[fits.Header], None]) -> bytes:
    """Change the primary header."""

    def edit(hdus: fits.HDUList) -> None:
        change(hdus[0].header)

    return with_hdus(raw, edit)


def with_hdus(raw: bytes, change: Callable[[fits.HDUList], None]) -> bytes:
    """Change the list of HDUs, whose tables stay compressed as they are."""
    with fits.open(io.BytesIO(raw), disable_image_compression=True, memmap=False) as hdus:
        for hdu in hdus:
            _ = hdu.data
        change(hdus)
        out = io.BytesIO()
        hdus.writeto(out, output_verify="silentfix")
    return out.getvalue()


def drop(*names: str) -> Callable[[fits.Header], None]:
    """Remove cards."""

    def change(header: fits.Header) -> None:
        for name in names:
            header.remove(name, ignore_missing=True)

    return change


def undefine(*names: str) -> Callable[[fits.Header], None]:
    """Leave cards without a value."""

    def change(header: fits.Header) -> None:
        for name in names:
            header[name] = fits.card.UNDEFINED

    return change


def fewer_segments(hdus: fits.HDUList) -> None:
    """Leave out one amplifier."""
    del hdus[5]


def smaller_segment(hdus: fits.HDUList) -> None:
    """Put a pixel array of another size in place of one amplifier."""
    name = hdus[3].header["EXTNAME"]
    hdus[3] = fits.ImageHDU(np.zeros((100, 100), np.int32), name=name)
