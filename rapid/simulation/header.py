"""The cards of a LATISS raw file: primary header, segments, conditions."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from rapid.processing.geometry import Amplifier, Detector
from rapid.simulation.chance import generator
from rapid.simulation.hdus import Cards, Value, card_text
from rapid.simulation.observation import Observation
from rapid.simulation.site import Pointing

__all__ = ["condition_cards", "primary_cards", "segment_cards", "sidecar"]

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
_MJD_ZERO = datetime(1858, 11, 17)  # noqa: DTZ001 - TAI has no zone


def primary_cards(observation: Observation, *, seed: int) -> list[tuple[str, Value, str]]:
    """List the cards of the primary header, without its structure and sums."""
    facts = _facts(observation, seed)
    template = _template("latiss_primary.yaml")
    left = facts.keys() - {keyword for keyword, _, _ in template}
    if left:
        msg = f"the header template has no card for {sorted(left)}"
        raise KeyError(msg)
    return [(keyword, facts.get(keyword, value), comment) for keyword, value, comment in template]


def condition_cards(observation: Observation, *, seed: int) -> dict[str, list[tuple[str, Value, str]]]:
    """List the cards of the two tables at the end of the file, by their EXTNAME."""
    chance = generator(seed, 5, observation.plan.number)
    tables = _template("latiss_conditions.yaml")
    result: dict[str, list[tuple[str, Value, str]]] = {}
    for name, rows in tables.items():
        cards: list[tuple[str, Value, str]] = [("EXTNAME", name, "Name of the extension")]
        for keyword, value, comment in rows:
            wanders = keyword.startswith(("TEMP", "ATEMP"))
            cards.append((keyword, round(value + float(chance.normal(0.0, 0.05)), 4) if wanders else value, comment))
        result[name] = cards
    return result


@cache
def segment_cards(detector: Detector, amplifier: Amplifier) -> bytes:
    """Write the cards of one segment: names, sections and the seven linear coordinate systems of the camera."""
    column, upper = amplifier.bbox.x0 // amplifier.bbox.width, amplifier.bbox.y0 > 0
    cards: list[tuple[str, Value, str]] = [
        ("CHANNEL", amplifier.hdu, "Amplifier channel"),
        ("EXTNAME", amplifier.extname, "Name of the extension"),
        ("CCDSUM", "1 1", "Binning"),
        *_sections(detector, amplifier, column=column, upper=upper),
        *_coordinate_systems(detector, amplifier, column=column, upper=upper),
        ("BSCALE", 1.0, "Scale of the pixel values"),
        ("BZERO", 0.0, "Zero of the pixel values"),
        ("INHERIT", True, "Extension inherits values from primary header"),
    ]
    return card_text(cards)


def sidecar(cards: Cards, sums: tuple[str, str]) -> dict[str, Value]:
    """Return what the JSON file beside the FITS file says: the primary header as a flat object."""
    content: dict[str, Value] = {"__CONTENT__": "metadata", "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True}
    for keyword, value, _ in cards:
        if keyword != "COMMENT":
            name = "HIERARCH." + keyword.replace(" ", ".") if " " in keyword else keyword
            content[name] = value
    return content | {"CHECKSUM": sums[0], "DATASUM": sums[1]}


# --- primary -------------------------------------------------------------------------------------------------------


def _facts(observation: Observation, seed: int) -> dict[str, Value]:
    schedule = observation.schedule
    return {
        **_times(observation),
        **_identity(observation, seed),
        **_optics(observation),
        **_air(observation),
        **(
            _sky(observation, schedule.at_begin, schedule.at_end)
            if schedule.at_begin and schedule.at_end
            else _parked(observation)
        ),
    }


def _times(observation: Observation) -> dict[str, Value]:
    schedule = observation.schedule
    begin, end = _isot(schedule.begin_tai), _isot(schedule.end_tai)
    mjd_begin, mjd_end = _mjd(schedule.begin_tai), _mjd(schedule.end_tai)
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
        "FILENAME": f"{schedule.obs_id}_R00_S00.fits",
        "DAYOBS": str(schedule.day_obs),
        "SEQNUM": schedule.seq_num,
        "GROUPID": f"{_isot(schedule.sequence_begin_tai)}#{plan.place}",
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


def _isot(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds")


def _mjd(when: datetime) -> float:
    since = when - _MJD_ZERO
    return since.days + (since.seconds + since.microseconds * 1e-6) / 86400.0


@cache
def _template(name: str) -> Any:
    text = files("rapid.simulation").joinpath("data", name).read_text(encoding="utf-8")
    return yaml.safe_load(text)


# --- segments ------------------------------------------------------------------------------------------------------


def _sections(detector: Detector, amplifier: Amplifier, *, column: int, upper: bool) -> Cards:
    """Sections of the segment; DETSEC is upside down, as in the real files."""
    width, height = amplifier.bbox.width, amplifier.bbox.height
    first, last = column * width + 1, (column + 1) * width
    rows = f"1:{height}" if upper else f"{detector.height}:{height + 1}"
    x0, y0 = amplifier.data.x0, amplifier.data.y0
    return [
        ("DATASEC", f"[{x0 + 1}:{x0 + width},{y0 + 1}:{y0 + height}]", ""),
        ("DETSEC", f"[{last}:{first},{rows}]", ""),
        ("DETSIZE", f"[1:{detector.width},1:{detector.height}]", ""),
        ("DTV1", last + x0 + 1, "detector transformation vector"),
        ("DTV2", 0 if upper else detector.height + 1, "detector transformation vector"),
        ("DTM1_1", -1.0, "detector transformation matrix"),
        ("DTM2_2", 1.0 if upper else -1.0, "detector transformation matrix"),
        ("DTM1_2", 0.0, "detector transformation matrix"),
        ("DTM2_1", 0.0, "detector transformation matrix"),
    ]


_IN_CAMERA = ("camera", True)
_IN_ORDER_OF_READING = ("serial-parallel", False)


def _coordinate_systems(detector: Detector, amplifier: Amplifier, *, column: int, upper: bool) -> Cards:
    """Seven systems: letter, name, axes, origin along the serial and along the parallel direction.

    In the systems of the camera the axes are exchanged against those of the read-out.
    """
    serial = amplifier.bbox.width + amplifier.data.x0 + 1
    across = serial + column * amplifier.bbox.width
    edge, gap, rafts = (
        89,
        125,
        12700,
    )  # pixels from the edge of the raft to the CCD, and to the centre raft of a camera of 5x5
    systems = (
        ("A", "AMPLIFIER", "Seg_X", "Seg_Y", serial, amplifier.bbox.height + 1 if upper else 0, _IN_CAMERA),
        ("C", "CCD", "CCD_X", "CCD_Y", across, detector.height + 1 if upper else 0, _IN_CAMERA),
        ("R", "RAFT", "RAFT_X", "RAFT_Y", across + edge, gap + (detector.height + 1 if upper else 0), _IN_CAMERA),
        (
            "F",
            "FOCAL_PLANE",
            "FP_X",
            "FP_Y",
            across + edge,
            gap + rafts + (detector.height + 1 if upper else 0),
            _IN_CAMERA,
        ),
        (
            "E",
            "FP_SERPAR",
            "FP_S",
            "FP_P",
            across + edge,
            gap + rafts + (detector.height + 1 if upper else 0),
            _IN_ORDER_OF_READING,
        ),
        ("B", "CCD_SERPAR", "CCD_S", "CCD_P", across, detector.height + 1 if upper else 0, _IN_ORDER_OF_READING),
        (
            "Q",
            "RAFT_SERPAR",
            "RAFT_S",
            "RAFT_P",
            across + edge,
            gap + (detector.height + 1 if upper else 0),
            _IN_ORDER_OF_READING,
        ),
    )
    cards: list[tuple[str, Value, str]] = []
    for letter, name, x_axis, y_axis, along, parallel, (meaning, exchanged) in systems:
        turn = -1.0 if upper else 1.0
        matrix = (0.0, turn, -1.0, 0.0) if exchanged else (-1.0, 0.0, 0.0, turn)
        origin = (parallel, along) if exchanged else (along, parallel)
        cards += _system(
            letter, name, (x_axis, y_axis), matrix=matrix, origin=origin, meaning=f"In the {meaning} coordinate system"
        )
    return cards


def _system(
    letter: str,
    name: str,
    axes: tuple[str, str],
    *,
    matrix: tuple[float, float, float, float],
    origin: tuple[int, int],
    meaning: str,
) -> Cards:
    names = ("PC1_1", "PC1_2", "PC2_1", "PC2_2")
    return [
        (f"WCSNAME{letter}", name, "Name of coordinate system"),
        (f"CTYPE1{letter}", axes[0], meaning),
        (f"CTYPE2{letter}", axes[1], meaning),
        *((f"{key}{letter}", value, "") for key, value in zip(names, matrix, strict=True)),
        (f"CDELT1{letter}", 1.0, ""),
        (f"CDELT2{letter}", 1.0, ""),
        (f"CRPIX1{letter}", 0.0, ""),
        (f"CRPIX2{letter}", 0.0, ""),
        (f"CRVAL1{letter}", float(origin[0]), ""),
        (f"CRVAL2{letter}", float(origin[1]), ""),
    ]
