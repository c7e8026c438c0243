"""Our own JSON contract: its messages become values, and docs/schemas says what they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rapid.consumers.decoders import ArchivePlace, Decoded, lacks_etag
from rapid.consumers.decoders.contract import CONTRACT, json_schemas
from rapid.events import ExposureSeen, FileArrived, Ignored, Rejected, ServiceStatus, Stage, Why
from tests.support.announcements import KEY, STAMP, Json, decoded

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
OBS_ID = "MC_O_20260112_000123"

FILE: dict[str, Json] = {
    "schema": "exposure.file/1",
    "id": f"{OBS_ID}:R22_S11:0cc175b9",
    "instrument": "LSSTCam",
    "obs_id": OBS_ID,
    "detector": "R22_S11",
    "kind": "science",
    "uri": f"s3://raw/{KEY}",
    "size": 14797440,
    "etag": "0cc175b9",
    "sent_utc": "2026-01-13T05:32:01.138Z",
}
EXPOSURE: dict[str, Json] = {
    "id": f"{OBS_ID}:x",
    "instrument": "LSSTCam",
    "obs_id": OBS_ID,
    "day_obs": 20260112,
    "seq_num": 123,
    "controller": "O",
    "image_type": "OBJECT",
    "group": "2026-01-13T05:31:02.417",
    "exposure_time": 30.0,
    "sent_utc": "2026-01-13T05:32:02.500Z",
}
STATUS: dict[str, Json] = {"schema": "service.status/1", "state": "lost"}
EXAMPLES = [
    FILE,
    STATUS,
    STATUS | {"state": "online", "host": "a-host", "pid": 4321, "since_utc": "2026-01-13T00:00:00Z", "version": "1.0"},
    EXPOSURE | {"schema": "exposure.started/1", "t_start_tai": STAMP},
    EXPOSURE | {"schema": "exposure.readout/1", "t_end_readout_tai": STAMP},
    EXPOSURE | {"schema": "exposure.available/1", "uri_prefix": "s3://raw/x/", "expected": 205},
]


def announced(fields: Json, topic: str = "summit/LSSTCam/file", **how: ArchivePlace) -> Decoded:
    (one,) = decoded(fields, topic, **how)
    return one


# --- the published schemas ---------------------------------------------------------------------------------------


def test_the_published_schemas_are_those_of_the_models() -> None:
    """`docs/schemas/README.md` says how they are written again after a change."""
    published = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
    ours = json_schemas()
    assert ours.keys() <= published.keys()
    assert {name: published[name] for name in ours} == ours


@pytest.mark.parametrize("fields", EXAMPLES, ids=lambda fields: fields["schema"])
def test_published_schemas_and_models_agree_on_good_messages(fields: dict[str, Json]) -> None:
    name = str(fields["schema"]).replace("/", "-")
    Draft202012Validator(json_schemas()[f"{name}.json"]).validate(fields | {"a field of the future": 1})
    assert not isinstance(announced(fields | {"a field of the future": 1}), Ignored | Rejected)


@pytest.mark.parametrize("fields", EXAMPLES, ids=lambda fields: fields["schema"])
def test_published_schemas_and_models_agree_on_what_is_required(fields: dict[str, Json]) -> None:
    name = str(fields["schema"]).replace("/", "-")
    validator = Draft202012Validator(json_schemas()[f"{name}.json"])
    required = {key for key, field in CONTRACT[str(fields["schema"])].model_fields.items() if field.is_required()}
    assert required >= {"schema_name"}
    for key in required - {"schema_name"}:
        without = {name: value for name, value in fields.items() if name != key}
        assert not validator.is_valid(without)
        one = announced(without)
        assert isinstance(one, Rejected)
        assert f"{key}: Field required" in one.reason


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "archive"),
    [
        (f"s3://raw/{KEY}", ArchivePlace.of("s3://raw")),
        (f"s3://raw/night/{KEY}", ArchivePlace.of("s3://raw/night/")),
        (f"file:///data/raw/{KEY}", ArchivePlace.of("file:///data/raw")),
        (f"/data/raw/{KEY}", ArchivePlace.of("/data/raw/")),
        (KEY, ArchivePlace.of("s3://raw/night")),
        (KEY.replace("/", "%2F").join(["s3://raw/", ""]), ArchivePlace.of("s3://raw")),
    ],
)
def test_a_file_of_the_archive_arrives(uri: str, archive: ArchivePlace) -> None:
    one = announced(FILE | {"uri": uri}, archive=archive)
    assert isinstance(one, FileArrived)
    assert (one.key, one.content, one.size) == (KEY, "0cc175b9", 14797440)
    assert one.written_at == datetime(2026, 1, 13, 5, 32, 1, 138000, tzinfo=UTC)
    assert one.facts is not None


def test_a_file_without_an_etag_says_so() -> None:
    one = announced(FILE | {"etag": ""})
    assert isinstance(one, FileArrived)
    assert lacks_etag(one)


@pytest.mark.parametrize("uri", ["s3://other/a.fits", "file:///elsewhere/a.fits"])
def test_a_file_of_another_archive_is_ignored(uri: str) -> None:
    one = announced(FILE | {"uri": uri}, archive=ArchivePlace.of("s3://raw"))
    assert one == Ignored("kafka", uri, Why.ARCHIVE)


def test_a_file_that_is_no_raw_is_ignored() -> None:
    one = announced(FILE | {"uri": "s3://raw/a/b.txt"})
    assert one == Ignored("kafka", "a/b.txt", Why.OBJECT)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"detector": "R22_S12"}, f"the file is that of another exposure or detector; expected {OBS_ID} R22_S12"),
        ({"obs_id": "MC_O_20260112_000124"}, "the file is that of another exposure or detector"),
        ({"uri": "ftp://host/a.fits"}, "not a place of an archive; expected s3://bucket/key, file:/// or a key"),
        ({"uri": "s3:///a.fits"}, "not a place of an archive"),
        ({"uri": "file://host/a.fits"}, "not a place of an archive"),
        ({"uri": "http://[::1/a.fits"}, "not a URI"),
        ({"uri": "s3://raw/%FF.fits"}, "not a URI"),
        ({"uri": "s3://raw/../a.fits"}, "the key climbs out of its archive or has empty parts"),
        ({"uri": "file:///a.fits"}, "the key climbs out of its archive or has empty parts"),
        ({"uri": ""}, "uri: String should have at least 1 character"),
        ({"size": -1}, "size: Input should be greater than or equal to 0"),
        ({"kind": "spectrum"}, "kind: Input should be 'science', 'wavefront' or 'guider'"),
        ({"detector": "../x"}, "detector: String should match pattern"),
        ({"etag": "a\nb"}, "etag: String should match pattern"),
        ({"sent_utc": 1768282355}, "sent_utc: Value error, expected an ISO time as text"),
        ({"sent_utc": "9999-12-31"}, "sent_utc: Value error, 9999-12-31 is not a time between 1972 and 2200"),
        ({"sent_utc": "1971-12-31T23:59:59"}, "is not a time between 1972 and 2200"),
        ({"sent_utc": "yesterday"}, "sent_utc: Value error, Invalid isoformat string"),
        ({"instrument": None}, "instrument: Input should be a valid string"),
    ],
)
def test_a_bad_file_message_says_what_is_wrong(changed: dict[str, Json], reason: str) -> None:
    one = announced(FILE | changed)
    assert isinstance(one, Rejected)
    assert reason in one.reason


# --- exposures and services --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "stage"), [(EXAMPLES[3], Stage.STARTED), (EXAMPLES[4], Stage.READ_OUT), (EXAMPLES[5], Stage.AVAILABLE)]
)
def test_an_exposure_is_seen(fields: dict[str, Json], stage: Stage) -> None:
    one = announced(fields)
    assert isinstance(one, ExposureSeen)
    at = None if stage is Stage.AVAILABLE else datetime(2026, 1, 13, 5, 31, 58, 374000, tzinfo=UTC)
    assert (one.stage, one.at, one.exposure_time, one.image_type) == (stage, at, 30.0, "OBJECT")
    assert one.expected == (205 if stage is Stage.AVAILABLE else None)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"instrument": "LATISS"},
            f"{OBS_ID}: instrument contradicts the name of the exposure; expected LSSTCam; found LATISS",
        ),
        ({"day_obs": 20260113}, "day_obs contradicts the name of the exposure; expected 20260112; found 20260113"),
        ({"seq_num": 124}, "seq_num contradicts the name of the exposure; expected 123; found 124"),
        ({"controller": "C"}, "controller contradicts the name of the exposure; expected O; found C"),
        ({"t_start_tai": 5.0}, "not a time; found 5.0 is not a time in TAI seconds"),
        ({"t_start_tai": -5.0}, "t_start_tai: Input should be greater than or equal to 0"),
        ({"exposure_time": 1e12}, "exposure_time: Input should be less than or equal to 86400"),
        ({"exposure_time": 1e300}, "exposure_time: Input should be less than or equal to 86400"),
        ({"sent_utc": "9999-12-31"}, "sent_utc: Value error, 9999-12-31 is not a time between 1972 and 2200"),
        ({"exposure_time": -1.0}, "exposure_time: Input should be greater than or equal to 0"),
    ],
)
def test_a_message_that_contradicts_itself_is_refused(changed: dict[str, Json], reason: str) -> None:
    one = announced(EXPOSURE | {"schema": "exposure.started/1"} | changed)
    assert isinstance(one, Rejected)
    assert reason in one.reason


def test_an_exposure_of_another_observatory_is_ignored() -> None:
    one = announced(EXPOSURE | {"schema": "exposure.started/1", "obs_id": "lco-0001"})
    assert one == Ignored("kafka", "lco-0001", Why.INSTRUMENT)


@pytest.mark.parametrize("schema", ["exposure.file/2", "exposure.result/1", "", None, 7, ["exposure.file/1"]])
def test_another_schema_is_ignored(schema: Json) -> None:
    one = announced(FILE | {"schema": schema})
    assert isinstance(one, Ignored)
    assert one.why is Why.EVENT


def test_the_latest_exposure_is_never_work() -> None:
    one = announced(EXAMPLES[5], "summit/LSSTCam/exposure/latest")
    assert one == Ignored("kafka", "summit/LSSTCam/exposure/latest", Why.LATEST)


def test_a_service_says_how_it_is() -> None:
    one = announced(EXAMPLES[2], "summit/service/rapid/status")
    assert one == ServiceStatus("rapid", "online", datetime(2026, 1, 13, tzinfo=UTC), "kafka")
    assert announced(STATUS, "elsewhere") == ServiceStatus("elsewhere", "lost", None, "kafka")
