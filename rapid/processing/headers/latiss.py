"""LATISS: its own rules, and what was wrong with its headers between two dates (TAI)."""

from __future__ import annotations

import math
from datetime import datetime
from typing import ClassVar, Final

from rapid.processing.headers.cards import bad_card, element, number, word
from rapid.processing.headers.pointing import AUXTEL, Site
from rapid.processing.headers.reading import Reading

__all__ = ["LatissReading", "fix_latiss", "fix_times"]

_FIRST_LIGHT: Final = datetime(2020, 1, 1)  # noqa: DTZ001 - TAI has no zone
_DETECTOR_068_FROM: Final = datetime(2019, 6, 24)  # noqa: DTZ001
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


class LatissReading(Reading):
    """One detector behind a filter and a disperser, on the auxiliary telescope."""

    instrument: ClassVar[str] = "LATISS"
    code: ClassVar[str] = "AT"
    telescope: ClassVar[str] = "Rubin Auxiliary Telescope"
    site: ClassVar[Site] = AUXTEL
    first_light: ClassVar[datetime] = _FIRST_LIGHT

    def _detector(self) -> tuple[str, str, int]:
        return "RXX", "R00_S00", 0

    def _detector_serial(self) -> str | None:
        return word(self._cards, "LSST_NUM") or word(self._cards, "DETSER")

    def _physical_filter(self) -> str:
        return f"{element(self._cards, 'FILTER')}~{element(self._cards, 'GRATING')}"

    def _disperser(self, physical_filter: str) -> str:
        return physical_filter.partition("~")[2]

    def _dark_time(self) -> float:
        """Early dark times are shorter than the exposure."""
        given = super()._dark_time()
        return max(given, self._exposure_time)

    def _has_no_exposure_time(self) -> bool:
        """In the laboratory, and under the camera's own control, it was left out at times."""
        return self._begin <= self.first_light or self._identity.controller != "O"

    def _observation_type(self) -> str:
        found = word(self._cards, "OBSTYPE") or word(self._cards, "IMGTYPE")
        in_the_laboratory = self._begin <= self.first_light
        if found is None:
            if not in_the_laboratory:
                raise bad_card(self._name, "IMGTYPE", "an observation type", self._cards.get("IMGTYPE"))
            return "bias" if self._exposure_time == 0 else "unknown"
        kind = found.lower()
        if kind == "object" and in_the_laboratory:
            return "labobject"
        return "science" if kind in {"object", "skyexp"} else kind


def fix_times(cards: Cards) -> None:
    """Replace the times of headers written with a clock at its epoch (late 2019) by the time the file was written."""
    if not str(cards.get("DATE-OBS") or "").startswith("1970"):
        return
    cards["DATE-OBS"] = cards["DATE-BEG"] = cards.get("DATE")
    cards["MJD-OBS"] = cards["MJD-BEG"] = cards.get("MJD")
    cards["DATE-END"] = cards["MJD-END"] = None


def fix_latiss(cards: Cards, begin: datetime) -> None:
    """Make the cards of a LATISS header what they should have been, for an exposure begun at this time."""
    if begin > _DETECTOR_068_FROM:
        cards["LSST_NUM"] = "ITL-3800C-068"
    if begin < _END_WRONG_UNTIL:
        cards["DATE-END"] = cards["MJD-END"] = None
    if cards.get("SHUTTIME"):
        cards["SHUTTIME"] = None
    _fix_type(cards, begin)
    _fix_pointing(cards, begin)
    _fix_site(cards)
    _fix_object(cards, begin)


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


def _fix_site(cards: Cards) -> None:
    """Put the observatory back on the southern hemisphere."""
    z = number(cards, "OBSGEO-Z")
    if z is not None and z > 0:
        cards["OBSGEO-Z"] = -z


def _fix_object(cards: Cards, begin: datetime) -> None:
    target = cards.get("OBJECT")
    if begin < _SPECTRUM_PREFIX_UNTIL and isinstance(target, str):
        cards["OBJECT"] = target.removeprefix("spec:")
    if "OBJECT" not in cards and cards.get("IMGTYPE") == "OBJECT":
        cards["OBJECT"] = "NOTSET"


def _change(cards: Cards, keywords: tuple[str, ...], *, factor: float = 1.0, offset: float = 0.0) -> None:
    for keyword in keywords:
        value = number(cards, keyword)
        if value is not None:
            cards[keyword] = value * factor + offset
