"""What reaches the service, as frozen values, and the keys they carry.

Everything that comes from outside is checked here, once: a key that climbs out of its archive, or is not a key at
all, never becomes a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from rapid.errors import BadName

__all__ = ["FileArrived", "NameFacts", "Rejected", "camera_of", "check_key", "is_raw_name", "name_facts"]

KEY_LIMIT = 1024
"""Longest key taken [characters]: the limit of S3."""

_NAME = re.compile(
    r"^(?P<obs_id>(?P<camera>AT|CC|MC|TS)_(?P<controller>[A-Z])_(?P<day_obs>\d{8})_(?P<seq_num>\d{6}))"
    r"[_-]{1,2}(?P<raft>R\d\d|RXX)_?(?P<slot>S[\dGW]\d)(?P<guider>_guider)?\.fits(?:\.(?:fz|gz))?\Z",
    re.ASCII,
)
_CAMERAS = {"LATISS": "auxtel", "LSSTComCam": "comcam", "LSSTCam": "lsstcam"}
_INSTRUMENTS = {"AT": "LATISS", "CC": "LSSTComCam", "MC": "LSSTCam", "TS": "LSST-TS8"}
_RAW = re.compile(r"\.fits(\.(fz|gz))?$")


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


@dataclass(frozen=True, slots=True)
class FileArrived:
    """A raw file can be read.

    Attributes
    ----------
    key
        Its place in the archive, relative, with ``/`` between the parts; checked by `check_key`.
    content
        What tells one content of the key from another: the store's etag, or size and modification time.
    size
        Bytes.
    written_at
        When the file was complete, UTC.
    seen_at
        When the source noticed it, UTC.
    source
        Who said so: ``directory``, ``replay``, ``kafka`` ...
    live
        False for what a catch-up or a replay brings: it goes to the backlog lane.
    facts
        What the name says; None for a name that is not one of the observatory's.
    """

    key: str
    content: str
    size: int
    written_at: datetime
    seen_at: datetime
    source: str
    live: bool
    facts: NameFacts | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that came in and cannot be used: it is kept as a dead letter.

    ``subject`` names it, ``body`` is all of it that there is, ``reason`` says what was expected and found.
    """

    source: str
    subject: str
    reason: str
    seen_at: datetime
    body: bytes = b""


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


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d")  # noqa: DTZ007 - a day of the calendar has no zone
    except ValueError:
        return False
    return True


def is_raw_name(key: str) -> bool:
    """Tell whether a key could be a raw file at all, by its suffix."""
    return _RAW.search(key) is not None


def camera_of(instrument: str) -> str:
    """Name the camera page an instrument is shown on: LATISS is ``auxtel``, as RubinTV has it."""
    return _CAMERAS.get(instrument, re.sub(r"\W", "_", instrument.lower()))
