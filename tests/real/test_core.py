"""The core on real files, against numbers of other people's software.

The tolerances are those the numbers were published with, or the ones asked of a quick look.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from rapid.errors import BadLayout, UnknownInstrument
from rapid.processing.background import background_of
from rapid.processing.describe import describe
from rapid.processing.fits import read_raw
from rapid.processing.geometry import Box
from rapid.processing.headers import translate
from rapid.processing.isr.overscan import LEADING, serial_levels
from rapid.processing.measure import study
from rapid.processing.psf import psf_of
from rapid.processing.sources import detect_in
from rapid.processing.statistics import box_statistics, clipped


@pytest.fixture(scope="session")
def golden(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "golden.json").read_text())
    return found


def test_a_latiss_raw_of_2018_is_read_and_studied(shared_data: Path) -> None:
    path = shared_data / "obs_lsst_raws/latiss/3018092000065-det000.fits"
    assert path.read_bytes()[:2] == b"\x1f\x8b", "gzip under a plain name"
    found = study(path, name=path.name)
    info = found.frame.info
    assert (info.instrument, info.obs_id, info.exposure_id) == ("LATISS", "AT_C_20180920_000065", 3018092000065)
    assert (info.day_obs, info.seq_num, info.controller) == (20180920, 65, "C")
    assert (info.begin_tai, info.exposure_time, info.observation_type) == ("2018-09-21T06:12:18.210", 27.0, "unknown")
    assert found.why_not == "no pixel of this detector carries a signal"
    assert {finding.name: finding.value for finding in describe(info)}["exposure_time"] == 27.0


def test_amplifier_statistics_are_those_of_the_camera_software(shared_data: Path, golden: dict[str, Any]) -> None:
    wanted = golden["amp_statistics"]
    path = shared_data / wanted["file"]
    segment = read_raw(path, name=path.name).segments[15]
    data, overscan = box_statistics(segment, Box(10, 0, 512, 2048)), box_statistics(segment, Box(522, 0, 54, 2048))
    assert data.mean == pytest.approx(wanted["AVERAGE"]["value"], rel=1e-9)
    assert data.std == pytest.approx(wanted["STDEV"]["value"], rel=1e-9)
    assert overscan.mean == pytest.approx(wanted["AVGBIAS"]["value"], rel=1e-9)
    assert overscan.std == pytest.approx(wanted["STDVBIAS"]["value"], rel=1e-8)


def test_a_real_amplifier_gives_level_and_noise_by_our_own_rules(shared_data: Path, golden: dict[str, Any]) -> None:
    wanted = golden["amp_statistics"]
    path = shared_data / wanted["file"]
    segment = read_raw(path, name=path.name).segments[15]
    levels, replaced = serial_levels(segment, 522 + LEADING)
    noise = clipped(segment[:, 522 + LEADING :] - levels[:, None]).sigma
    assert float(np.median(levels)) == pytest.approx(wanted["AVGBIAS"]["value"], abs=2)
    assert noise == pytest.approx(wanted["STDVBIAS"]["value"], rel=0.05)
    assert replaced == 0


def test_published_seeing_and_sky_of_a_real_frame(shared_data: Path, golden: dict[str, Any]) -> None:
    wanted = golden["sdss_frame"]
    counts = fits.getdata(shared_data / wanted["file"]).astype(np.float32) - wanted["soft_bias"]
    image = (counts * wanted["gain_e_per_dn"]).astype(np.float32)
    none = np.zeros(image.shape, np.bool_)
    sky = background_of(image, none)
    psf = psf_of(image, sky, detect_in(image, none, counts > 60_000, sky))
    assert sky.level / wanted["gain_e_per_dn"] == pytest.approx(wanted["sky_dn"], rel=0.01)
    assert sky.noise / wanted["gain_e_per_dn"] == pytest.approx(wanted["sky_sigma_dn"], rel=0.02)
    assert psf.effective_fwhm * wanted["pixel_scale_arcsec"] == pytest.approx(wanted["psf_width_arcsec"], rel=0.05)
    assert psf.n_stars >= wanted["n_psf_stars"]


@pytest.mark.parametrize(
    ("file", "count"),
    [("MC_C_20240918_000013_R00_SG0_guider.fits", 102), ("MC_C_20230616_000013_R04_SG0.fits", 92)],
)
def test_real_guider_files_are_told_apart(shared_data: Path, file: str, count: int) -> None:
    path = shared_data / "obs_lsst_raws/guider/guider_data" / file
    with pytest.raises(BadLayout, match=rf"^{file}: a guider stamp file, not a science raw.*found {count} stamps"):
        study(path, name=path.name)


@pytest.mark.parametrize(
    ("file", "detector"),
    [
        ("lsstcam/30211212000310-R22-S22-det098.fits", ("LSSTCam", "R22_S22", 98)),
        ("lsstcam/3019031900001-R10-S02-det029.fits", ("LSSTCam", "R10_S02", 29)),
        ("comcam/3019053000001-R22-S00-det000.fits", ("LSSTComCam", "R22_S00", 0)),
        ("lsstcamsim/7024032100720-R22-S11-det094.fits.fz", None),
        ("comcamsim/CC_S_20240404_000780_R22_S01.fits", None),
    ],
)
def test_raws_of_other_cameras_are_read_and_studied(
    shared_data: Path, file: str, detector: tuple[str, str, int] | None
) -> None:
    path = shared_data / "obs_lsst_raws" / file
    raw = read_raw(path, name=path.name)
    with fits.open(path) as hdus:
        for segment, hdu in zip(raw.segments, hdus[1:17], strict=True):
            np.testing.assert_array_equal(segment, hdu.data)
    if detector is None:
        with pytest.raises(UnknownInstrument, match="no header rules for this camera"):
            translate(raw.header, name=path.name)
    else:
        info = translate(raw.header, name=path.name)
        assert (info.instrument, info.detector_name, info.detector) == detector
        found = study(path, name=path.name)
        assert found.frame.info == info
        assert found.why_not == "no pixel of this detector carries a signal"


def test_a_raw_of_2019_from_another_raft_is_told_apart(shared_data: Path) -> None:
    """In the laboratory a raft of ITL sensors was where there are sensors of E2V now; another file is of the same vendor."""
    path = shared_data / "obs_lsst_raws" / "lsstcam" / "3019031900001-R22-S21-det097.fits"
    expected = "this is not the sensor that LSSTCam has at R22_S21; expected one of E2V, as E2V-CCD250-360; found ITL-3800C-139"
    with pytest.raises(BadLayout, match=f"^{path.name}: {expected}"):
        study(path, name=path.name)
    same = path.with_name("3019031900001-R10-S02-det029.fits")
    gain = next(step.detail for step in study(same, name=same.name).frame.recipe if step.name == "gain")
    assert gain == "nominal of ITL-3800C-167, not of ITL-3800C-041"
