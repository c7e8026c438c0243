"""What a LATISS header says, corrected: the rules, and what cannot be done without."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadHeader, UnknownInstrument
from rapid.processing.exposure import ExposureInfo
from rapid.processing.headers import standard_properties, translate
from tests.support.frames import CARDS, NAME


def info(name: str = NAME, **cards: object) -> ExposureInfo:
    """Translate the usual header with some cards changed; ``__`` stands for ``-``."""
    return translate(CARDS | {key.replace("__", "-"): value for key, value in cards.items()}, name=name)


def test_an_ordinary_exposure() -> None:
    found = info(
        RASTART=223.77,
        DECSTART=-20.01,
        AZSTART=-3.4,
        ELSTART=79.86,
        AMSTART=1.0156,
        ROTPA=98.6,
        FOCUSZ=0.742,
        RADESYS="ICRS",
    )
    assert (found.instrument, found.obs_id, found.exposure_id) == ("LATISS", "AT_O_20260315_000051", 2026031500051)
    assert (found.day_obs, found.seq_num, found.controller) == (20260315, 51, "O")
    assert (found.begin_tai, found.end_tai) == ("2026-03-16T03:12:44.123", "2026-03-16T03:13:14.345")
    assert (found.exposure_time, found.dark_time) == (30.0, 30.25)
    assert (found.observation_type, found.observation_reason) == ("science", "unknown")
    assert (found.physical_filter, found.band, found.disperser) == ("SDSSr_65mm~empty", "r", "empty")
    assert (found.ra, found.dec, found.elevation, found.airmass) == (223.77, -20.01, 79.86, 1.0156)
    assert found.azimuth == pytest.approx(356.6)
    assert (found.rotator_angle, found.focus_z) == (98.6, 0.742)
    assert (found.on_sky, found.can_see_sky, found.simulated) == (True, True, False)


def test_what_the_header_does_not_say_is_none() -> None:
    found = info(VIGN_MIN=None, IMGTYPE="ENGTEST")
    for name in ("ra", "dec", "azimuth", "elevation", "airmass", "rotator_angle", "focus_z", "temperature", "pressure"):
        assert getattr(found, name) is None, name
    assert (found.humidity, found.dimm_seeing, found.can_see_sky, found.vignetting) == (None, None, None, None)
    assert (found.object, found.program, found.group) == ("UNKNOWN", "unknown", "2026031500051")


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"OBSID": None}, "the card OBSID cannot be used; expected AT_O_YYYYMMDD_NNNNNN; found no such card"),
        ({"OBSID": "nonsense"}, "OBSID.*'nonsense'"),
        ({"DAYOBS": "20260316"}, "DAYOBS.*20260315 as in OBSID.*'20260316'"),
        ({"SEQNUM": 52}, "SEQNUM.*51 as in OBSID.*52"),
        ({"DATE__BEG": None}, "does not say when the exposure began.*MJD-BEG, DATE-BEG.*none of them"),
        ({"DATE__BEG": "yesterday"}, "does not say when.*DATE-BEG = 'yesterday'"),
        ({"SEQNUM": -51}, "SEQNUM.*51 as in OBSID.*-51"),
        ({"DATE__BEG": "2026-03-16T03:12:44+05:00"}, "does not say when.*[+]05:00"),
        ({"MJD__BEG": 1e300}, "MJD-BEG cannot be used; expected a date; found 1e[+]300"),
        ({"DATE__BEG": "9999-12-31T23:59:59.999"}, "does not say when.*9999"),
        (
            {"EXPTIME": None},
            "the card EXPTIME cannot be used; expected seconds, up to a day; found no such card, or an undefined one",
        ),
        ({"EXPTIME": -1.0}, "EXPTIME.*found -1.0"),
        ({"EXPTIME": 1e12}, "EXPTIME.*found 1000000000000.0"),
        ({"EXPTIME": "long"}, "EXPTIME.*found 'long'"),
        ({"IMGTYPE": None}, "the card IMGTYPE cannot be used; expected an observation type"),
        ({"CONTRLLR": "Z"}, "unknown controller; expected one of OCHPQS; found 'Z'"),
        ({"INSTRUME": None}, "INSTRUME is missing or undefined; expected LATISS"),
    ],
)
def test_what_cannot_be_done_without_is_a_bad_header(cards: dict[str, object], words: str) -> None:
    with pytest.raises(BadHeader, match=words) as caught:
        info(name="x.fits", **cards)
    assert caught.value.subject == "x.fits"


def test_another_camera_is_unknown() -> None:
    expected = "no header rules for this camera; expected LATISS, LSSTCam or LSSTComCam; found 'DECam'"
    with pytest.raises(UnknownInstrument, match=expected):
        info(INSTRUME="DECam")


@pytest.mark.parametrize("card", ["IMGNAME", "FILENAME"])
def test_identity_is_taken_from_another_card_that_has_it(card: str) -> None:
    found = info(name="x.fits", OBSID=None, DAYOBS=None, SEQNUM=None, **{card: "AT_O_20260315_000051.fits"})
    assert (found.obs_id, found.day_obs, found.seq_num) == ("AT_O_20260315_000051", 20260315, 51)


def test_identity_is_taken_from_the_name_of_the_file_at_last() -> None:
    assert info(OBSID=None, DAYOBS=None, SEQNUM=None).exposure_id == 2026031500051


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"VIGN_MIN": "FULLY"}, False),
        ({"VIGN_MIN": "PARTIALLY"}, True),
        ({"VIGN_MIN": "UNKNOWN"}, None),
        ({"VIGN_MIN": None}, True),
        ({"VIGN_MIN": None, "IMGTYPE": "DARK"}, False),
        ({"VIGN_MIN": None, "IMGTYPE": "FLAT"}, None),
        ({"VIGN_MIN": "NO", "SHUTTIME": 0.0}, False),
        ({"VIGN_MIN": "NO", "SHUTTIME": 30.0}, True),
    ],
)
def test_whether_the_sky_could_be_seen(cards: dict[str, object], expected: bool | None) -> None:
    assert info(**cards).can_see_sky is expected


@pytest.mark.parametrize(
    ("kind", "tracking", "on_sky", "position"),
    [
        ("OBJECT", "RADEC", True, True),
        ("SKYEXP", "SIDEREAL", True, True),
        ("OBJECT", "", True, True),
        ("OBJECT", "LOCAL", False, False),
        ("OBJECT", "AZEL", True, False),
        ("DARK", None, False, True),
        ("BIAS", "RADEC", False, False),
        ("FLAT", "RADEC", False, False),
    ],
)
def test_who_is_on_the_sky_and_has_a_position(kind: str, tracking: str | None, on_sky: bool, position: bool) -> None:
    found = info(IMGTYPE=kind, TRACKSYS=tracking, RA=10.0, DEC=-30.0)
    assert found.on_sky is on_sky
    assert (found.ra, found.dec) == ((10.0, -30.0) if position else (None, None))


def test_airmass_is_computed_when_it_is_not_given_and_only_on_the_sky() -> None:
    assert info(ELSTART=30.0, AZSTART=0.0).airmass == pytest.approx(2.0)
    assert info(ELSTART=30.0, AZSTART=0.0, IMGTYPE="DARK", AMSTART=2.0).airmass is None
    assert info(ELSTART=-1.0, AZSTART=0.0).airmass is None


def test_small_pressures_are_hectopascal() -> None:
    assert info(PRESSURE=744.3).pressure == pytest.approx(74430)
    assert info(PRESSURE=73880.0).pressure == 73880.0


def test_simulated_content_is_told() -> None:
    assert info(**{"SIMULATE ATDOME": True}).simulated
    assert not info(**{"SIMULATE ATDOME": 0, "SIMULATE ATMCS": None}).simulated
    assert info(name="x.fits", OBSID="AT_S_20260315_000051", CONTRLLR=None).simulated


@pytest.mark.parametrize(
    ("cards", "filter_name"),
    [
        ({"FILTER": "empty_1", "GRATING": "holo4_003"}, "empty~holo4_003"),
        ({"FILTER": None, "GRATING": None}, "unknown~unknown"),
        ({"FILTER": "BG40_65mm_1", "GRATING": "blue300lpmm_qn1"}, "BG40_65mm_1~blue300lpmm_qn1"),
    ],
)
def test_filter_and_disperser_are_one_name(cards: dict[str, object], filter_name: str) -> None:
    assert info(**cards).physical_filter == filter_name


def dated(begin: str, **cards: object) -> ExposureInfo:
    day = begin[:10].replace("-", "")
    return info(
        name="x.fits", OBSID=f"AT_O_{day}_000051", DAYOBS=day, DATE__BEG=begin, DATE__END="2031-01-01T00:00:00", **cards
    )


def test_the_end_is_believed_from_2020_february_on() -> None:
    assert dated("2020-01-31T12:00:00").end_tai == "2020-01-31T12:00:30.000"
    assert dated("2020-02-01T12:00:00").end_tai == "2031-01-01T00:00:00.000"


def test_early_types_and_groups() -> None:
    assert dated("2019-11-06T12:00:00", IMGTYPE=None, GROUPID="dark_0001_0002").observation_type == "dark"
    assert dated("2019-11-06T12:00:00", IMGTYPE=None, GROUPID="FOCUS3").observation_type == "focus"
    assert dated("2019-11-06T12:00:00", IMGTYPE=None, GROUPID="FLAT").group == "2019110600051"
    assert dated("2019-11-06T12:00:00", IMGTYPE=None, GROUPID="test_1").observation_type == "unknown"
    assert dated("2019-11-06T12:00:00", IMGTYPE="BIAS", GROUPID="BIAS").group == "2019110600051"
    assert dated("2019-11-08T12:00:00", IMGTYPE=None, GROUPID="dark_0001_0002").observation_type == "unknown"
    assert dated("2019-11-08T12:00:00", IMGTYPE=None, EXPTIME=0.0).observation_type == "bias"
    assert dated("2020-01-27T19:00:00", IMGTYPE="OBJECT").observation_type == "engtest"
    assert dated("2020-01-27T21:00:00", IMGTYPE="OBJECT").observation_type == "science"


def test_early_positions_were_in_other_units_and_off() -> None:
    both = {"RA": 1.0, "DEC": -0.5, "RASTART": 10.0, "DECSTART": -20.0}
    assert dated("2020-01-28T21:00:00", **both).ra == pytest.approx(57.29577951)
    assert dated("2020-01-28T23:00:00", **both).ra == 1.0
    assert dated("2020-05-02T00:00:00", **both).ra == pytest.approx(150 + 37 / 240)
    assert dated("2021-02-11T19:00:00", **both).ra == pytest.approx(10 + 37 / 240)
    assert dated("2021-02-12T01:00:00", **both).ra == 10.0


def test_the_rotator_was_turned_round_for_a_year() -> None:
    assert dated("2020-11-18T00:00:00", ROTPA=10.0).rotator_angle == 10.0
    assert dated("2020-11-20T00:00:00", ROTPA=10.0).rotator_angle == -170.0
    assert dated("2021-10-30T00:00:00", ROTPA=10.0).rotator_angle == 10.0


def test_clocks_at_their_epoch_are_replaced() -> None:
    epoch = "1970-01-01T00:00:08.000"
    identity = {"OBSID": "AT_O_20191118_000011", "DAYOBS": "20191118", "SEQNUM": 11}
    found = info(
        name="x.fits", DATE__BEG=epoch, DATE__OBS=epoch, MJD__OBS=40587.1, DATE="2019-11-18T23:07:53.453", **identity
    )
    assert (found.begin_tai, found.end_tai) == ("2019-11-18T23:07:53.453", "2019-11-18T23:08:23.453")


def test_a_prefix_of_early_spectra_is_no_part_of_the_name() -> None:
    assert dated("2022-07-09T00:00:00", OBJECT="spec:HD2811").object == "HD2811"
    assert dated("2022-07-11T00:00:00", OBJECT="spec:HD2811").object == "spec:HD2811"


JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30))


@given(
    cards=st.dictionaries(
        st.sampled_from([*CARDS, "RASTART", "DECSTART", "TRACKSYS", "GROUPID", "AMSTART", "DATE-OBS"]), JUNK
    )
)
def test_any_header_is_translated_or_refused(cards: dict[str, object]) -> None:
    try:
        found = translate(CARDS | cards, name="x.fits")
    except (BadHeader, UnknownInstrument) as error:
        subject = error.subject
    else:
        subject = "x.fits"
        numbers = [value for value in dataclasses.astuple(found) if isinstance(value, float)]
        assert not any(math.isinf(value) for value in numbers)
    assert subject == "x.fits"


def test_the_camera_under_its_own_control_may_leave_the_exposure_time_out() -> None:
    found = info(
        name="x.fits", OBSID="AT_C_20260315_000051", CONTRLLR="C", IMGTYPE="UNKNOWN", EXPTIME=None, DATE__END=None
    )
    assert math.isnan(found.exposure_time)
    assert (found.exposure_time_requested, found.dark_time, found.end_tai) == (None, 30.25, found.begin_tai)
    assert standard_properties(found)["exposure_time"] == -1.0
    with pytest.raises(BadHeader, match="EXPTIME"):
        info(name="x.fits", OBSID="AT_C_20260315_000051", CONTRLLR="C", EXPTIME="long")


def test_so_it_did_in_the_laboratory() -> None:
    found = dated("2019-03-29T16:57:37.055", GROUPID="bias", IMGTYPE=None, EXPTIME=None, DARKTIME=None)
    assert (found.observation_type, found.group, found.end_tai) == ("bias", "2019032900051", "2019-03-29T16:57:37.055")
    names = ("exposure_time", "exposure_time_requested", "dark_time")
    assert [standard_properties(found)[name] for name in names] == [-1.0, -1.0, -1.0]


def test_a_site_on_the_wrong_hemisphere_and_a_sensor_that_was_changed() -> None:
    place = {"OBSGEO__X": 1819093.52, "OBSGEO__Y": -5208408.1, "OBSGEO__Z": 3195186.45}
    assert info(**place).location == (1819093.52, -5208408.1, -3195186.45)
    assert dated("2019-06-23T12:00:00", LSST_NUM="ITL-3800C-098").detector_serial == "ITL-3800C-098"
    assert dated("2019-06-25T12:00:00", LSST_NUM="ITL-3800C-098").detector_serial == "ITL-3800C-068"
    assert dated("2019-06-23T12:00:00", DETSER="ITL-3800C-098").detector_serial == "ITL-3800C-098"
