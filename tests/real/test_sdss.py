"""A frame of the Sloan survey whose calibration is published: zero point, extinction, airmass, noise, brightness of the sky."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.io import fits
from astropy.time import Time
from astropy.utils import iers

from rapid.processing.background import background_of
from rapid.processing.depth import Seen, measure_depth, sky_brightness
from rapid.processing.frame import Background
from rapid.processing.geometry import Box
from rapid.processing.isr.variance import NoiseModel
from rapid.processing.photometry import Estimate, ZeroPoint, fiducial, unknown
from rapid.simulation.site import Pointing
from tests.support.frames import small_detector

BAND = 2
"""Of r in the tables of a field, which have u, g, r, i, z."""

APACHE_POINT = EarthLocation.from_geodetic(-105.8203, 32.7803, 2788)


@dataclass(frozen=True)
class Frame:
    """The frame in electron, what is said of it, the table of its field, and our own measurement of the sky."""

    image: np.ndarray
    said: dict[str, Any]
    header: fits.Header
    field: fits.FITS_rec
    sky: Background

    @property
    def zero_point(self) -> float:
        """Magnitude of one electron a second: the survey's is of one DN, negative, and without the air."""
        return float(
            -self.said["zeropoint_aa"]
            - self.said["extinction_kk"] * self.said["airmass"]
            + 2.5 * math.log10(self.said["gain_e_per_dn"])
        )

    @property
    def seen(self) -> Seen:
        return Seen(
            exposure_time=float(self.header["EXPTIME"]),
            pixel_scale=self.said["pixel_scale_arcsec"],
            airmass=self.said["airmass"],
            sky=Estimate(self.sky.level, self.sky.level_error),
            noise=Estimate(self.sky.noise, self.sky.noise_error),
            fwhm=unknown("not asked for"),
            effective_fwhm=unknown("not asked for"),
        )


@pytest.fixture(scope="module")
def frame(shared_data: Path) -> Frame:
    said = json.loads((shared_data / "golden.json").read_text())["sdss_frame"]
    path = shared_data / said["file"]
    counts, header = fits.getdata(path, header=True)
    image = ((counts.astype(np.float64) - said["soft_bias"]) * said["gain_e_per_dn"]).astype(np.float32)
    table = fits.getdata(path.parent / "tsField-005754-3-40-0280.fit", 1)
    return Frame(image, said, header, table, background_of(image, np.zeros(image.shape, np.bool_)))


def test_the_brightness_of_the_sky_is_the_published_one(frame: Frame) -> None:
    """Through our level of the sky, with the published zero point, extinction and airmass."""
    published = -2.5 * math.log10(float(frame.field["sky"][0][BAND]))
    found = sky_brightness(Estimate(frame.zero_point, 0.01), frame.seen)
    assert published == pytest.approx(19.76, abs=0.01)
    assert found.value == pytest.approx(published, abs=0.01)
    assert found.error == pytest.approx(0.01, abs=0.003)


def test_a_clear_night_is_clear_at_any_airmass(frame: Frame) -> None:
    """The zero point of this airmass, against that of airmass 1 with the published extinction: no cloud is left."""
    used = fiducial("LATISS", "r")
    assert used is not None
    kk = frame.said["extinction_kk"]
    at_zenith = frame.zero_point + kk * (frame.said["airmass"] - 1)
    reference = replace(used, zero_point=at_zenith, zero_point_error=0.0, extinction=kk)
    depth = measure_depth("r", ZeroPoint(frame.zero_point, 0.001, 0.0, 41, 0), frame.seen, reference)
    assert depth.transparency.value == pytest.approx(1.0, abs=1e-9)
    assert -2.5 * math.log10(depth.throughput.value) == pytest.approx(kk * (frame.said["airmass"] - 1), abs=1e-9)


def test_our_extinction_in_r_is_that_of_a_mountain(frame: Frame) -> None:
    """Both cameras' differ from the published one by what sites and nights do, 0.05 mag."""
    for instrument in ("LATISS", "LSSTCam"):
        used = fiducial(instrument, "r")
        assert used is not None
        assert used.extinction == pytest.approx(frame.said["extinction_kk"], abs=0.05)


def test_the_airmass_is_the_published_one(frame: Frame) -> None:
    middle = Time(float(frame.field["mjd"][0][BAND]), format="mjd", scale="tai")
    with iers.conf.set_temp("auto_download", False):
        place = SkyCoord(frame.header["CRVAL1"], frame.header["CRVAL2"], unit="deg")
        seen = place.transform_to(AltAz(obstime=middle, location=APACHE_POINT))
    ours = Pointing(0.0, 0.0, float(seen.az / u.deg), float(seen.alt / u.deg), 0.0).airmass
    assert ours == pytest.approx(frame.said["airmass"], abs=0.001)


def test_photons_and_the_published_dark_variance_make_the_noise(frame: Frame) -> None:
    """Our model of the noise, from our sky and their read noise, against the noise that neighbours show."""
    added = frame.said["dark_variance"] * frame.said["gain_e_per_dn"] ** 2
    model = NoiseModel(np.array([added]), np.zeros(1), None, 0.0, None)
    detector = small_detector((0,))
    part = Box(0, 0, 64, 64)
    one = replace(detector, amplifiers=(replace(detector.amplifiers[0], bbox=part),))
    level = np.full((64, 64), frame.sky.level, np.float32)
    expected = math.sqrt(float(model.plane(level, one)[32, 32]))
    assert expected == pytest.approx(math.sqrt(frame.sky.level + added), rel=1e-6)
    assert frame.sky.noise == pytest.approx(expected, rel=0.03)
    without = math.sqrt(frame.sky.level)
    assert abs(frame.sky.noise - expected) < abs(frame.sky.noise - without)
