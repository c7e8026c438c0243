"""Every example message and every schema of the shared data, as JSON and, where it has a schema, as Avro."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rapid.consumers.decoders import Decoded, expected_sensors
from rapid.consumers.decoders.avro import AvroSchema
from rapid.events import (
    ExpectedSensors,
    ExpectedSensorsWritten,
    ExposureSeen,
    FileArrived,
    FileIngested,
    FilesWritten,
    Ignored,
    JobEnded,
    LargeFileWritten,
    NextVisit,
    NextVisitCanceled,
    Rejected,
    ServiceStatus,
    TransferSummary,
    Why,
)
from tests.support.announcements import decoded, frame
from tests.support.registry import written

STORE: Mapping[str, tuple[type, ...]] = {
    "s3_ceph_latiss_fits_put": (FileArrived,),
    "s3_ceph_lsstcam_fits_multipart": (FileArrived,),
    "s3_ceph_lsstcam_fits_put": (FileArrived,),
    "s3_ceph_lsstcam_guider": (FileArrived,),
    "s3_ceph_lsstcam_wavefront": (FileArrived,),
    "s3_ceph_object_removed": (Ignored,),
    "s3_ceph_usdf_expectedSensors": (ExpectedSensorsWritten,),
    "s3_ceph_usdf_json_sidecar": (Ignored,),
    "s3_minio_put": (FileArrived,),
    "s3_multi_record_mixed": (FileArrived, FileArrived, Rejected),
    "s3_poison_missing_key": (Rejected,),
    "s3_poison_unrelated_key": (Ignored,),
}
OTHERS: Mapping[str, type] = {
    "fanned_out_visit_knative": NextVisit,
    "fanned_out_visit_redis_stream": NextVisit,
    "file_expectedSensors_lsstcam_full_with_guiders": ExpectedSensors,
    "file_expectedSensors_lsstcam_partial": ExpectedSensors,
    "http_embargo_butler_webhook": Ignored,
    "http_presence_response": Ignored,
    "lco_archived_fits_queue": Ignored,
    "mqtt_exposure_available_PROPOSAL": ExposureSeen,
    "mqtt_exposure_file_PROPOSAL": FileArrived,
    "mqtt_service_status_online_PROPOSAL": ServiceStatus,
    "mqtt_service_status_will_PROPOSAL": ServiceStatus,
    "rucio_transfer_done_raw": Ignored,
}
EVENTS: Mapping[str, type] = {
    "endReadout": ExposureSeen,
    "endReadout_bias": ExposureSeen,
    "endOfImageTelemetry": ExposureSeen,
    "startIntegration": ExposureSeen,
    "imageStored": ExposureSeen,
    "imageReadoutParameters": ExpectedSensors,
    "imageVisualization": Ignored,
    "shutterDetailedState": Ignored,
    "fitsFilesWritten": FilesWritten,
    "fileTransferPerImageSummary": TransferSummary,
    "imageInOODS": FileIngested,
    "imageInOODS_failed": FileIngested,
    "imageInOODS_guider": FileIngested,
    "largeFileObjectAvailable": LargeFileWritten,
    "job_result": JobEnded,
    "nextVisit": NextVisit,
    "nextVisitCanceled": NextVisitCanceled,
    "nextVisit_no_instrument": Ignored,
}
VARIANTS = ("_bias", "_failed", "_guider", "_no_instrument")


def sal_message(path: Path) -> tuple[str, str]:
    """Read component and event, with its variant, from the name of a file."""
    _, component, _, event = path.stem.split("_", 3)
    return component, event


def sal_topic_of(path: Path) -> str:
    component, event = sal_message(path)
    for variant in VARIANTS:
        event = event.removesuffix(variant)
    return f"lsst.sal.{component}.logevent_{event}"


@pytest.fixture(scope="module")
def messages(shared_data: Path) -> Path:
    return shared_data / "messages"


def test_every_message_is_expected_here(messages: Path) -> None:
    stems = {path.stem for path in messages.glob("*.json")}
    events = {path.stem for path in messages.glob("sal_*.json") if sal_message(path)[1] in EVENTS}
    assert stems == set(STORE) | set(OTHERS) | events
    assert len(events) == 21


@pytest.mark.parametrize("name", STORE)
def test_a_notification(messages: Path, name: str) -> None:
    values = decoded((messages / f"{name}.json").read_bytes())
    assert tuple(type(value) for value in values) == STORE[name]
    for value in values:
        if isinstance(value, FileArrived):
            assert value.facts is not None
            assert value.key.count("/") == 3


@pytest.mark.parametrize("name", OTHERS)
def test_another_document(messages: Path, name: str) -> None:
    (one,) = decoded((messages / f"{name}.json").read_bytes(), "summit/x")
    assert type(one) is OTHERS[name]


def test_every_sal_event_as_json(messages: Path) -> None:
    for path in sorted(messages.glob("sal_*.json")):
        (one,) = decoded(path.read_bytes(), sal_topic_of(path))
        assert type(one) is EVENTS[sal_message(path)[1]], path.name


def test_every_schema_carries_its_event(shared_data: Path) -> None:
    seen = set()
    for path, schema in schemas(shared_data):
        assert schema.name == path.stem
        topic = path.stem
        for message in sorted((shared_data / "messages").glob("sal_*.json")):
            if sal_topic_of(message) == topic:
                fields = json.loads(message.read_bytes())
                body = frame(3, written(path.read_text(), fields))
                assert decoded(body, topic, schema=schema) == decoded(fields, topic), message.name
                seen.add(topic)
        (unset,) = decoded(frame(3, written(path.read_text(), {})), topic, schema=schema)
        assert isinstance(unset, Rejected | Ignored | JobEnded | NextVisitCanceled), topic  # every field at its default
    assert len(seen) == 13  # of the other two, of ComCam, there is no message


def test_a_full_readout_is_205_detectors(messages: Path) -> None:
    listed = expected_sensors(
        (messages / "file_expectedSensors_lsstcam_full_with_guiders.json").read_bytes(), source="archive"
    )
    path = messages / "sal_MTCamera_logevent_imageReadoutParameters.json"
    (told,) = decoded(path.read_bytes(), sal_topic_of(path))
    assert isinstance(told, ExpectedSensors)
    assert told.sensors == listed.sensors
    assert len(told.sensors) == 205
    assert sum(kind == "guider" for _, kind in told.sensors) == 8


def test_the_end_of_a_readout_in_full(messages: Path) -> None:
    one = the(messages / "sal_ATCamera_logevent_endReadout.json")
    assert isinstance(one, ExposureSeen)
    assert (one.name.instrument, one.name.obs_id) == ("LATISS", "AT_O_20260112_000045")
    assert one.at == datetime(2026, 1, 13, 1, 40, 7, 640000, tzinfo=UTC)
    assert (one.image_type, one.reason, one.program) == ("ENGTEST", "focus: sweep 3", "BLOCK-306")
    assert one.group == "2026-01-13T01:39:51.733"


def test_a_name_in_another_archive(messages: Path) -> None:
    one = decoded((messages / "s3_ceph_object_removed.json").read_bytes())[0]
    assert isinstance(one, Ignored)
    assert one.why is Why.OBJECT


def the(path: Path) -> Decoded:
    (one,) = decoded(path.read_bytes(), sal_topic_of(path))
    return one


def schemas(shared_data: Path) -> Iterator[tuple[Path, AvroSchema]]:
    paths = sorted((shared_data / "schemas").glob("*.avsc"))
    assert len(paths) == 15
    return ((path, AvroSchema(path.read_text())) for path in paths)
