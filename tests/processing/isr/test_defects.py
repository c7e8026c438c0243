"""Boxes of bad pixels, and masks of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from rapid.errors import BadCalibration
from rapid.processing.geometry import Box
from rapid.processing.isr.defects import Defects, grown, mask_defects

images = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))


@settings(max_examples=200, deadline=None)
@given(bad=images)
def test_boxes_of_a_mask_are_the_mask(bad: np.ndarray) -> None:
    defects = Defects.of(bad)
    assert (defects.bad(bad.shape) == bad).all()
    assert sum(box.width * box.height for box in defects.boxes) == bad.sum()


@settings(max_examples=100, deadline=None)
@given(bad=images, radius=st.integers(0, 4))
def test_boxes_grow_as_pixels_do(bad: np.ndarray, radius: int) -> None:
    assert (Defects.of(bad).bad(bad.shape, grow=radius) == grown(bad, radius)).all()


@settings(max_examples=50, deadline=None)
@given(bad=images, radius=st.integers(1, 3))
def test_a_pixel_grows_to_a_square(bad: np.ndarray, radius: int) -> None:
    expected = np.zeros_like(bad)
    for y, x in np.argwhere(bad):
        expected[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1] = True
    assert (grown(bad, radius) == expected).all()


def test_columns_are_one_box() -> None:
    bad = np.zeros((100, 50), bool)
    bad[10:90, 20:23] = True
    bad[5, 5] = True
    assert Defects.of(bad).boxes == (Box(5, 5, 1, 1), Box(20, 10, 3, 80))


def test_the_bit_is_set_and_others_stay() -> None:
    mask = np.full((20, 30), 2, np.uint16)
    n = mask_defects(mask, Defects((Box(3, 4, 2, 5), Box(4, 4, 2, 5))), 1)
    assert n == 15
    assert (mask[4:9, 3:6] == 3).all()
    assert np.count_nonzero(mask == 2) == 20 * 30 - 15
    assert mask_defects(mask, Defects(), 8) == 0


@pytest.mark.parametrize("box", [Box(-1, 0, 2, 2), Box(0, -1, 2, 2), Box(0, 0, 0, 2), Box(0, 0, 2, 0)])
def test_what_is_no_box_is_refused(box: Box) -> None:
    with pytest.raises(BadCalibration, match="no box of pixels"):
        Defects((box,))


@pytest.mark.parametrize("box", [Box(29, 0, 2, 1), Box(0, 19, 1, 2)])
def test_what_lies_outside_is_refused(box: Box) -> None:
    with pytest.raises(BadCalibration, match="outside the detector"):
        mask_defects(np.zeros((20, 30), np.uint16), Defects((box,)), 1)
