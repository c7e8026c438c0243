"""The pixels of a footprint are those inside of it, anywhere on the sky."""

from __future__ import annotations

import healpy
import hpgeom
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import InputError
from rapid.processing.geometry import detectors
from rapid.processing.skymap import cover, pixel_size
from rapid.processing.wcs import boresight_wcs

CCD = detectors("LSSTCam")["R22_S11"]
PLACES = [(53.4, -28.2), (0.01, 0.0), (359.99, 41.81), (180.0, -89.95), (45.0, 90.0), (315.0, -41.8)]


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize("order", [11, 13])
def test_they_are_those_whose_centres_fall_on_the_detector(ra: float, dec: float, order: int) -> None:
    wcs = boresight_wcs(CCD, ra, dec, 33.0)
    pixels = cover(wcs.footprint, order)
    near = hpgeom.query_circle(2**order, *wcs.centre, 0.3, inclusive=True)
    inside = near[wcs.contains(*hpgeom.pixel_to_angle(2**order, near))]
    assert (np.diff(pixels) > 0).all()
    assert len(np.setxor1d(pixels, inside)) <= 2  # the edges are bent by less than a tenth of a pixel


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_their_area_is_that_of_the_footprint(ra: float, dec: float) -> None:
    wcs = boresight_wcs(CCD, ra, dec, 10.0)
    area = CCD.shape[0] * CCD.shape[1] * wcs.pixel_scale**2
    assert len(cover(wcs.footprint, 16)) * pixel_size(16) ** 2 == pytest.approx(area, rel=1e-3)


@given(
    ra=st.floats(0, 360), dec=st.floats(-90, 90), angle=st.floats(0, 360), first=st.integers(0, 3), back=st.booleans()
)
def test_it_matters_not_where_one_begins_and_which_way_round(
    ra: float, dec: float, angle: float, first: int, back: bool
) -> None:
    corners = boresight_wcs(CCD, ra, dec, angle).footprint
    turned = np.roll(corners[::-1] if back else corners, first, axis=0)
    pixels = cover(corners, 11)
    np.testing.assert_array_equal(cover(turned, 11), pixels)
    assert pixels.size > 30
    theirs = healpy.query_polygon(2**11, healpy.ang2vec(*corners.T, lonlat=True), nest=True)
    assert len(np.setxor1d(theirs, pixels)) <= 2  # centres on the very edge


SQUARE = [(10.0, 0.0), (10.2, 0.0), (10.2, 0.2), (10.0, 0.2)]


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        (SQUARE[:2], r"not a footprint; expected three corners or more \(ra, dec\); found shape \(2, 2\)"),
        ([1.0, 2.0, 3.0], r"not a footprint; .* found shape \(3,\)"),
        ([*SQUARE[:3], (np.nan, 0.2)], "a corner is off the sphere; expected finite degrees"),
        ([*SQUARE[:3], (10.0, 90.1)], "a corner is off the sphere"),
        ([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]], "a footprint that is not convex"),
        ([SQUARE[0]] * 4, "a footprint that is not convex"),
        ([(10.0, 0.0), (10.1, 0.0), (10.2, 0.0)], "a footprint that is not convex"),
        ([(0.0, 0.0), (90.0, 0.0), (0.0, 90.0)], "a footprint larger than any detector; expected up to 40 degrees"),
        ([(0.0, 0.0), (120.0, 0.0), (240.0, 0.0)], "a footprint larger than any detector"),
    ],
)
def test_what_is_no_footprint_is_refused(corners: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cover(corners, 10)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [-1, 27])
def test_an_impossible_order_is_refused(order: int) -> None:
    with pytest.raises(InputError, match=f"no order of HEALPix pixels; expected 0 to 26; found {order}"):
        cover(SQUARE, order)


def test_a_little_below_zero_is_on_the_sphere() -> None:
    assert cover([(-1e-17, 0.0), (0.2, 0.0), (0.2, 0.2), (-1e-17, 0.2)], 12).size > 50
