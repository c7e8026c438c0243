"""LSSTCam and LSSTComCam: their own rules, and what was wrong with their headers on some days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from rapid.errors import BadHeader
from rapid.processing.geometry import detectors
from rapid.processing.headers.cards import number, whole, word
from rapid.processing.headers.reading import Reading
from rapid.processing.headers.times import pacific_offset

__all__ = ["ComCamReading", "LsstCamReading", "fix_comcam", "fix_lsstcam"]

Cards = dict[str, object]
Runs = Mapping[int, tuple[tuple[int, int], ...]]
"""First and last seq_num of runs, by day_obs."""

_ALL: Final = ((0, 99_999),)
_DOME_CLOSED: Final[Runs] = {
    20250518: _ALL,
    20250703: ((743, 745),),
    20250704: ((832, 834),),
    20250705: ((1, 736),),
    20250707: ((744, 823), (864, 943)),
    20250714: ((258, 781),),
    20250715: ((205, 1218),),
    20250819: ((4, 1052),),
}
"""Calibrations whose headers say that the dome was open."""

_FILTER_WAS: Final[Mapping[str, Runs]] = {"z_20": {20250609: ((76, 578),)}, "i_39": {20260315: ((49, 109),)}}
_TEST_PROGRAM_MISNAMED: Final = frozenset({20250415})
"""Closed-loop tests of the optics that went under the name of a survey, BLOCK-417, until they had their own. The observatory
corrects more days than this one; which, is not published where we could read it."""

_PINHOLE_MISNAMED: Final = frozenset({20231107, 20231108, 20241015, 20241016})
_ROTATOR_OF_COMCAM: Final = range(20250302, 20250422)
_ROTATOR_FLIPPED: Final[Runs] = {20250422: ((0, 250),)}
_TO_CHILE: Final = datetime(2020, 3, 13)  # noqa: DTZ001 - TAI has no zone


class LsstCamReading(Reading):
    """The camera of 205 detectors. In the laboratory the day followed US Pacific time; phosim's headers are of the sky."""

    instrument: ClassVar[str] = "LSSTCam"
    code: ClassVar[str] = "MC"
    first_light: ClassVar[datetime] = datetime(2025, 3, 1)  # noqa: DTZ001
    shipped: ClassVar[datetime] = datetime(2024, 5, 1)  # noqa: DTZ001
    """From here on the day rolls at noon, as everywhere on the summit."""

    def _detector(self) -> tuple[str, str, int]:
        raft, slot = word(self._cards, "RAFTBAY"), word(self._cards, "CCDSLOT")
        known, name = detectors(self.instrument), f"{raft}_{slot}"
        if name not in known:
            names = list(known)
            raise BadHeader(
                "the header names no detector of this camera",
                subject=self._name,
                expected=f"RAFTBAY and CCDSLOT as one of {names[0]} to {names[-1]}",
                found=f"{raft or 'none'} and {slot or 'none'}",
            )
        return name.partition("_")[0], name, known[name].number

    def _physical_filter(self) -> str:
        named = (word(self._cards, card) for card in ("FILTER", "FILTER1", "FILTER2"))
        joined = "~".join(part for part in named if part).replace("NONE", "none") or "unknown"
        while joined.endswith("~empty"):
            joined = joined.removesuffix("~empty")
        return joined

    def _program(self) -> str:
        return word(self._cards, "PROGRAM") or word(self._cards, "RUNNUM") or "unknown"

    def _day_obs_offset(self) -> float:
        return super()._day_obs_offset() if self._begin >= self.shipped else pacific_offset(self._begin)

    def _is_on_telescope(self) -> bool:
        return super()._is_on_telescope() or self._is_of_phosim()

    def _measured_exposure_time(self) -> float:
        """Time the shutter was open; it stays closed for a dark."""
        measured = number(self._cards, "SHUTTIME")
        return (
            super()._measured_exposure_time()
            if measured is None or measured <= 0
            else self._checked(measured, "SHUTTIME")
        )

    def _can_see_sky(self) -> bool | None:
        return super()._can_see_sky() if self._on_telescope else False

    def _can_see_sky_by_type(self) -> bool | None:
        return super()._can_see_sky_by_type() if self._is_of_phosim() else None

    def _is_of_phosim(self) -> bool:
        return self._identity.controller == "H"


class ComCamReading(LsstCamReading):
    """The commissioning camera: one raft of nine detectors."""

    instrument: ClassVar[str] = "LSSTComCam"
    code: ClassVar[str] = "CC"
    first_light: ClassVar[datetime] = datetime(2024, 8, 24)  # noqa: DTZ001
    shipped: ClassVar[datetime] = datetime(2020, 3, 1)  # noqa: DTZ001

    def _detector_serial(self) -> str | None:
        return super()._detector_serial() or detectors(self.instrument)[self._detector()[1]].serial


def fix_lsstcam(cards: Cards, begin: datetime) -> None:  # noqa: ARG001 - days and counts decide, not times
    """Make the cards of an LSSTCam header what they should have been."""
    day_obs, seq_num = whole(cards, "DAYOBS") or 0, whole(cards, "SEQNUM") or 0
    _fix_filter(cards, day_obs, seq_num)
    _fix_rotator(cards, day_obs, seq_num)
    if day_obs in _TEST_PROGRAM_MISNAMED and cards.get("PROGRAM") == "BLOCK-417":
        cards["PROGRAM"] = "BLOCK-T417"
    if _holds(_DOME_CLOSED, day_obs, seq_num):
        cards["VIGN_MIN"] = "FULLY"


def fix_comcam(cards: Cards, begin: datetime) -> None:
    """Make the cards of a ComCam header what they should have been."""
    given = cards.get("FILTER")
    if given in ("r", ""):
        cards["FILTER"] = "empty" if begin > _TO_CHILE else "r_03"
    elif given is None:
        cards["FILTER"] = "unknown"


def _fix_filter(cards: Cards, day_obs: int, seq_num: int) -> None:
    if "FILTER" not in cards:
        cards["FILTER2"] = None
    if day_obs in _PINHOLE_MISNAMED and cards.get("FILTER") == "ph_05":
        cards["FILTER"] = "ph_5"
    for physical_filter, runs in _FILTER_WAS.items():
        if _holds(runs, day_obs, seq_num):
            cards["FILTER"] = physical_filter


def _fix_rotator(cards: Cards, day_obs: int, seq_num: int) -> None:
    """Turn the angles of the first weeks on the telescope; an exact 0 is what nobody measured."""
    angle = number(cards, "ROTPA")
    if not angle:
        return
    if day_obs in _ROTATOR_OF_COMCAM:
        cards["ROTPA"] = angle - 90
    elif _holds(_ROTATOR_FLIPPED, day_obs, seq_num):
        cards["ROTPA"] = angle % 360 - 180


def _holds(runs: Runs, day_obs: int, seq_num: int) -> bool:
    return any(first <= seq_num <= last for first, last in runs.get(day_obs, ()))
