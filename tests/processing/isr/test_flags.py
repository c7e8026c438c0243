"""One pass over a mask says and does what the lines of numpy do."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.frame import Mask
from rapid.processing.isr.flags import append_marked, flagged, new_marks, set_flag
from rapid.processing.isr.interpolation import interpolate, interpolate_masked

shapes = st.tuples(st.integers(1, 20), st.integers(1, 40))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), shape=shapes, bits=st.integers(0, 2**16 - 1))
def test_bits_are_found_and_set_where_they_are(seed: int, shape: tuple[int, int], bits: int) -> None:
    chance = np.random.default_rng(seed)
    mask = chance.integers(0, 2**16, shape).astype(np.uint16)
    where = chance.uniform(size=shape) < 0.1
    np.testing.assert_array_equal(flagged(mask, bits), (mask & np.uint16(bits)) != 0)
    wanted = np.where(where, mask | np.uint16(bits), mask)
    set_flag(mask, where, bits)
    np.testing.assert_array_equal(mask, wanted)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(1, 300), first=st.integers(0, 10**12))
def test_marks_are_all_found_in_their_order(seed: int, size: int, first: int) -> None:
    marks = new_marks(size)
    marks[:size] = np.random.default_rng(seed).uniform(size=size) < 0.2
    places, n = append_marked(marks, first, np.array([7, 8], np.int64), 1)
    np.testing.assert_array_equal(places[:n], [7, *(first + np.flatnonzero(marks))])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), shape=st.tuples(st.integers(3, 20), st.integers(3, 40)))
def test_a_mask_is_filled_as_arrays_of_true_and_false_are(seed: int, shape: tuple[int, int]) -> None:
    chance = np.random.default_rng(seed)
    image = chance.normal(100, 10, shape).astype(np.float32)
    image[chance.uniform(size=shape) < 0.05] = np.nan
    known = [Mask.BAD, Mask.COSMIC_RAY, Mask.NO_DATA, Mask.SATURATED]
    mask = chance.choice([0] * 8 + [int(bit) for bit in known], size=shape).astype(np.uint16)
    wrong, blank = Mask.BAD | Mask.COSMIC_RAY, Mask.NO_DATA
    other, other_mask = image.copy(), mask.copy()
    filled = interpolate(other, flagged(mask, wrong), blank=flagged(mask, blank))
    n = interpolate_masked(image, mask, wrong=wrong, blank=blank, filled=Mask.INTERPOLATED)
    np.testing.assert_array_equal(image, other)
    np.testing.assert_array_equal(mask, np.where(filled, other_mask | np.uint16(Mask.INTERPOLATED), other_mask))
    assert n == filled.sum()
