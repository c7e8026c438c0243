"""Where things on show are kept: the keys of pictures, night tables, rows and sidecars.

Pictures and the table of a night lie where RubinTV looks for them::

    {camera}/{YYYY-MM-DD}/{channel}/{seq:06}/{camera}_{channel}_{YYYY-MM-DD}_{seq:06}.{ext}
    {camera}/{YYYY-MM-DD}/metadata.json

What is our own lies under ``rapid/``, which is no camera of RubinTV's, so that its listings never meet it::

    rapid/{camera}/{day_obs}/{seq:06}/{detector}/row.json
    rapid/{camera}/{day_obs}/{seq:06}/{detector}/{channel}.json
    rapid/{camera}/{day_obs}/{seq:06}/{detector}/{catalogue}.parquet

RubinTV knows no detectors. The only detector of a camera that has one is ``R00_S00``, and its pictures carry the
channel's plain name; any other detector's name is added to the channel, so that two never share a key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from rapid.errors import BadName

__all__ = [
    "MEDIA_TYPES",
    "ONLY_DETECTOR",
    "CatalogueKey",
    "PictureKey",
    "SidecarKey",
    "catalogue_key",
    "check_camera",
    "check_day_obs",
    "day_text",
    "is_on_show",
    "metadata_key",
    "parse_catalogue_key",
    "parse_metadata_key",
    "parse_picture_key",
    "parse_sidecar_key",
    "picture_key",
    "row_key",
    "sidecar_key",
]

ONLY_DETECTOR = "R00_S00"
"""Name of the one detector of a single-detector camera; no mosaic camera of the observatory has one of this name."""

OWN = "rapid"
ROW = "row"
PARQUET = "parquet"
MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "json": "application/json",
    PARQUET: "application/vnd.apache.parquet",
}
"""Media type of each suffix that is ever written."""

_T = TypeVar("_T")

_CAMERA = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CHANNEL = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DETECTOR = re.compile(r"R[\dX]{2}_S[\dGW]\d")
_DETECTOR_SUFFIX = re.compile(r"(?P<channel>.+)_(?P<detector>R[\dX]{2}_S[\dGW]\d)")
_PICTURE = re.compile(
    r"(?P<camera>\w+)/(?P<day>\d{4}-\d{2}-\d{2})/(?P<channel>\w+)/(?P<seq>\d{6})/"
    r"(?P=camera)_(?P=channel)_(?P=day)_(?P=seq)\.(?P<suffix>png|jpg)"
)
_METADATA = re.compile(r"(?P<camera>[\w-]+)/(?P<day>\d{4}-\d{2}-\d{2})/metadata\.json")
_PLACE = rf"{OWN}/(?P<camera>[\w-]+)/(?P<day_obs>\d{{8}})/(?P<seq>\d{{6}})/(?P<detector>\w+)/(?P<name>\w+)"
_SIDECAR = re.compile(_PLACE + r"\.json")
_CATALOGUE = re.compile(_PLACE + rf"\.{PARQUET}")


@dataclass(frozen=True, slots=True)
class PictureKey:
    """What the key of a picture says."""

    camera: str
    day_obs: int
    channel: str
    seq_num: int
    suffix: str
    detector_name: str = ONLY_DETECTOR


@dataclass(frozen=True, slots=True)
class SidecarKey:
    """What the key of a sidecar says; ``name`` is the channel, or ``row`` for the row itself."""

    camera: str
    day_obs: int
    seq_num: int
    detector_name: str
    name: str


@dataclass(frozen=True, slots=True)
class CatalogueKey:
    """What the key of a catalogue says."""

    camera: str
    day_obs: int
    seq_num: int
    detector_name: str
    name: str

    @property
    def file_name(self) -> str:
        """A name that says all of it, for a copy among others: ``auxtel_20260315_000051_R00_S00_sources.parquet``."""
        return f"{self.camera}_{self.day_obs}_{self.seq_num:06}_{self.detector_name}_{self.name}.{PARQUET}"


def picture_key(picture: PictureKey) -> str:
    """Write the key of a picture.

    Raises
    ------
    BadName
        If a part of it is not a name or number that RubinTV could read back.
    """
    _check_place(picture.camera, picture.seq_num, picture.detector_name)
    _check(_WORD, picture.camera, "camera of RubinTV")
    _check(_CHANNEL, picture.channel, "channel")
    if picture.suffix not in {"png", "jpg"}:
        raise BadName("not a picture", subject=repr(picture.suffix), expected="png or jpg")
    day, seq = day_text(picture.day_obs), f"{picture.seq_num:06}"
    channel = picture.channel
    if picture.detector_name != ONLY_DETECTOR:
        channel = f"{channel}_{picture.detector_name}"
    return f"{picture.camera}/{day}/{channel}/{seq}/{picture.camera}_{channel}_{day}_{seq}.{picture.suffix}"


def parse_picture_key(key: str) -> PictureKey:
    """Read the key of a picture.

    Raises
    ------
    BadName
        If it is not one.
    """
    match = _PICTURE.fullmatch(key)
    if match is None:
        raise BadName("not the key of a picture", subject=repr(key[:120]))
    named = _DETECTOR_SUFFIX.fullmatch(match["channel"])
    channel, detector = (named["channel"], named["detector"]) if named else (match["channel"], ONLY_DETECTOR)
    picture = PictureKey(match["camera"], _day_obs(match["day"]), channel, int(match["seq"]), match["suffix"], detector)
    return _same(picture, picture_key(picture), key)


def metadata_key(camera: str, day_obs: int) -> str:
    """Write the key of RubinTV's table of a night."""
    return f"{check_camera(camera)}/{day_text(day_obs)}/metadata.json"


