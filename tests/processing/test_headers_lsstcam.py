"""What LSSTCam, ComCam and guider headers say, by their own rules."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadHeader, UnknownInstrument
from rapid.processing.geometry import detectors
from rapid.processing.headers import instruments, standard_properties, translate
from tests.support.lsstcam_cards import CARDS, LEFT_OUT, comcam, info, on


def test_an_ordinary_exposure() -> None:
    found = info(
        RASTART=127.5, DECSTART=-44.2, ELSTART=69.4, AZSTART=221.7, ELEND=69.3, AZEND=221.8, AMSTART=1.068, ROTPA=46.4,
        ROTCOORD="sky", RADESYS="ICRS", TRACKSYS="RADEC", GROUPID="2025-10-02T03:12:40.143#2", CURINDEX=2, MAXINDEX=3,
        PROGRAM="BLOCK-365", OBSGEO__X=1818938.94, OBSGEO__Y=-5208470.95, OBSGEO__Z=-3195172.08,
    )  # fmt: skip
    assert (found.instrument, found.telescope) == ("LSSTCam", "Simonyi Survey Telescope")
    assert (found.obs_id, found.exposure_id, found.day_obs_offset) == ("MC_O_20251001_000051", 2025100100051, 43200.0)
    assert (found.detector, found.detector_name, found.detector_group) == (94, "R22_S11", "R22")
    assert (found.detector_serial, found.detector_exposure_id) == ("E2V-CCD250-367", 94 + 256 * (51 + 32768 * 5752))
    assert (found.exposure_time, found.exposure_time_requested, found.dark_time) == (30.001, 30.0, 30.95)
    assert (found.physical_filter, found.band, found.disperser) == ("r_57", "r", "")
    assert (found.ra, found.dec, found.tracking_frame) == (127.5, -44.2, "icrs")
    assert (found.azimuth, found.elevation, found.azimuth_end, found.elevation_end) == (221.7, 69.4, 221.8, 69.3)
    assert (found.airmass, found.rotator_angle, found.rotator_coord) == (1.068, 46.4, "sky")
    assert found.location == (1818938.94, -5208470.95, -3195172.08)
    assert (found.group, found.group_counter_start, found.group_counter_end) == ("2025-10-02T03:12:40.143#2", 50, 52)
    assert found.visit_id == 3393043601430002
    assert (found.on_sky, found.can_see_sky, found.simulated, found.program) == (True, True, False, "BLOCK-365")


@pytest.mark.parametrize("instrument", ["LSSTCam", "LSSTComCam"])
def test_every_detector_is_found_by_its_name(instrument: str) -> None:
    make = info if instrument == "LSSTCam" else comcam
    for detector in detectors(instrument).values():
        raft, _, slot = detector.name.partition("_")
        found = make(RAFTBAY=raft, CCDSLOT=slot, LSST_NUM=detector.serial)
        assert (found.detector, found.detector_name, found.detector_group) == (detector.number, detector.name, raft)
        assert found.detector_serial == detector.serial


def test_the_cameras_are_listed() -> None:
    assert instruments() == ("LATISS", "LSSTCam", "LSSTComCam")


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        (
            {"RAFTBAY": "R00", "CCDSLOT": "S00"},
            "no detector of this camera; expected RAFTBAY and CCDSLOT as one of R01_S00 to R44_SW1; found R00 and S00",
        ),
        ({"RAFTBAY": None}, "no detector of this camera.*found none and S11"),
        ({"CCDSLOT": None}, "no detector of this camera.*found R22 and none"),
        ({"IMGTYPE": None}, "the card IMGTYPE cannot be used; expected an observation type; found no such card"),
        ({"EXPTIME": None}, "the card EXPTIME cannot be used; expected seconds, up to a day; found no such card"),
        ({"EXPTIME": -1.0}, "EXPTIME.*found -1.0"),
        ({"SHUTTIME": 1e9}, "SHUTTIME.*expected seconds, up to a day; found 1000000000.0"),
        ({"OBSID": None}, "the card OBSID cannot be used; expected MC_O_YYYYMMDD_NNNNNN"),
        ({"DAYOBS": "20251002"}, "DAYOBS.*expected 20251001 as in OBSID; found '20251002'"),
        ({"SEQNUM": 52}, "SEQNUM.*expected 51 as in OBSID; found 52"),
        ({"SEQNUM": "9" * 5000}, "SEQNUM.*expected 51 as in OBSID"),
        ({"CONTRLLR": "Z"}, "unknown controller; expected one of OCHPQS; found 'Z'"),
        ({"DATE__BEG": None}, "does not say when the exposure began"),
    ],
)
def test_what_cannot_be_done_without_is_a_bad_header(cards: dict[str, object], words: str) -> None:
    with pytest.raises(BadHeader, match=words) as caught:
        info(**cards)
    assert caught.value.subject == "x.fits"


@pytest.mark.parametrize("instrument", ["LSSTCamSim", "ComCamSim", "TS8", "LSST_CAMERA"])
def test_other_cameras_are_unknown(instrument: str) -> None:
    with pytest.raises(UnknownInstrument, match=f"expected LATISS, LSSTCam or LSSTComCam; found '{instrument}'"):
        info(INSTRUME=instrument)


def test_the_cameras_own_control_system_sets_the_day() -> None:
    found = info(OBSID="MC_C_20251001_000051", CONTRLLR="C", DAYOBS="20351001")
    assert (found.obs_id, found.day_obs, found.exposure_id) == ("MC_C_20251001_000051", 20351001, 2035100100051)


# --- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cards", "name", "band"),
    [
        ({"FILTER": "i_39"}, "i_39", "i"),
        ({"FILTER": "480nm", "FILTER2": "ND_OD0.1"}, "480nm~ND_OD0.1", "g~nd"),
        ({"FILTER": "950nm", "FILTER1": "empty", "FILTER2": "empty"}, "950nm", "y"),
        ({"FILTER": "NONE"}, "none", "white"),
        ({"FILTER": None}, "unknown", "unknown"),
        ({"FILTER": LEFT_OUT, "FILTER2": "ND_OD0.1"}, "unknown", "unknown"),
        ({"FILTER": "a new one"}, "a new one", "unknown"),
    ],
)
def test_filters_are_joined(cards: dict[str, object], name: str, band: str) -> None:
    assert (info(**cards).physical_filter, info(**cards).band) == (name, band)


@pytest.mark.parametrize(("shutter", "expected"), [(14.5, 14.5), (0.0, 30.0), (None, 30.0), (-1.0, 30.0)])
def test_the_shutter_measures_the_exposure_unless_it_stayed_closed(shutter: float | None, expected: float) -> None:
    found = info(SHUTTIME=shutter)
    assert (found.exposure_time, found.exposure_time_requested) == (expected, 30.0)


def test_the_end_is_computed_where_it_is_not_given() -> None:
    assert info(DATE__END=None, SHUTTIME=14.5).end_tai == "2025-10-02T03:12:58.623"
    assert info(DARKTIME=None).dark_time == 30.001


@pytest.mark.parametrize("impossible", [-5.0, 1e30])
def test_an_impossible_dark_time_is_none(impossible: float) -> None:
    assert info(DARKTIME=impossible).dark_time == 30.001


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"VIGN_MIN": "FULLY"}, False),
        ({"VIGN_MIN": "PARTIALLY"}, True),
        ({"VIGN_MIN": "UNKNOWN"}, None),
        ({"VIGN_MIN": None}, None),
        ({"VIGN_MIN": None, "IMGTYPE": "DARK"}, None),
        ({"SHUTTIME": 0.0}, False),
        ({"DATE__BEG": "2025-02-01T00:00:00"}, False),
    ],
)
def test_whether_the_sky_could_be_seen(cards: dict[str, object], expected: bool | None) -> None:
    assert info(**cards).can_see_sky is expected


def test_in_the_laboratory_there_is_neither_sky_nor_telescope() -> None:
    found = info(DATE__BEG="2025-02-28T12:00:00", ELSTART=60.0, AZSTART=10.0, ROTCOORD="sky", OBSGEO__X=1.0)
    assert (found.on_sky, found.azimuth, found.elevation, found.airmass) == (False, None, None, None)
    assert (found.location, found.rotator_coord) == (None, "unknown")


def test_phosim_is_always_on_the_sky() -> None:
    found = on(
        20100217, CONTRLLR="H", IMGTYPE="SKYEXP", VIGN_MIN=None, SHUTTIME=None, TRACKSYS="", RASTART=0.0, DECSTART=0.0
    )
    assert (found.on_sky, found.can_see_sky, found.simulated, found.exposure_id) == (True, True, True, 4010021700051)
    assert (found.ra, found.airmass, standard_properties(found)["boresight_airmass"]) == (None, None, 1.0)


@pytest.mark.parametrize(
    ("cards", "frame", "ra"),
    [
        ({}, "icrs", 10.0),
        ({"RADESYS": "FK5"}, "fk5", 10.0),
        ({"RADESYS": "FK4"}, None, None),
        ({"TRACKSYS": "AZEL"}, None, None),
        ({"TRACKSYS": "SIDEREAL"}, None, None),
        ({"TRACKSYS": ""}, None, None),
        ({"IMGTYPE": "FLAT"}, None, None),
        ({"IMGTYPE": "DARK"}, "icrs", 10.0),
        ({"RASTART": None}, "icrs", 20.0),
        ({"DECSTART": 91.0}, "icrs", 20.0),
    ],
)
def test_who_has_a_position(cards: dict[str, object], frame: str | None, ra: float | None) -> None:
    found = info(**({"RASTART": 10.0, "DECSTART": -30.0, "RA": 20.0, "DEC": -31.0} | cards))
    assert found.tracking_frame == frame
    assert found.ra == (None if ra is None else pytest.approx(ra, abs=1e-4))


@pytest.mark.parametrize(
    ("elevation", "expected"), [(91.0, 90.0), (95.6, None), (-5.0, -5.0), (-6.0, None), (45.0, 45.0), (None, None)]
)
def test_a_mount_can_be_beyond_the_zenith_a_little(elevation: float | None, expected: float | None) -> None:
    assert info(ELSTART=elevation, AZSTART=-90.0).elevation == expected
    assert info(ELSTART=elevation, AZSTART=-90.0).azimuth == (None if expected is None else 270.0)


def test_programs_were_run_numbers() -> None:
    assert info(RUNNUM="13518").program == "13518"
    assert info(RUNNUM="13518", PROGRAM="BLOCK-T417").program == "BLOCK-T417"
    assert info().program == "unknown"


def test_numbers_written_as_text() -> None:
    assert info(FOCUSZ="-1.25").focus_z == -1.25
    assert info(FOCUSZ="near").focus_z is None
    assert info(FOCUSZ="nan").focus_z is None
    assert info(CURINDEX=1.5, MAXINDEX="x").group_counter_start == 51


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"SIMULATE MTDOME": 1}, True),
        ({"SIMULATE MTDOME": True}, True),
        ({"SIMULATE MTDOME": 0, "SIMULATE MTMOUNT": None, "SIMULATE MTM2": False, "SIMULATED MJD-OBS": ""}, False),
        ({"CONTRLLR": "S"}, True),
        ({"CONTRLLR": "C"}, False),
    ],
)
def test_what_counts_as_simulated(cards: dict[str, object], expected: bool) -> None:
    assert info(**cards).simulated is expected


# --- ComCam ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day_obs", "given", "expected"),
    [(20190526, "r", "r_03"), (20190526, "", "r_03"), (20200701, "r", "empty"), (20200701, None, "unknown"),
     (20241108, "g_01", "g_01")],
)  # fmt: skip
def test_filters_of_comcam(day_obs: int, given: str | None, expected: str) -> None:
    assert comcam(day_obs, FILTER=given).physical_filter == expected


def test_comcam_knows_its_sensors_and_where_it_was() -> None:
    early = comcam(20190526, INSTRUME="LSST_CAMERA", TELCODE="CC", LSST_NUM=None)
    assert (early.instrument, early.detector, early.detector_serial) == ("LSSTComCam", 1, "ITL-3800C-251")
    assert (early.can_see_sky, early.on_sky, early.day_obs_offset) == (False, False, 25200.0)
    assert comcam(20200301).day_obs_offset == 43200.0
    assert comcam(20240823).on_sky is False
    assert comcam(20240824).on_sky is True
    assert comcam(INSTRUME="COMCAM").instrument == "LSSTComCam"


# --- guiders ---------------------------------------------------------------------------------------------------------

GUIDER = {
    "CCDSLOT": "SG0", "RAFTBAY": "R00", "IMGTYPE": "UNKNOWN", "EXPTIME": LEFT_OUT, "DARKTIME": LEFT_OUT, "SHUTTIME": None,
    "DATE__BEG": LEFT_OUT, "DATE__END": LEFT_OUT, "GDSSTART": "2025-10-02T03:12:44.000", "N_STAMPS": 102, "ROIMILLI": 50,
}  # fmt: skip


def test_a_guider_says_when_it_began_and_how_long_it_looked() -> None:
    found = info(**GUIDER)
    assert (found.detector, found.detector_name, found.observation_type) == (189, "R00_SG0", "unknown")
    assert (found.begin_tai, found.end_tai) == ("2025-10-02T03:12:44.000", "2025-10-02T03:12:49.100")
    assert (found.exposure_time, found.dark_time, found.exposure_time_requested) == (5.1, 5.1, None)


@pytest.mark.parametrize("milliseconds", [None, -1, 1e12])
def test_a_guider_that_does_not_say_how_long_has_a_time_that_is_none(milliseconds: float | None) -> None:
    found = info(**(GUIDER | {"ROIMILLI": milliseconds}))
    assert math.isnan(found.exposure_time)
    assert found.end_tai == found.begin_tai


def test_a_science_raw_must_say_how_long() -> None:
    with pytest.raises(BadHeader, match="EXPTIME"):
        info(**(GUIDER | {"N_STAMPS": None}))


# --- anything --------------------------------------------------------------------------------------------------------

JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), st.text(max_size=30), st.just(["a", "list"])
)
OTHERS = [
    "RASTART", "DECSTART", "TRACKSYS", "GROUPID", "AMSTART", "DATE-OBS", "DATE", "MJD-BEG", "ROTPA", "CURINDEX", "MAXINDEX",
    "OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z", "FILTER2", "N_STAMPS", "ROIMILLI", "GDSSTART", "TELCODE", "FOCUSZ", "RADESYS",
]  # fmt: skip


@given(
    camera=st.sampled_from(["lsstCam", "ComCam", "LATISS", "LSST_CAMERA"]),
    cards=st.dictionaries(st.sampled_from([*CARDS, *OTHERS]), JUNK),
)
def test_any_header_is_translated_or_refused(camera: str, cards: dict[str, object]) -> None:
    try:
        found = translate(CARDS | {"INSTRUME": camera} | cards, name="x.fits")
    except (BadHeader, UnknownInstrument) as error:
        subject = error.subject
    else:
        subject = "x.fits"
        numbers = [value for value in dataclasses.astuple(found) if isinstance(value, float)]
        finite = [value for value in numbers if math.isfinite(value)]
        assert len(finite) == len(numbers) - (2 if math.isnan(found.exposure_time) else 0)
    assert subject == "x.fits"
