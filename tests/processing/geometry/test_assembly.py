"""Assembly by the cameras' tables: every pixel goes where it belongs, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rapid.errors import BadLayout
from rapid.processing.geometry import Box, Detector, assemble, detector, disassemble

KINDS = [
    ("LATISS", "R00_S00"),
    ("LSSTCam", "R22_S11"),
    ("LSSTCam", "R02_S02"),
    ("LSSTCam", "R00_SG0"),
    ("LSSTCam", "R00_SW1"),
]


@pytest.mark.parametrize(("camera", "name"), KINDS)
def test_every_pixel_comes_back_to_its_place(camera: str, name: str) -> None:
    one = detector(camera, name)
    image = np.arange(one.width * one.height, dtype=np.int32).reshape(one.shape)
    np.testing.assert_array_equal(assemble(disassemble(image, one, fill=np.int32(-1)), one), image)


@pytest.mark.parametrize(("camera", "name"), KINDS)
def test_the_first_pixel_read_is_in_the_read_corner(camera: str, name: str) -> None:
    one = detector(camera, name)
    segments = [np.zeros((2048, 576), np.int32) for _ in one.amplifiers]
    for amplifier, segment in zip(one.amplifiers, segments, strict=True):
        segment[amplifier.data.y0, amplifier.data.x0] = amplifier.hdu
    image = assemble(segments, one)
    for amplifier in one.amplifiers:
        box, corner = amplifier.bbox, amplifier.read_corner
        y = box.y0 if corner[0] == "L" else box.y0 + box.height - 1
        x = box.x0 if corner[1] == "L" else box.x0 + box.width - 1
        assert image[y, x] == amplifier.hdu
    assert np.count_nonzero(image) == len(one.amplifiers)


@pytest.mark.parametrize("width", [522, 544, 576, 640])
def test_overscans_of_any_width_leave_the_image_alone(width: int) -> None:
    one = detector("LSSTCam", "R22_S11")
    segments = [np.full((2010, width), 7, np.uint16) for _ in one.amplifiers]
    for amplifier, segment in zip(one.amplifiers, segments, strict=True):
        segment[amplifier.data.slices] = amplifier.hdu
    image = assemble(segments, one)
    assert image.dtype == np.uint16
    for amplifier in one.amplifiers:
        assert set(np.unique(image[amplifier.bbox.slices])) == {amplifier.hdu}


def small() -> Detector:
    """Make a detector like an E2V one, with amplifiers of 5 x 4 pixels."""
    one = detector("LSSTCam", "R22_S11")
    amplifiers = tuple(
        replace(
            amplifier,
            raw=Box(0, 0, 8, 6),
            data=Box(2, 0, 5, 4),
            bbox=Box(amplifier.bbox.x0 // 512 * 5, amplifier.bbox.y0 // 2002 * 4, 5, 4),
        )
        for amplifier in one.amplifiers
    )
    return replace(one, width=40, height=8, amplifiers=amplifiers)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), dtype=st.sampled_from(["int32", "uint16", "float32", "bool"]))
def test_cutting_and_assembling_are_inverse(seed: int, dtype: str) -> None:
    image: NDArray[np.generic] = np.random.default_rng(seed).integers(0, 2**16, (8, 40)).astype(dtype)
    back = assemble(disassemble(image, small(), fill=image.dtype.type(0)), small())
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back, image)


def test_segments_of_another_detector_are_refused() -> None:
    one = detector("LSSTCam", "R22_S11")
    good = [np.zeros((2002, 522), np.int32)] * 16
    for segments, told in (
        (good[:8], "wrong number of segments for LSSTCam R22_S11; expected 16; found 8"),
        (
            [*good[:15], np.zeros((2000, 576), np.int32)],
            "Segment00 is too small for LSSTCam R22_S11; expected at least 522 x 2002 pixels; found 576 x 2000",
        ),
        (
            [np.zeros((2002, 521), np.int32), *good[:15]],
            "Segment10 is too small for LSSTCam R22_S11; expected at least 522 x 2002 pixels; found 521 x 2002",
        ),
        (
            [np.zeros((2002, 522), np.float32), *good[:15]],
            "segments of several types for LSSTCam R22_S11; expected one; found float32 and int32",
        ),
    ):
        with pytest.raises(BadLayout) as caught:
            assemble(segments, one)
        assert str(caught.value) == told


def test_an_image_of_another_shape_cannot_be_cut() -> None:
    with pytest.raises(BadLayout) as caught:
        disassemble(np.zeros((4000, 4072), np.int32), detector("LSSTCam", "R00_SW0"), fill=np.int32(0))
    told = "not an image of LSSTCam R00_SW0; expected shape (2000, 4072); found shape (4000, 4072)"
    assert str(caught.value) == told
