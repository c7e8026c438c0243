"""How the cards of one header are read: the rules that the observatory's cameras share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from rapid.processing.exposure import ExposureInfo
from rapid.processing.headers.bands import band_of
from rapid.processing.headers.cards import Cards, bad_card, first, number, numeral, whole, word
from rapid.processing.headers.identity import identity_of
from rapid.processing.headers.pointing import (
    SIMONYI,
    Direction,
    Site,
    horizontal,
    site_of,
    tracking,
)
from rapid.processing.headers.times import isot, moment
from rapid.processing.ids import SIMULATED_CONTROLLERS

__all__ = ["Reading"]

_CALIBRATION_TYPES: Final = frozenset({"bias", "dark", "flat"})
_HECTOPASCAL_BELOW: Final = 10_000
_LONGEST: Final = 86_400.0
"""What no exposure can exceed [s]."""

_NOON: Final = 43_200.0
_CLOCK_TRUSTED: Final = datetime(2021, 1, 1)  # noqa: DTZ001 - TAI has no zone
"""Until then a header may have the time of its file for that of its exposure (see `fix_times`)."""

_MOST_IN_GROUP: Final = 100_000
_VIGNETTED: Final[Mapping[str, bool | None]] = {"FULLY": False, "UNKNOWN": None}


class Reading(ABC):
    """The cards of one header being read; each rule is a method, and a camera's own rules are in a subclass.

    Parameters
    ----------
    cards
        Corrected.
    name
        Of the file, for messages.
    begin
        Of the exposure, TAI.
    """

    instrument: ClassVar[str]
    code: ClassVar[str]
    telescope: ClassVar[str] = "Simonyi Survey Telescope"
    site: ClassVar[Site] = SIMONYI
    first_light: ClassVar[datetime]
    """From here on the camera is on its telescope; before, cards about telescope and sky mean nothing."""

    def __init__(self, cards: Cards, name: str, begin: datetime) -> None:
        self._cards, self._name, self._begin = cards, name, begin
        self._identity, self._number = identity_of(cards, name, self.code)
        self._requested = self._requested_exposure_time()
        self._exposure_time = self._measured_exposure_time()
        self._type = self._observation_type()
        self._on_telescope = self._is_on_telescope()
        self._on_sky = self._is_on_sky()
        self._horizontal = horizontal(cards, "START") if self._on_telescope else (None, None)

    def info(self) -> ExposureInfo:
        """Say what the header says."""
        return ExposureInfo(
            **self._who(), **self._when(), **self._what_for(), **self._where_to(), **self._through_what()
        )

    def _who(self) -> dict[str, Any]:
        identity = self._identity
        group_name, detector_name, number_in_camera = self._detector()
        return {
            "instrument": self.instrument,
            "telescope": self.telescope,
            "obs_id": identity.obs_id,
            "day_obs": identity.day_obs,
            "day_obs_offset": self._day_obs_offset(),
            "seq_num": identity.seq_num,
            "controller": identity.controller,
            "exposure_id": self._number,
            "detector": number_in_camera,
            "detector_name": detector_name,
            "detector_group": group_name,
            "detector_serial": self._detector_serial(),
        }

    def _when(self) -> dict[str, Any]:
        return {
            "begin_tai": isot(self._begin),
            "end_tai": isot(self._end()),
            "exposure_time": self._exposure_time,
            "exposure_time_requested": self._requested,
            "dark_time": self._dark_time(),
        }

    def _what_for(self) -> dict[str, Any]:
        cards = self._cards
        first_in_group, last_in_group = self._group_counters()
        return {
            "observation_type": self._type,
            "observation_reason": (word(cards, "REASON") or word(cards, "TESTTYPE") or "unknown").lower(),
            "object": word(cards, "OBJECT") or "UNKNOWN",
            "program": self._program(),
            "group": word(cards, "GROUPID") or str(self._number),
            "group_counter_start": first_in_group,
            "group_counter_end": last_in_group,
            "simulated": self._is_simulated(),
        }

    def _where_to(self) -> dict[str, Any]:
        cards, (azimuth, elevation) = self._cards, self._horizontal
        ra, dec, frame = self._position()
        azimuth_end, elevation_end = horizontal(cards, "END") if self._on_telescope else (None, None)
        return {
            "ra": ra,
            "dec": dec,
            "tracking_frame": frame,
            "azimuth": azimuth,
            "elevation": elevation,
            "azimuth_end": azimuth_end,
            "elevation_end": elevation_end,
            "airmass": self._airmass(elevation),
            "rotator_angle": first(number(cards, "ROTPA"), number(cards, "ROTANGLE")),
            "rotator_coord": (word(cards, "ROTCOORD") if self._on_sky else None) or "unknown",
            "location": site_of(cards, self.site) if self._on_telescope else None,
            "on_sky": self._on_sky,
        }

    def _through_what(self) -> dict[str, Any]:
        cards, physical_filter = self._cards, self._physical_filter()
        return {
            "physical_filter": physical_filter,
            "band": band_of(self.instrument, physical_filter),
            "disperser": self._disperser(physical_filter),
            "focus_z": numeral(cards, "FOCUSZ"),
            "temperature": number(cards, "AIRTEMP"),
            "pressure": self._pressure(),
            "humidity": number(cards, "HUMIDITY"),
            "dimm_seeing": number(cards, "SEEING"),
            "can_see_sky": self._can_see_sky(),
            "vignetting": word(cards, "VIGN_MIN"),
        }

    # --- what each camera says in its own way --------------------------------------------------------------------------

    @abstractmethod
    def _detector(self) -> tuple[str, str, int]:
        """Group, name within the camera and number of the detector."""

    @abstractmethod
    def _physical_filter(self) -> str:
        """Name of what is in the beam."""

    def _detector_serial(self) -> str | None:
        return word(self._cards, "LSST_NUM")

    def _disperser(self, physical_filter: str) -> str:  # noqa: ARG002 - only a spectrograph has one
        return ""

    def _program(self) -> str:
        return word(self._cards, "PROGRAM") or "unknown"

    def _day_obs_offset(self) -> float:
        return _NOON

    def _is_on_telescope(self) -> bool:
        return self._begin > self.first_light

    # --- time ----------------------------------------------------------------------------------------------------------

    def _requested_exposure_time(self) -> float | None:
        seconds = number(self._cards, "EXPTIME")
        may_be_left_out = self._cards.get("EXPTIME") is None and self._has_no_exposure_time()
        return None if may_be_left_out else self._checked(seconds, "EXPTIME")

    def _has_no_exposure_time(self) -> bool:
        """Whether such a file is written without one: a guider's stamps have none of the exposure's."""
        return whole(self._cards, "N_STAMPS") is not None

    def _checked(self, seconds: float | None, card: str) -> float:
        if seconds is None or not 0 <= seconds <= _LONGEST:
            raise bad_card(self._name, card, "seconds, up to a day", self._cards.get(card))
        return seconds

    def _measured_exposure_time(self) -> float:
        return self._guider_time() if self._requested is None else self._requested

    def _guider_time(self) -> float:
        """Time a guider collected light in all its stamps, NaN where the header does not say."""
        stamps, milliseconds = whole(self._cards, "N_STAMPS"), number(self._cards, "ROIMILLI")
        if stamps is None or milliseconds is None or not 0 <= stamps * milliseconds <= 1000 * _LONGEST:
            return math.nan
        return stamps * milliseconds / 1000

    def _dark_time(self) -> float:
        given = number(self._cards, "DARKTIME")
        return self._exposure_time if given is None or not 0 <= given <= _LONGEST else given

    def _end(self) -> datetime:
        known = 0.0 if math.isnan(self._exposure_time) else self._exposure_time
        return moment(self._cards, "DATE-END") or self._begin + timedelta(seconds=known)

    # --- what for ------------------------------------------------------------------------------------------------------

    def _observation_type(self) -> str:
        found = word(self._cards, "IMGTYPE")
        if found is None:
            raise bad_card(self._name, "IMGTYPE", "an observation type", self._cards.get("IMGTYPE"))
        return "science" if found.lower() in {"object", "skyexp"} else found.lower()

    def _group_counters(self) -> tuple[int, int]:
        """Find the seq_num of the first and the last exposure of the group, of which this is the CURINDEX-th of MAXINDEX."""
        seq_num, place, last = self._identity.seq_num, whole(self._cards, "CURINDEX"), whole(self._cards, "MAXINDEX")
        if place is None or place > _MOST_IN_GROUP:
            return seq_num, seq_num
        end = seq_num if last is None or last > _MOST_IN_GROUP else seq_num + last - place
        return seq_num - place + 1, end

    def _is_simulated(self) -> bool:
        """Whether a card of the kind ``SIMULATE ATDOME`` is set: 1 or true; 0, false and undefined are not."""
        flags = (value for key, value in self._cards.items() if "SIMULATE" in key)
        return self._identity.controller in SIMULATED_CONTROLLERS or any(flags)

    # --- where to ------------------------------------------------------------------------------------------------------

    def _is_on_sky(self) -> bool:
        local = (word(self._cards, "TRACKSYS") or "").lower() == "local"
        return self._on_telescope and not local and self._type not in _CALIBRATION_TYPES

    def _position(self) -> tuple[float | None, float | None, str | None]:
        """Tracked position: none for a bias or flat, nor when the telescope was not tracking on the sky."""
        system = self._cards.get("TRACKSYS")
        if self._type in {"bias", "flat"} or (system is not None and system != "RADEC"):
            return None, None, None
        if self._clock_was_lost():
            direction = self._position_from_horizontal()
            return (*direction, "icrs") if direction else (None, None, None)
        found = tracking(self._cards)
        return (*found[0], found[1]) if found else (None, None, None)

    def _clock_was_lost(self) -> bool:
        """Whether RA and Dec, computed from a wrong time, mean nothing: the time of the exposure is that of its file."""
        obs = self._cards.get("DATE-OBS")
        lost = obs is not None and obs == self._cards.get("DATE")
        return lost and self.first_light < self._begin < _CLOCK_TRUSTED

    def _position_from_horizontal(self) -> Direction | None:
        azimuth, elevation = self._horizontal
        if azimuth is None or elevation is None:
            return None
        from rapid.processing.headers.horizon import icrs_of_horizontal  # noqa: PLC0415 - takes a second, and is rare

        return icrs_of_horizontal(azimuth, elevation, self._begin, site_of(self._cards, self.site))

    def _airmass(self, elevation: float | None) -> float | None:
        if not self._on_sky:
            return None
        given = number(self._cards, "AMSTART")
        if given is not None or elevation is None or elevation <= 0:
            return given
        return 1 / math.sin(math.radians(elevation))

    # --- conditions ----------------------------------------------------------------------------------------------------

    def _pressure(self) -> float | None:
        """Pa; a small value was written in hPa."""
        value = number(self._cards, "PRESSURE")
        return value * 100 if value is not None and value < _HECTOPASCAL_BELOW else value

    def _can_see_sky(self) -> bool | None:
        if number(self._cards, "SHUTTIME") == 0:
            return False
        vignetted = word(self._cards, "VIGN_MIN")
        if vignetted is not None:
            return _VIGNETTED.get(vignetted, True)
        return self._can_see_sky_by_type()

    def _can_see_sky_by_type(self) -> bool | None:
        if self._type in {"bias", "dark"}:
            return False
        return True if self._type == "science" else None
