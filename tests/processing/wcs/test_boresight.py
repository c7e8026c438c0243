"""The first guess of where a detector looks, for every detector of every camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.geometry import (
    Detector,
    detector,
    detectors,
    focal_plane_to_field,
    instruments,
    pixel_to_focal_plane,
)
from rapid.processing.wcs import boresight_wcs, plane_to_sky

POINTING = (123.4, -67.8, 33.3)


def over(one: Detector) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.meshgrid(np.linspace(-0.5, one.width - 0.5, 7), np.linspace(-0.5, one.height - 0.5, 7))
    return x.ravel(), y.ravel()


@pytest.mark.parametrize("camera", instruments())
def test_on_every_detector_the_way_goes_there_and_back(camera: str) -> None:
    for one in detectors(camera).values():
        x, y = over(one)
        wcs = boresight_wcs(one, *POINTING)
        back_x, back_y = wcs.sky_to_pixel(*wcs.pixel_to_sky(x, y))
        assert float(np.max(np.hypot(back_x - x, back_y - y))) < 1e-6, one.name


@pytest.mark.parametrize("camera", instruments())
def test_on_every_detector_it_is_the_way_through_the_focal_plane(camera: str) -> None:
    """Pixels to mm, to field angles with radial distortion, turned by the rotator: step by step instead of at once."""
    angle = np.radians(POINTING[2])
    for one in detectors(camera).values():
        x, y = over(one)
        field_x, field_y = focal_plane_to_field(*pixel_to_focal_plane(x, y, one), one)
        xi = -np.cos(angle) * field_x + np.sin(angle) * field_y
        eta = np.sin(angle) * field_x + np.cos(angle) * field_y
        step_by_step = SkyCoord(*plane_to_sky(xi, eta, *POINTING[:2]), unit="deg")
        at_once = SkyCoord(*boresight_wcs(one, *POINTING).pixel_to_sky(x, y), unit="deg")
        assert step_by_step.separation(at_once).arcsec.max() < 1e-6, one.name


@pytest.mark.parametrize("camera", instruments())
def test_on_every_detector_astropy_reads_the_same_sky(camera: str) -> None:
    for one in list(detectors(camera).values())[::8]:
        x, y = over(one)
        wcs = boresight_wcs(one, *POINTING)
        theirs = WCS(fits.Header(wcs.to_header()))
        found = SkyCoord(*theirs.all_pix2world(x, y, 0), unit="deg")
        assert found.separation(SkyCoord(*wcs.pixel_to_sky(x, y), unit="deg")).arcsec.max() < 1e-6, one.name
        if theirs.sip is None:
            continue
        pixels = np.column_stack((x, y))
        back = theirs.sip_foc2pix(theirs.sip_pix2foc(pixels, 0), 0)
        assert np.max(np.hypot(*(back - pixels).T)) < 1e-3, one.name


def test_the_boresight_is_in_the_middle_of_the_middle_detector() -> None:
    wcs = boresight_wcs(detector("LSSTCam", "R22_S11"), 370.0, 20.0, 0.0)
    np.testing.assert_allclose(wcs.centre, (10.0, 20.0), atol=1e-12)
    assert wcs.pixel_scale == pytest.approx(0.200059, abs=1e-6)


@pytest.mark.parametrize(("rotator", "orientation"), [(0.0, 0.0), (90.0, 90.0), (-30.0, -30.0), (200.0, -160.0)])
def test_the_rotator_turns_the_sky(rotator: float, orientation: float) -> None:
    """ROTPA is the position angle of the focal plane's y; an unturned detector shows the sky as it is, east to the left."""
    wcs = boresight_wcs(detector("LSSTCam", "R22_S11"), 80.0, 0.0, rotator)
    assert wcs.orientation == pytest.approx(orientation, abs=1e-6)
    assert not wcs.is_mirrored


def test_corner_detectors_are_mounted_turned() -> None:
    wcs = boresight_wcs(detector("LSSTCam", "R44_SW1"), 80.0, 0.0, 0.0)
    assert abs(wcs.orientation) == pytest.approx(180.0, abs=0.1)


def test_latiss_is_mirrored() -> None:
    wcs = boresight_wcs(detector("LATISS", 0), 80.0, -30.0, 0.0)
    assert wcs.is_mirrored
    assert not wcs.is_distorted
    assert wcs.pixel_scale == pytest.approx(0.095695, rel=1e-6)


def test_field_of_view_of_lsstcam_is_that_of_the_telescope() -> None:
    """9.6 square degrees, and 3.5 degrees across the sides of the cross: five rafts. Its corners reach further out."""
    science = [one for one in detectors("LSSTCam").values() if one.kind == "science"]
    corners = np.concatenate([boresight_wcs(one, 80.0, -30.0, 10.0).footprint for one in science])
    distance = SkyCoord(80.0, -30.0, unit="deg").separation(SkyCoord(*corners.T, unit="deg")).deg
    assert distance.max() == pytest.approx(2.05, abs=0.01)
    along = SkyCoord(*boresight_wcs(detector("LSSTCam", "R42_S21"), 80.0, -30.0, 0.0).centre, unit="deg")
    assert along.separation(SkyCoord(80.0, -30.0, unit="deg")).deg == pytest.approx(1.64, abs=0.01)
    areas = [
        boresight_wcs(one, 80.0, -30.0, 10.0).pixel_scale ** 2 * one.width * one.height / 3600**2 for one in science
    ]
    assert sum(areas) == pytest.approx(9.6, abs=0.1)


def test_a_distortion_that_is_no_polynomial_is_refused() -> None:
    odd = replace(detector("LSSTCam", 94), field_angle=(0.0, 1.0, 1e-5))
    told = "the distortion of LSSTCam is no polynomial of its pixels; expected odd powers of the radius only"
    with pytest.raises(InputError, match=told):
        boresight_wcs(odd, *POINTING)


def test_an_impossible_pointing_is_refused() -> None:
    with pytest.raises(InputError, match="an impossible reference point"):
        boresight_wcs(detector("LATISS", 0), 10.0, -90.5, 0.0)
