"""The camera's own list of the detectors to come."""

from __future__ import annotations

import json

import pytest

from rapid.consumers.decoders import expected_sensors
from rapid.errors import BadMessage
from rapid.events import ExpectedSensors
from tests.support.announcements import Json, decoded

LIST: dict[str, Json] = {
    "fileName": "MC_O_20260112_000123_expectedSensors.json",
    "fileType": "expectedSensors",
    "obsId": "MC_O_20260112_000123",
    "version": 1.0,
    "expectedSensors": {"R22_S11": "SCIENCE", "R00_SG0": "GUIDER", "R00_SW1": "SCIENCE"},
}


def test_a_list_is_read() -> None:
    found = expected_sensors(json.dumps(LIST).encode(), source="archive")
    assert (found.name.seq_num, found.origin, found.source) == (123, "expectedSensors", "archive")
    assert found.sensors == (("R00_SG0", "guider"), ("R00_SW1", "science"), ("R22_S11", "science"))


def test_a_list_may_come_as_a_message() -> None:
    (one,) = decoded(LIST, "lsst.files")
    assert isinstance(one, ExpectedSensors)
    assert len(one.sensors) == 3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"fileType": "header"}, "not a list of expected sensors; expected fileType 'expectedSensors'; found 'header'"),
        ({"obsId": None}, "obsId: Input should be a valid string"),
        ({"obsId": "xx"}, "obsId: not the name of an exposure; found 'xx'"),
        ({"expectedSensors": {}}, "Dictionary should have at least 1 item"),
        (
            {"expectedSensors": {f"R{n:02}_S00": "S" for n in range(100)} | {"R1_S00": "S"}},
            "expectedSensors.R1_S00.[key]",
        ),
        ({"expectedSensors": {"R22_S11": ""}}, "expectedSensors.R22_S11: String should match pattern"),
        ({"expectedSensors": ["R22_S11"]}, "expectedSensors: Input should be a valid dictionary"),
    ],
)
def test_a_bad_list_says_what_is_wrong(changed: dict[str, Json], reason: str) -> None:
    with pytest.raises(BadMessage) as caught:
        expected_sensors(json.dumps(LIST | changed).encode(), source="archive")
    assert reason in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"\x00", b'{"fileType": "expectedSensors"', b"{}"])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(BadMessage):
        expected_sensors(body, source="archive")
