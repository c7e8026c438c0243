"""Geometry on real files: assembled images of the observatory's own software, bit by bit."""

from __future__ import annotations

import itertools
import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from rapid.errors import BadHeader
from rapid.processing.fits import read_guider
from rapid.processing.geometry import (
    Box,
    Detector,
    assemble,
    detector,
    detectors,
    focal_plane_corners,
    pixel_to_focal_plane,
)
from rapid.processing.guider import GuiderRegion
from rapid.processing.wcs import Wcs, boresight_wcs, sky_to_plane


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "golden.json").read_text())
    return found


def segments_of(path: Path) -> list[NDArray[np.generic]]:
    with fits.open(path) as hdus:
        return [hdu.data for hdu in hdus if hdu.is_image and hdu.data is not None]


def test_assembly_is_bit_identical_to_the_observatorys(shared_data: Path, golden: dict[str, Any]) -> None:
    (wanted,) = golden["assembly"]
    found = assemble(segments_of(shared_data / wanted["raw"]), detector("LSSTCam", wanted["detector"]))
    expected = fits.getdata(shared_data / wanted["expected"])
    assert list(found.shape) == wanted["shape"]
    assert detector("LSSTCam", wanted["detector"]).type == wanted["type"]
    assert 0 < np.count_nonzero(found) < found.size
    np.testing.assert_array_equal(found, expected)


def raws(place: Path) -> list[tuple[Path, Detector]]:
    """Raw files of whole detectors whose names say which: by raft and slot, and by number."""
    found = []
    for path in sorted(place.glob("obs_lsst_raws/*/*-det*.fits*")):
        if match := re.search(r"(R\d\d)-(S\d\d)-det(\d+)", path.name):
            camera = {"comcam": "LSSTComCam", "lsstcam": "LSSTCam"}.get(path.parent.name)
            if camera:
                found.append((path, detector(camera, f"{match[1]}_{match[2]}")))
                assert found[-1][1].number == int(match[3]), path.name
    found.append((place / "obs_lsst_raws/latiss/3018092000065-det000.fits", detector("LATISS", 0)))
    return found


def test_tables_say_what_the_headers_of_real_raws_say(shared_data: Path) -> None:
    """But for one of 2019, when a sensor of the other vendor was at its place."""
    files = [(path, one) for path, one in raws(shared_data) if fits.getheader(path)["CCD_MANU"] == one.vendor]
    assert len(files) == len(raws(shared_data)) - 1
    assert {(one.instrument, one.type) for _, one in files} >= {
        ("LSSTCam", "E2V"),
        ("LSSTComCam", "ITL"),
        ("LATISS", "ITL"),
    }
    for path, one in files:
        with fits.open(path) as hdus:
            for amplifier in one.amplifiers:
                header, data = hdus[amplifier.hdu].header, amplifier.data
                assert header["EXTNAME"].casefold() == amplifier.extname.casefold(), path.name
                section = f"[{data.x0 + 1}:{data.x0 + data.width},{data.y0 + 1}:{data.y0 + data.height}]"
                assert header["DATASEC"] == section, path.name
                assert header["DETSIZE"] == f"[1:{one.width},1:{one.height}]", path.name


@pytest.mark.parametrize(
    ("camera", "file"), [("LATISS", "latiss"), ("LSSTCam", "lsstcam"), ("LSSTComCam", "lsstcomcam")]
)
def test_every_detector_is_where_the_observatory_has_it(shared_data: Path, camera: str, file: str) -> None:
    """Centres and corners were checked against the camera files of the observatory's own software."""
    rows = json.loads((shared_data / "geometry" / f"{file}.json").read_text())["detectors"]
    assert len(rows) == len(detectors(camera))
    for row in rows:
        one = detector(camera, row["id"])
        assert one.name == row["name"].replace("RXX", "R00")
        assert (one.serial, one.vendor, one.kind, one.orientation) == (
            row["serial"],
            row["vendor"],
            row["detector_type"].lower(),
            row["n_quarter"],
        )
        np.testing.assert_allclose(focal_plane_corners(one), row["corners_fp_mm"], atol=1e-9)
        centre = pixel_to_focal_plane((one.width - 1) / 2, (one.height - 1) / 2, one)
        assert np.hypot(*(np.array(centre) - row["centre_fp_mm"])) < 0.011


