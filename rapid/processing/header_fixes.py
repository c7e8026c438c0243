"""What is known to be wrong in LATISS headers, by date (TAI), and how it is set right.

The dates and the rules are those the observatory uses for its own archive (obs_lsst, LATISS translator). Corrections of
single exposures are not among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from rapid.processing.ids import parse_obs_id

__all__ = ["ON_MOUNTAIN", "fix_identity", "fix_latiss", "fix_times"]

ON_MOUNTAIN: Final = datetime(2020, 1, 1)  # noqa: DTZ001 - TAI has no zone
"""From here on LATISS looks at the sky; before, its pointing cards mean nothing."""

_TYPE_IN_GROUP_UNTIL: Final = datetime(2019, 11, 7)  # noqa: DTZ001
_OBJECT_IS_ENGTEST_UNTIL: Final = datetime(2020, 1, 27, 20)  # noqa: DTZ001
_RADIANS_UNTIL: Final = datetime(2020, 1, 28, 22)  # noqa: DTZ001
_END_WRONG_UNTIL: Final = datetime(2020, 2, 1)  # noqa: DTZ001
_START_WRONG_UNTIL: Final = datetime(2020, 5, 1)  # noqa: DTZ001
_ROTATOR_FLIPPED: Final = (datetime(2020, 11, 19), datetime(2021, 10, 29))  # noqa: DTZ001
_HOURS_UNTIL: Final = datetime(2021, 2, 11, 18, 45)  # noqa: DTZ001
_UTC_OFFSET_UNTIL: Final = datetime(2021, 2, 12)  # noqa: DTZ001
_SPECTRUM_PREFIX_UNTIL: Final = datetime(2022, 7, 10)  # noqa: DTZ001

_SIDEREAL_DEGREES: Final = 37 / 3600 * 15
"""How far the sky turns in the 37 s between TAI and UTC."""

Cards = dict[str, object]


def fix_identity(cards: Cards, name: str) -> None:
    """Fill OBSID, DAYOBS and SEQNUM from the names a header or file carries, where they are missing."""
    places = (cards.get("OBSID"), cards.get("IMGNAME"), cards.get("FILENAME"), name)
    parts = next((found for place in places if (found := parse_obs_id(str(place or "")))), None)
    if parts is None:
        return
    if not cards.get("OBSID"):
        cards["OBSID"] = parts.obs_id
    if not cards.get("DAYOBS"):
        cards["DAYOBS"] = str(parts.day_obs)
    if cards.get("SEQNUM") is None:
        cards["SEQNUM"] = parts.seq_num


def fix_times(cards: Cards) -> None:
    """Replace the times of headers written with a clock at its epoch (late 2019) by the time the file was written."""
    if not str(cards.get("DATE-OBS") or "").startswith("1970"):
        return
    cards["DATE-OBS"] = cards["DATE-BEG"] = cards.get("DATE")
    cards["MJD-OBS"] = cards["MJD-BEG"] = cards.get("MJD")
    cards["DATE-END"] = cards["MJD-END"] = None


def fix_latiss(header: Mapping[str, object], begin: datetime) -> Cards:
    """Return the cards of a LATISS header as they should have been, for an exposure begun at this time."""
    cards = dict(header)
    if begin < _END_WRONG_UNTIL:
        cards["DATE-END"] = cards["MJD-END"] = None
    if cards.get("SHUTTIME"):
        cards["SHUTTIME"] = None
    _fix_type(cards, begin)
    _fix_pointing(cards, begin)
    _fix_object(cards, begin)
    return cards


def _fix_type(cards: Cards, begin: datetime) -> None:
    group = str(cards.get("GROUPID") or "")
    if begin < _TYPE_IN_GROUP_UNTIL and group and not group.startswith("test"):
        _take_type_from_group(cards, group)
    if begin < _OBJECT_IS_ENGTEST_UNTIL and cards.get("IMGTYPE") == "OBJECT":
        cards["IMGTYPE"] = "ENGTEST"


def _take_type_from_group(cards: Cards, group: str) -> None:
    """Undo the habit of early headers to give the type as the group: ``bias_0027_0100``, ``FOCUS3``, ``FLAT``."""
    if cards.get("IMGTYPE"):
        if cards["IMGTYPE"] == group:
            cards["GROUPID"] = None
    elif "_" in group:
        cards["IMGTYPE"] = group.partition("_")[0]
    elif group.upper() != "FOCUS" and group.upper().startswith("FOCUS"):
        cards["IMGTYPE"] = "FOCUS"
    else:
        cards["IMGTYPE"], cards["GROUPID"] = group, None


def _fix_pointing(cards: Cards, begin: datetime) -> None:
    if begin < _RADIANS_UNTIL:
        _change(cards, ("RA", "DEC"), factor=180 / math.pi)
    if begin < _START_WRONG_UNTIL:
        cards.update(dict.fromkeys(("RASTART", "DECSTART", "RAEND", "DECEND")))
    elif begin < _HOURS_UNTIL:
        _change(cards, ("RASTART", "RAEND"), factor=15)
    if _START_WRONG_UNTIL < begin < _UTC_OFFSET_UNTIL:
        _change(cards, ("RASTART", "RAEND"), offset=_SIDEREAL_DEGREES)
    if _ROTATOR_FLIPPED[0] < begin < _ROTATOR_FLIPPED[1]:
        _change(cards, ("ROTPA",), offset=-180)
    if cards.get("RADESYS") == "":
        cards["RADESYS"] = "ICRS"
    cards["TRACKSYS"] = {"": None, "SIDEREAL": "RADEC"}.get(str(cards.get("TRACKSYS") or ""), cards.get("TRACKSYS"))


def _fix_object(cards: Cards, begin: datetime) -> None:
    target = cards.get("OBJECT")
    if begin < _SPECTRUM_PREFIX_UNTIL and isinstance(target, str):
        cards["OBJECT"] = target.removeprefix("spec:")
    if "OBJECT" not in cards and cards.get("IMGTYPE") == "OBJECT":
        cards["OBJECT"] = "NOTSET"


def _change(cards: Cards, keywords: tuple[str, ...], *, factor: float = 1.0, offset: float = 0.0) -> None:
    for keyword in keywords:
        value = cards.get(keyword)
        if isinstance(value, int | float) and not isinstance(value, bool):
            cards[keyword] = value * factor + offset