def parse_metadata_key(key: str) -> tuple[str, int]:
    """Read camera and day_obs from the key of RubinTV's table of a night.

    Raises
    ------
    BadName
        If it is not one.
    """
    match = _METADATA.fullmatch(key)
    if match is None:
        raise BadName("not the key of a night's table", subject=repr(key[:120]))
    night = match["camera"], _day_obs(match["day"])
    return _same(night, metadata_key(*night), key)


def sidecar_key(sidecar: SidecarKey) -> str:
    """Write the key of a sidecar."""
    return f"{_place(sidecar, 'channel')}.json"


def row_key(camera: str, day_obs: int, seq_num: int, detector_name: str) -> str:
    """Write the key of the row object of one detector of an exposure."""
    return sidecar_key(SidecarKey(camera, day_obs, seq_num, detector_name, ROW))


def parse_sidecar_key(key: str) -> SidecarKey:
    """Read the key of a sidecar or row.

    Raises
    ------
    BadName
        If it is not one.
    """
    match = _SIDECAR.fullmatch(key)
    if match is None:
        raise BadName("not the key of a sidecar", subject=repr(key[:120]))
    sidecar = SidecarKey(match["camera"], int(match["day_obs"]), int(match["seq"]), match["detector"], match["name"])
    return _same(sidecar, sidecar_key(sidecar), key)


def catalogue_key(catalogue: CatalogueKey) -> str:
    """Write the key of a catalogue.

    Raises
    ------
    BadName
        If a part of it may not stand in a key.
    """
    return f"{_place(catalogue, 'catalogue')}.{PARQUET}"


def parse_catalogue_key(key: str) -> CatalogueKey:
    """Read the key of a catalogue.

    Raises
    ------
    BadName
        If it is not one.
    """
    match = _CATALOGUE.fullmatch(key)
    if match is None:
        raise BadName("not the key of a catalogue", subject=repr(key[:120]))
    catalogue = CatalogueKey(
        match["camera"], int(match["day_obs"]), int(match["seq"]), match["detector"], match["name"]
    )
    return _same(catalogue, catalogue_key(catalogue), key)


def is_on_show(key: str) -> bool:
    """Tell whether a key is one that the gallery writes; nothing else of a store is ever shown."""
    for parse in (parse_picture_key, parse_sidecar_key, parse_metadata_key, parse_catalogue_key):
        try:
            parse(key)
        except BadName:
            continue
        return True
    return False


def day_text(day_obs: int) -> str:
    """Write a day_obs as RubinTV does: 20260315 becomes ``2026-03-15``."""
    check_day_obs(day_obs)
    return f"{day_obs // 10000:04}-{day_obs // 100 % 100:02}-{day_obs % 100:02}"


def check_day_obs(day_obs: int) -> int:
    """Return a day_obs if it is a day of the calendar.

    Raises
    ------
    BadName
        If it is not.
    """
    try:
        date(day_obs // 10000, day_obs // 100 % 100, day_obs % 100)
    except (ValueError, OverflowError):
        raise BadName("not a day_obs", subject=str(day_obs)[:40], expected="YYYYMMDD, a day of the calendar") from None
    if day_obs < 10000000:
        raise BadName("not a day_obs", subject=str(day_obs), expected="eight digits")
    return day_obs


def check_camera(camera: str) -> str:
    """Return the name of a camera's page if it may stand in a key.

    Raises
    ------
    BadName
        If it may not, or is the prefix of what is our own.
    """
    if camera == OWN:
        raise BadName("the prefix of our own keys is not a camera", subject=repr(camera))
    return _check(_CAMERA, camera, "camera")


def _place(key: SidecarKey | CatalogueKey, what: str) -> str:
    """Write all of a key of our own but its suffix."""
    _check_place(key.camera, key.seq_num, key.detector_name)
    _check(_CHANNEL, key.name, what)
    check_day_obs(key.day_obs)
    return f"{OWN}/{key.camera}/{key.day_obs}/{key.seq_num:06}/{key.detector_name}/{key.name}"


def _check_place(camera: str, seq_num: int, detector_name: str) -> None:
    check_camera(camera)
    _check(_DETECTOR, detector_name, "detector")
    if not 0 <= seq_num <= 999999:
        raise BadName("not a sequence number", subject=str(seq_num), expected="0 to 999999")


def _check(pattern: re.Pattern[str], name: str, what: str) -> str:
    if pattern.fullmatch(name) is None or not name.isascii():
        raise BadName(f"not the name of a {what}", subject=repr(name[:120]), expected=pattern.pattern)
    return name


def _day_obs(day: str) -> int:
    return int(day.replace("-", ""))


def _same(value: _T, written: str, key: str) -> _T:
    if written != key:
        raise BadName("not a key as we write it", subject=repr(key[:120]), expected=written)
    return value
