"""The cards of a raw file that change from one exposure or detector to the next: primary header and conditions."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from rapid.processing.geometry import Detector
from rapid.simulation.chance import generator
from rapid.simulation.dates import isot, mjd
from rapid.simulation.hdus import Cards, Value
from rapid.simulation.header_lsst import lsst_facts
from rapid.simulation.instruments import random_key
from rapid.simulation.observation import Observation
from rapid.simulation.site import Pointing

__all__ = ["condition_cards", "primary_cards", "sidecar"]

_IMAGE_TYPES = {
    "bias": "BIAS",
    "dark": "DARK",
    "flat": "FLAT",
    "science": "OBJECT",
    "focus": "FOCUS",
    "spectrum": "OBJECT",
}
_REASONS = {"science": "object", "focus": "focus_sweep", "spectrum": "spectrum"}
_GRATINGS: dict[str, tuple[str, int, float]] = {"empty_1": ("EMPTY", 0, 67.0), "holo4_003": ("holo", 3, 67.0)}


def primary_cards(observation: Observation, detector: Detector, *, seed: int) -> list[tuple[str, Value, str]]:
    """List the cards of the primary header, without its structure and sums."""
    used = observation.schedule.instrument
    facts = _facts(observation, detector, seed)
    template = _template(f"{used.template}_primary.yaml")
    left = facts.keys() - {keyword for keyword, _, _ in template}
    if left:
        msg = f"the header template has no card for {sorted(left)}"
        raise KeyError(msg)
    return [
        (keyword, facts.get(keyword, value), comment)
        for keyword, value, comment in template
        if used.shutter_motion or not _is_of_shutter(keyword, comment)
    ]


def _is_of_shutter(keyword: str, comment: str) -> bool:
    return keyword.startswith("SHUTTER ") or (keyword == "COMMENT" and "Shutter motion" in comment)


def condition_cards(
    observation: Observation, detector: Detector, *, seed: int
) -> dict[str, list[tuple[str, Value, str]]]:
    """List the cards of the two tables at the end of the file, by their EXTNAME."""
    used = observation.schedule.instrument
    chance = generator(seed, 5, observation.plan.number, *random_key(detector))
    tables = _template(f"{used.template}_conditions.yaml")
    result: dict[str, list[tuple[str, Value, str]]] = {}
    for name, rows in tables.items():
        cards: list[tuple[str, Value, str]] = [("EXTNAME", name, "Name of the extension")]
        for keyword, value, comment in rows:
            wanders = keyword.startswith(("TEMP", "ATEMP"))
            cards.append((keyword, round(value + float(chance.normal(0.0, 0.05)), 4) if wanders else value, comment))
        result[name] = cards
    return result


def sidecar(cards: Cards, sums: tuple[str, str]) -> dict[str, Value]:
    """Return what the JSON file beside the FITS file says: the primary header as a flat object."""
    content: dict[str, Value] = {"__CONTENT__": "metadata", "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True}
    for keyword, value, _ in cards:
        if keyword != "COMMENT":
            name = "HIERARCH." + keyword.replace(" ", ".") if " " in keyword or len(keyword) > 8 else keyword
            content[name] = value
    return content | {"CHECKSUM": sums[0], "DATASUM": sums[1]}


def _facts(observation: Observation, detector: Detector, seed: int) -> dict[str, Value]:
    schedule = observation.schedule
    used, begin, end = schedule.instrument, schedule.at_begin, schedule.at_end
    facts: dict[str, Value] = {**used.cards, **_times(observation), **_identity(observation, seed), **_air(observation)}
    if used.name == "LATISS":
        facts |= _sky(observation, begin, end) if begin and end else _parked(observation)
        return facts | _optics(observation) | {"FILENAME": f"{schedule.obs_id}_R00_S00.fits"}
    return facts | lsst_facts(observation, detector)


def _times(observation: Observation) -> dict[str, Value]:
    schedule = observation.schedule
    begin, end = isot(schedule.begin_tai), isot(schedule.end_tai)
    mjd_begin, mjd_end = mjd(schedule.begin_tai), mjd(schedule.end_tai)
    exposure_time = observation.plan.exposure_time
    return {
        "DATE": end,
        "MJD": mjd_end,
        "DATE-OBS": begin,
        "MJD-OBS": mjd_begin,
        "DATE-TRG": end,
        "MJD-TRG": mjd_end,
        "DATE-BEG": begin,
        "MJD-BEG": mjd_begin,
        "DATE-END": end,
        "MJD-END": mjd_end,
        "EXPTIME": exposure_time,
        "DARKTIME": schedule.dark_time,
        "SHUTTIME": 0.0 if observation.plan.kind == "bias" else exposure_time,
    }


def _identity(observation: Observation, seed: int) -> dict[str, Value]:
    schedule, plan = observation.schedule, observation.plan
    image_type = _IMAGE_TYPES[plan.kind]
    return {
        "OBSID": schedule.obs_id,
        "DAYOBS": str(schedule.day_obs),
        "SEQNUM": schedule.seq_num,
        "GROUPID": f"{isot(schedule.sequence_begin_tai)}#{plan.place}",
        "CURINDEX": plan.place,
        "MAXINDEX": plan.of,
        "IMGTYPE": image_type,
        "TESTTYPE": image_type,
        "PROGRAM": plan.program or None,
        "REASON": _REASONS.get(plan.kind),
        "OBJECT": plan.target.name if plan.target else None,
        "IMAGETAG": f"{int(generator(seed, 6, plan.number).integers(0, 2**63)):016x}",
    }


def _optics(observation: Observation) -> dict[str, Value]:
    plan, passband = observation.plan, observation.passband
    band, slot, stage = _GRATINGS[plan.disperser]
    return {
        "FILTER": plan.filter,
        "FILTBAND": passband.band,
        "FILTSLOT": passband.slot,
        "GRATING": plan.disperser,
        "GRATBAND": band,
        "GRATSLOT": slot,
        "LINSPOS": stage,
        "FOCUSZ": round(observation.focus_position, 6),
    }


def _air(observation: Observation) -> dict[str, Value]:
    weather = observation.weather
    return {
        "AIRTEMP": weather.temperature,
        "PRESSURE": weather.pressure,
        "HUMIDITY": weather.humidity,
        "WINDSPD": weather.wind_speed,
        "WINDDIR": weather.wind_direction,
    }


def _sky(observation: Observation, begin: Pointing, end: Pointing) -> dict[str, Value]:
    return {
        "RA": round(begin.ra, 9),
        "DEC": round(begin.dec, 9),
        "RASTART": round(begin.ra, 9),
        "DECSTART": round(begin.dec, 9),
        "RAEND": round(end.ra, 9),
        "DECEND": round(end.dec, 9),
        "ROTPA": observation.rotator,
        "HASTART": round(begin.hour_angle % 24.0, 9),
        "ELSTART": round(begin.elevation, 9),
        "AZSTART": round(begin.azimuth, 9),
        "AMSTART": round(begin.airmass, 9),
        "AHAEND": round(end.hour_angle % 24.0, 9),
        "AELEND": round(end.elevation, 9),
        "AAZEND": round(end.azimuth, 9),
        "AAMEND": round(end.airmass, 9),
        "TRACKSYS": "RADEC",
        "DOMEAZ": round(begin.azimuth % 360.0, 2),
        "SHUTUPPR": 100.0,
        "VIGNETTE": "NO",
        "VIGN_MIN": "NO",
        "SEEING": observation.weather.dimm_seeing,
    }


def _parked(observation: Observation) -> dict[str, Value]:
    """Calibrations are taken at the flat-field screen in the closed dome: the telescope does not follow the sky."""
    lit = observation.plan.kind == "flat"
    return {
        "ELSTART": 39.0,
        "AZSTART": -154.3,
        "DOMEAZ": 205.7,
        "VIGNETTE": "NO" if lit else "FULLY",
        "VIGN_MIN": "FULLY",
    }


@cache
def _template(name: str) -> Any:
    text = files("rapid.simulation").joinpath("data", name).read_text(encoding="utf-8")
    return yaml.safe_load(text)
