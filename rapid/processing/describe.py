"""The header part of an exposure's row."""

from __future__ import annotations

import math
from typing import Final

from rapid.processing.exposure import ExposureInfo
from rapid.processing.findings import Finding, Value, missing

__all__ = ["describe"]

_UNDEFINED: Final = "the header does not say"


_UNSAID: Final = "unknown"
"""The word that stands in an `ExposureInfo` for what nobody said, in any case."""


def describe(info: ExposureInfo) -> tuple[Finding, ...]:
    """Turn what the header says into findings, labelled as the columns of RubinTV are.

    Numbers stay numbers; what the header does not say is missing with the reason.
    """
    return (*_what(info), *_where(info), *_through_what(info), *_conditions(info))


def _what(info: ExposureInfo) -> tuple[Finding, ...]:
    return (
        _finding("exposure_time", _known(info.exposure_time), "Exposure time", "Time light was collected.", "s"),
        _finding("dark_time", _known(info.dark_time), "Darktime", "Time from clearing the sensor to reading it.", "s"),
        _finding(
            "image_type", info.observation_type, "Image type", "What the exposure is for: bias, dark, flat, science."
        ),
        _finding(
            "reason", info.observation_reason, "Reason", "Why the exposure was taken.", unsaid="no reason was given"
        ),
        _finding("date_begin", info.begin_tai, "Date begin", "Begin of the exposure (TAI)."),
        _finding("program", info.program, "Program", "Observing programme.", unsaid="no programme was set"),
        _finding("group_name", info.group, "Group name", "Exposures that belong together share it."),
        _finding("target", info.object, "Target", "What was pointed at.", unsaid="no target was set"),
        _finding(
            "controller", info.controller, "Controller", "Who ran the camera: O for the observatory's control system."
        ),
    )


def _where(info: ExposureInfo) -> tuple[Finding, ...]:
    no_position = _why_no_position(info)
    zenith_angle = None if info.elevation is None else 90 - info.elevation
    return (
        _finding("ra", info.ra, "RA", "Right ascension tracked at (ICRS).", "deg", why=no_position),
        _finding("dec", info.dec, "Dec", "Declination tracked at (ICRS).", "deg", why=no_position),
        _finding("sky_angle", info.rotator_angle, "Sky angle", "Boresight rotation angle on the sky.", "deg"),
        _finding("azimuth", info.azimuth, "Azimuth", "Azimuth at the begin of the exposure.", "deg"),
        _finding("zenith_angle", zenith_angle, "Zenith Angle", "Distance from the zenith at the begin.", "deg"),
        _finding("elevation", info.elevation, "Elevation", "Height above the horizon at the begin.", "deg"),
        _finding(
            "airmass", info.airmass, "Airmass", "Airmass at the begin.", why="" if info.on_sky else "not on the sky"
        ),
        _finding("can_see_sky", info.can_see_sky, "Can see the sky?", "Whether shutter and dome let the sky in."),
    )


def _through_what(info: ExposureInfo) -> tuple[Finding, ...]:
    return (
        _finding("filter", _filter(info), "Filter", "Physical filter in the beam.", unsaid="no filter was named"),
        *_disperser(info),
        _finding("focus_z", info.focus_z, "Focus Z", "Focus offset.", "mm"),
        _finding("vignetting_minimum", info.vignetting, "Vignetting minimum", "Least vignetting by the dome."),
    )


def _filter(info: ExposureInfo) -> str:
    """Name the filter alone, where the disperser is part of the physical filter's name."""
    return info.physical_filter.removesuffix(f"~{info.disperser}") if info.disperser else info.physical_filter


def _disperser(info: ExposureInfo) -> tuple[Finding, ...]:
    """Name the disperser of a spectrograph; a camera without one has no such column."""
    if not info.disperser:
        return ()
    what = "Grating or hologram in the beam."
    return (_finding("disperser", info.disperser, "Disperser", what, unsaid="no disperser was named"),)


def _conditions(info: ExposureInfo) -> tuple[Finding, ...]:
    return (
        _finding("dimm_seeing", info.dimm_seeing, "DIMM Seeing", "Seeing measured by the site's monitor.", "arcsec"),
        _finding("air_temperature", info.temperature, "Air temperature", "Temperature of the air outside.", "deg_C"),
        _finding("air_pressure", info.pressure, "Air pressure", "Pressure of the air outside.", "Pa"),
        _finding("humidity", info.humidity, "Humidity", "Relative humidity of the air outside.", "percent"),
    )


def _why_no_position(info: ExposureInfo) -> str:
    if info.observation_type in {"bias", "flat"}:
        return f"a {info.observation_type} has no position on the sky"
    return _UNDEFINED


def _known(seconds: float) -> float | None:
    return None if math.isnan(seconds) else seconds


def _finding(
    name: str,
    value: Value,
    label: str,
    description: str,
    unit: str = "",
    *,
    why: str = "",
    unsaid: str = "",
) -> Finding:
    if isinstance(value, str) and value.casefold() == _UNSAID:
        return missing(name, unsaid or why or _UNDEFINED, unit=unit, description=description, label=label)
    if value is None or value == "":
        return missing(name, why or _UNDEFINED, unit=unit, description=description, label=label)
    return Finding(name, value, unit, description, label)