def test_spots_on_a_real_itl_detector_form_their_grid_after_assembly(shared_data: Path) -> None:
    """A grid of spots was projected on it, over many seams: it is regular only if each amplifier is turned as it should."""
    one = detector("LSSTCam", "R02_S02")
    segments = segments_of(shared_data / "obs_lsst_raws/lsstcam_bot_spots/itl_spot.fits.gz")
    shares = {}
    for flip_x, flip_y in itertools.product((False, True), repeat=2):
        turned = tuple(
            replace(amplifier, flip_x=amplifier.flip_x != flip_x, flip_y=amplifier.flip_y != flip_y)
            for amplifier in one.amplifiers
        )
        image = assemble(segments, replace(one, amplifiers=turned))
        shares[flip_x, flip_y] = _share_on_grid(image[1300:2700] > 0)  # both sides of the seam in the middle
    right = shares.pop((False, False))
    assert right > 0.97
    assert max(shares.values()) < right - 0.01


def _share_on_grid(image: NDArray[np.bool_]) -> float:
    """Share of the spots whose nearest neighbour is as far away as usual, to 3 percent."""
    labels, count = ndimage.label(image)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    spots = np.flatnonzero(sizes[1:] > 100) + 1
    nearest = cKDTree(ndimage.center_of_mass(image, labels, spots))
    steps = nearest.query(nearest.data, 2)[0][:, 1]
    return float(np.mean(np.abs(steps / np.median(steps) - 1) < 0.03))


# --- world coordinate systems -------------------------------------------------------------------------------------------


def test_the_boresight_system_agrees_with_the_simulators(shared_data: Path, golden: dict[str, Any]) -> None:
    wanted = golden["boresight_wcs"]
    wcs = boresight_wcs(detector("LSSTCam", wanted["detector"]), *wanted["boresight_deg"], wanted["rotpa_deg"])
    points = np.array([(point["x"], point["y"], point["ra"], point["dec"]) for point in wanted["points"]]).T
    found = SkyCoord(*wcs.pixel_to_sky(*points[:2]), unit="deg")
    far = found.separation(SkyCoord(*points[2:], unit="deg")).arcsec
    assert len(far) >= 12
    assert far.max() < wanted["tolerance_arcsec"]
    assert far.max() < wanted["seen_worst_arcsec"] + 0.01


@pytest.mark.parametrize(
    ("file", "order"),
    [
        ("sipsample.fits", 0),
        ("1904-66_TAN.fits", 0),
        ("tpv.fits", 5),
        ("tnx.fits", 5),
        ("1904-66_STG.fits", 9),
        ("1904-66_ZEA.fits", 9),
    ],
)
def test_real_headers_lead_to_the_published_places(
    shared_data: Path, golden: dict[str, Any], file: str, order: int
) -> None:
    """TAN and TAN-SIP are read; of other systems, which are refused, one of ours is fitted to what astropy says."""
    path = shared_data / "onsky_images/wcs_registry" / file
    header, pixels = fits.getheader(path), fits.getdata(path)
    if order:
        with pytest.raises(BadHeader, match=f"{file}: not a system we read"):
            Wcs.from_header(header, name=file)
        wcs = _fitted(header, order)
    else:
        wcs = Wcs.from_header(header, name=file)
    for ra, dec, x, y, value in golden["wcs_registry"]["files"][file]:
        place = SkyCoord(ra, dec, unit=("hourangle", "deg"))
        found_x, found_y = wcs.sky_to_pixel(place.ra.deg, place.dec.deg)
        np.testing.assert_allclose((found_x + 1, found_y + 1), (x, y), atol=0.02)
        assert pixels[round(float(found_y)), round(float(found_x))] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("file", ["sipsample.fits", "pole.fits", "razero.fits", "1904-66_TAN.fits"])
