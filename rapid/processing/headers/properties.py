"""An exposure in the words and units of the observatory's own header translators.

For whoever speaks to the observatory's archive. Where nobody measured, that archive puts a number (a focus of 0 mm, an
angle of 0 degrees, an airmass of 1, -1 s); an `ExposureInfo` says None, and only here do these numbers appear.
"""

from __future__ import annotations

import math
from typing import Final

from rapid.processing.exposure import ExposureInfo

__all__ = ["standard_properties"]

Value = str | int | float | bool | tuple[float, ...] | None


def standard_properties(info: ExposureInfo) -> dict[str, Value]:
    """Return the properties of an exposure by the names that `astro_metadata_translator` defines.

    Times are ISO 8601 in TAI; angles degrees, positions (ra, dec) in ICRS and (elevation, azimuth); spans of time seconds,
    lengths metres but `focus_z` millimetres, temperature degree Celsius, pressure Pa, humidity percent.

    Raises
    ------
    BadHeader
        If a number cannot be made: see `ExposureInfo.visit_id` and `ExposureInfo.detector_exposure_id`.
    """
    return {**_identity(info), **_camera(info), **_times(info), **_pointing(info), **_conditions(info)}


def _identity(info: ExposureInfo) -> dict[str, Value]:
    return {
        "instrument": info.instrument,
        "telescope": info.telescope,
        "observation_id": info.obs_id,
        "observing_day": info.day_obs,
        "observing_day_offset": info.day_obs_offset,
        "observation_counter": info.seq_num,
        "exposure_id": info.exposure_id,
        "visit_id": info.visit_id,
        "exposure_group": info.group,
        "group_counter_start": info.group_counter_start,
        "group_counter_end": info.group_counter_end,
        "observation_type": info.observation_type,
        "observation_reason": info.observation_reason,
        "science_program": info.program,
        "object": info.object,
        "has_simulated_content": info.simulated,
    }


def _camera(info: ExposureInfo) -> dict[str, Value]:
    slot = info.detector_name.partition("_")[2]
    return {
        "detector_exposure_id": info.detector_exposure_id,
        "detector_group": info.detector_group,
        "detector_name": slot,
        "detector_num": info.detector,
        "detector_serial": info.detector_serial,
        "detector_unique_name": f"{info.detector_group}_{slot}",
        "physical_filter": info.physical_filter,
        "focus_z": info.focus_z or 0.0,
    }


def _times(info: ExposureInfo) -> dict[str, Value]:
    return {
        "datetime_begin": info.begin_tai,
        "datetime_end": info.end_tai,
        "exposure_time": _span(info, info.exposure_time),
        "exposure_time_requested": _span(info, info.exposure_time_requested),
        "dark_time": _span(info, info.dark_time),
    }


def _span(info: ExposureInfo, seconds: float | None) -> float | None:
    """For LATISS -1 s stands for a time that nobody told."""
    unknown = seconds is None or math.isnan(seconds)
    return -1.0 if unknown and info.instrument == "LATISS" else seconds


def _pointing(info: ExposureInfo) -> dict[str, Value]:
    return {
        "tracking_radec": _pair(info.ra, info.dec),
        "altaz_begin": _pair(info.elevation, info.azimuth),
        "altaz_end": _pair(info.elevation_end, info.azimuth_end),
        "boresight_airmass": 1.0 if info.airmass is None and info.on_sky else info.airmass,
        "boresight_rotation_angle": _NO_ANGLE[info.instrument] if info.rotator_angle is None else info.rotator_angle,
        "boresight_rotation_coord": info.rotator_coord,
        "location": info.location,
    }


_NO_ANGLE: Final = {"LATISS": math.nan, "LSSTCam": 0.0, "LSSTComCam": 0.0}


def _conditions(info: ExposureInfo) -> dict[str, Value]:
    return {
        "temperature": info.temperature,
        "pressure": info.pressure,
        "relative_humidity": info.humidity,
        "can_see_sky": info.can_see_sky,
    }


def _pair(one: float | None, other: float | None) -> tuple[float, float] | None:
    return None if one is None or other is None else (one, other)
