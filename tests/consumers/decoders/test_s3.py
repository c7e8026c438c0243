"""Notifications of Ceph, MinIO and AWS become files, or say why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.consumers.decoders import ArchivePlace, Decoded, lacks_etag
from rapid.events import ExpectedSensorsWritten, FileArrived, FileRemoved, Ignored, Origin, Rejected, Why
from tests.support.announcements import KEY, NOW, SENT, Json, decoded, notification, record

FOLDER = "LSSTCam/20260112/MC_O_20260112_000123/"


def only(decodeds: tuple[Decoded, ...]) -> Decoded:
    (one,) = decodeds
    return one


def arrived(*records: Json, **how: object) -> FileArrived:
    one = only(decoded(notification(*records), **how))  # type: ignore[arg-type]
    assert isinstance(one, FileArrived)
    return one


def test_a_new_object_is_a_file_that_arrived() -> None:
    file = arrived(record(time="2026-01-13T05:32:01.138912Z"))
    assert file.key == KEY
    assert file.content == "0cc175b9c0f1b6a831c399e269772661"
    assert file.size == 14797440
    assert file.written_at == datetime(2026, 1, 13, 5, 32, 1, 138912, tzinfo=UTC)
    assert (file.seen_at, file.source, file.live) == (NOW, "kafka", True)
    assert file.facts is not None
    assert (file.facts.instrument, file.facts.detector_name, file.facts.guider) == ("LSSTCam", "R22_S11", False)


@pytest.mark.parametrize(
    "event", ["ObjectCreated:Put", "s3:ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload"]
)
def test_every_way_to_create_an_object_counts(event: str) -> None:
    assert arrived(record(event=event)).key == KEY


@pytest.mark.parametrize(
    ("name", "detector", "guider"),
    [
        ("R00_SG0_guider.fits", "R00_SG0", True),
        ("R00_SW0.fits", "R00_SW0", False),
        ("R22_S11.fits.fz", "R22_S11", False),
    ],
)
def test_guiders_and_wavefront_sensors_are_told_apart(name: str, detector: str, guider: bool) -> None:
    facts = arrived(record(f"{FOLDER}MC_O_20260112_000123_{name}")).facts
    assert facts is not None
    assert (facts.detector_name, facts.guider) == (detector, guider)


@pytest.mark.parametrize("time", ["0.000000", "", "yesterday", 0.0, [], None, "9999-12-31T23:59:59-23:00"])
def test_a_broken_time_is_replaced_by_that_of_the_message(time: Json) -> None:
    assert arrived(record(time=time)).written_at == SENT


def test_no_file_is_written_after_it_was_announced() -> None:
    assert arrived(record(time="2030-01-01T00:00:00Z")).written_at == NOW


@pytest.mark.parametrize("time", ["2026-01-13T05:32:01", "2026-01-13T05:32:01Z", "2026-01-13T06:32:01+01:00"])
def test_times_are_utc(time: str) -> None:
    written_at = arrived(record(time=time)).written_at
    assert written_at == datetime(2026, 1, 13, 5, 32, 1, tzinfo=UTC)
    assert written_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("etag", ["", None, '""'])
def test_without_an_etag_the_sequencer_stands_for_it(etag: str | None) -> None:
    first, again = arrived(record(eTag=etag)), arrived(record(eTag=etag))
    other = arrived(record(eTag=etag, sequencer="5A3D096863AA680D"))
    assert lacks_etag(first)
    assert first.content == again.content != other.content


def test_without_etag_and_sequencer_the_time_stands_for_it() -> None:
    one, two = (arrived(record(eTag=None, sequencer=None, time=f"2026-01-13T05:32:0{n}Z")) for n in (1, 2))
    assert one.content != two.content


def test_the_quotes_of_an_etag_are_not_of_it() -> None:
    file = arrived(record(eTag='"abc-2"'))
    assert file.content == "abc-2"
    assert not lacks_etag(file)


def test_a_size_that_was_not_said_is_nought() -> None:
    assert arrived(record(size=None)).size == 0


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\."), min_size=1, max_size=20))
def test_an_encoded_key_is_decoded(stem: str) -> None:
    for written in (quote(f"a/{stem}.fits", safe=""), quote_plus(f"a/{stem}.fits")):
        assert arrived(record(written)).key == f"a/{stem}.fits"


@pytest.mark.parametrize(
    ("event", "key", "why"),
    [
        ("ObjectCreated:Put", FOLDER + "MC_O_20260112_000123_R31_S10.json", Why.OBJECT),
        ("ObjectCreated:Put", "test.txt", Why.OBJECT),
        ("ObjectCreated:Put", FOLDER + ".MC_O_20260112_000123_R31_S10.fits", Why.OBJECT),
        ("ObjectCreated:Put", FOLDER + "GC_O_20260112_000123_expectedSensors.json", Why.INSTRUMENT),
        ("ObjectRemoved:Delete", "a/b.jpg", Why.OBJECT),
        ("ObjectAccessed:Get", KEY, Why.EVENT),
        ("s3:ObjectTagging:Put", KEY, Why.EVENT),
    ],
)
def test_what_asks_for_nothing_is_ignored(event: str, key: str, why: Why) -> None:
    one = only(decoded(notification(record(key, event=event))))
    assert isinstance(one, Ignored)
    assert one.why is why


@pytest.mark.parametrize(
    "event", ["ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated", "LifecycleExpiration:Delete"]
)
def test_a_removed_raw_is_told(event: str) -> None:
    one = only(decoded(notification(record(event=event, eTag=None, size=0))))
    assert isinstance(one, FileRemoved)
    assert one.key == KEY
    assert one.facts is not None


def test_the_list_of_expected_sensors_is_told() -> None:
    key = FOLDER + "MC_O_20260112_000123_expectedSensors.json"
    one = only(decoded(notification(record(key))))
    assert isinstance(one, ExpectedSensorsWritten)
    assert (one.key, one.name.seq_num, one.content) == (key, 123, "0cc175b9c0f1b6a831c399e269772661")


def test_one_broken_record_does_not_take_the_others_with_it() -> None:
    other = KEY.replace("S11", "S12")
    body = notification(record(), {"eventName": "ObjectCreated:Put"}, record("../climbs.fits"), 7, record(other))
    first, last, letter = decoded(body)
    assert isinstance(first, FileArrived)
    assert isinstance(last, FileArrived)
    assert (first.key, last.key) == (KEY, other)
    assert isinstance(letter, Rejected)
    assert letter.subject == "lsst.s3.raw.lsstcam[0]@17 record 1"
    assert letter.reason == "not a usable record; found s3: Field required (and 2 more broken records)"
    assert letter.origin == Origin("lsst.s3.raw.lsstcam", 0, 17)
    assert b"climbs" in letter.body


def test_a_bad_key_among_good_ones_is_one_dead_letter() -> None:
    first, letter = decoded(notification(record("a/../b.fits"), record()))
    assert isinstance(first, FileArrived)
    assert isinstance(letter, Rejected)
    assert letter.subject == "lsst.s3.raw.lsstcam[0]@17 record 0"
    assert letter.reason.startswith("'a/../b.fits': the key climbs out of its archive or has empty parts")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"key": 7}, "not a usable record; found s3.object.key: Input should be a valid string"),
        ({"key": None}, "not a usable record; found s3.object.key: Field required"),
        ({"key": ""}, "not a usable key; expected 1 to 1024 characters; found 0"),
        ({"key": "k" * 1025}, "not a usable key; expected 1 to 1024 characters; found 1025"),
        ({"key": "/etc/passwd.fits"}, "the key climbs out of its archive or has empty parts"),
        ({"key": "a/%2e%2e/b.fits"}, "the key climbs out of its archive or has empty parts"),
        ({"key": "a\x00.fits"}, "not a usable key; expected printable characters and no backslash"),
        ({"key": "a%FF.fits"}, "not a usable key; expected percent-encoded UTF-8"),
        ({"size": -1}, "s3.object.size: Input should be greater than or equal to 0"),
        ({"size": 1 << 63}, "s3.object.size: Input should be less than 9223372036854775808"),
        ({"size": "big"}, "s3.object.size: Input should be a valid integer"),
        ({"size": True}, "s3.object.size: Input should be a valid integer"),
        ({"eTag": "e" * 257}, "s3.object.eTag: String should have at most 256 characters"),
        ({"eTag": 5}, "s3.object.eTag: Input should be a valid string"),
    ],
)
def test_a_bad_record_says_what_is_wrong(changed: dict[str, Json], reason: str) -> None:
    one = record()
    said = one["s3"]["object"] | changed  # type: ignore[index]
    one["s3"]["object"] = {name: value for name, value in said.items() if value is not None}  # type: ignore[index]
    letter = only(decoded(notification(one)))
    assert isinstance(letter, Rejected)
    assert reason in letter.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON; found EOF while parsing an object at line 1 column 1"),
        (b"\xff\xfe", "not JSON; found expected value at line 1 column 1"),
        (b'{"Records": NaN}', "not JSON"),
        (b'{"Records": ' + b"[" * 100_000, "not JSON; found recursion limit exceeded"),
        (b"[]", "not an announcement; expected a JSON object; found list"),
        (b"{}", "not a notification of an object store; expected Records"),
        (b'{"Records": []}', "not a notification; expected a list of 1 to 1000 records; found 0"),
        (b'{"Records": {}}', "not a notification; expected a list of 1 to 1000 records; found dict"),
        (b'{"Records": null}', "not a notification; expected a list of 1 to 1000 records; found NoneType"),
        (
            b'{"Records": [' + b"{}," * 1000 + b"{}]}",
            "not a notification; expected a list of 1 to 1000 records; found 1001",
        ),
    ],
)
def test_a_malformed_notification_is_kept_whole(body: bytes, reason: str) -> None:
    letter = only(decoded(body))
    assert isinstance(letter, Rejected)
    assert reason in letter.reason
    assert letter.body == body
    assert letter.subject == "lsst.s3.raw.lsstcam[0]@17"


def test_a_store_may_say_that_its_notifications_work() -> None:
    one = only(decoded({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "raw"}))
    assert isinstance(one, Ignored)
    assert one.why is Why.TEST


# --- which archive -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "bucket", "key", "expected"),
    [
        ("s3://raw", "raw", KEY, KEY),
        ("s3://raw/", "tenant:raw", KEY, KEY),
        ("s3://raw/LSSTCam", "raw", KEY, KEY.removeprefix("LSSTCam/")),
        ("s3://raw/LSSTCam/", "raw", KEY, KEY.removeprefix("LSSTCam/")),
        ("s3://raw/LSSTC", "raw", KEY, None),
        ("s3://raw/LATISS", "raw", KEY, None),
        ("s3://other", "raw", KEY, None),
        ("file:///data", "raw", KEY, None),
    ],
)
def test_only_objects_of_the_archive_arrive(url: str, bucket: str, key: str, expected: str | None) -> None:
    one = only(decoded(notification(record(key, bucket=bucket)), archive=ArchivePlace.of(url)))
    if expected is None:
        assert isinstance(one, Ignored)
        assert one.why is Why.ARCHIVE
    else:
        assert isinstance(one, FileArrived)
        assert one.key == expected
