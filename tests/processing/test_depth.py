"""Depth of a frame: formulae against drawn stars, uncertainties against draws, and reasons for what is missing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from rapid.processing.background import background_of
from rapid.processing.depth import (
    Seen,
    effective_time,
    limiting_magnitude,
    measure_depth,
    sky_brightness,
    throughput,
    transparency,
)
from rapid.processing.photometry import Estimate, ZeroPoint, fiducial, unknown

R = fiducial("LSSTCam", "r")
CLEAR = Estimate(28.5, 0.004)
SEEN = Seen(
    exposure_time=30.0,
    pixel_scale=0.2,
    airmass=1.0,
    sky=Estimate(988.5, 3.0),
    noise=Estimate(math.sqrt(988.5 + 80), 0.05),
    fwhm=Estimate(0.7347 / 0.2, 0.03),
    effective_fwhm=Estimate(0.83 / 0.2, 0.04),
)


def test_reference_conditions_are_one_and_give_the_exposure_time() -> None:
    found = effective_time(CLEAR, SEEN, R)
    assert found.seeing.value == pytest.approx(1, abs=1e-6)
    assert found.transparency.value == pytest.approx(1, abs=1e-9)
    assert found.sky.value == pytest.approx(1, abs=1e-9)
    assert found.time.value == pytest.approx(30, abs=1e-4)
    assert throughput(CLEAR, R).value == transparency(CLEAR, R, 1.0).value == 1


@pytest.mark.parametrize(
    ("band", "dark"), [("u", 22.99), ("g", 22.26), ("r", 21.20), ("i", 20.48), ("z", 19.60), ("y", 18.61)]
)
def test_the_reference_sky_is_that_of_the_site(band: str, dark: float) -> None:
    """Ivezic et al. 2019, table 2; the sensors and mirrors are better known since."""
    assert fiducial("LSSTCam", band).sky_brightness == pytest.approx(dark, abs=0.4)


@pytest.mark.parametrize("band", "ugrizy")
def test_the_reference_depth_follows_from_the_reference_conditions(band: str) -> None:
    """To 0.25 mag: what the camera adds to the sky's noise, and the size of its apertures, is not in the reference."""
    there = fiducial("LSSTCam", band)
    sky = there.sky * 30 * 0.04
    fwhm = Estimate(there.fwhm / 0.2, 0.0)
    effective = Estimate((there.fwhm - 0.052) / 0.822 / 0.2, 0.0)
    seen = replace(
        SEEN, sky=Estimate(sky, 0.0), noise=Estimate(math.sqrt(sky + 80), 0.0), fwhm=fwhm, effective_fwhm=effective
    )
    found = limiting_magnitude(Estimate(there.zero_point, 0.0), seen)
    assert found.value == pytest.approx(there.magnitude_limit, abs=0.25)


def test_the_effective_time_is_that_of_the_depth() -> None:
    """Where the sky is the noise: t 10^(0.8 (m5 - m5 of the reference)), whatever the weather."""
    sky = Estimate(SEEN.sky.value * 1e4, 0.0)
    bright = replace(SEEN, sky=sky, noise=Estimate(math.sqrt(sky.value), 0.0))
    worse = replace(
        bright,
        sky=Estimate(sky.value * 1.7, 0.0),
        noise=Estimate(math.sqrt(sky.value * 1.7), 0.0),
        fwhm=Estimate(SEEN.fwhm.value * 1.4, 0.0),
        effective_fwhm=Estimate(SEEN.effective_fwhm.value * 1.4, 0.0),
    )
    cloudy = Estimate(28.5 - 0.6, 0.0)
    lost = limiting_magnitude(cloudy, worse).value - limiting_magnitude(CLEAR, bright).value
    ratio = effective_time(cloudy, worse, R).time.value / effective_time(CLEAR, bright, R).time.value
    assert ratio == pytest.approx(10 ** (0.8 * lost), rel=2e-3)


def test_a_star_of_the_limiting_magnitude_has_five_sigma() -> None:
    """Drawn and measured with the best weights, those of its own profile."""
    seen = replace(SEEN, effective_fwhm=Estimate(4.0, 0.0))
    limit = limiting_magnitude(CLEAR, seen)
    flux = 10 ** (0.4 * (CLEAR.value - limit.value)) * 30
    y, x = np.mgrid[-15:16, -15:16]
    profile = np.exp(-4 * math.log(2) * (x**2 + y**2) / 4.0**2)
    profile /= profile.sum()
    rng = np.random.default_rng(2)
    variance = SEEN.noise.value**2
    images = rng.normal(0, math.sqrt(variance), (4000, 31, 31)) + rng.poisson(flux * profile, (4000, 31, 31))
    measured = (images * profile).sum((1, 2)) / (profile**2).sum()
    assert measured.mean() / measured.std() == pytest.approx(5, rel=0.04)


