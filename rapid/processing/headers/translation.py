"""Which camera a header is of, and the order in which it is corrected and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from rapid.errors import BadHeader, UnknownInstrument
from rapid.processing.exposure import ExposureInfo
from rapid.processing.headers.cards import Cards, word
from rapid.processing.headers.corrections import corrections
from rapid.processing.headers.identity import fill_identity
from rapid.processing.headers.latiss import LatissReading, fix_latiss, fix_times
from rapid.processing.headers.lsstcam import ComCamReading, LsstCamReading, fix_comcam, fix_lsstcam
from rapid.processing.headers.reading import Reading
from rapid.processing.headers.times import begin_of

__all__ = ["corrected", "instruments", "translate"]

Fix = Callable[[dict[str, object], datetime], None]

_CAMERAS: Final[Mapping[str, tuple[type[Reading], Fix]]] = {
    "latiss": (LatissReading, fix_latiss),
    "lsst_atiss": (LatissReading, fix_latiss),
    "lsstcam": (LsstCamReading, fix_lsstcam),
    "comcam": (ComCamReading, fix_comcam),
}
"""By INSTRUME, in small letters."""


def instruments() -> tuple[str, ...]:
    """List the cameras whose headers are understood."""
    return tuple(dict.fromkeys(reading.instrument for reading, _ in _CAMERAS.values()))


def translate(header: Mapping[str, object], *, name: str) -> ExposureInfo:
    """Say what the header of a raw file, or of a guider's stamps, says, corrected.

    Parameters
    ----------
    header
        Cards of the primary HDU; undefined ones None.
    name
        The file's name: for messages, and for the identity of files whose header does not give it.

    Raises
    ------
    UnknownInstrument
        If it is of a camera without rules.
    BadHeader
        If what cannot be done without is missing or impossible: identity, detector, time of begin, exposure time, and,
        since the cameras write it, the observation type.
    """
    reading, fix = _camera(header, name)
    cards, begin = _corrected(header, name, fix)
    return reading(cards, name, begin).info()


def corrected(header: Mapping[str, object], *, name: str) -> dict[str, object]:
    """Return the cards of a header as they should have been: what `translate` reads.

    Raises
    ------
    UnknownInstrument, BadHeader
        If the camera is not known, or not when the exposure began.
    """
    _, fix = _camera(header, name)
    return _corrected(header, name, fix)[0]


def _corrected(header: Mapping[str, object], name: str, fix: Fix) -> tuple[dict[str, object], datetime]:
    cards = dict(header)
    obs_id = fill_identity(cards, name)
    if obs_id is not None:
        cards.update(corrections(obs_id))
    fix_times(cards)
    begin = begin_of(cards, name)
    fix(cards, begin)
    return cards, begin


def _camera(cards: Cards, name: str) -> tuple[type[Reading], Fix]:
    found = word(cards, "INSTRUME")
    if found is None:
        raise BadHeader("the card INSTRUME is missing or undefined", subject=name, expected=_known(), found="none")
    key = found.lower()
    if key == "lsst_camera" and word(cards, "TELCODE") == "CC":
        key = "comcam"  # so the laboratory called it in 2019
    if key not in _CAMERAS:
        raise UnknownInstrument("no header rules for this camera", subject=name, expected=_known(), found=repr(found))
    return _CAMERAS[key]


def _known() -> str:
    *others, last = instruments()
    return f"{', '.join(others)} or {last}"
