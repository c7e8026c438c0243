"""From the cards of a raw file to an `ExposureInfo`.

The rules are those of the observatory's own header translator; `rapid.processing.header_fixes` first sets right what is
known to be wrong. A card that is missing, undefined or unreadable is None all along.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final

from rapid.errors import BadHeader, UnknownInstrument
from rapid.processing.exposure import ExposureInfo
from rapid.processing.header_fixes import ON_MOUNTAIN, fix_identity, fix_latiss, fix_times
from rapid.processing.ids import CONTROLLERS, SIMULATED_CONTROLLERS, exposure_id, parse_obs_id

__all__ = ["translate"]

_INSTRUMENTS: Final = {"LATISS": "LATISS", "LSST_ATISS": "LATISS"}
_MJD_ZERO: Final = datetime(1858, 11, 17)  # noqa: DTZ001 - TAI has no zone
_DAY_ROLLS: Final = timedelta(hours=12)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_ON_SKY_TYPES: Final = frozenset({"science"})
_DARK_TYPES: Final = frozenset({"bias", "dark"})
_CALIBRATION_TYPES: Final = frozenset({"bias", "dark", "flat"})
_HECTOPASCAL_BELOW: Final = 10_000
_LONGEST: Final = 86_400.0
_LAST_YEAR: Final = 2999
_LAST_MJD: Final = 400_000
"""What no exposure can exceed [s], and the last dates believed: impossible ones must not overflow anybody's calendar."""

Cards = Mapping[str, object]


def translate(header: Mapping[str, object], *, name: str) -> ExposureInfo:
    """Say what a LATISS header says, corrected.

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
        If what cannot be done without is missing or impossible: identity, time of begin, exposure time, and, since the
        camera writes it, the observation type.
    """
    given = dict(header)
    instrument = _instrument(given, name)
    fix_identity(given, name)
    fix_times(given)
    begin = _begin(given, name)
    cards = fix_latiss(given, begin)
    return _Reading(cards, name, begin).info(instrument)


def _instrument(cards: Cards, name: str) -> str:
    found = _word(cards, "INSTRUME")
    if found is None:
        raise BadHeader("the card INSTRUME is missing or undefined", subject=name, expected=_known(), found="none")
    if found not in _INSTRUMENTS:
        raise UnknownInstrument("no header rules for this camera", subject=name, expected=_known(), found=repr(found))
    return _INSTRUMENTS[found]


def _known() -> str:
    return " or ".join(sorted(set(_INSTRUMENTS.values())))