def test_depth_grows_with_the_root_of_time_under_the_sky() -> None:
    longer = replace(SEEN, exposure_time=120.0, sky=Estimate(4 * 988.5, 1.0), noise=Estimate(2 * SEEN.noise.value, 0.0))
    gain = limiting_magnitude(CLEAR, longer).value - limiting_magnitude(CLEAR, SEEN).value
    assert gain == pytest.approx(1.25 * math.log10(4), abs=0.01)


def test_transparency_takes_the_air_off() -> None:
    dimmed = Estimate(28.5 - 0.126 * 0.5 - 0.3, 0.01)
    found = transparency(dimmed, R, 1.5)
    assert found.value == pytest.approx(10 ** (-0.4 * 0.3))
    assert found.error == pytest.approx(found.value * 0.01 * 0.4 * math.log(10), rel=1e-6)
    assert throughput(dimmed, R).value < found.value


def test_sky_brightness_of_a_known_sky() -> None:
    assert sky_brightness(CLEAR, SEEN).value == pytest.approx(R.sky_brightness, abs=1e-9)
    assert sky_brightness(CLEAR, replace(SEEN, sky=Estimate(9885.0, 30.0))).value == pytest.approx(
        R.sky_brightness - 2.5, abs=1e-9
    )


def test_uncertainties_are_those_of_draws() -> None:
    rng = np.random.default_rng(3)

    def drawn(estimate: Estimate) -> Estimate:
        return replace(estimate, value=float(rng.normal(estimate.value, estimate.error)))

    names = ("sky", "noise", "fwhm", "effective_fwhm")
    rows = []
    for _ in range(3000):
        seen = replace(SEEN, **{name: drawn(getattr(SEEN, name)) for name in names})
        zero_point = drawn(CLEAR)
        rows.append(
            (
                limiting_magnitude(zero_point, seen).value,
                sky_brightness(zero_point, seen).value,
                effective_time(zero_point, seen, R).time.value,
                transparency(zero_point, R, 1.2).value,
            )
        )
    predicted = (
        limiting_magnitude(CLEAR, SEEN).error,
        sky_brightness(CLEAR, SEEN).error,
        effective_time(CLEAR, SEEN, R).time.error,
        transparency(CLEAR, R, 1.2).error,
    )
    assert np.std(rows, axis=0) == pytest.approx(predicted, rel=0.05)  # 3000 draws: 1.3 %


def test_the_error_of_an_estimated_reference_counts() -> None:
    latiss = fiducial("LATISS", "r")
    found = throughput(Estimate(24.2, 0.004), latiss)
    assert found.error == pytest.approx(0.3 * 0.4 * math.log(10), rel=0.01)
    time = effective_time(Estimate(24.2, 0.004), SEEN, latiss).time
    assert time.error / time.value > 2 * 0.3 * 0.4 * math.log(10) * 0.99


def test_without_a_zero_point_everything_says_why() -> None:
    failed = ZeroPoint(math.nan, math.nan, math.nan, 0, 0, "", "no star was matched")
    found = measure_depth("r", failed, SEEN, R)
    time = found.effective_time
    for estimate in (found.throughput, found.transparency, found.sky_brightness, found.magnitude_limit, time.time):
        assert (estimate.reason, math.isnan(estimate.value)) == ("no star was matched", True)
    assert time.transparency.reason == "no star was matched"
    assert time.seeing.known
    assert time.sky.known


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sky": unknown("no sky was measured")}, "no sky was measured"),
        ({"sky": Estimate(-3.0, 1.0)}, "the sky level is -3.0 electron"),
        ({"fwhm": unknown("no star")}, "no star"),
        ({"fwhm": Estimate(0.0, 1.0)}, "the point-spread function has no width"),
        ({"exposure_time": 0.0}, "the exposure took 0 s"),
        ({"exposure_time": math.nan}, "the exposure took nan s"),
    ],
)
def test_what_is_missing_for_the_effective_time_is_said(change: dict[str, object], reason: str) -> None:
    assert effective_time(CLEAR, replace(SEEN, **change), R).time.reason == reason


