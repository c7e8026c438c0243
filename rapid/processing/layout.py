"""Which images a raw file may hold: segments of a whole detector, half a wavefront sensor's, or a guider's stamps.

Only headers are looked at; nothing is allocated before its size is known to be one that the cameras write.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rapid.errors import BadLayout, TruncatedFile
from rapid.processing.hdus import Hdu

__all__ = [
    "MOST_STAMPS",
    "MOST_STAMP_PIXELS",
    "SCIENCE_SEGMENTS",
    "WAVEFRONT_SEGMENTS",
    "check_segments",
    "check_stamps",
    "least_hdus",
    "refuse_guider",
    "slot_of",
]

SCIENCE_SEGMENTS: Final = 16
"""Amplifiers of a science detector, or of a guider that is read as one."""

WAVEFRONT_SEGMENTS: Final = 8
"""Amplifiers of one half of a wavefront sensor."""

MOST_STAMPS: Final = 4096
"""Stamps of one file: at 10 a second seven minutes, and no exposure is longer than a few."""

MOST_STAMP_PIXELS: Final = 2**26
"""Pixels of all stamps of one file: 400 stamps of 400 x 400."""

_WIDTHS: Final = range(512, 1025)
_HEIGHTS: Final = range(2000, 2305)
"""Sizes an amplifier image can have: the smallest imaging area of the cameras' detectors (509 x 2000 after 3 columns of
prescan) up to generous overscans."""

_STAMP_SIDES: Final = range(1, 2049)
"""Columns and rows a stamp can have: no more than an amplifier has rows."""

_ORDER: Final = tuple(f"SEGMENT{n:02d}" for n in (*range(10, 18), *range(7, -1, -1)))
_GUIDER_NAME: Final = re.compile(r"_guider\.fits(\.(fz|gz))?$")
_SLOT: Final = re.compile(r"R\d\d[_-]?(S[\dGW]\d)")


def slot_of(primary: Hdu, name: str) -> str:
    """Return the place of the detector in its raft, ``S11`` or ``SW0``, from the header or the file's name; or nothing."""
    card, match = primary.cards.get("CCDSLOT"), _SLOT.search(name)
    if isinstance(card, str) and card.strip():
        return card.strip()
    return match[1] if match else ""


def least_hdus(primary: Hdu, name: str) -> int:
    """Count the HDUs without which a file cannot be whole: the primary one and the images."""
    stamps = primary.number("N_STAMPS")
    return 1 + (stamps if stamps >= 0 else _segments_of(primary, name))


def refuse_guider(primary: Hdu, images: Sequence[Hdu], name: str) -> None:
    """Tell a guider's stamps from the raw of a detector.

    Raises
    ------
    BadLayout
        If these are stamps.
    """
    if _is_guider(primary, images, name):
        raise BadLayout(
            "a guider stamp file, not a science raw",
            subject=name,
            expected=f"{_segments_of(primary, name)} segments",
            found=f"{len(images)} stamps",
        )


def check_segments(primary: Hdu, images: Sequence[Hdu], name: str) -> None:
    """Hold the images of a file against what the camera writes for such a detector.

    The halves of a wavefront sensor have eight segments, whose names are not sure: there only their order counts.

    Raises
    ------
    BadLayout
        If there are more or fewer, in another order, of different or impossible sizes.
    """
    wanted = _segments_of(primary, name)
    if len(images) != wanted:
        raise BadLayout("wrong number of segments", subject=name, expected=str(wanted), found=str(len(images)))
    if wanted == SCIENCE_SEGMENTS:
        _check_order(images, name)
    for hdu in images:
        height, width = hdu.image_shape
        if width not in _WIDTHS or height not in _HEIGHTS or hdu.image_shape != images[0].image_shape:
            raise BadLayout(
                f"{hdu.extname} has a size that the camera cannot have",
                subject=name,
                expected=f"{_WIDTHS.start} to {_WIDTHS.stop - 1} x {_HEIGHTS.start} to {_HEIGHTS.stop - 1} pixels, all alike",
                found=f"{width} x {height}",
            )


def check_stamps(primary: Hdu, images: Sequence[Hdu], name: str) -> None:
    """Hold the images of a file against what the camera writes for a guider.

    Raises
    ------
    TruncatedFile
        If there are fewer stamps than the header says.
    BadLayout
        If these are no stamps, too many, or of different or impossible sizes.
    """
    if not images or not _is_guider(primary, images, name):
        raise BadLayout("no guider stamp file", subject=name, expected="stamps", found=f"{len(images)} other images")
    said = primary.number("N_STAMPS", len(images))
    if said > len(images):
        raise TruncatedFile(
            "the file ends before its last stamp", subject=name, expected=f"{said} stamps", found=str(len(images))
        )
    if said != len(images):
        raise BadLayout("more stamps than the header says", subject=name, expected=str(said), found=str(len(images)))
    _check_stamp_sizes(images, name)


def _segments_of(primary: Hdu, name: str) -> int:
    return WAVEFRONT_SEGMENTS if slot_of(primary, name).startswith("SW") else SCIENCE_SEGMENTS


def _is_guider(primary: Hdu, images: Sequence[Hdu], name: str) -> bool:
    stamps = bool(images) and all(hdu.extname.upper() == "IMAGE" for hdu in images)
    return "N_STAMPS" in primary.cards or stamps or _GUIDER_NAME.search(name) is not None


def _check_order(images: Sequence[Hdu], name: str) -> None:
    for hdu, expected in zip(images, _ORDER, strict=True):
        found = hdu.extname.upper()
        if found in _ORDER and found != expected:
            raise BadLayout(
                "the segments are in another order than the camera writes them",
                subject=name,
                expected=f"{expected.title()} in HDU {hdu.index}",
                found=hdu.extname,
            )


def _check_stamp_sizes(images: Sequence[Hdu], name: str) -> None:
    for hdu in images:
        height, width = hdu.image_shape
        if width not in _STAMP_SIDES or height not in _STAMP_SIDES or hdu.image_shape != images[0].image_shape:
            raise BadLayout(
                f"stamp {hdu.index} has a size that a guider cannot have",
                subject=name,
                expected=f"up to {_STAMP_SIDES.stop - 1} x {_STAMP_SIDES.stop - 1} pixels, all alike",
                found=f"{width} x {height}",
            )
    height, width = images[0].image_shape
    if len(images) > MOST_STAMPS or len(images) * height * width > MOST_STAMP_PIXELS:
        raise BadLayout(
            "more stamps than any exposure has",
            subject=name,
            expected=f"up to {MOST_STAMPS} stamps and {MOST_STAMP_PIXELS} pixels",
            found=f"{len(images)} stamps of {width} x {height}",
        )