class _Reading:
    """The cards of one header being read, each rule a method."""

    def __init__(self, cards: Cards, name: str, begin: datetime) -> None:
        self._cards, self._name, self._begin = cards, name, begin
        self._exposure_time = self._duration()
        self._type = self._observation_type()
        self._on_sky = self._is_on_sky()

    def info(self, instrument: str) -> ExposureInfo:
        cards = self._cards
        obs_id, day_obs, seq_num, controller = self._identity()
        number = self._number_of(day_obs, seq_num, controller)
        physical_filter = f"{_element(cards, 'FILTER')}~{_element(cards, 'GRATING')}"
        ra, dec = self._position()
        azimuth, elevation = self._horizontal()
        return ExposureInfo(
            instrument=instrument,
            obs_id=obs_id,
            day_obs=day_obs,
            seq_num=seq_num,
            controller=controller,
            exposure_id=number,
            detector=0,
            detector_name="R00_S00",
            begin_tai=_isot(self._begin),
            end_tai=_isot(self._end()),
            exposure_time=self._exposure_time,
            dark_time=max(_number(cards, "DARKTIME") or 0.0, self._exposure_time),
            observation_type=self._type,
            observation_reason=(_word(cards, "REASON") or _word(cards, "TESTTYPE") or "unknown").lower(),
            physical_filter=physical_filter,
            band=_bands().get(physical_filter, "unknown"),
            disperser=physical_filter.partition("~")[2],
            object=_word(cards, "OBJECT") or "UNKNOWN",
            program=_word(cards, "PROGRAM") or "unknown",
            group=_word(cards, "GROUPID") or str(number),
            ra=ra,
            dec=dec,
            azimuth=azimuth,
            elevation=elevation,
            airmass=self._airmass(elevation),
            rotator_angle=_first(_number(cards, "ROTPA"), _number(cards, "ROTANGLE")),
            focus_z=_number(cards, "FOCUSZ"),
            temperature=_number(cards, "AIRTEMP"),
            pressure=self._pressure(),
            humidity=_number(cards, "HUMIDITY"),
            dimm_seeing=_number(cards, "SEEING"),
            on_sky=self._on_sky,
            can_see_sky=self._can_see_sky(),
            vignetting=_word(cards, "VIGN_MIN"),
            simulated=self._is_simulated(controller),
        )

    def _identity(self) -> tuple[str, int, int, str]:
        parts = parse_obs_id(_word(self._cards, "OBSID") or "")
        if parts is None:
            raise self._bad("OBSID", "AT_O_YYYYMMDD_NNNNNN", self._cards.get("OBSID"))
        day_obs, seq_num = _whole(self._cards, "DAYOBS"), _whole(self._cards, "SEQNUM")
        if day_obs != parts.day_obs:
            raise self._bad("DAYOBS", f"{parts.day_obs} as in OBSID", self._cards.get("DAYOBS"))
        if seq_num != parts.seq_num:
            raise self._bad("SEQNUM", f"{parts.seq_num} as in OBSID", self._cards.get("SEQNUM"))
        implied = parts.controller if parts.controller in CONTROLLERS else CONTROLLERS[0]
        return parts.obs_id, day_obs, seq_num, _word(self._cards, "CONTRLLR") or implied

    def _number_of(self, day_obs: int, seq_num: int, controller: str) -> int:
        try:
            return exposure_id(day_obs, seq_num, controller)
        except BadHeader as error:
            raise BadHeader(error.what, subject=self._name, expected=error.expected, found=error.found) from error

    def _duration(self) -> float:
        seconds = _number(self._cards, "EXPTIME")
        if seconds is None or not 0 <= seconds <= _LONGEST:
            raise self._bad("EXPTIME", "seconds, up to a day", self._cards.get("EXPTIME"))
        return seconds

    def _end(self) -> datetime:
        return _moment(self._cards, "DATE-END") or self._begin + timedelta(seconds=self._exposure_time)

    def _observation_type(self) -> str:
        found = _word(self._cards, "OBSTYPE") or _word(self._cards, "IMGTYPE")
        if found is None:
            if self._begin > ON_MOUNTAIN:
                raise self._bad("IMGTYPE", "an observation type", self._cards.get("IMGTYPE"))
            return "bias" if self._exposure_time == 0 else "unknown"
        kind = found.lower()
        if kind in {"object", "skyexp"}:
            return "science" if self._begin > ON_MOUNTAIN or kind == "skyexp" else "labobject"
        return kind

    def _is_on_sky(self) -> bool:
        local = (_word(self._cards, "TRACKSYS") or "").lower() == "local"
        return self._begin > ON_MOUNTAIN and not local and self._type not in _CALIBRATION_TYPES

    def _position(self) -> tuple[float | None, float | None]:
        """Tracking position: none for a bias or flat, nor when the telescope was not tracking on the sky."""
        tracking = _word(self._cards, "TRACKSYS")
        if self._type in {"bias", "flat"} or (tracking is not None and tracking != "RADEC"):
            return None, None
        for stem in ("START", ""):
            ra, dec = _number(self._cards, f"RA{stem}"), _number(self._cards, f"DEC{stem}")
            if ra is not None and dec is not None and abs(dec) <= 90:
                return ra % 360, dec
        return None, None

    def _horizontal(self) -> tuple[float | None, float | None]:
        azimuth, elevation = _number(self._cards, "AZSTART"), _number(self._cards, "ELSTART")
        if self._begin <= ON_MOUNTAIN or azimuth is None or elevation is None:
            return None, None
        return azimuth % 360, min(elevation, 90.0)

    def _airmass(self, elevation: float | None) -> float | None:
        if not self._on_sky:
            return None
        given = _number(self._cards, "AMSTART")
        if given is not None or elevation is None or elevation <= 0:
            return given
        return 1 / math.sin(math.radians(elevation))

    def _pressure(self) -> float | None:
        """Pa; a small value was written in hPa."""
        value = _number(self._cards, "PRESSURE")
        return value * 100 if value is not None and value < _HECTOPASCAL_BELOW else value

    def _can_see_sky(self) -> bool | None:
        if _number(self._cards, "SHUTTIME") == 0:
            return False
        vignetted = _word(self._cards, "VIGN_MIN")
        if vignetted is not None:
            return {"FULLY": False, "UNKNOWN": None}.get(vignetted, True)
        if self._type in _DARK_TYPES:
            return False
        return True if self._type in _ON_SKY_TYPES else None

    def _is_simulated(self, controller: str) -> bool:
        flags = (value for key, value in self._cards.items() if "SIMULATE" in key)
        return controller in SIMULATED_CONTROLLERS or any(flag not in {None, False} for flag in flags)

    def _bad(self, card: str, expected: str, found: object) -> BadHeader:
        shown = "no such card, or an undefined one" if found is None else repr(found)
        return BadHeader(f"the card {card} cannot be used", subject=self._name, expected=expected, found=shown)


