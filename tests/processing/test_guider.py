"""The stamps of a guider are read as they were written, and what is no guider file is refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rapid.errors import BadFile, BadLayout, InputError, NotAvailable, NotFits, TruncatedFile
from rapid.processing.fits import is_complete, read_guider, read_raw
from rapid.processing.geometry import Box, assemble, detector, disassemble
from rapid.processing.guider import GuiderRegion
from tests.support.frames import as_file

NAME = "MC_O_20260315_000051_R00_SG0_guider.fits"
CARDS: dict[str, object] = {
    "CCDSLOT": "SG0", "RAFTBAY": "R00", "ROISEG": "Segment03", "ROICOL": 254, "ROIROW": 975, "ROICOLS": 50,
    "ROIROWS": 100, "N_STAMPS": 6, "TIMESYS": "TAI",
}  # fmt: skip


def stamps(number: int = 6, shape: tuple[int, int] = (100, 50)) -> NDArray[np.int32]:
    return np.random.default_rng(3).normal(15_000, 9, (number, *shape)).astype(np.int32)


def guider_file(
    pixels: NDArray[np.int32], *, compressed: bool = True, times: list[object] | None = None, **cards: object
) -> bytes:
    """Write stamps as the camera does: a primary HDU and one image for each; a card that is None is left out."""
    primary = fits.PrimaryHDU()
    for keyword, value in (CARDS | {"N_STAMPS": len(pixels)} | cards).items():
        if value is not None:
            primary.header[keyword] = value
    hdus = fits.HDUList([primary])
    kind = fits.CompImageHDU if compressed else fits.ImageHDU
    for number, stamp in enumerate(pixels):
        hdu = kind(stamp, name="IMAGE")
        time = f"2026-03-16T03:12:{44 + 0.2 * number:06.3f}" if times is None else times[number]
        if time is not None:
            hdu.header["STMPTIME"] = time
        hdu.header["EXTVER"] = number + 1
        hdus.append(hdu)
    stream = io.BytesIO()
    hdus.writeto(stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def whole() -> bytes:
    return guider_file(stamps())


def refused(content: bytes, kind: type[InputError], *words: str, name: str = NAME) -> None:
    with pytest.raises(kind) as caught:
        read_guider(content, name=name)
    assert type(caught.value) is kind
    for word in (name, *words):
        assert word in str(caught.value)


# --- what can be read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [True, False])
def test_stamps_times_and_place_are_those_that_were_written(compressed: bool) -> None:
    found = read_guider(guider_file(stamps(), compressed=compressed), name=NAME)
    np.testing.assert_array_equal(found.stamps, stamps())
    assert found.stamps.dtype == np.int32
    assert (len(found), found.name, found.header["RAFTBAY"]) == (6, NAME, "R00")
    assert found.times[0] == np.datetime64("2026-03-16T03:12:44.000")
    np.testing.assert_allclose(found.elapsed, 0.2 * np.arange(6), atol=1e-9)
    assert found.region == GuiderRegion("C03", 254, 975, 50, 100)


def test_a_guider_file_may_be_anywhere_and_gzipped(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(gzip.compress(whole, 1))
    np.testing.assert_array_equal(read_guider(path, name=NAME).stamps, stamps())
    with pytest.raises(NotAvailable, match=rf"^other{NAME}: the file cannot be read"):
        read_guider(tmp_path / f"other{NAME}", name=f"other{NAME}")


def test_nobody_can_change_the_stamps(whole: bytes) -> None:
    found = read_guider(whole, name=NAME)
    for array in (found.stamps, found.times):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


@pytest.mark.parametrize("time", [None, "", "yesterday", "2026-13-16T03:12:44.000", "2026-03-16", 12.5, True])
def test_a_time_that_is_none_is_not_a_time(time: object) -> None:
    good = "2026-03-16T03:12:44.000"
    found = read_guider(guider_file(stamps(3), times=[good, time, "2026-03-16T03:12:45"]), name=NAME)
    assert np.isnat(found.times).tolist() == [False, True, False]
    assert found.elapsed[2] == 1.0
    assert np.isnan(found.elapsed[1])


def test_what_the_header_does_not_say_of_the_place_is_not_known() -> None:
    early = read_guider(guider_file(stamps(), ROICOL=None, ROIROW=None), name=NAME)
    assert early.region == GuiderRegion("C03", None, None, 50, 100)
    assert early.region.box(detector("LSSTCam", "R00_SG0")) is None
    for segment in (None, "Segment18", "C03", 7):
        nowhere = read_guider(guider_file(stamps(), ROISEG=segment), name=NAME)
        assert nowhere.region is None
        with pytest.raises(BadLayout, match="nobody knows what was read; expected a ROISEG card; found none"):
            nowhere.turned(detector("LSSTCam", "R00_SG0"))


def test_a_file_of_another_name_is_known_by_its_content(whole: bytes) -> None:
    assert len(read_guider(whole, name="MC_C_20230616_000013_R04_SG0.fits")) == 6
    assert len(read_guider(guider_file(stamps(), N_STAMPS=None), name="x.fits")) == 6


# --- where it is ---------------------------------------------------------------------------------------------------------


@cache
def counted(name: str) -> tuple[NDArray[np.int32], tuple[NDArray[np.int32], ...]]:
    """An image of a guider whose neighbouring pixels differ, and the segments it is read as."""
    one = detector("LSSTCam", name)
    image = np.arange(one.width * one.height, dtype=np.int32).reshape(one.shape) % np.int32(262_139)
    return image, disassemble(image, one, fill=np.int32(0))


@settings(max_examples=30, deadline=None)
@example(hdu=1, column=509 - 50, row=2000 - 100, name="R40_SG0")
@given(
    hdu=st.integers(1, 16),
    column=st.integers(0, 509 - 50),
    row=st.integers(0, 2000 - 100),
    name=st.sampled_from(["R40_SG0", "R40_SG1"]),
)
def test_a_region_is_where_assembly_puts_its_pixels(hdu: int, column: int, row: int, name: str) -> None:
    one = detector("LSSTCam", name)
    amplifier = one.amplifiers[hdu - 1]
    image, segments = counted(name)
    data = segments[hdu - 1][amplifier.data.slices][row : row + 100, column : column + 50]
    cards = {"ROISEG": amplifier.extname, "ROICOL": column, "ROIROW": row}
    found = read_guider(guider_file(data[None], compressed=False, **cards), name=NAME)
    assert found.region is not None
    place = found.region.box(one)
    assert place is not None
    assert np.array_equal(found.turned(one)[0], image[place.slices])


def test_places_of_the_first_amplifiers() -> None:
    one = detector("LSSTCam", "R00_SG0")
    assert GuiderRegion("C00", 0, 0, 50, 100).box(one) == Box(509 - 50, 0, 50, 100)
    assert GuiderRegion("C10", 0, 0, 50, 100).box(one) == Box(509 - 50, 3900, 50, 100)


@pytest.mark.parametrize(
    ("region", "name", "told"),
    [
        (GuiderRegion("C10", 460, 0, 50, 10), "R00_SG0", "columns 460 to 509, rows 0 to 9"),
        (GuiderRegion("C10", -1, 0, 50, 10), "R00_SG0", "columns -1 to 48, rows 0 to 9"),
        (GuiderRegion("C10", 0, 1991, 50, 10), "R00_SG0", "columns 0 to 49, rows 1991 to 2000"),
        (GuiderRegion("C00", 0, 0, 50, 10), "R00_SW0", "no amplifier C00"),
    ],
)
def test_a_region_that_is_not_on_the_detector_is_refused(region: GuiderRegion, name: str, told: str) -> None:
    with pytest.raises(BadLayout) as caught:
        region.box(detector("LSSTCam", name))
    expected = (
        f"the region of the guider is not on LSSTCam {name}; expected a part of one of its amplifiers; found {told}"
    )
    assert str(caught.value) == expected


# --- what cannot be read -------------------------------------------------------------------------------------------------


def test_a_science_raw_is_no_guider_file() -> None:
    content = as_file([np.zeros((2000, 520), np.int32)] * 16)
    refused(content, BadLayout, "no guider stamp file; expected stamps; found 16 other images", name="x.fits")


def test_a_guider_file_is_no_science_raw(whole: bytes) -> None:
    with pytest.raises(
        BadLayout, match=f"^{NAME}: a guider stamp file, not a science raw; expected 16 segments; found 6"
    ):
        read_raw(whole, name=NAME)


def test_other_content_is_refused_as_it_is_of_a_raw(whole: bytes) -> None:
    refused(b"hello", NotFits, "not a FITS file")
    refused(whole[:-2880], TruncatedFile, "the data of HDU 6 end too early")
    refused(whole[:3000], TruncatedFile, "HDU 1")


def test_stamps_that_are_missing_or_too_many_are_told() -> None:
    refused(
        guider_file(stamps(), N_STAMPS=7),
        TruncatedFile,
        "the file ends before its last stamp; expected 7 stamps; found 6",
    )
    refused(guider_file(stamps(), N_STAMPS=5), BadLayout, "more stamps than the header says; expected 5; found 6")
    refused(guider_file(stamps(0)), BadLayout, "no guider stamp file; expected stamps; found 0 other images")


def test_stamps_of_different_sizes_are_refused() -> None:
    both = [*stamps(2), *stamps(1, (100, 60))]
    content = guider_file(both, compressed=False)  # type: ignore[arg-type]
    told = "stamp 3 has a size that a guider cannot have; expected up to 2048 x 2048 pixels, all alike; found 60 x 100"
    refused(content, BadLayout, told)


@pytest.mark.parametrize("size", [0, -1, 2049, 2_000_000_000])
def test_sizes_that_cannot_be_are_refused_before_memory_is_taken(whole: bytes, size: int) -> None:
    content = re.sub(rb"ZNAXIS1 =                   50", b"ZNAXIS1 = %20d" % size, whole)
    refused(content, BadLayout, "stamp 1 has a size that a guider cannot have", f"found {size} x 100")


def test_more_pixels_than_any_exposure_has_are_refused_before_memory_is_taken() -> None:
    content = guider_file(stamps(40, (2, 2)), compressed=True)
    for axis in (b"1", b"2"):
        content = re.sub(rb"ZNAXIS%b =                    2" % axis, b"ZNAXIS%b =                 2048" % axis, content)
    told = "more stamps than any exposure has; expected up to 4096 stamps and 67108864 pixels; found 40 stamps of 2048 x 2048"
    refused(content, BadLayout, told)


def test_counts_that_the_converter_cannot_give_are_refused() -> None:
    for count in (-1, 2**18):
        pixels = stamps()
        pixels[2, 5, 5] = count
        refused(guider_file(pixels), BadLayout, "holds what the converter cannot give", "from 0 to 262143")


def test_a_damaged_stamp_is_refused(whole: bytes) -> None:
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as hdus:
        place = hdus[4].fileinfo()["datLoc"] + hdus[4].header["NAXIS1"] * hdus[4].header["NAXIS2"]
    content = bytearray(whole)
    content[place : place + 2000] = b"\xff" * 2000
    refused(bytes(content), BadFile, "damaged")


HOSTILE = st.one_of(
    st.sampled_from(["", "= T", "= 'x'", "= NaN", "= 'SW0'", "= 'Segment99'", "= '1PJ'"]),
    st.integers(-3, 2000).map("= {}".format),
    st.sampled_from([2**n + d for n in (5, 16, 31, 63) for d in (-1, 0, 1)]).map("= {}".format),
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_card_gives_any_other_error(whole: bytes, data: st.DataObject) -> None:
    places = [place for place in range(0, len(whole), 80) if whole[place + 8 : place + 10] == b"= "]
    content = whole
    for _ in range(data.draw(st.integers(1, 3))):
        place, rest = data.draw(st.sampled_from(places)), data.draw(HOSTILE)
        content = content[: place + 8] + rest.encode().ljust(72) + content[place + 80 :]
    with contextlib.suppress(InputError):
        found = read_guider(content, name=NAME)
        assert found.stamps.min() >= 0
        assert found.stamps.max() < 2**18
        assert found.times.shape == (len(found),)


# --- is it complete? -----------------------------------------------------------------------------------------------------


def test_a_guider_file_is_complete_with_its_last_stamp(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as hdus:
        ends = [hdu.fileinfo()["datLoc"] + hdu.fileinfo()["datSpan"] for hdu in hdus]
    for number, end in enumerate(ends):
        path.write_bytes(whole[:end])
        assert is_complete(path) == (number == 6), number


# --- wavefront halves ----------------------------------------------------------------------------------------------------

WAVEFRONT = "MC_O_20260315_000051_R44_SW1.fits"


def half(number: int = 8) -> list[NDArray[np.int32]]:
    return [np.full((2048, 576), 1000 * i, np.int32) for i in range(number)]


def test_half_a_wavefront_sensor_has_eight_segments() -> None:
    raw = read_raw(as_file(half()), name=WAVEFRONT)
    image = assemble(raw.segments, detector("LSSTCam", "R44_SW1"))
    assert image.shape == (2000, 4072)
    assert [int(image[5, 509 * i + 5]) for i in range(8)] == [7000, 6000, 5000, 4000, 3000, 2000, 1000, 0]


def test_its_slot_is_known_from_the_header_or_the_name_and_the_header_is_right() -> None:
    assert len(read_raw(as_file(half(), CCDSLOT="SW0"), name="x.fits").segments) == 8
    with pytest.raises(BadLayout, match="wrong number of segments; expected 16; found 8"):
        read_raw(as_file(half()), name="x.fits")
    with pytest.raises(BadLayout, match="wrong number of segments; expected 16; found 8"):
        read_raw(as_file(half(), CCDSLOT="S11"), name=WAVEFRONT)
    with pytest.raises(BadLayout, match="wrong number of segments; expected 8; found 16"):
        read_raw(as_file(half(16)), name=WAVEFRONT)


def test_names_of_its_segments_do_not_count() -> None:
    """Nobody has seen whether the second half calls them 10 to 17 or 00 to 07: they go by their order."""
    for first in (b"Segment0", b"Segment7"):
        content = as_file(half()).replace(b"Segment1", first)
        assert [int(segment[0, 0]) for segment in read_raw(content, name=WAVEFRONT).segments] == [
            1000 * i for i in range(8)
        ]


def test_half_a_wavefront_sensor_is_complete_with_its_eighth_segment(tmp_path: Path) -> None:
    whole = as_file(half(), CCDSLOT="SW1")
    path = tmp_path / WAVEFRONT
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as hdus:
        ends = [hdu.fileinfo()["datLoc"] + hdu.fileinfo()["datSpan"] for hdu in hdus]
    for number, end in enumerate(ends):
        path.write_bytes(whole[:end])
        assert is_complete(path) == (number >= 8), number


# --- sizes of all times --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "names"), [((2048, 544), ("R22_S11", "R02_S02")), ((2010, 522), ("R22_S11", "R02_S02"))]
)
def test_narrow_overscans_of_old_cameras_and_simulators_are_read_and_assembled(
    size: tuple[int, int], names: tuple[str, ...]
) -> None:
    for name in names:
        one = detector("LSSTCam", name)
        segments = [np.zeros(size, np.int32) for _ in one.amplifiers]
        for amplifier, segment in zip(one.amplifiers, segments, strict=True):
            segment[amplifier.data.slices] = 5
        raw = read_raw(as_file(segments), name=f"MC_H_20260315_000051_{name}.fits")
        assert np.all(assemble(raw.segments, one) == 5)
