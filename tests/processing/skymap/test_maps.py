"""Maps of a simulated night are what a plain count over its exposures gives, and others can read them."""

from __future__ import annotations

import io
import math
from pathlib import Path

import healpy
import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from mocpy import MOC

from rapid.errors import InputError
from rapid.processing.geometry import detectors
from rapid.processing.photometry import fiducial
from rapid.processing.skymap import Contribution, NightCoverage, SkyMaps, cover, depth_of, healpix_fits, make_maps
from rapid.processing.skymap.moc import moc_fits, moc_json, moc_of_maps, night_moc
from rapid.processing.wcs import boresight_wcs

ORDER = 10
RAFT = [detectors("LSSTCam")[f"R22_S{column}{row}"] for column in range(3) for row in range(3)]


def some_night(exposures: int = 7) -> list[Contribution]:
    """Draw exposures of one raft that overlap, of some of which seeing or effective time are not known."""
    rng = np.random.default_rng(3)
    items = []
    for number in range(exposures):
        ra, dec, angle = (0.1 * rng.normal() + 0.6 * (number == 2)) % 360, -30 + 0.1 * rng.normal(), 360 * rng.random()
        seeing = math.nan if number == 2 else 0.6 + 0.1 * rng.random()
        effective = math.nan if number == 4 else 20.0 + rng.random()
        for ccd in RAFT:
            corners = boresight_wcs(ccd, ra, dec, angle).footprint
            items.append(Contribution(number, ccd.number, "gr"[number % 2], 15.0 + number, corners, effective, seeing))
    return items


NIGHT = some_night()
MAPS = make_maps(NightCoverage.of(NIGHT, ORDER))


def test_every_pixel_has_what_its_exposures_say() -> None:
    of_pixel: dict[int, list[Contribution]] = {}
    for item in NIGHT:
        for pixel in cover(item.footprint, ORDER):
            of_pixel.setdefault(int(pixel), []).append(item)
    assert MAPS.pixels.tolist() == sorted(of_pixel)
    for place, pixel in enumerate(MAPS.pixels):
        items = of_pixel[int(pixel)]
        assert MAPS.counts[place] == len(items)
        assert MAPS.seconds[place] == pytest.approx(sum(item.seconds for item in items))
        times = [item.effective_time for item in items if not math.isnan(item.effective_time)]
        seeings = [item.seeing for item in items if not math.isnan(item.seeing)]
        assert MAPS.effective_time[place] == pytest.approx(sum(times) if times else math.nan, nan_ok=True)
        assert MAPS.seeing[place] == pytest.approx(np.median(seeings) if seeings else math.nan, nan_ok=True)
    assert MAPS.counts.max() >= 5
    assert np.isnan(MAPS.seeing).any()


def test_doing_an_exposure_twice_counts_once() -> None:
    twice = NightCoverage.of(NIGHT[20:] + NIGHT[::-1], ORDER)
    again = make_maps(twice.merged(NightCoverage.of(NIGHT[:9], ORDER)))
    for name in ("pixels", "counts", "seconds", "effective_time", "seeing"):
        np.testing.assert_array_equal(getattr(again, name), getattr(MAPS, name))


def test_the_area_and_the_time_are_those_of_the_exposures() -> None:
    fine = make_maps(NightCoverage.of(NIGHT, 13))
    solid = math.prod(RAFT[0].shape) * RAFT[0].pixel_scale ** 2 / 3600**2
    pixel_area = fine.area / len(fine)
    assert (fine.seconds * pixel_area).sum() == pytest.approx(sum(item.seconds for item in NIGHT) * solid, rel=2e-3)
    assert fine.area < len(NIGHT) * solid


def test_an_empty_night_has_empty_maps() -> None:
    maps = make_maps(NightCoverage.of([], ORDER))
    assert (len(maps), maps.area) == (0, 0.0)
    assert healpix_fits(maps).startswith(b"SIMPLE")


def test_depth_grows_with_effective_time() -> None:
    r = fiducial("LSSTCam", "r")
    pixels = np.arange(4)
    times = np.array([30.0, 120.0, np.nan, 0.0])
    maps = SkyMaps(ORDER, pixels, np.ones(4, np.int64), times, times, times)
    depth = depth_of(maps, r)
    assert depth[:2] == pytest.approx([24.52, 24.52 + 1.25 * math.log10(4)])
    assert np.isnan(depth[2:]).all()


def test_a_camera_without_reference_depth_has_no_map_of_it() -> None:
    with pytest.raises(InputError, match="no reference depth of LATISS in r"):
        depth_of(MAPS, fiducial("LATISS", "r"))


def test_healpy_reads_the_file() -> None:
    depth = depth_of(MAPS, fiducial("LSSTCam", "r"))
    content = fits.open(io.BytesIO(healpix_fits(MAPS, depth)))
    names = ["counts", "seconds", "effective_time", "seeing", "depth"]
    for place, name in enumerate(names):
        theirs = healpy.read_map(content, field=place, nest=True, partial=True)
        seen = theirs != healpy.UNSEEN
        ours = depth if name == "depth" else getattr(MAPS, name)
        known = np.isfinite(ours)
        np.testing.assert_array_equal(np.flatnonzero(seen), MAPS.pixels[known])
        np.testing.assert_array_equal(theirs[MAPS.pixels[known]], ours[known])
    assert [column.unit for column in content[1].columns] == [None, None, "s", "s", "arcsec", "mag"]


def test_the_file_of_the_same_maps_is_the_same() -> None:
    assert healpix_fits(MAPS) == healpix_fits(make_maps(NightCoverage.of(NIGHT[::-1], ORDER)))


# --- multi-order coverage -----------------------------------------------------------------------------------------


def test_the_moc_holds_every_detector_and_little_more() -> None:
    moc = night_moc(NightCoverage.of(NIGHT, ORDER))
    fine = make_maps(NightCoverage.of(NIGHT, 15))
    centres = healpy.pix2ang(2**15, fine.pixels, nest=True, lonlat=True)
    assert moc.contains_lonlat(*(axis * units.deg for axis in centres)).all()
    area = moc.sky_fraction * 4 * math.pi * math.degrees(1) ** 2
    assert fine.area < area < 1.1 * fine.area


def test_the_moc_of_maps_is_their_pixels() -> None:
    moc = moc_of_maps(MAPS, least_counts=3)
    np.testing.assert_array_equal(np.sort(moc.flatten()), MAPS.pixels[MAPS.counts >= 3])


def test_a_moc_is_written_as_the_standard_says(tmp_path: Path) -> None:
    moc = night_moc(NightCoverage.of(NIGHT, ORDER), 11)
    path = tmp_path / "moc.fits"
    path.write_bytes(moc_fits(moc))
    assert MOC.load(path, "fits") == moc
    assert MOC.from_json(moc_json(moc)) == moc
    assert night_moc(NightCoverage.of(NIGHT + NIGHT, ORDER), 11) == moc


def test_an_empty_night_has_an_empty_moc() -> None:
    assert night_moc(NightCoverage.of([], ORDER)).empty()
    with pytest.raises(InputError, match="no order of HEALPix pixels"):
        night_moc(NightCoverage.of([], ORDER), 40)