def test_real_headers_are_read_as_astropy_does(shared_data: Path, file: str) -> None:
    header = fits.getheader(shared_data / "onsky_images/wcs_registry" / file)
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(-0.5, 255.5, 9), np.linspace(-0.5, 255.5, 9)))
    wcs = Wcs.from_header(header)
    theirs = SkyCoord(*_astropy(header).all_pix2world(x, y, 0), unit="deg")
    assert SkyCoord(*wcs.pixel_to_sky(x, y), unit="deg").separation(theirs).arcsec.max() < 1e-4
    np.testing.assert_allclose(wcs.sky_to_pixel(theirs.ra.deg, theirs.dec.deg), (x, y), atol=1e-5)


def _fitted(header: fits.Header, order: int) -> Wcs:
    """Fit polynomials over the image to what astropy reads in its header."""
    shape = (header["NAXIS2"], header["NAXIS1"])
    u, v = (grid.ravel() for grid in np.meshgrid(*2 * (np.cos(np.linspace(0, np.pi, 31)),)))
    half = np.array((shape[1], shape[0])) / 2
    ra, dec = _astropy(header).all_pix2world(half[0] * (1 + u), half[1] * (1 + v), 0)
    middle = SkyCoord(*_astropy(header).all_pix2world(*half, 0), unit="deg")
    planes = np.stack(sky_to_plane(ra, dec, middle.ra.deg, middle.dec.deg), axis=1)
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    found = np.linalg.lstsq(np.stack([u**i * v**j for i, j in powers], axis=1), planes, rcond=None)[0]
    c = np.zeros((2, order + 1, order + 1))
    for (i, j), value in zip(powers, found, strict=True):
        c[:, i, j] = value / (half[0] ** i * half[1] ** j)
    tangent = (float(middle.ra.deg), float(middle.dec.deg))
    return Wcs.from_polynomials(tangent=tangent, origin=(half[0], half[1]), xi=c[0], eta=c[1], shape=shape)


def _astropy(header: fits.Header) -> WCS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old headers, and what astropy thinks of them
        return WCS(header)


# --- guiders -------------------------------------------------------------------------------------------------------------


def test_a_real_guider_file_is_read(shared_data: Path, golden: dict[str, Any]) -> None:
    wanted = golden["guider"]
    path = shared_data / wanted["file"]
    found = read_guider(path, name=path.name)
    assert found.stamps.shape == (wanted["n_stamps"], *wanted["stamp_shape"])
    assert [str(found.times[0]), str(found.times[-1])] == [wanted["first_STMPTIME"], wanted["last_STMPTIME"]]
    assert np.all(np.diff(found.elapsed) > 0)
    assert found.region == GuiderRegion("C03", 254, 975, 50, 100)
    assert found.region.box(detector("LSSTCam", "R00_SG0")) == Box(3 * 509 + 509 - 304, 975, 50, 100)
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(found.stamps, [hdu.data for hdu in hdus[1:]])


def test_a_real_guider_file_of_2023_is_read(shared_data: Path) -> None:
    path = shared_data / "obs_lsst_raws/guider/guider_data/MC_C_20230616_000013_R04_SG0.fits"
    found = read_guider(path, name=path.name)
    assert found.stamps.shape == (92, 50, 50)
    assert found.region == GuiderRegion("C10", None, None, 50, 50)
    assert found.stamps.mean() == pytest.approx(15_063, abs=1)
    assert found.stamps.std() == pytest.approx(4.5, abs=0.1)
    assert found.elapsed[-1] == pytest.approx(14.73, abs=0.01)
