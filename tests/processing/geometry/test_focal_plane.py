"""The focal plane: detectors where they are, none on another, and the way through the optics and back."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.processing.geometry import (
    Detector,
    detector,
    detectors,
    field_to_focal_plane,
    focal_plane_corners,
    focal_plane_to_field,
    focal_plane_to_pixel,
    instruments,
    pixel_to_focal_plane,
)

LSSTCAM = list(detectors("LSSTCam").values())
ARCSEC = 3600.0


def box(one: Detector) -> tuple[float, float, float, float]:
    """Left, right, bottom, top [mm]."""
    x, y = focal_plane_corners(one).T
    return float(x.min()), float(x.max()), float(y.min()), float(y.max())


def gap(first: Detector, second: Detector) -> float:
    """Distance between the imaging areas of two detectors [mm]; negative when they overlap."""
    left, right, bottom, top = box(first)
    left2, right2, bottom2, top2 = box(second)
    across, along = max(left2 - right, left - right2), max(bottom2 - top, bottom - top2)
    return float(np.hypot(across, along)) if min(across, along) > 0 else max(across, along)


def test_no_detector_lies_on_another() -> None:
    for camera in instruments():
        for first, second in itertools.combinations(detectors(camera).values(), 2):
            assert gap(first, second) > 0.1, (first.name, second.name)


def test_neighbours_in_a_raft_are_a_quarter_of_a_millimetre_to_three_apart() -> None:
    """42.25 mm from centre to centre; what is between imaging areas of 40.0 to 41.0 mm is edge of silicon and air."""
    science = [one for one in LSSTCAM if one.kind == "science"]
    for raft in {one.raft for one in science}:
        nine = {one.slot: one for one in science if one.raft == raft}
        assert len(nine) == 9
        for row, column in itertools.product(range(3), range(2)):
            across = gap(nine[f"S{row}{column}"], nine[f"S{row}{column + 1}"])
            along = gap(nine[f"S{column}{row}"], nine[f"S{column + 1}{row}"])
            assert 1.0 < across < 1.8
            assert 2.0 < along < 2.6


def test_names_say_where_a_detector_is() -> None:
    """Raft Rrc and slot Src: the row r grows with y and the column c with x of the focal plane."""
    for one in LSSTCAM:
        x, y = pixel_to_focal_plane((one.width - 1) / 2, (one.height - 1) / 2, one)
        assert round((y / 127.0) + 2) == int(one.raft[1]), one.name
        assert round((x / 127.0) + 2) == int(one.raft[2]), one.name
        if one.kind == "science":
            assert round((y - 127.0 * (int(one.raft[1]) - 2)) / 42.25 + 1) == int(one.slot[1]), one.name
            assert round((x - 127.0 * (int(one.raft[2]) - 2)) / 42.25 + 1) == int(one.slot[2]), one.name


def test_wavefront_halves_look_inside_and_outside_of_focus_side_by_side() -> None:
    for raft in ("R00", "R04", "R40", "R44"):
        inner, outer = detector("LSSTCam", f"{raft}_SW0"), detector("LSSTCam", f"{raft}_SW1")
        assert (inner.height_offset, outer.height_offset) == (-1.5, 1.5)
        assert abs(inner.orientation - outer.orientation) == 2
        assert 0.5 < gap(inner, outer) < 5.0
        assert np.hypot(*inner.offset) < np.hypot(*outer.offset)
    assert {one.height_offset for one in LSSTCAM if one.kind != "wavefront"} == {0.0}


def test_corner_rafts_are_images_of_each_other() -> None:
    """A quarter turn of the focal plane carries each corner raft into the next."""
    around = ("R44", "R40", "R00", "R04")
    for first, second in zip(around, (*around[1:], around[0]), strict=True):
        for slot in ("SG0", "SG1", "SW0", "SW1"):
            one, other = detector("LSSTCam", f"{first}_{slot}"), detector("LSSTCam", f"{second}_{slot}")
            np.testing.assert_allclose(other.offset, (-one.offset[1], one.offset[0]), atol=1e-9)
            assert other.orientation == (one.orientation + 1) % 4


def test_only_corner_detectors_are_turned() -> None:
    assert {one.yaw for one in LSSTCAM} == {0.0, 90.0, 180.0, 270.0}
    assert {one.raft for one in LSSTCAM if one.orientation} == {"R00", "R04", "R40", "R44"}


@pytest.mark.parametrize("name", ["R22_S11", "R00_SG0", "R04_SW1", "R43_S22"])
def test_the_reference_pixel_is_at_its_offset(name: str) -> None:
    one = detector("LSSTCam", name)
    np.testing.assert_allclose(pixel_to_focal_plane(*one.refpos, one), one.offset, atol=1e-12)


def test_a_quarter_turn_is_exact_and_others_are_turned_too() -> None:
    one = detector("LSSTCam", "R40_SG1")
    assert one.yaw == 90.0
    x, y = pixel_to_focal_plane(one.refpos[0] + 100, one.refpos[1], one)
    assert (float(x), float(y)) == (one.offset[0], one.offset[1] + 1.0)
    tilted = replace(one, yaw=30.0)
    x, y = pixel_to_focal_plane(tilted.refpos[0] + 100, tilted.refpos[1], tilted)
    np.testing.assert_allclose((x - one.offset[0], y - one.offset[1]), (np.cos(np.pi / 6), 0.5))


def test_a_step_on_every_detector_is_a_step_turned_by_its_yaw() -> None:
    for one in LSSTCAM:
        x, y = pixel_to_focal_plane((1000.0, 1100.0, 1000.0), (500.0, 500.0, 600.0), one)
        cos, sin = np.cos(np.radians(one.yaw)), np.sin(np.radians(one.yaw))
        np.testing.assert_allclose((x[1] - x[0], y[1] - y[0]), (cos, sin), atol=1e-9, err_msg=one.name)
        np.testing.assert_allclose((x[2] - x[0], y[2] - y[0]), (-sin, cos), atol=1e-9, err_msg=one.name)
        back = focal_plane_to_pixel(x, y, one)
        np.testing.assert_allclose(back, ((1000.0, 1100.0, 1000.0), (500.0, 500.0, 600.0)), atol=1e-8, err_msg=one.name)


def test_corners_are_the_outline_of_the_pixels() -> None:
    corners = focal_plane_corners(detector("LSSTCam", "R22_S11"))
    np.testing.assert_allclose(corners, ((-20.48, -20.02), (20.48, -20.02), (20.48, 20.02), (-20.48, 20.02)), atol=1e-9)
    turned = focal_plane_corners(detector("LSSTCam", "R40_SG1"))
    np.testing.assert_allclose(np.ptp(turned, axis=0), (40.0, 40.72), atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(number=st.integers(0, 204), x=st.floats(-500, 4600), y=st.floats(-500, 4600))
def test_through_the_optics_and_back(number: int, x: float, y: float) -> None:
    one = detector("LSSTCam", number)
    plane = pixel_to_focal_plane(x, y, one)
    np.testing.assert_allclose(focal_plane_to_pixel(*plane, one), (x, y), atol=1e-8)
    np.testing.assert_allclose(field_to_focal_plane(*focal_plane_to_field(*plane, one), one), plane, atol=1e-9)


def test_the_optics_of_lsstcam_shrink_the_field_towards_its_edge() -> None:
    one = detector("LSSTCam", 94)
    x, y = focal_plane_to_field((0.0, 100.0, 300.0), 0.0, one)
    linear = np.array((0.0, 100.0, 300.0)) * 20.005867576692737 / ARCSEC
    np.testing.assert_allclose((x - linear)[1:] * ARCSEC, (-0.170, -4.572), atol=0.01)
    assert not np.any(y)


def test_latiss_is_linear_and_mirrored() -> None:
    one = detector("LATISS", 0)
    np.testing.assert_allclose(focal_plane_to_field(3.0, -4.0, one), np.array((-3.0, -4.0)) * 9.5695 / ARCSEC)
    np.testing.assert_allclose(field_to_focal_plane(*focal_plane_to_field(3.0, -4.0, one), one), (3.0, -4.0))


def test_nan_stays_nan() -> None:
    one = detector("LSSTCam", 0)
    x, y = field_to_focal_plane(*focal_plane_to_field(*pixel_to_focal_plane([1.0, np.nan], [2.0, 3.0], one), one), one)
    assert np.isfinite([x[0], y[0]]).all()
    assert np.isnan([x[1], y[1]]).all()
