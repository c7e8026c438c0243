"""SAL events as JSON become visits, ingests and jobs; exposures have tests of their own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rapid.consumers.decoders import Decoded
from rapid.consumers.decoders.sal import sal_topic
from rapid.events import (
    ExposureSeen,
    FileIngested,
    FilesWritten,
    Ignored,
    JobEnded,
    LargeFileWritten,
    NextVisit,
    NextVisitCanceled,
    Rejected,
    TransferSummary,
    Why,
)
from tests.support.announcements import STAMP, Json, decoded, end_readout

AT = datetime(2026, 1, 13, 5, 31, 58, 374000, tzinfo=UTC)
VISIT = {
    "salIndex": 1,
    "scriptSalIndex": 100231,
    "groupId": "2026-01-13T05:31:02.417",
    "coordinateSystem": 2,
    "position": [62.8123, -34.1007],
    "startTime": STAMP,
    "cameraAngle": 137.25,
    "filters": "r_57",
    "duration": 38.4,
    "nimages": 1,
    "instrument": "LSSTCam",
    "survey": "BLOCK-365",
}


def said(event: str, fields: dict[str, Json], component: str = "MTCamera") -> Decoded:
    (one,) = decoded(fields, f"lsst.sal.{component}.logevent_{event}")
    return one


# --- topics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [
        "lsst.sal.MTCamera.logevent_endReadout",
        "lsst.test.MTCamera.logevent_endReadout",
        "summit/bridge/lsst.sal.MTCamera.logevent_endReadout",
        "lsst/sal/MTCamera/logevent_endReadout",
    ],
)
def test_a_sal_topic_is_read_however_it_is_written(topic: str) -> None:
    assert sal_topic(topic) == ("MTCamera", "logevent_endReadout")
    (one,) = decoded(end_readout(), topic)
    assert isinstance(one, ExposureSeen)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "lsst.s3.raw.lsstcam",
        "lsst.sal.MTCamera",
        "lsst/service/Rapid/status",
        "xlsst.sal.MTCamera.a",
        "lsst.sal.MTCamera.a\n",
    ],
)
def test_other_topics_are_none_of_sal(topic: str) -> None:
    assert sal_topic(topic) is None


@pytest.mark.parametrize(
    ("component", "name"),
    [
        ("MTCamera", "logevent_shutterDetailedState"),
        ("MTCamera", "command_takeImages"),
        ("MTCamera", "endReadout"),
        ("MTMount", "azimuth"),
        ("GenericCamera", "logevent_endReadout"),
        ("MTCamera", "logevent_imageInOODS"),
    ],
)
def test_an_event_nobody_listens_to_is_ignored(component: str, name: str) -> None:
    (one,) = decoded(end_readout(), f"lsst.sal.{component}.{name}")
    assert one == Ignored("kafka", f"{component}.{name}", Why.EVENT)


# --- files, visits, jobs -----------------------------------------------------------------------------------------


def test_an_ingested_file() -> None:
    fields = {"camera": "LSSTCam", "obsid": "MC_O_20260112_000123", "raft": "R00", "sensor": "SG0", "statusCode": 0}
    one = said("imageInOODS", fields | {"description": "file ingested"}, "MTOODS")
    assert isinstance(one, FileIngested)
    assert one.name is not None
    assert (one.name.seq_num, one.detector_name, one.status) == (123, "R00_SG0", 0)


def test_an_ingest_that_failed_may_not_know_of_what() -> None:
    fields = {
        "camera": "UNDEF",
        "obsid": "??",
        "raft": "R??",
        "sensor": "S??",
        "statusCode": 2,
        "description": "metadata failure",
    }
    one = said("imageInOODS", fields, "WFOODS")
    assert one == FileIngested(None, "", 2, "metadata failure", None, "kafka")


def test_an_ingest_of_another_camera_is_ignored() -> None:
    one = said("imageInOODS", {"obsid": "GC_O_20260112_000001", "statusCode": 0}, "MTOODS")
    assert one == Ignored("kafka", "GC_O_20260112_000001", Why.INSTRUMENT)


def test_files_on_the_disk_of_the_camera() -> None:
    fields = {"imageName": "AT_O_20260112_000045", "relativeFileNames": "a.fits:b.fits", "timestampFilesWritten": STAMP}
    one = said("fitsFilesWritten", fields, "ATCamera")
    assert isinstance(one, FilesWritten)
    assert (one.files, one.at) == (("a.fits", "b.fits"), AT)


@pytest.mark.parametrize("component", ["ATHeaderService", "MTHeaderService", "MTCamera", "OCPS"])
def test_a_large_file_of_any_component(component: str) -> None:
    fields = {"url": "https://lfa/x.yaml", "generator": component, "byteSize": 9, "id": "AT_O_20260112_000045"}
    one = said("largeFileObjectAvailable", fields, component)
    assert isinstance(one, LargeFileWritten)
    assert (one.generator, one.size, one.of) == (component, 9, "AT_O_20260112_000045")


def test_a_transfer() -> None:
    fields = {
        "obsId": "MC_O_20260112_000123",
        "site": "USDF",
        "expected": 410,
        "written": 410,
        "transferredAfterResend": 409,
    }
    one = said("fileTransferPerImageSummary", fields | {"missingAfterResend": 1})
    assert isinstance(one, TransferSummary)
    assert (one.site, one.expected, one.transferred, one.missing) == ("USDF", 410, 409, 1)


def test_a_visit() -> None:
    one = said("nextVisit", VISIT, "ScriptQueue")
    assert isinstance(one, NextVisit)
    assert (one.position, one.starts_at, one.detector) == ((62.8123, -34.1007), AT, None)


@pytest.mark.parametrize("position", [[62.8123, -34.1007], "[62.8123, -34.1007]"])
def test_the_copy_of_a_visit_for_one_detector(position: Json) -> None:
    (one,) = decoded(VISIT | {"detector": 94, "position": position}, "next-visit")
    assert isinstance(one, NextVisit)
    assert (one.detector, one.position) == (94, (62.8123, -34.1007))


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        ("62.8, -34", "position: Value error, trailing characters"),
        ("[1, 2, 3]", "position: Value should have at most 2 items"),
        ([1.0, "x"], "position.1: Input should be a valid number"),
        (None, "position: Input should be a valid tuple"),
    ],
)
def test_a_position_that_is_none(position: Json, reason: str) -> None:
    one = said("nextVisit", VISIT | {"position": position}, "ScriptQueue")
    assert isinstance(one, Rejected)
    assert reason in one.reason


def test_a_visit_without_instrument_is_no_observation() -> None:
    one = said("nextVisit", VISIT | {"instrument": ""}, "ScriptQueue")
    assert isinstance(one, Ignored)
    assert one.why is Why.INSTRUMENT


def test_a_visit_may_be_canceled() -> None:
    one = said("nextVisitCanceled", {"scriptSalIndex": 7, "groupId": "g"}, "ScriptQueue")
    assert one == NextVisitCanceled("g", 7, None, "kafka")
    without = said("nextVisitCanceled", {"scriptSalIndex": 7, "groupId": ""}, "ScriptQueue")
    assert isinstance(without, Rejected)
    assert without.reason == "groupId: a canceled visit without its group"


def test_a_job_that_ended() -> None:
    one = said("job_result", {"job_id": "6e1d", "exit_code": 1, "result": "{}"}, "OCPS")
    assert one == JobEnded("6e1d", 1, "{}", None, "kafka")
