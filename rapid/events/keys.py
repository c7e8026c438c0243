"""Keys of archives and names of raw files and exposures, and what they say.

A key that climbs out of its archive, or is not a key at all, never becomes a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from rapid.errors import BadName

__all__ = ["ExposureName", "NameFacts", "camera_of", "check_key", "exposure_name", "is_raw_name", "name_facts"]

KEY_LIMIT = 1024
"""Longest key taken [characters]: the limit of S3."""

_OBS_ID = r"(?P<obs_id>(?P<camera>AT|CC|MC|TS)_(?P<controller>[A-Z])_(?P<day_obs>\d{8})_(?P<seq_num>\d{6}))"
_EXPOSURE = re.compile(rf"^{_OBS_ID}\Z", re.ASCII)
_NAME = re.compile(
    rf"^{_OBS_ID}"
    r"[_-]{1,2}(?P<raft>R\d\d|RXX)_?(?P<slot>S[\dGW]\d)(?P<guider>_guider)?\.fits(?:\.(?:fz|gz))?\Z",
    re.ASCII,
)
_CAMERAS = {"LATISS": "auxtel", "LSSTComCam": "comcam", "LSSTCam": "lsstcam"}
_INSTRUMENTS = {"AT": "LATISS", "CC": "LSSTComCam", "MC": "LSSTCam", "TS": "LSST-TS8"}
_RAW = re.compile(r"\.fits(\.(fz|gz))?$")


@dataclass(frozen=True, slots=True)
class ExposureName:
    """What the name of an exposure says of it: ``MC_O_20260112_000123``."""

    instrument: str
    obs_id: str
    controller: str
    day_obs: int
    seq_num: int


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What the name of a raw file says of it.

    ``detector_name`` is ``R00_S00``; ``guider`` tells a guider stamp file from a science raw of the same detector.
    """

    instrument: str
    obs_id: str
    controller: str
    day_obs: int
    seq_num: int
    detector_name: str
    guider: bool


def check_key(key: str) -> str:
    """Return the key if it may be used as a place in a store.

    Raises
    ------
    BadName
        If it is empty, too long, absolute, climbs out, or holds characters that no key of ours has.
    """
    shown = repr(key[:120])
    if not key or len(key) > KEY_LIMIT:
        raise BadName("not a usable key", subject=shown, expected=f"1 to {KEY_LIMIT} characters", found=str(len(key)))
    if not key.isprintable() or "\\" in key:
        raise BadName("not a usable key", subject=shown, expected="printable characters and no backslash")
    parts = key.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise BadName(
            "the key climbs out of its archive or has empty parts",
            subject=shown,
            expected="a relative key without . or ..",
        )
    return key


def name_facts(key: str) -> NameFacts | None:
    """Read the name of a raw file: the last part of its key. None when the name is not one of the observatory's."""
    match = _NAME.match(key.rpartition("/")[2])
    if match is None or not _is_day(match["day_obs"]):
        return None
    return NameFacts(
        instrument=_INSTRUMENTS[match["camera"]],
        obs_id=match["obs_id"],
        controller=match["controller"],
        day_obs=int(match["day_obs"]),
        seq_num=int(match["seq_num"]),
        detector_name=f"{match['raft']}_{match['slot']}",
        guider=match["guider"] is not None,
    )


def exposure_name(obs_id: str) -> ExposureName | None:
    """Read the name of an exposure. None when it is not one of the observatory's."""
    match = _EXPOSURE.match(obs_id)
    if match is None or not _is_day(match["day_obs"]):
        return None
    return ExposureName(
        instrument=_INSTRUMENTS[match["camera"]],
        obs_id=match["obs_id"],
        controller=match["controller"],
        day_obs=int(match["day_obs"]),
        seq_num=int(match["seq_num"]),
    )


def _is_day(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def is_raw_name(key: str) -> bool:
    """Tell whether a key could be a raw file at all, by its suffix."""
    return _RAW.search(key) is not None


def camera_of(instrument: str) -> str:
    """Name the camera page an instrument is shown on: LATISS is ``auxtel``, as RubinTV has it."""
    return _CAMERAS.get(instrument) or re.sub(r"\W", "_", instrument.lower())
