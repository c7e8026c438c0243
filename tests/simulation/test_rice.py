"""The encoder against two decoders of other people, and against the bytes of astropy's own encoder."""

from __future__ import annotations

import io
import tempfile

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rapid.simulation.hdus import compressed_image, primary
from rapid.simulation.rice import compress_rows

LOWEST, HIGHEST = -(2**31), 2**31 - 1


def file_of(pixels: NDArray[np.int32]) -> bytes:
    units = [primary([]), compressed_image(pixels, b"")]
    return b"".join(unit.header + unit.data for unit in units)


def decoded(pixels: NDArray[np.int32]) -> NDArray[np.int32]:
    with fits.open(io.BytesIO(file_of(pixels))) as hdus:
        return np.array(hdus[1].data)


def rows_of(kind: str, seed: int, width: int) -> NDArray[np.int32]:
    rng = np.random.default_rng(seed)
    shape = (4, width)
    made = {
        "constant": np.full(shape, rng.integers(LOWEST, HIGHEST)),
        "readout": np.rint(rng.normal(15000, 8, shape)),
        "incompressible": rng.integers(LOWEST, HIGHEST, shape, endpoint=True),
        "adc": rng.integers(0, 2**18, shape),
        "spikes": np.where(rng.random(shape) < 0.03, 262143, 12000),
        "extremes": np.where(rng.random(shape) < 0.5, LOWEST, HIGHEST),
        "steps": np.cumsum(rng.integers(0, 2, shape), axis=1),
    }
    return made[kind].astype(np.int32)


KINDS = st.sampled_from(["constant", "readout", "incompressible", "adc", "spikes", "extremes", "steps"])


@settings(max_examples=60, deadline=None)
@given(KINDS, st.integers(0, 2**32 - 1), st.integers(1, 700))
def test_astropy_decodes_what_was_encoded(kind: str, seed: int, width: int) -> None:
    pixels = rows_of(kind, seed, width)
    np.testing.assert_array_equal(decoded(pixels), pixels)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(LOWEST, HIGHEST), min_size=1, max_size=100))
def test_astropy_decodes_any_row(row: list[int]) -> None:
    pixels = np.array([row], dtype=np.int32)
    np.testing.assert_array_equal(decoded(pixels), pixels)


@settings(max_examples=30, deadline=None)
@given(KINDS, st.integers(0, 2**32 - 1))
def test_cfitsio_decodes_what_was_encoded(kind: str, seed: int) -> None:
    fitsio = pytest.importorskip("fitsio", reason="no fitsio on this machine; make setup-dev installs it")
    pixels = rows_of(kind, seed, 576)
    with tempfile.NamedTemporaryFile(suffix=".fits") as place:
        place.write(file_of(pixels))
        place.flush()
        np.testing.assert_array_equal(fitsio.read(place.name, ext=1), pixels)


@pytest.mark.parametrize("kind", ["constant", "readout", "incompressible", "adc", "spikes", "extremes", "steps"])
def test_bytes_are_those_of_astropy(kind: str) -> None:
    pixels = rows_of(kind, 7, 576)
    theirs = io.BytesIO()
    hdu = fits.CompImageHDU(pixels, compression_type="RICE_1", tile_shape=(1, 576))
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(theirs)
    with fits.open(io.BytesIO(theirs.getvalue()), disable_image_compression=True) as hdus:
        expected = [bytes(row) for row in hdus[1].data["COMPRESSED_DATA"]]
    rows = compress_rows(pixels)
    found = [rows.heap[offset : offset + length].tobytes() for length, offset in rows.descriptors]
    assert found == expected


def test_a_readout_takes_as_much_room_as_in_the_real_files() -> None:
    pixels = np.rint(np.random.default_rng(1).normal(15000, 8.0, (2048, 576))).astype(np.int32)
    size = len(compress_rows(pixels).heap)
    assert 0.83e6 < size < 0.90e6  # real LATISS files: 0.87 to 0.89 MB an amplifier


def test_descriptors_lie_end_to_end() -> None:
    rows = compress_rows(rows_of("adc", 3, 576))
    lengths, offsets = rows.descriptors.T
    assert offsets[0] == 0
    np.testing.assert_array_equal(offsets[1:], np.cumsum(lengths)[:-1])
    assert lengths.sum() == len(rows.heap)
