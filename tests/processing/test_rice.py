"""Our decoder gives bit for bit what cfitsio's encoder was given, and no damage makes it leave its data."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rapid.processing.rice import decode_tiles

KINDS = ("constant", "noise", "incompressible", "negative", "extremes", "ramp", "outliers")


def encode(
    pixels: NDArray[np.int32], block: int = 32
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Compress rows with astropy; return the bytes of the data unit, and start and length of every tile."""
    header = fits.CompImageHDU(pixels, compression_type="RICE_1", tile_shape=(1, pixels.shape[1]))
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), header]).writeto(stream)
    with fits.open(io.BytesIO(stream.getvalue()), disable_image_compression=True) as hdus:
        cards = hdus[1].header
        assert cards["ZVAL1"] == block
        first = hdus[1].fileinfo()["datLoc"]
    data = np.frombuffer(stream.getvalue(), np.uint8)[first:]
    rows, row = cards["NAXIS2"], cards["NAXIS1"]
    table = np.frombuffer(data.tobytes(), ">i4", count=2 * rows).reshape(rows, 2).astype(np.int64)
    return data, table[:, 1] + cards.get("THEAP", rows * row), table[:, 0].copy()


def row_of(kind: str, width: int, chance: np.random.Generator) -> NDArray[np.int32]:
    values = {
        "constant": lambda: np.full(width, chance.integers(-(2**31), 2**31)),
        "noise": lambda: np.round(chance.normal(25_000, 10 ** chance.uniform(0, 4), width)),
        "incompressible": lambda: chance.integers(-(2**31), 2**31, width),
        "negative": lambda: np.round(chance.normal(-1e6, 30, width)),
        "extremes": lambda: chance.choice([-(2**31), 2**31 - 1, 0], width),
        "ramp": lambda: np.arange(width) * chance.integers(-1000, 1000),
        "outliers": lambda: np.where(chance.uniform(size=width) < 0.02, 262143, chance.integers(20_000, 20_030, width)),
    }[kind]()
    return values.astype(np.int64).astype(np.int32)


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    width=st.integers(1, 700),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_tiles_come_back_as_they_were(kinds: list[str], width: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    pixels = np.stack([row_of(kind, width, chance) for kind in kinds])
    data, starts, lengths = encode(pixels)
    decoded = np.empty_like(pixels)
    assert decode_tiles(data, starts, lengths, decoded, block=32) == -1
    np.testing.assert_array_equal(decoded, pixels)


@settings(max_examples=60, deadline=None)
@given(value=st.integers(0, 2**18 - 1), place=st.integers(0, 575), level=st.integers(0, 2**18 - 1))
def test_a_single_outlier_comes_back_also_from_the_end_of_a_tile(value: int, place: int, level: int) -> None:
    pixels = np.full((2, 576), level, np.int32)
    pixels[0, place] = pixels[1, 575] = value
    data, starts, lengths = encode(pixels)
    decoded = np.empty_like(pixels)
    assert decode_tiles(data, starts, lengths, decoded, block=32) == -1
    np.testing.assert_array_equal(decoded, pixels)


@settings(max_examples=100, deadline=None)
@given(
    noise=st.binary(min_size=0, max_size=400),
    width=st.integers(1, 200),
    block=st.sampled_from([16, 32]),
)
def test_noise_is_decoded_or_refused_but_never_followed(noise: bytes, width: int, block: int) -> None:
    data = np.frombuffer(noise, np.uint8)
    guarded = np.full((3, width), 77, np.int32)
    damaged = decode_tiles(data, np.array([0]), np.array([data.size]), guarded[1:2], block=block)
    assert damaged in {-1, 0}
    assert (guarded[[0, 2]] == 77).all()


@pytest.mark.parametrize("kind", ["noise", "incompressible", "outliers"])
def test_a_tile_that_ends_early_is_reported(kind: str) -> None:
    pixels = np.stack([row_of(kind, 576, np.random.default_rng(i)) for i in range(3)])
    data, starts, lengths = encode(pixels)
    lengths[1] -= 5
    assert decode_tiles(data, starts, lengths, np.empty_like(pixels), block=32) == 1


def test_a_tile_without_even_a_first_pixel_is_reported() -> None:
    assert decode_tiles(np.zeros(3, np.uint8), np.array([0]), np.array([3]), np.empty((1, 8), np.int32), block=32) == 0


def test_zeros_without_an_end_are_reported() -> None:
    first_pixel, code_for_binary_digits = b"\0\0\0\7", b"\x28"
    data = np.frombuffer(first_pixel + code_for_binary_digits + bytes(400), np.uint8)
    assert decode_tiles(data, np.array([0]), np.array([data.size]), np.empty((1, 64), np.int32), block=32) == 0


def test_a_code_that_does_not_exist_is_reported() -> None:
    data = np.frombuffer(b"\0\0\0\7" + b"\xff" * 300, np.uint8)
    assert decode_tiles(data, np.array([0]), np.array([data.size]), np.empty((1, 64), np.int32), block=32) == 0


@pytest.mark.parametrize("block", [-1, 0, 33])
def test_blocks_of_another_size_are_refused(block: int) -> None:
    with pytest.raises(ValueError, match=f"expected 1 to 32 pixels per block, found {block}"):
        decode_tiles(np.zeros(9, np.uint8), np.array([0]), np.array([9]), np.empty((1, 8), np.int32), block=block)


def test_every_row_needs_its_tile() -> None:
    with pytest.raises(ValueError, match="expected 2 tiles, found 1 starts and 1 lengths"):
        decode_tiles(np.zeros(9, np.uint8), np.array([0]), np.array([9]), np.empty((2, 8), np.int32), block=32)
