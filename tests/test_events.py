"""Keys that may be used, and what the names of raw files say."""

from __future__ import annotations

import string
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rapid.errors import BadName
from rapid.events import KEY_LIMIT, NameFacts, Origin, check_key, exposure_name, is_raw_name, name_facts

# --- keys --------------------------------------------------------------------------------------------------------

PARTS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1, max_size=12).filter(
    lambda part: part not in {".", ".."}
)


@given(st.lists(PARTS, min_size=1, max_size=8).map("/".join))
@example("LATISS/20240624/AT_O_20240624_000021/AT_O_20240624_000021_R00_S00.fits")
@example("a b.fits")
@example("..a/b../...")
@example("k" * KEY_LIMIT)
def test_a_key_of_printable_parts_is_returned_as_it_is(key: str) -> None:
    assert check_key(key) == key


@given(st.text(max_size=40))
@example("a\\b")
@example("\udc80.fits")
def test_a_key_that_is_taken_is_harmless(key: str) -> None:
    """Whatever the text: it is refused, or it is relative, printable and stays below its root."""
    try:
        taken = check_key(key)
    except BadName:
        return
    assert taken == key
    assert taken.isprintable()
    assert "\\" not in taken
    assert not taken.startswith("/")
    assert not {"", ".", ".."} & set(taken.split("/"))
    taken.encode()


CLIMBS = "climbs out of its archive or has empty parts; expected a relative key without . or .."
ODD = "not a usable key; expected printable characters and no backslash"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "'': not a usable key; expected 1 to 1024 characters; found 0"),
        ("k" * (KEY_LIMIT + 1), "not a usable key; expected 1 to 1024 characters; found 1025"),
        ("../x", f"'../x': the key {CLIMBS}"),
        ("a/../b", CLIMBS),
        ("a/..", CLIMBS),
        ("..", CLIMBS),
        (".", CLIMBS),
        ("./a", CLIMBS),
        ("/abs", CLIMBS),
        ("/", CLIMBS),
        ("a//b", CLIMBS),
        ("a/", CLIMBS),
        ("a\\b", ODD),
        ("..\\x", ODD),
        ("nul\0.fits", ODD),
        ("new\nline.fits", ODD),
        ("tab\t.fits", ODD),
        ("escape\x1b[2J.fits", ODD),
        ("delete\x7f.fits", ODD),
        ("right-to-left\u202e.fits", ODD),
        ("not-utf8-\udcff.fits", ODD),
        ("no-break\u00a0space.fits", ODD),
        ("line\u2028separator.fits", ODD),
    ],
)
def test_a_hostile_key_is_refused_with_the_reason(key: str, message: str) -> None:
    with pytest.raises(BadName) as caught:
        check_key(key)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700
    assert not caught.value.retriable


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("AT_O_20240624_000021_R00_S00.fits", ("LATISS", "AT_O_20240624_000021", "O", 20240624, 21, "R00_S00", False)),
        ("AT_O_20210525_000015-R00S00.fits", ("LATISS", "AT_O_20210525_000015", "O", 20210525, 15, "R00_S00", False)),
        ("AT_O_20210525_000015--R00S00.fits", ("LATISS", "AT_O_20210525_000015", "O", 20210525, 15, "R00_S00", False)),
        ("AT_C_20230705_000001_RXX_S00.fits", ("LATISS", "AT_C_20230705_000001", "C", 20230705, 1, "RXX_S00", False)),
        ("MC_O_20260315_000051_R01_S01.fits", ("LSSTCam", "MC_O_20260315_000051", "O", 20260315, 51, "R01_S01", False)),
        (
            "MC_O_20251121_000156_R44_SW0.fits",
            ("LSSTCam", "MC_O_20251121_000156", "O", 20251121, 156, "R44_SW0", False),
        ),
        (
            "MC_C_20240918_000013_R00_SG0_guider.fits",
            ("LSSTCam", "MC_C_20240918_000013", "C", 20240918, 13, "R00_SG0", True),
        ),
        ("MC_C_20230825_000013_R00_SG1.fits", ("LSSTCam", "MC_C_20230825_000013", "C", 20230825, 13, "R00_SG1", False)),
        (
            "CC_S_20240404_000780_R22_S01.fits",
            ("LSSTComCam", "CC_S_20240404_000780", "S", 20240404, 780, "R22_S01", False),
        ),
        ("TS_C_20191105_000003_R22_S11.fits", ("LSST-TS8", "TS_C_20191105_000003", "C", 20191105, 3, "R22_S11", False)),
        (
            "MC_H_20240322_000721_R22_S11.fits.fz",
            ("LSSTCam", "MC_H_20240322_000721", "H", 20240322, 721, "R22_S11", False),
        ),
        (
            "AT_O_20240624_000021_R00_S00.fits.gz",
            ("LATISS", "AT_O_20240624_000021", "O", 20240624, 21, "R00_S00", False),
        ),
    ],
)
@pytest.mark.parametrize("folder", ["", "LATISS/20240624/x/", "a_b-c/"])
def test_the_names_the_observatory_writes_are_read(folder: str, name: str, facts: tuple[object, ...]) -> None:
    assert name_facts(folder + name) == NameFacts(*facts)  # type: ignore[arg-type]
    assert is_raw_name(folder + name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "3018092000065-det000.fits",
        "201807241028453-RTM-010-S11-det067.fits",
        "AT_O_20240624_000021_R00_S00.json",
        "AT_O_20240624_000021_R00_S00.fits.tmp",
        "AT_O_20240624_000021_R00_S00.fits/x",
        "AT_O_20240624_000021_R00_S00.FITS",
        " AT_O_20240624_000021_R00_S00.fits",
        "xAT_O_20240624_000021_R00_S00.fits",
        "AT_O_20240624_000021_R00_S00.fits\n",
        "AT_O_2024062_000021_R00_S00.fits",
        "AT_O_20240624_21_R00_S00.fits",
        "AT_O_20240624_000021_R0_S00.fits",
        "AT_O_20240624_000021.fits",
        "XX_O_20240624_000021_R00_S00.fits",
        "AT_o_20240624_000021_R00_S00.fits",
        "MC_O_20260315_000051_shutterMotionProfileOpen.json",
        "AT_O_20240624_000021_R00_S00.fits.bz2",
        "AT_O_2024\u0660624_000021_R00_S00.fits",
    ],
)
def test_other_names_say_nothing(name: str) -> None:
    assert name_facts(name) is None


