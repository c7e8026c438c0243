"""A file whose checksums say that it was changed is refused; one whose sums nobody kept is not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from rapid.errors import BadFile
from rapid.processing.checksums import Checksums
from rapid.processing.fits import open_raw, read_raw
from tests.support.frames import NAME, as_file


@pytest.fixture(scope="module")
def summed() -> bytes:
    """Make a raw with the checksums that astropy writes."""
    segments = [np.full((2000, 520), 100 * i, np.int32) for i in range(16)]
    stream = io.BytesIO()
    with fits.open(io.BytesIO(as_file(segments)), disable_image_compression=True) as hdus:
        hdus.writeto(stream, checksum=True)
    return stream.getvalue()


def damaged(content: bytes, *indices: int) -> bytes:
    """Turn a byte behind the tiles of some images, where only a checksum can see it."""
    changed = bytearray(content)
    with fits.open(io.BytesIO(content), disable_image_compression=True) as hdus:
        for index in indices:
            info = hdus[index].fileinfo()
            changed[info["datLoc"] + info["datSpan"] - 1] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize("policy", list(Checksums))
def test_a_whole_file_passes(summed: bytes, policy: Checksums) -> None:
    assert len(read_raw(summed, name=NAME, checksums=policy).segments) == 16


def test_damage_is_seen_unless_nobody_asks(summed: bytes) -> None:
    content = damaged(summed, 3)
    with pytest.raises(
        BadFile, match=rf"^{NAME}: the data of HDU 3 \(Segment12\) are not those .*DATASUM \d+; found \d+"
    ):
        read_raw(content, name=NAME)
    with pytest.raises(BadFile, match="the data of HDU 3"):
        open_raw(content, name=NAME, checksums=Checksums.REQUIRED)
    open_raw(content, name=NAME, checksums=Checksums.IGNORED)


def test_sums_that_nobody_kept_say_nothing_unless_required(summed: bytes) -> None:
    content = damaged(summed, *range(2, 17))
    open_raw(content, name=NAME)
    with pytest.raises(BadFile, match="the data of HDU 2"):
        open_raw(content, name=NAME, checksums=Checksums.REQUIRED)


def test_a_card_that_was_changed_matters_only_where_sums_are_required(summed: bytes) -> None:
    content = summed.replace(b"AT_O_20260315_000051", b"AT_O_20260315_000052", 1)
    open_raw(content, name=NAME)
    with pytest.raises(BadFile, match=r"the CHECKSUM of HDU 0 .* is wrong; expected a sum of all ones; found 0x"):
        open_raw(content, name=NAME, checksums=Checksums.REQUIRED)


def test_a_file_without_sums_is_refused_only_where_they_are_required() -> None:
    content = as_file([np.zeros((2000, 520), np.int32)] * 16)
    open_raw(content, name=NAME)
    with pytest.raises(BadFile, match=r"HDU 0 .* has no DATASUM"):
        open_raw(content, name=NAME, checksums=Checksums.REQUIRED)


def test_published_raws_whose_pixels_were_blanked_open(shared_data: Path) -> None:
    path = shared_data / "obs_lsst_raws" / "lsstcam" / "30211212000310-R22-S22-det098.fits"
    open_raw(path, name=path.name)
    with pytest.raises(BadFile, match="the data of HDU 1"):
        open_raw(path, name=path.name, checksums=Checksums.REQUIRED)
