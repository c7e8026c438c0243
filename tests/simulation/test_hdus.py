from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.simulation.hdus import Unit, card_text, compressed_image, empty_table, encode_checksum, primary, word_sum


def opened(*units: Unit, raw: bool = True) -> fits.HDUList:
    body = b"".join(unit.header + unit.data for unit in units)
    return fits.open(io.BytesIO(body), checksum=True, disable_image_compression=raw)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.text("ABC xyz'", max_size=20))
def test_every_unit_verifies(seed: int, height: int, word: str) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**18, (height, 64)).astype(np.int32)
    cards = [("WORD", word, "a word"), ("NUMBER", seed, "a number")]
    units = (primary(cards), compressed_image(pixels, card_text(cards)), empty_table(cards))
    with opened(*units) as hdus:  # a wrong sum is a warning, which is an error here
        hdus.verify("exception")
        for hdu in hdus:
            assert hdu.verify_checksum() == 1
            assert hdu.verify_datasum() == 1
            assert hdu.header["NUMBER"] == seed


def test_sums_of_the_uncompressed_image_verify() -> None:
    """ZHECKSUM and ZDATASUM must be those of the image as funpack would restore it, card by card."""
    pixels = np.random.default_rng(2).integers(0, 2**18, (30, 576)).astype(np.int32)
    own = card_text([("CHANNEL", 3, "a channel"), ("EXTNAME", "Segment12", "")])
    with opened(primary([]), compressed_image(pixels, own)) as hdus:
        packed = hdus[1].header
    structure = [
        packed.cards[key] for key in ("ZTENSION", "ZBITPIX", "ZNAXIS", "ZNAXIS1", "ZNAXIS2", "ZPCOUNT", "ZGCOUNT")
    ]
    text = "".join(
        card.image.replace("ZTENSION", "XTENSION")
        if card.keyword == "ZTENSION"
        else card.image[1:8] + " " + card.image[8:]
        for card in structure
    )
    text += own.decode()
    text += (
        packed.cards["ZHECKSUM"]
        .image.replace("ZHECKSUM", "CHECKSUM")
        .replace("checksum of the uncompressed HDU", "checksum for the current HDU    ")
    )
    text += (
        packed.cards["ZDATASUM"]
        .image.replace("ZDATASUM", "DATASUM ")
        .replace("checksum of the uncompressed data", "checksum of the data records     ")
    )
    text += "END".ljust(80)
    header = text.ljust(-(-len(text) // 2880) * 2880).encode()
    data = pixels.astype(">i4").tobytes()
    data += b"\0" * (-len(data) % 2880)
    words = np.concatenate([np.frombuffer(part, ">u4") for part in (header, data)])
    assert word_sum(words.astype(np.uint32)) == 0xFFFFFFFF
    assert packed["ZDATASUM"] == str(word_sum(pixels.view(np.uint32)))


@given(st.integers(0, 2**32 - 1))
def test_checksum_is_text_that_cancels_the_sum(total: int) -> None:
    text = encode_checksum(total)
    assert len(text) == 16
    assert text.isalnum()
    # As in the file the text begins one byte off a word; minus the zeros that stood there when the sum was made.
    turned = np.frombuffer((text[1:] + text[:1]).encode(), ">u4").astype(np.uint64)
    zeros = 4 * 0x30303030
    cancelled = (int(turned.sum()) - zeros + total) % 0xFFFFFFFF
    assert cancelled == 0


def test_undefined_long_and_hierarch_cards() -> None:
    cards = [
        ("EMPTY", None, "nothing known"),
        ("SIMULATE ATMCS", True, "in the long convention"),
        ("LONGISH", "x" * 60, "there is no room for this comment"),
        ("COMMENT", None, "---- a heading ----"),
    ]
    with opened(primary(cards)) as hdus:
        header = hdus[0].header
        assert "EMPTY" in header
        assert header["EMPTY"] is None
        assert header["SIMULATE ATMCS"] is True
        assert header["LONGISH"] == "x" * 60
        assert list(header["COMMENT"]) == ["---- a heading ----"]


@pytest.mark.parametrize("make", [primary, empty_table])
def test_units_are_whole_records(make: object) -> None:
    unit = make([("A", 1, "")])  # type: ignore[operator]
    assert len(unit.header) % 2880 == 0
    assert unit.data == b""
