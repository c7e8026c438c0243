"""The header part of a row: RubinTV's own labels, numbers that stay numbers, and reasons for what is missing."""

from __future__ import annotations

import astropy.units as u
import pytest

from rapid.processing.describe import describe
from rapid.processing.findings import Finding, Quality
from rapid.processing.headers import translate
from tests.support.frames import CARDS, NAME

RUBINTV = (
    "Exposure time",
    "Darktime",
    "Image type",
    "Reason",
    "Date begin",
    "Program",
    "Group name",
    "Target",
    "RA",
    "Dec",
    "Sky angle",
    "Azimuth",
    "Zenith Angle",
    "Elevation",
    "Can see the sky?",
    "Filter",
    "Disperser",
    "Airmass",
    "DIMM Seeing",
    "Focus Z",
    "Controller",
    "Vignetting minimum",
)


def findings(**cards: object) -> dict[str, Finding]:
    return {finding.name: finding for finding in describe(translate(CARDS | cards, name=NAME))}


def test_the_columns_of_rubintv_are_all_there() -> None:
    assert set(RUBINTV) <= {finding.label for finding in findings().values()}


def test_values_keep_their_types_and_have_units() -> None:
    found = findings(
        RASTART=10.5, DECSTART=-30.25, ELSTART=60.0, AZSTART=5.0, FOCUSZ=0.0, GRATING="holo4_003", SEEING=1.2
    )
    assert (found["exposure_time"].value, found["exposure_time"].unit) == (30.0, "s")
    assert (found["ra"].value, found["dec"].value, found["ra"].unit) == (10.5, -30.25, "deg")
    assert (found["elevation"].value, found["zenith_angle"].value) == (60.0, 30.0)
    assert found["airmass"].value == pytest.approx(1.1547, abs=1e-4)
    assert (found["filter"].value, found["disperser"].value) == ("SDSSr_65mm", "holo4_003")
    assert found["can_see_sky"].value is True
    assert (found["focus_z"].value, found["focus_z"].unit) == (0.0, "mm")
    assert found["date_begin"].value == "2026-03-16T03:12:44.123"
    assert (found["dimm_seeing"].value, found["dimm_seeing"].unit) == (1.2, "arcsec")
    for finding in found.values():
        u.Unit(finding.unit)
        assert finding.label
        assert finding.description.endswith(".")


def test_a_camera_without_disperser_has_no_column_for_it() -> None:
    found = findings(
        INSTRUME="lsstCam", OBSID="MC_O_20260401_000051", DAYOBS="20260401", RAFTBAY="R22", CCDSLOT="S11", FILTER="r_57"
    )  # fmt: skip
    assert found["filter"].value == "r_57"
    assert "disperser" not in found
    assert found.keys() | {"disperser"} == findings().keys()


def test_a_filter_may_be_two() -> None:
    both = findings(
        INSTRUME="lsstCam", OBSID="MC_C_20230315_000051", DAYOBS="20230315", CONTRLLR="C", RAFTBAY="R22", CCDSLOT="S11",
        FILTER="480nm", FILTER2="ND_OD0.1",
    )  # fmt: skip
    assert both["filter"].value == "480nm~ND_OD0.1"


def test_a_guider_that_does_not_say_how_long_has_no_exposure_time() -> None:
    found = findings(
        INSTRUME="lsstCam", OBSID="MC_O_20260315_000051", RAFTBAY="R00", CCDSLOT="SG0", EXPTIME=None, DARKTIME=None,
        N_STAMPS=92,
    )  # fmt: skip
    for name in ("exposure_time", "dark_time"):
        assert (found[name].value, found[name].reason) == (None, "the header does not say")


def test_what_is_missing_says_why() -> None:
    found = findings(IMGTYPE="BIAS", VIGN_MIN=None)
    assert {name for name, finding in found.items() if finding.quality is Quality.MISSING} >= {
        "ra",
        "dec",
        "airmass",
        "focus_z",
    }
    assert found["ra"].reason == "a bias has no position on the sky"
    assert found["airmass"].reason == "not on the sky"
    assert found["focus_z"].reason == "the header does not say"
    assert found["can_see_sky"].value is False


def test_names_do_not_depend_on_what_the_header_says() -> None:
    assert list(findings()) == list(findings(IMGTYPE="BIAS", FILTER=None, OBJECT="M 13", AIRTEMP=3.0))


@pytest.mark.parametrize(
    ("name", "card", "reason"),
    [
        ("target", "OBJECT", "no target was set"),
        ("program", "PROGRAM", "no programme was set"),
        ("filter", "FILTER", "no filter was named"),
        ("disperser", "GRATING", "no disperser was named"),
    ],
)
@pytest.mark.parametrize("word", [None, "UNKNOWN", "unknown"])
def test_a_word_that_says_nothing_is_no_value(name: str, card: str, reason: str, word: str | None) -> None:
    finding = findings(**{card: word})[name]
    assert (finding.value, finding.quality, finding.reason) == (None, Quality.MISSING, reason)


def test_why_without_a_word_for_it_is_missing() -> None:
    assert findings(REASON=None, TESTTYPE=None)["reason"].reason == "no reason was given"


def test_a_name_with_the_word_in_it_is_a_name() -> None:
    assert findings(OBJECT="unknown pleasures")["target"].value == "unknown pleasures"
