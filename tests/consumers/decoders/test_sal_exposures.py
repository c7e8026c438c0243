"""What the cameras say of an exposure: how far it is, and which detectors will come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rapid.consumers.decoders import Decoded
from rapid.events import ExpectedSensors, ExposureSeen, Ignored, Rejected, Stage
from tests.support.announcements import STAMP, Json, decoded, end_readout

AT = datetime(2026, 1, 13, 5, 31, 58, 374000, tzinfo=UTC)


def said(event: str, fields: dict[str, Json], component: str = "MTCamera") -> Decoded:
    (one,) = decoded(fields, f"lsst.sal.{component}.logevent_{event}")
    return one


# --- exposures ---------------------------------------------------------------------------------------------------


def test_the_end_of_a_readout() -> None:
    one = said("endReadout", end_readout(aFieldOfTheFuture=[1, {"a": None}]))
    assert isinstance(one, ExposureSeen)
    assert (one.name.instrument, one.name.day_obs, one.name.seq_num) == ("LSSTCam", 20260112, 123)
    assert (one.stage, one.at, one.exposure_time) == (Stage.READ_OUT, AT, 30.0)
    assert (one.image_type, one.group) == ("OBJECT", "2026-01-13T05:31:02.417")
    assert (one.reason, one.program, one.index, one.of) == ("focus: sweep", "BLOCK-365", 1, 2)
    assert dict(one.keywords)["reason"] == "focus: sweep"


@pytest.mark.parametrize(
    ("event", "stamp", "stage"),
    [
        ("startIntegration", "timestampAcquisitionStart", Stage.STARTED),
        ("startReadout", "timestampStartOfReadout", Stage.READING),
        ("endReadout", "timestampEndOfReadout", Stage.READ_OUT),
        ("endOfImageTelemetry", "private_sndStamp", Stage.DESCRIBED),
        ("imageStored", "timestampImageStored", Stage.STORED),
    ],
)
def test_every_event_of_an_image_says_how_far_it_is(event: str, stamp: str, stage: Stage) -> None:
    one = said(event, {"imageName": "MC_O_20260112_000123", stamp: STAMP, "exposureTime": 15.0})
    assert isinstance(one, ExposureSeen)
    assert (one.stage, one.at) == (stage, AT)


def test_the_measured_times_come_last() -> None:
    measured = {
        "exposureTime": 30.0,
        "measuredShutterOpenTime": 29.987,
        "darkTime": 30.953,
        "timestampDateObs": STAMP - 31,
        "timestampDateEnd": STAMP - 1,
    }
    one = said("endOfImageTelemetry", end_readout(**measured))
    assert isinstance(one, ExposureSeen)
    assert (one.exposure_time, one.dark_time) == (29.987, 30.953)
    assert one.began_at is not None
    assert one.ended_at is not None
    assert (one.ended_at - one.began_at).total_seconds() == pytest.approx(30.0)


def test_a_shutter_that_never_opened_leaves_what_was_asked_for() -> None:
    one = said("endOfImageTelemetry", {"imageName": "MC_O_20260112_000123", "exposureTime": 10.0})
    assert isinstance(one, ExposureSeen)
    assert one.exposure_time == 10.0


def test_stamps_that_were_not_set_are_none() -> None:
    one = said("endReadout", end_readout(timestampEndOfReadout=0.0, private_sndStamp=None))
    assert isinstance(one, ExposureSeen)
    assert (one.at, one.sent_at) == (None, None)


def test_keys_without_as_many_values_are_left_out_and_the_exposure_is_kept() -> None:
    one = said("endReadout", end_readout(additionalValues="OBJECT:2026-01-13T05:31:02.417:x:y"))
    assert isinstance(one, ExposureSeen)
    assert (one.keywords, one.group) == ((), "")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"imageName": None}, "not a usable MTCamera.logevent_endReadout; found imageName: Field required"),
        ({"imageName": "MC_O_2026_1"}, "imageName: not the name of an exposure; expected MC_O_20260112_000123"),
        ({"imageName": 7}, "imageName: Input should be a valid string"),
        ({"additionalKeys": "a\x00b"}, "additionalKeys: String should match pattern"),
        ({"additionalKeys": "a" * 70_000}, "additionalKeys: String should have at most 65536 characters"),
        ({"requestedExposureTime": "long"}, "requestedExposureTime: Input should be a valid number"),
        ({"requestedExposureTime": 1e12}, "requestedExposureTime: Input should be less than or equal to 86400"),
        ({"timestampEndOfReadout": "now"}, "timestampEndOfReadout: Value error, expected TAI seconds as a number"),
        ({"timestampEndOfReadout": True}, "timestampEndOfReadout: Value error, expected TAI seconds as a number"),
        ({"timestampEndOfReadout": -5.0}, "Value error, -5.0 is not a time in TAI seconds between 1972 and 2200"),
        ({"imageIndex": -1, "imagesInSequence": 1.5}, "imagesInSequence: Input should be a valid integer and 1 more"),
    ],
)
def test_a_bad_event_says_what_is_wrong(changed: dict[str, Json], reason: str) -> None:
    one = said("endReadout", end_readout(**changed))
    assert isinstance(one, Rejected)
    assert reason in one.reason


def test_a_number_too_large_for_a_float_is_refused() -> None:
    body = b'{"imageName": "MC_O_20260112_000123", "requestedExposureTime": 1e999}'
    (one,) = decoded(body, "lsst.sal.MTCamera.logevent_endReadout")
    assert isinstance(one, Rejected)
    assert "requestedExposureTime: Input should be a finite number" in one.reason


def test_the_envelope_of_other_readers_is_taken_off() -> None:
    assert said("endReadout", {"id": 5, "message": end_readout()}) == said("endReadout", end_readout())


# --- detectors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "places",
    [
        {"ccdLocation": "R22S11:R00SG0:R00SW"},
        {"ccdLocation": "", "raftBay": "R22:R00:R00", "ccdSlot": "S11:SG0:SW"},
        {"ccdLocation": "R22_S11:R00_SG0:R00_SW0:R00_SW1:R22_S11"},
    ],
)
def test_the_places_of_a_readout_are_the_expected_sensors(places: dict[str, Json]) -> None:
    one = said("imageReadoutParameters", {"imageName": "MC_O_20260112_000123"} | places)
    assert isinstance(one, ExpectedSensors)
    assert one.sensors == (
        ("R00_SG0", "guider"),
        ("R00_SW0", "science"),
        ("R00_SW1", "science"),
        ("R22_S11", "science"),
    )
    assert one.detector_names == ("R00_SG0", "R00_SW0", "R00_SW1", "R22_S11")


def test_a_readout_that_names_no_ccd_is_ignored() -> None:
    one = said("imageReadoutParameters", {"imageName": "AT_O_20260112_000045"}, "ATCamera")
    assert isinstance(one, Ignored)


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ({"ccdLocation": "R22S11:somewhere"}, "not the place of a CCD; expected R22S11; found 'somewhere'"),
        ({"raftBay": "R22:R22", "ccdSlot": "S11"}, "as many rafts as slots are needed; expected 2 slots; found 1"),
    ],
)
def test_a_bad_place_is_refused(places: dict[str, Json], reason: str) -> None:
    one = said("imageReadoutParameters", {"imageName": "MC_O_20260112_000123"} | places)
    assert isinstance(one, Rejected)
    assert one.reason == reason
