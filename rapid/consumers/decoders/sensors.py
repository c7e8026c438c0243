"""Which detectors of an exposure are to come: the camera's own list, and what it says of its readout.

Sources: the ``_expectedSensors.json`` that the camera control system writes beside the raws; ts_xml, MTCamera
``imageReadoutParameters`` (201 CCD places: 189 science, and guider, guider and wavefront at four corners).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from rapid.consumers.decoders.documents import SalDocument, read_object, validated
from rapid.errors import BadMessage
from rapid.events import ExpectedSensors, exposure_name

__all__ = ["expected_sensors", "is_expected_sensors", "sensors_of_places"]

_FILE_TYPE = "expectedSensors"
_PLACE = re.compile(r"^(?P<raft>R\d\d)_?(?P<slot>S\d\d|SG\d|SW\d?)\Z", re.ASCII)

_Detector = Annotated[str, StringConstraints(pattern=r"^R[0-9]{2}_S[0-9GW][0-9]$")]
_Kind = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]{1,32}$")]


class _List(SalDocument):
    obs_id: str
    expected_sensors: Annotated[dict[_Detector, _Kind], Field(min_length=1, max_length=1000)]


def expected_sensors(document: bytes | Mapping[str, object], *, source: str) -> ExpectedSensors:
    """Read an ``_expectedSensors.json``.

    Raises
    ------
    BadMessage
        If it is not such a document, or says nothing of an exposure of ours.
    """
    fields = read_object(document) if isinstance(document, bytes) else document
    if not is_expected_sensors(fields):
        found = repr(fields.get("fileType"))[:60]
        raise BadMessage("not a list of expected sensors", expected=f"fileType {_FILE_TYPE!r}", found=found)
    listed = validated(_List, fields, what="list of expected sensors")
    name = exposure_name(listed.obs_id)
    if name is None:
        raise BadMessage("not the name of an exposure", subject="obsId", found=repr(listed.obs_id[:60]))
    sensors = tuple(sorted((detector, kind.lower()) for detector, kind in listed.expected_sensors.items()))
    return ExpectedSensors(name, sensors, _FILE_TYPE, source)


def is_expected_sensors(fields: Mapping[str, object]) -> bool:
    """Tell whether a document says that it is such a list."""
    return fields.get("fileType") == _FILE_TYPE


def sensors_of_places(places: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Turn CCD places (``R22S11``, ``R00SG0``, ``R00SW``) into detectors and kinds, sorted.

    A wavefront sensor is one CCD place and two detectors, SW0 and SW1; the camera's own list calls both science.

    Raises
    ------
    BadMessage
        If a place is none.
    """
    found: set[tuple[str, str]] = set()
    for place in places:
        match = _PLACE.match(place)
        if match is None:
            raise BadMessage("not the place of a CCD", expected="R22S11", found=repr(place[:60]))
        slots = ("SW0", "SW1") if match["slot"] == "SW" else (match["slot"],)
        kind = "guider" if match["slot"].startswith("SG") else "science"
        found.update((f"{match['raft']}_{slot}", kind) for slot in slots)
    return tuple(sorted(found))
