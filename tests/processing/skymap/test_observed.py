"""What a frame adds to its night is where it looked, how long, how well; a frame without a sky adds nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rapid.processing.astrometry import Astrometry
from rapid.processing.comparison import Comparison
from rapid.processing.depth import Seen, measure_depth
from rapid.processing.exposure import ExposureInfo
from rapid.processing.frame import Frame, Psf, Study
from rapid.processing.geometry import detectors
from rapid.processing.headers import translate
from rapid.processing.photometry import Estimate, ZeroPoint, fiducial
from rapid.processing.skymap import NightCoverage, make_maps
from rapid.processing.skymap.observed import contribution_of
from rapid.processing.wcs import boresight_wcs
from tests.support.frames import CARDS, NAME

CCD = detectors("LATISS")["R00_S00"]
PSF = Psf(11.0, 0.1, 0.0, 0.0, 30)
THERE = boresight_wcs(CCD, 53.5, -28.3, 12.0)


def info(**changes: object) -> ExposureInfo:
    said = {"ra": 53.4, "dec": -28.2, "rotator_angle": 10.0, "on_sky": True, "can_see_sky": True}
    return replace(translate(CARDS, name=NAME), **(said | changes))


def study(psf: Psf | None = PSF, comparison: Comparison | None = None, **changes: object) -> Study:
    image = np.zeros((2, 2), np.float32)
    frame = Frame(info(**changes), CCD, image, np.zeros((2, 2), np.uint16), (), ())
    return Study(frame, None, None, psf, "", {}, comparison)


def solved() -> Comparison:
    r = fiducial("LATISS", "r")
    width = Estimate(11.0, 0.1)
    seen = Seen(30.0, 0.0957, 1.0, Estimate(5.0, 0.1), Estimate(10.0, 0.1), width, width)
    photometry = measure_depth("r", ZeroPoint(24.2, 0.01, 0.02, 50, 0), seen, r)
    return Comparison(Astrometry("", wcs=THERE), photometry)


def test_a_solved_frame_is_where_its_stars_are() -> None:
    comparison = solved()
    found = contribution_of(study(comparison=comparison), revision=3)
    assert found is not None
    np.testing.assert_allclose(found.footprint, THERE.footprint)
    assert (found.exposure_id, found.detector, found.band, found.revision) == (2026031500051, 0, "r", 3)
    assert found.seconds == 30.0
    assert found.seeing == pytest.approx(11.0 * THERE.pixel_scale)
    assert comparison.photometry is not None
    assert found.effective_time == comparison.photometry.effective_time.time.value > 0


def test_a_frame_without_a_solution_is_where_it_was_said_to_be() -> None:
    for comparison in (None, Comparison(Astrometry("no star"), None, "no star")):
        found = contribution_of(study(comparison=comparison))
        assert found is not None
        np.testing.assert_allclose(found.footprint, boresight_wcs(CCD, 53.4, -28.2, 10.0).footprint)
        assert math.isnan(found.effective_time)


@pytest.mark.parametrize("psf", [None, replace(PSF, fwhm=math.nan, reason="no star"), replace(PSF, doubt="a donut")])
def test_a_frame_without_stars_has_no_seeing(psf: Psf | None) -> None:
    found = contribution_of(study(psf))
    assert found is not None
    assert math.isnan(found.seeing)
    assert len(make_maps(NightCoverage.of([found], 12))) > 10


@pytest.mark.parametrize(
    "changes",
    [
        {"on_sky": False},
        {"can_see_sky": False},
        {"ra": None},
        {"dec": None},
        {"rotator_angle": None},
        {"exposure_time": 0.0},
    ],
)
def test_a_frame_that_saw_no_known_sky_adds_nothing(changes: dict[str, object]) -> None:
    assert contribution_of(study(**changes)) is None
