"""What the primary header of an LSST camera says beyond what all headers say."""

from __future__ import annotations

from datetime import timedelta

from rapid.processing.geometry import Detector
from rapid.simulation.chance import generator
from rapid.simulation.dates import isot, mjd
from rapid.simulation.hdus import Value
from rapid.simulation.observation import Observation
from rapid.simulation.site import Pointing

__all__ = ["file_stem", "lsst_facts"]

_TYPES = {"E2V": "CCD250", "ITL": "3800C", "ITL_G": "3800C", "ITL_WF": "4400"}
_SEQUENCERS = {"E2V": "FP_E2V_2s_l3cp_v30.seq", "ITL": "FP_ITL_2s_l3cp_v30.seq"}
_ITL_SIZE = "[1:4072,1:4000]"  # also of a half of a wavefront sensor, which has half of it
_SHUTTER_SCATTER = 5e-4  # seconds: the measured time differs so much from what was asked for
_SHUTTER_OPENS = timedelta(milliseconds=8)  # after the begin of the integration


def file_stem(obs_id: str, detector: Detector) -> str:
    """Return the name of a detector's raw file without its end."""
    return f"{obs_id}_{detector.name}"


def lsst_facts(observation: Observation, detector: Detector) -> dict[str, Value]:
    """Return the cards of detector, filter, shutter and pointing."""
    schedule = observation.schedule
    begin, end = schedule.at_begin, schedule.at_end
    return {
        **_detector(detector),
        **_filter(observation),
        **_shutter(observation),
        **(_sky(observation, begin, end) if begin and end else _parked(observation)),
        "FILENAME": f"{file_stem(schedule.obs_id, detector)}.fits",
        "FOCUSZ": round(observation.focus_position, 6),
    }


def _detector(detector: Detector) -> dict[str, Value]:
    sequencer = _SEQUENCERS[detector.vendor]
    return {
        "DETSIZE": f"[1:{detector.width},1:{detector.height}]" if detector.vendor == "E2V" else _ITL_SIZE,
        "CCD_MANU": detector.vendor,
        "CCD_TYPE": _TYPES[detector.type],
        "CCDSLOT": detector.slot,
        "RAFTBAY": detector.raft,
        "SEQFILE": sequencer,
        "SEQNAME": sequencer,
        "LSST_NUM": detector.serial,
    }


def _filter(observation: Observation) -> dict[str, Value]:
    passband = observation.passband
    return {
        "FILTER": observation.plan.filter,
        "FILTBAND": passband.band,
        "FILTSLOT": passband.slot,
        "FILTPOS": 290.0 + 4.8 * passband.slot,  # r_57 in slot 5: 314, i_39 in slot 1: 296, as in 2025
    }


def _shutter(observation: Observation) -> dict[str, Value]:
    """Return how long the shutter was open, and, where the camera says so, when each blade set off."""
    schedule, plan = observation.schedule, observation.plan
    if plan.kind in {"bias", "dark"}:
        return {"SHUTTIME": 0.0, "TELAPSE": schedule.dark_time, "XPOSURE": 0.0}
    scatter = abs(float(generator(schedule.day_obs, 11, schedule.seq_num).normal(0.0, _SHUTTER_SCATTER)))
    measured = round(plan.exposure_time + scatter, 9)
    facts: dict[str, Value] = {"SHUTTIME": measured, "TELAPSE": schedule.dark_time, "XPOSURE": measured}
    if not schedule.instrument.shutter_motion:
        return facts
    opens = schedule.begin_tai + _SHUTTER_OPENS
    sides = ("PLUSX", "MINUSX") if schedule.seq_num % 2 else ("MINUSX", "PLUSX")  # the blades go to and fro
    moments = (opens, opens + timedelta(seconds=measured))
    for name, moment, side in zip(("OPEN", "CLOSE"), moments, sides, strict=True):
        facts[f"SHUTTER {name} STARTTIME TAI ISOT"] = isot(moment)
        facts[f"SHUTTER {name} STARTTIME TAI MJD"] = mjd(moment)
        facts[f"SHUTTER {name} SIDE"] = side
    return facts


def _sky(observation: Observation, begin: Pointing, end: Pointing) -> dict[str, Value]:
    return {
        "RA": round(begin.ra, 9),
        "DEC": round(begin.dec, 9),
        "RASTART": round(begin.ra, 9),
        "DECSTART": round(begin.dec, 9),
        "RAEND": round(end.ra, 9),
        "DECEND": round(end.dec, 9),
        "ROTPA": observation.rotator,
        "HASTART": round(begin.hour_angle, 9),
        "ELSTART": round(begin.elevation, 9),
        "AZSTART": round(begin.azimuth, 9),
        "AMSTART": round(begin.airmass, 9),
        "HAEND": round(end.hour_angle, 9),
        "ELEND": round(end.elevation, 9),
        "AZEND": round(end.azimuth, 9),
        "AMEND": round(end.airmass, 9),
        "TRACKSYS": "RADEC",
        "VIGNETTE": "NO",
        "VIGN_MIN": "NO",
        "SEEING": observation.weather.dimm_seeing,
    }


def _parked(observation: Observation) -> dict[str, Value]:
    """Calibrations are taken in the closed dome: the telescope does not follow the sky."""
    lit = observation.plan.kind == "flat"
    return {
        "ELSTART": 23.0,
        "AZSTART": -126.0,
        "TRACKSYS": "LOCAL",
        "ROTCOORD": None,
        "RADESYS": None,
        "VIGNETTE": "NO" if lit else "FULLY",
        "VIGN_MIN": "NO" if lit else "FULLY",
    }