def _begin(cards: Cards, name: str) -> datetime:
    for stem in ("BEG", "OBS"):
        days = _number(cards, f"MJD-{stem}")
        if days is not None:
            return _from_mjd(days, f"MJD-{stem}", name)
        moment = _moment(cards, f"DATE-{stem}")
        if moment is not None:
            return moment
    found = [f"{card} = {cards[card]!r}" for card in ("DATE-BEG", "DATE-OBS") if cards.get(card) is not None]
    raise BadHeader(
        "the header does not say when the exposure began",
        subject=name,
        expected="MJD-BEG, DATE-BEG, MJD-OBS or DATE-OBS",
        found=", ".join(found) or "none of them",
    )


def _from_mjd(days: float, card: str, name: str) -> datetime:
    if not 0 <= days <= _LAST_MJD:
        raise BadHeader(f"the card {card} cannot be used", subject=name, expected="a date", found=repr(days))
    return _MJD_ZERO + timedelta(days=days)


def _moment(cards: Cards, card: str) -> datetime | None:
    """Read a date; one with a zone is none, since TAI has none and nobody knows what was meant."""
    try:
        moment = datetime.fromisoformat(_word(cards, card) or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is None and moment.year <= _LAST_YEAR else None


def _isot(moment: datetime) -> str:
    """Write a time to the nearest millisecond."""
    return (moment + timedelta(microseconds=500)).isoformat(timespec="milliseconds")


def _element(cards: Cards, card: str) -> str:
    """Name of what is in a wheel: ``empty`` for its free places, ``unknown`` when nobody says."""
    found = _word(cards, card)
    if found is None:
        return "unknown"
    return "empty" if found.lower().startswith("empty") else found


def _word(cards: Cards, card: str) -> str | None:
    value = cards.get(card)
    return str(value).strip() or None if value is not None else None


def _number(cards: Cards, card: str) -> float | None:
    value = cards.get(card)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _whole(cards: Cards, card: str) -> int | None:
    """Read a whole number that may be written as text, a day also as YYYY-MM-DD."""
    word = _word(cards, card) or ""
    digits = word.replace("-", "") if _DAY.fullmatch(word) else word
    return int(digits) if digits.isdecimal() else None


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


@cache
def _bands() -> dict[str, str]:
    text = files("rapid.processing").joinpath("data", "filters.json").read_text(encoding="utf-8")
    table: dict[str, str] = json.loads(text)["LATISS"]
    return table
