"""Keys: what is written is read back, RubinTV reads the same, and nothing else passes."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rapid.errors import BadName
from rapid.tv import keys
from rapid.tv.keys import CatalogueKey, PictureKey, SidecarKey

RUBINTV = re.compile(r"(\w+)\/([\d-]+)\/(\w+)\/(\d{6}|final)\/([\w-]+)\.(\w+)$")
"""The expression by which RubinTV itself reads keys."""

cameras = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True).filter(lambda name: name != "rapid")
channels = st.from_regex(r"[a-z][a-z0-9_]{0,30}", fullmatch=True)
days = st.dates(min_value=date(1000, 1, 1)).map(lambda day: day.year * 10000 + day.month * 100 + day.day)
seq_nums = st.integers(0, 999999)
detectors = st.from_regex(r"R[0-4][0-4]_S[0-2GW][0-2]", fullmatch=True)
pictures = st.builds(PictureKey, cameras, days, channels, seq_nums, st.sampled_from(["png", "jpg"]), detectors)
sidecars = st.builds(SidecarKey, cameras, days, seq_nums, detectors, channels)
catalogues = st.builds(CatalogueKey, cameras, days, seq_nums, detectors, channels)


@given(pictures)
def test_a_picture_key_is_read_back(picture: PictureKey) -> None:
    assert keys.parse_picture_key(keys.picture_key(picture)) == picture


@given(pictures)
def test_rubintv_reads_the_key_of_a_picture(picture: PictureKey) -> None:
    match = RUBINTV.fullmatch(keys.picture_key(picture))
    assert match is not None
    camera, day, channel, seq, name, suffix = match.groups()
    assert camera == picture.camera
    assert day == keys.day_text(picture.day_obs)
    assert channel.startswith(picture.channel)
    assert (int(seq), suffix) == (picture.seq_num, picture.suffix)
    assert name == f"{camera}_{channel}_{day}_{seq}"


@given(sidecars)
def test_a_sidecar_key_is_read_back_and_is_none_of_rubintv(sidecar: SidecarKey) -> None:
    key = keys.sidecar_key(sidecar)
    assert keys.parse_sidecar_key(key) == sidecar
    assert RUBINTV.fullmatch(key) is None


@given(catalogues)
def test_a_catalogue_key_is_read_back_and_is_none_of_rubintv(catalogue: CatalogueKey) -> None:
    key = keys.catalogue_key(catalogue)
    assert keys.parse_catalogue_key(key) == catalogue
    assert keys.is_on_show(key)
    assert RUBINTV.fullmatch(key) is None
    assert re.fullmatch(r"[\w.]+", catalogue.file_name, re.ASCII)


@given(cameras, days)
def test_a_metadata_key_is_read_back(camera: str, day_obs: int) -> None:
    key = keys.metadata_key(camera, day_obs)
    assert key.endswith("metadata.json")
    assert keys.parse_metadata_key(key) == (camera, day_obs)


@given(pictures, pictures)
def test_two_pictures_never_share_a_key(one: PictureKey, other: PictureKey) -> None:
    assume(one != other)
    assert keys.picture_key(one) != keys.picture_key(other)


@given(st.text(max_size=60))
def test_a_key_that_is_read_is_written_the_same(text: str) -> None:
    for parse, write in (
        (keys.parse_picture_key, keys.picture_key),
        (keys.parse_sidecar_key, keys.sidecar_key),
        (keys.parse_catalogue_key, keys.catalogue_key),
    ):
        try:
            value = parse(text)
        except BadName:
            continue
        assert write(value) == text  # type: ignore[operator]


def test_the_keys_are_those_of_the_observatory() -> None:
    picture = PictureKey("auxtel", 20260315, "monitor", 51, "png")
    assert keys.picture_key(picture) == "auxtel/2026-03-15/monitor/000051/auxtel_monitor_2026-03-15_000051.png"
    assert keys.metadata_key("auxtel", 20260315) == "auxtel/2026-03-15/metadata.json"
    assert keys.row_key("auxtel", 20260315, 51, "R00_S00") == "rapid/auxtel/20260315/000051/R00_S00/row.json"
    sidecar = SidecarKey("auxtel", 20260315, 51, "R00_S00", "imexam")
    assert keys.sidecar_key(sidecar) == "rapid/auxtel/20260315/000051/R00_S00/imexam.json"
    catalogue = CatalogueKey("auxtel", 20260315, 51, "R00_S00", "sources")
    assert keys.catalogue_key(catalogue) == "rapid/auxtel/20260315/000051/R00_S00/sources.parquet"
    assert catalogue.file_name == "auxtel_20260315_000051_R00_S00_sources.parquet"


def test_a_detector_of_many_is_named_in_the_channel() -> None:
    picture = PictureKey("lsstcam", 20260315, "monitor", 7, "jpg", "R22_S11")
    key = "lsstcam/2026-03-15/monitor_R22_S11/000007/lsstcam_monitor_R22_S11_2026-03-15_000007.jpg"
    assert keys.picture_key(picture) == key


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (PictureKey("../x", 20260315, "monitor", 1, "png"), "not the name of a camera"),
        (PictureKey("rapid", 20260315, "monitor", 1, "png"), "prefix of our own keys"),
        (PictureKey("lsst-ts8", 20260315, "monitor", 1, "png"), "not the name of a camera of RubinTV"),
        (PictureKey("auxtel", 20260230, "monitor", 1, "png"), "not a day_obs"),
        (PictureKey("auxtel", 315, "monitor", 1, "png"), "not a day_obs"),
        (PictureKey("auxtel", 20260315, "a/b", 1, "png"), "not the name of a channel"),
        (PictureKey("auxtel", 20260315, "monitör", 1, "png"), "not the name of a channel"),
        (PictureKey("auxtel", 20260315, "monitor", 1000000, "png"), "not a sequence number"),
        (PictureKey("auxtel", 20260315, "monitor", -1, "png"), "not a sequence number"),
        (PictureKey("auxtel", 20260315, "monitor", 1, "svg"), "not a picture"),
        (PictureKey("auxtel", 20260315, "monitor", 1, "png", "S00"), "not the name of a detector"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(picture: PictureKey, message: str) -> None:
    with pytest.raises(BadName, match=message):
        keys.picture_key(picture)


@pytest.mark.parametrize(
    ("catalogue", "message"),
    [
        (CatalogueKey("rapid", 20260315, 1, "R00_S00", "sources"), "prefix of our own keys"),
        (CatalogueKey("auxtel", 20260230, 1, "R00_S00", "sources"), "not a day_obs"),
        (CatalogueKey("auxtel", 20260315, -1, "R00_S00", "sources"), "not a sequence number"),
        (CatalogueKey("auxtel", 20260315, 1, "../S00", "sources"), "not the name of a detector"),
        (CatalogueKey("auxtel", 20260315, 1, "R00_S00", "../x"), "not the name of a catalogue"),
    ],
)
def test_a_catalogue_that_could_not_be_read_back_is_not_written(catalogue: CatalogueKey, message: str) -> None:
    with pytest.raises(BadName, match=message):
        keys.catalogue_key(catalogue)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "rapid/auxtel/20260315/000051/nobody/sources.parquet",
        "rapid/auxtel/20260315/000051/R00_S00/../sources.parquet",
        "rapid/auxtel/20260315/51/R00_S00/sources.parquet",
        "auxtel/2026-03-15/sources/000051/sources.parquet",
        "ledger.sqlite",
        "auxtel/2026-03-15/monitor/000051/auxtel_monitor_2026-03-15_000052.png",
        "auxtel/2026-03-15/monitor/000051/../../../../etc/passwd",
        "auxtel/2026-02-30/monitor/000051/auxtel_monitor_2026-02-30_000051.png",
        "auxtel/2026-03-15/monitor/000051/auxtel_monitor_2026-03-15_000051.png\n",
        "auxtel/\uff12\uff10\uff12\uff16-03-15/metadata.json",
        "rapid/auxtel/20260315/000051/nobody/row.json",
        "rapid/2026-03-15/metadata.json",
    ],
)
def test_nothing_else_is_on_show(key: str) -> None:
    assert not keys.is_on_show(key)
