"""Raw files are opened by content, checked before they are believed, and refused with a sentence that helps."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import re
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rapid.errors import BadFile, BadLayout, InputError, NotAvailable, NotFits, TruncatedFile
from rapid.processing.fits import CONTENT_LIMIT, is_complete, read_raw
from tests.support.frames import NAME, as_file

SIZE = (2000, 520)


def segments(number: int = 16, size: tuple[int, int] = SIZE) -> list[NDArray[np.int32]]:
    """Make images that can be told apart."""
    return [np.full(size, 1000 * i, np.int32) for i in range(number)]


@pytest.fixture(scope="module")
def noisy() -> list[NDArray[np.int32]]:
    chance = np.random.default_rng(4)
    return [chance.normal(20_000, 9, (2048, 576)).astype(np.int32) for _ in range(16)]


@pytest.fixture(scope="module")
def noisy_file(noisy: list[NDArray[np.int32]]) -> bytes:
    return as_file(noisy, tile_rows=1)


@pytest.fixture(scope="module")
def whole() -> bytes:
    return as_file(segments())


def refused(content: bytes, kind: type[InputError], *words: str, name: str = NAME) -> InputError:
    """Read what cannot be read; the message must name the file and contain these words."""
    with pytest.raises(kind) as caught:
        read_raw(content, name=name)
    assert type(caught.value) is kind
    assert caught.value.subject == name
    for word in (name, *words):
        assert word in str(caught.value)
    return caught.value


# --- what can be read -----------------------------------------------------------------------------------------------


def test_compressed_pixels_are_those_that_were_written(noisy: list[NDArray[np.int32]], noisy_file: bytes) -> None:
    raw = read_raw(noisy_file, name=NAME)
    assert len(raw.segments) == 16
    for found, written in zip(raw.segments, noisy, strict=True):
        np.testing.assert_array_equal(found, written)


def test_pixels_are_those_that_astropy_reads(noisy_file: bytes) -> None:
    with fits.open(io.BytesIO(noisy_file)) as hdus:
        expected = [hdus[i].data.copy() for i in range(1, 17)]
    for found, read in zip(read_raw(noisy_file, name=NAME).segments, expected, strict=True):
        np.testing.assert_array_equal(found, read)


@pytest.mark.parametrize("compression", [None, "GZIP_1", "GZIP_2", "HCOMPRESS_1", "NOCOMPRESS"])
def test_other_ways_of_storing_whole_numbers_work_too(compression: str | None) -> None:
    written = segments()
    content = as_file(written, compression=compression)
    for found, pixels in zip(read_raw(content, name=NAME).segments, written, strict=True):
        np.testing.assert_array_equal(found, pixels)


def test_tiles_of_several_rows_work_too() -> None:
    written = [np.arange(SIZE[0] * SIZE[1], dtype=np.int32).reshape(SIZE) % (i + 7) for i in range(16)]
    for found, pixels in zip(read_raw(as_file(written, tile_rows=400), name=NAME).segments, written, strict=True):
        np.testing.assert_array_equal(found, pixels)


def test_short_and_unsigned_integers_come_as_counts() -> None:
    written = [np.full(SIZE, 40_000 + i, np.uint16) for i in range(16)]
    raw = read_raw(as_file(written, compression=None), name=NAME)
    assert [int(segment[0, 0]) for segment in raw.segments] == [40_000 + i for i in range(16)]
    assert raw.segments[0].dtype == np.int32


def test_gzip_under_a_plain_name_is_opened_by_content(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(gzip.compress(whole, 1))
    np.testing.assert_array_equal(read_raw(path, name=NAME).segments[3], segments()[3])


def test_gzip_of_several_members_is_one_file(whole: bytes) -> None:
    content = gzip.compress(whole[:5000], 1) + gzip.compress(whole[5000:], 1)
    np.testing.assert_array_equal(read_raw(content, name=NAME).segments[15], segments()[15])


def test_undefined_and_unreadable_cards_are_none_and_hierarchy_is_kept() -> None:
    content = as_file(segments(), **{"SEEING": None, "HIERARCH SIMULATE ATDOME": True, "OBJECT": "O'Neill's star"})
    broken = content.replace(b"DARKTIME=                30.25", b"DARKTIME=   30.25 and more".ljust(30))
    header = read_raw(broken, name=NAME).header
    assert header["SEEING"] is None
    assert header["DARKTIME"] is None
    assert header["SIMULATE ATDOME"] is True
    assert header["OBJECT"] == "O'Neill's star"
    assert header["EXPTIME"] == 30.0
    assert header["SEQNUM"] == 51


def test_a_letter_that_is_not_ascii_does_no_harm(whole: bytes) -> None:
    content = whole.replace(b"'SDSSr_65mm'", b"'SDSSr_65\xb5m'")
    assert len(read_raw(content, name=NAME).segments) == 16


def test_pixels_are_read_only(whole: bytes) -> None:
    with pytest.raises(ValueError, match="read-only"):
        read_raw(whole, name=NAME).segments[0][0, 0] = 1


def test_wide_overscans_and_old_narrow_ones_are_taken_as_they_are() -> None:
    for width in (544, 640):
        assert read_raw(as_file(segments(size=(2048, width))), name=NAME).segments[0].shape == (2048, width)


# --- what cannot be read --------------------------------------------------------------------------------------------


def test_an_empty_file_says_so() -> None:
    refused(b"", TruncatedFile, "the file is empty", "expected a FITS file", "found 0 bytes")


@pytest.mark.parametrize(
    "content", [b"not a FITS at all", b"\x89PNG\r\n\x1a\n", b"{}", bytes(5760), bz2.compress(b"SIMPLE  =")]
)
def test_something_else_is_not_fits(content: bytes) -> None:
    refused(content, NotFits, "not a FITS file", "expected 'SIMPLE  ='")


def test_a_gzip_of_something_else_is_not_fits() -> None:
    refused(gzip.compress(b"hello"), NotFits, "not a FITS file", "hello")


@pytest.mark.parametrize(("length", "words"), [(5, "first card"), (2000, "header of HDU 0"), (2880 + 10, "HDU 1")])
def test_a_file_that_ends_in_a_header_is_truncated(whole: bytes, length: int, words: str) -> None:
    refused(whole[:length], TruncatedFile, words)


def test_a_file_that_ends_in_its_data_says_how_much_is_missing(whole: bytes) -> None:
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as hdus:
        length = hdus[9].fileinfo()["datLoc"] + 1000
    refused(whole[:length], TruncatedFile, "the data of HDU 9 end too early", f"found {length} bytes")


def test_a_file_without_its_last_segments_is_no_science_raw() -> None:
    refused(as_file(segments(15)), BadLayout, "wrong number of segments", "expected 16", "found 15")


def test_a_file_that_was_made_room_for_but_not_written_is_truncated(whole: bytes) -> None:
    refused(whole + bytes(5760), TruncatedFile, "was not written", f"from byte {len(whole)}")


def test_words_behind_the_last_hdu_are_refused(whole: bytes) -> None:
    refused(whole + b"x" * 2880, BadLayout, "something else than HDU 19 follows")


def test_pixel_arrays_of_another_size_are_refused() -> None:
    found = refused(as_file(segments(size=(100, 100))), BadLayout, "a size that the camera cannot have", "100 x 100")
    assert "512 to 1024 x 2000 to 2304" in found.expected


def test_one_segment_of_another_size_is_refused() -> None:
    images = segments()
    images[7] = np.zeros((2000, 530), np.int32)
    refused(as_file(images), BadLayout, "Segment17", "530 x 2000", "all alike")


def test_segments_in_another_order_are_refused() -> None:
    content = as_file(segments()).replace(b"'Segment10'", b"'Segment99'", 1)
    assert read_raw(content, name=NAME).segments, "a name the camera does not have is no reason to refuse"
    swapped = content.replace(b"'Segment11'", b"'Segment12'", 1)
    refused(swapped, BadLayout, "another order", "Segment11 in HDU 2", "Segment12")


def test_a_guider_file_is_told_apart_by_content_and_by_name(whole: bytes) -> None:
    stamps = fits.HDUList(
        [fits.PrimaryHDU(), *(fits.ImageHDU(np.zeros((50, 100), np.int32), name="IMAGE") for _ in "12345")]
    )
    stream = io.BytesIO()
    stamps.writeto(stream)
    refused(stream.getvalue(), BadLayout, "a guider stamp file, not a science raw", "found 5 stamps")
    refused(whole, BadLayout, "a guider stamp file", name="MC_O_20260315_000051_R00_SG0_guider.fits")
    refused(as_file(segments(), N_STAMPS=16), BadLayout, "a guider stamp file")


def test_pixels_that_are_no_counts_are_refused() -> None:
    images = [np.full(SIZE, 0.5, np.float32) for _ in range(16)]
    refused(as_file(images, compression=None), BadLayout, "Segment10 does not hold counts", "float32")


def test_a_damaged_tile_is_refused(noisy_file: bytes) -> None:
    with fits.open(io.BytesIO(noisy_file), disable_image_compression=True) as hdus:
        place = hdus[5].fileinfo()["datLoc"] + hdus[5].header["NAXIS1"] * hdus[5].header["NAXIS2"]
    content = bytearray(noisy_file)
    content[place : place + 3000] = b"\xff" * 3000
    refused(bytes(content), BadFile, "a compressed tile of Segment14 is damaged", "tile 0")


def test_a_tile_outside_its_table_is_refused(noisy_file: bytes) -> None:
    with fits.open(io.BytesIO(noisy_file), disable_image_compression=True) as hdus:
        place = hdus[1].fileinfo()["datLoc"]
    content = bytearray(noisy_file)
    content[place + 12 : place + 16] = b"\x7f\xff\xff\xff"
    refused(bytes(content), BadFile, "lies outside its table", "tile 1")


def test_a_table_that_does_not_fit_its_image_is_refused(noisy_file: bytes) -> None:
    content = re.sub(rb"ZNAXIS2 =                 2048", b"ZNAXIS2 =                 2047", noisy_file)
    refused(
        content, BadLayout, "the tile table of Segment10 does not fit its image", "expected 2047 rows", "found 2048"
    )


def test_a_header_that_promises_more_than_memory_is_refused_before_it_is_taken(whole: bytes) -> None:
    content = re.sub(rb"ZNAXIS1 =                  520", b"ZNAXIS1 =           2000000000", whole)
    refused(content, BadLayout, "a size that the camera cannot have", "2000000000")
    content = re.sub(rb"([^Z])NAXIS2  = {20}4", rb"\1NAXIS2  =        9000000000000", whole)
    refused(content, BadLayout, "impossible NAXIS2")
    content = re.sub(rb"(PCOUNT  = ) {10}", rb"\g<1>-99999999 ", whole)
    refused(content, BadLayout, "impossible PCOUNT")


def test_what_unpacks_to_more_than_any_raw_is_refused() -> None:
    bomb = gzip.compress(b"SIMPLE  =".ljust(80) + bytes(CONTENT_LIMIT), 9)
    assert len(bomb) < CONTENT_LIMIT / 500
    refused(bomb, BadLayout, "unpacks to more than any raw file", f"up to {CONTENT_LIMIT} bytes")


def test_a_broken_gzip_stream_is_truncated_or_damaged(whole: bytes) -> None:
    packed = gzip.compress(whole, 1)
    refused(packed[: len(packed) // 2], TruncatedFile, "the gzip stream has no end")
    wrong = packed[:-6] + b"\0\0" + packed[-4:]
    refused(wrong, BadFile, "the gzip stream is damaged")


def test_a_file_that_vanished_may_be_tried_again(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=rf"^{NAME}: the file cannot be read: No such file") as caught:
        read_raw(tmp_path / NAME, name=NAME)
    assert caught.value.retriable
    with pytest.raises(NotAvailable, match="Is a directory"):
        read_raw(tmp_path, name=NAME)


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("ZTILE1", "0", "expected 1 to 520; found 0"),
        ("ZTILE2", "0", "expected 1 to 2000; found 0"),
        ("ZTILE2", "-1", "found -1"),
        ("ZTILE1", "99999999999", "found 99999999999"),
        ("ZTILE2", "4.0", "found 4.0"),
        ("ZTILE2", "", "found None"),
        ("ZVAL1", "32.0", "expected 16 or 32, a whole number; found 32.0"),
        ("ZVAL1", "0", "(BLOCKSIZE); expected 16 or 32"),
        ("ZVAL1", "-1", "found -1"),
        ("ZVAL1", "99999999999", "found 99999999999"),
        ("ZVAL2", "3", "(BYTEPIX); expected 1 or 2 or 4 or 8, a whole number; found 3"),
        ("ZVAL2", "T", "found True"),
        ("ZNAME1", "'OTHER'", ""),
        ("ZCMPTYPE", "'PLIO_1'", "expected one of GZIP_1, GZIP_2, HCOMPRESS_1, NOCOMPRESS, RICE_1, RICE_ONE"),
        ("ZCMPTYPE", "'X'", "found 'X'"),
        ("TFIELDS", "9223372036854775807", "expected 1 to 999"),
    ],
)
def test_impossible_tiles_are_refused_before_they_are_used(whole: bytes, keyword: str, value: str, words: str) -> None:
    content = with_card(whole, 3, keyword, f"= {value}")
    if keyword == "ZNAME1":
        assert read_raw(content, name=NAME).segments[2][0, 0] == 2000, "32 pixels a block when nobody says"
    else:
        refused(content, BadLayout, f"Segment12 has an impossible {keyword}", words)


@pytest.mark.parametrize(("value", "found"), [(-1, "-1 to 7"), (2**18, "7 to 262144"), (-(2**31), "-2147483648 to 7")])
@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_1", None])
def test_what_the_converter_cannot_give_is_refused(value: int, found: str, compression: str | None) -> None:
    images = [np.full(SIZE, 7, np.int32) for _ in range(16)]
    images[4][1999, 519] = value
    content = as_file(images, compression=compression)
    refused(content, BadLayout, "Segment14 holds what the converter cannot give", "from 0 to 262143", f"found {found}")


def test_the_whole_range_of_the_converter_is_read() -> None:
    images = [np.full(SIZE, 7, np.int32) for _ in range(16)]
    images[4][0, :2] = 0, 2**18 - 1
    assert read_raw(as_file(images), name=NAME).segments[4][0, :3].tolist() == [0, 262143, 7]


def test_integers_of_64_bits_do_not_come_back_as_others() -> None:
    images = [np.full(SIZE, 2**32 + 7, np.int64) for _ in range(16)]
    refused(as_file(images, compression=None), BadLayout, "what the converter cannot give", "found 4294967303 to")


@pytest.mark.parametrize(("keyword", "tiles"), [("ZTILE1", 2080), ("ZTILE2", 2000)])
def test_tiles_that_do_not_fit_their_table_are_refused(whole: bytes, keyword: str, tiles: int) -> None:
    content = with_card(whole, 1, keyword, "= 1")
    refused(content, BadLayout, "the tile table of Segment10 does not fit", f"expected {tiles} rows", "found 4 rows")


def test_rice_data_that_go_by_another_name_are_refused(whole: bytes) -> None:
    for kind in ("GZIP_1", "HCOMPRESS_1", "NOCOMPRESS"):
        with pytest.raises(BadFile, match="Segment10"):
            read_raw(with_card(whole, 1, "ZCMPTYPE", f"= '{kind}'"), name=NAME)


@pytest.mark.parametrize("compression", ["GZIP_1", "GZIP_2"])
@pytest.mark.parametrize("streams", [1, 2])
def test_gzip_tiles_that_hold_more_than_their_pixels_are_refused(compression: str, streams: int) -> None:
    limit = 8 * 500 * SIZE[1]
    tile = gzip.compress(bytes(50_000_000)) if streams == 1 else gzip.compress(bytes(limit)) * 2
    words = "a gzip tile of Segment10 holds more than its pixels", f"up to {limit} bytes", "found more"
    refused(with_gzip_tile(tile, "COMPRESSED_DATA", compression), BadLayout, *words)


def test_gzip_tiles_beside_others_are_read_and_refused_alike() -> None:
    honest = gzip.compress(np.full((500, SIZE[1]), 9, ">i4").tobytes())
    content = with_gzip_tile(honest, "GZIP_COMPRESSED_DATA", "RICE_1")
    assert read_raw(content, name=NAME).segments[0][[0, 499, 500], 0].tolist() == [9, 9, 7]
    bomb = with_gzip_tile(gzip.compress(bytes(50_000_000)), "GZIP_COMPRESSED_DATA", "RICE_1")
    refused(bomb, BadLayout, "a gzip tile of Segment10 holds more than its pixels")


def with_gzip_tile(tile: bytes, column: str, compression: str) -> bytes:
    """Write segments of 7 adu, the first tile of the first one put into this column instead."""
    content = as_file([np.full(SIZE, 7, np.int32) for _ in range(16)], compression=compression)
    with fits.open(io.BytesIO(content), disable_image_compression=True) as hdus:
        tiles = [np.array(row) for row in hdus[1].data["COMPRESSED_DATA"]]
        nothing = np.empty(0, np.uint8)
        given = {column: [nothing] * len(tiles), "COMPRESSED_DATA": [nothing, *tiles[1:]]}
        given[column][0] = np.frombuffer(tile, np.uint8)
        columns = [
            fits.Column(name, "1PB()", array=np.array([*rows, None], object)[:-1]) for name, rows in given.items()
        ]
        header = hdus[1].header.copy()
        for keyword in ("TTYPE1", "TFORM1", "TFIELDS", "PCOUNT", "NAXIS1", "THEAP"):
            header.remove(keyword, ignore_missing=True)
        hdus[1] = fits.BinTableHDU.from_columns(columns, header=header)
        stream = io.BytesIO()
        hdus.writeto(stream)
    return stream.getvalue()


def test_a_hundred_thousand_gzip_streams_do_not_hold_anybody_up(whole: bytes) -> None:
    begin = time.process_time()
    refused(gzip.compress(b"", 1) * 100_000, BadLayout, "too many gzip streams", "fewer than 4096")
    assert time.process_time() - begin < 1
    blocks = b"".join(gzip.compress(whole[i : i + 2000], 1) for i in range(0, len(whole), 2000))
    assert len(read_raw(blocks, name=NAME).segments) == 16


def with_card(content: bytes, hdu: int, keyword: str, rest: str) -> bytes:
    """Put something else behind the keyword of a card."""
    return changed(content, cards_of(content)[hdu, keyword], rest)


def changed(content: bytes, place: int, rest: str) -> bytes:
    return content[: place + 8] + rest.encode("latin-1")[:72].ljust(72) + content[place + 80 :]


def cards_of(content: bytes) -> dict[tuple[int, str], int]:
    """Find the first byte of every card by its HDU and keyword."""
    with fits.open(io.BytesIO(content), disable_image_compression=True) as hdus:
        spans = [(hdu.fileinfo()["hdrLoc"], hdu.fileinfo()["datLoc"]) for hdu in hdus]
    found = {}
    for number, (start, end) in enumerate(spans):
        for place in range(start, end, 80):
            keyword = content[place : place + 8].decode().rstrip()
            if keyword and keyword != "END":
                found[number, keyword] = place
    return found


@pytest.fixture(scope="module")
def places(whole: bytes) -> list[int]:
    return [place for (hdu, _), place in sorted(cards_of(whole).items()) if hdu in {0, 1, 16}]


HOSTILE = st.one_of(
    st.sampled_from(
        ["", "=", "= T", "= 'x'", "= ''", "= NaN", "= inf", "= (1,2)", "= '\xb2'", "= '1QB(7)'", "= '1PJ'"]
    ),
    st.sampled_from(["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "NOCOMPRESS", "PLIO_1"]).map("= '{}'".format),
    st.sampled_from([2**n + d for n in (3, 4, 5, 6, 15, 31, 32, 63, 64) for d in (-1, 0, 1)]).map("= {}".format),
    st.integers(-3, 40).map("= {}".format),
    st.floats().map("= {!r}".format),
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_card_gives_any_other_error(whole: bytes, places: list[int], data: st.DataObject) -> None:
    content = whole
    changes = st.lists(st.tuples(st.sampled_from(places), HOSTILE), min_size=1, max_size=3)
    for place, rest in data.draw(changes):
        content = changed(content, place, rest)
    with contextlib.suppress(InputError):
        raw = read_raw(content, name=NAME)
        assert all(segment.min() >= 0 and segment.max() < 2**18 for segment in raw.segments)


# --- is it complete? ------------------------------------------------------------------------------------------------


def test_a_whole_raw_is_complete(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(whole)
    assert is_complete(path)


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_part_of_a_raw_is_not_complete(whole: bytes, tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = tmp_path_factory.mktemp("part") / NAME
    path.write_bytes(whole[: int(share * len(whole))])
    assert not is_complete(path)


def test_a_raw_is_not_complete_at_the_end_of_any_hdu_but_the_last(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as hdus:
        ends = [hdu.fileinfo()["datLoc"] + hdu.fileinfo()["datSpan"] for hdu in hdus]
    for number, end in enumerate(ends):
        path.write_bytes(whole[:end])
        assert is_complete(path) == (number >= 16), number


def test_what_is_no_raw_is_not_complete(whole: bytes, tmp_path: Path) -> None:
    for number, content in enumerate(
        (b"", b"SIMPLE", b"hello" * 1000, whole + b"x", whole + bytes(2880), gzip.compress(whole, 1))
    ):
        path = tmp_path / f"{number}.fits"
        path.write_bytes(content)
        assert not is_complete(path), number
    assert not is_complete(tmp_path / "gone.fits")
    assert not is_complete(tmp_path)
