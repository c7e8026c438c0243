"""Checksums of a FITS file: whether what is read is what was written.

DATASUM is the ones' complement sum of a data unit, taken as big-endian 32-bit words; with CHECKSUM the sum of a whole HDU
is all ones (FITS 4.0, section 4.4.2.7 and appendix J).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from rapid.errors import BadFile
from rapid.processing.hdus import Hdu

__all__ = ["Checksums", "check_sums"]


class Checksums(StrEnum):
    """What is asked of the checksums of a file.

    IGNORED
        Nothing.
    PRESENT
        A DATASUM of an image that disagrees with its data is an error, as long as most of the file's images agree with
        theirs. Damage hits a few of them; where most disagree, somebody has put other pixels into the file and left the
        sums as they were, as it is with the published test raws, and the sums say nothing. CHECKSUM is not looked at: it
        becomes wrong with any card that is added later.
    REQUIRED
        Every HDU must have both, and both must agree.
    """

    IGNORED = "ignored"
    PRESENT = "present"
    REQUIRED = "required"


def check_sums(content: bytes, hdus: Sequence[Hdu], policy: Checksums, *, name: str) -> None:
    """Compare the checksums of a file with what it holds.

    Raises
    ------
    BadFile
        If one is wrong, or missing where it is required; see `Checksums`.
    """
    if policy is Checksums.REQUIRED:
        for hdu in hdus:
            _require(content, hdu, name)
    elif policy is Checksums.PRESENT:
        told = [hdu for hdu in hdus if hdu.is_image and isinstance(hdu.cards.get("DATASUM"), str)]
        wrong = [hdu for hdu in told if not _data_agree(content, hdu)]
        if wrong and 2 * len(wrong) < len(told):
            raise _wrong(content, wrong[0], name)


def _require(content: bytes, hdu: Hdu, name: str) -> None:
    for keyword in ("DATASUM", "CHECKSUM"):
        if not isinstance(hdu.cards.get(keyword), str):
            raise BadFile(
                f"HDU {hdu.index} ({hdu.extname}) has no {keyword}", subject=name, expected="one", found="no such card"
            )
    if not _data_agree(content, hdu):
        raise _wrong(content, hdu, name)
    total = _sum(content, hdu.header_start, hdu.end)
    if total != 0xFFFF_FFFF:
        raise BadFile(
            f"the CHECKSUM of HDU {hdu.index} ({hdu.extname}) is wrong",
            subject=name,
            expected="a sum of all ones",
            found=f"{total:#010x}",
        )


def _wrong(content: bytes, hdu: Hdu, name: str) -> BadFile:
    return BadFile(
        f"the data of HDU {hdu.index} ({hdu.extname}) are not those that were written",
        subject=name,
        expected=f"DATASUM {hdu.cards.get('DATASUM')}",
        found=str(_sum(content, hdu.data_start, hdu.end)),
    )


def _data_agree(content: bytes, hdu: Hdu) -> bool:
    told = str(hdu.cards.get("DATASUM")).strip()
    return told.isdigit() and int(told) == _sum(content, hdu.data_start, hdu.end)


def _sum(content: bytes, start: int, end: int) -> int:
    words = np.frombuffer(content, ">u4", count=(end - start) // 4, offset=start).astype(np.uint32)
    total = int(words.sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFF_FFFF) + (total >> 32)
    return total