@given(
    camera=st.sampled_from(sorted({"AT": "LATISS", "CC": "LSSTComCam", "MC": "LSSTCam", "TS": "LSST-TS8"}.items())),
    controller=st.sampled_from("OCHPQS"),
    day_obs=st.dates(date(2018, 1, 1), date(2099, 12, 31)).map(lambda day: int(day.strftime("%Y%m%d"))),
    seq_num=st.integers(0, 999999),
    raft=st.sampled_from(["R00", "R22", "R44", "RXX"]),
    slot=st.sampled_from(["S00", "S22", "SG0", "SW1"]),
    joints=st.sampled_from([("_", "_"), ("-", ""), ("--", "")]),
    suffix=st.sampled_from([".fits", ".fits.fz", ".fits.gz", "_guider.fits"]),
)
def test_a_name_that_was_written_is_read_back(
    camera: tuple[str, str],
    controller: str,
    day_obs: int,
    seq_num: int,
    raft: str,
    slot: str,
    joints: tuple[str, str],
    suffix: str,
) -> None:
    obs_id = f"{camera[0]}_{controller}_{day_obs:08d}_{seq_num:06d}"
    facts = name_facts(f"{camera[1]}/{day_obs}/{obs_id}/{obs_id}{joints[0]}{raft}{joints[1]}{slot}{suffix}")
    assert facts == NameFacts(camera[1], obs_id, controller, day_obs, seq_num, f"{raft}_{slot}", suffix.startswith("_"))


@given(st.text(string.printable, max_size=60))
def test_any_text_is_a_name_or_none(text: str) -> None:
    facts = name_facts(text)
    assert facts is None or facts.obs_id in text


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("a.fits", True),
        ("x/a.fits.fz", True),
        ("a.fits.gz", True),
        ("a.fits.tmp", False),
        ("a.json", False),
        ("fits", False),
        ("a.fits/b", False),
        ("a.FITS", False),
    ],
)
def test_a_raw_file_is_known_by_its_suffix(key: str, raw: bool) -> None:
    assert is_raw_name(key) is raw


@pytest.mark.parametrize("day", ["20249999", "20230229", "00000101", "20241301"])
def test_a_day_that_is_not_in_the_calendar_is_no_name(day: str) -> None:
    assert name_facts(f"AT_O_{day}_000001_R00_S00.fits") is None


@pytest.mark.parametrize(
    ("obs_id", "facts"),
    [
        ("MC_O_20260112_000123", ("LSSTCam", "O", 20260112, 123)),
        ("AT_C_20260112_000001", ("LATISS", "C", 20260112, 1)),
        ("CC_P_20241026_999999", ("LSSTComCam", "P", 20241026, 999999)),
        ("TS_C_20230101_000000", ("LSST-TS8", "C", 20230101, 0)),
    ],
)
def test_the_name_of_an_exposure_is_read(obs_id: str, facts: tuple[str, str, int, int]) -> None:
    name = exposure_name(obs_id)
    assert name is not None
    assert (name.instrument, name.controller, name.day_obs, name.seq_num) == facts
    assert name.obs_id == obs_id


@pytest.mark.parametrize(
    "obs_id",
    [
        "",
        "??",
        "GC_O_20260112_000123",
        "MC_O_20260112_000123\n",
        " MC_O_20260112_000123",
        "MC_O_20261312_000123",
        "MC_O_20260230_000123",
        "MC_O_00000101_000123",
        "MC_O_20260112_00123",
        "MC_O_20260112_000123_R22_S11",
        "MC_O_२०२६०११२_000123",
    ],
)
def test_what_names_no_exposure_has_no_facts(obs_id: str) -> None:
    assert exposure_name(obs_id) is None


def test_an_origin_is_told_as_operators_write_it() -> None:
    assert str(Origin("lsst.s3.raw.lsstcam", 0, 17)) == "lsst.s3.raw.lsstcam[0]@17"
    assert str(Origin("rapid/LATISS/file")) == "rapid/LATISS/file"