def test_what_is_missing_for_the_others_is_said() -> None:
    assert limiting_magnitude(CLEAR, replace(SEEN, noise=unknown("no sky"))).reason == "no sky"
    assert limiting_magnitude(CLEAR, replace(SEEN, noise=Estimate(0.0, 0.0))).reason.endswith("have no width")
    assert limiting_magnitude(CLEAR, replace(SEEN, exposure_time=0.0)).reason == "the exposure took 0 s"
    assert sky_brightness(CLEAR, replace(SEEN, sky=Estimate(0.0, 1.0))).reason == "the sky level is 0.0 electron"
    assert transparency(CLEAR, R, None).reason == "the airmass is not known"
    assert transparency(CLEAR, R, 0.5).reason == "0.5 is no airmass"
    nobody = fiducial("LSSTCam", "white")
    assert nobody is None
    reason = "no reference conditions are stated for this camera and band"
    found = measure_depth("white", ZeroPoint(28.0, 0.01, 0.0, 20, 0), SEEN, nobody)
    assert {found.throughput.reason, found.transparency.reason, found.effective_time.time.reason} == {reason}
    assert found.magnitude_limit.known
    assert found.sky_brightness.known


@given(
    zero_point=st.floats(20, 35),
    sky=st.floats(1e-3, 1e6),
    noise=st.floats(0.1, 1e4),
    fwhm=st.floats(0.5, 100),
    seconds=st.floats(0.1, 1e4),
)
def test_a_number_is_always_one(zero_point: float, sky: float, noise: float, fwhm: float, seconds: float) -> None:
    seen = Seen(seconds, 0.2, 1.1, *(Estimate(value, 0.01) for value in (sky, noise, fwhm, fwhm)))
    found = measure_depth("r", ZeroPoint(zero_point, 0.01, 0.0, 20, 0), seen, R)
    for estimate in (found.magnitude_limit, found.sky_brightness, found.effective_time.time, found.transparency):
        assert math.isfinite(estimate.value)
        assert estimate.error > 0


def test_an_estimate_is_a_number_or_a_reason() -> None:
    with pytest.raises(ValueError, match="either a value or a reason"):
        Estimate(math.nan, math.nan)
    with pytest.raises(ValueError, match="either a value or a reason"):
        Estimate(1.0, 0.1, "but why")


# --- a real frame whose numbers others published -------------------------------------------------------------------


@pytest.mark.parametrize("band", "ugriz")
def test_the_published_sky_of_sdss(shared_data: Path, band: str) -> None:
    """Run 5754, field 280: their counts, zero point and extinction give their sky [maggie / arcsec2]."""
    folder, i = shared_data / "onsky_images/sdss_5754_r3_0280", "ugriz".index(band)
    field = fits.getdata(folder / "tsField-005754-3-40-0280.fit")[0]
    counts = fits.getdata(folder / "psField-005754-3-0280.fit", 6)[0]["sky"][i] * field["gain"][i]
    seen = replace(SEEN, exposure_time=53.907456, pixel_scale=0.396, sky=Estimate(float(counts), 1.0))
    found = sky_brightness(sdss_zero_point(field, i), seen)
    assert found.value == pytest.approx(-2.5 * math.log10(field["sky"][i]), abs=0.005)


def test_the_sky_of_a_real_frame_as_we_measure_it(shared_data: Path) -> None:
    folder = shared_data / "onsky_images/sdss_5754_r3_0280"
    field = fits.getdata(folder / "tsField-005754-3-40-0280.fit")[0]
    image = np.asarray(fits.getdata(folder / "fpC-005754-r3-0280.fit.gz"), np.float32)
    gain = float(field["gain"][2])
    sky = background_of((image - 1000) * np.float32(gain), np.zeros(image.shape, np.bool_))
    level, noise = Estimate(sky.level, sky.level_error), Estimate(sky.noise, sky.noise_error)
    width = Estimate(float(field["psf_width"][2]) / 0.396, 0.05)
    seen = Seen(53.907456, 0.396, 1.2815, level, noise, width, width)
    zero_point = sdss_zero_point(field, 2)
    assert sky_brightness(zero_point, seen).value == pytest.approx(-2.5 * math.log10(field["sky"][2]), abs=0.01)
    # their noise-equivalent area, and their limit of 22.2 mag for 95 % completeness in r (York et al. 2000)
    assert 2.266 * width.value**2 == pytest.approx(field["neff_psf"][2], rel=0.03)
    assert 21.2 < limiting_magnitude(zero_point, seen).value < 22.8  # a brighter sky and a worse seeing than usual


def sdss_zero_point(field: np.void, i: int) -> Estimate:
    """Zero point of one electron a second, through the air."""
    value = -field["aa"][i] - field["kk"][i] * field["airmass"][i] + 2.5 * math.log10(field["gain"][i])
    return Estimate(float(value), float(field["aaErr"][i]))
