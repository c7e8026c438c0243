"""An image on the sky: surface brightness and flux are kept, stars are where they are, anywhere on the sphere."""

from __future__ import annotations

import math
from pathlib import Path

import healpy
import hpgeom
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.geometry import detectors
from rapid.processing.skymap.footprint import pixel_size
from rapid.processing.skymap.healpix import compact, face_to_vector, tile_places
from rapid.processing.skymap.local_plane import fit_local_plane
from rapid.processing.skymap.warp import Warped, order_for, tiles, warp
from rapid.processing.wcs import Wcs, boresight_wcs

CCD = detectors("LSSTCam")["R22_S11"]
CORNER = detectors("LSSTCam")["R01_S00"]
PLACES = [(53.4, -28.2), (0.0, 0.0), (45.0, 41.81), (180.0, -89.95), (90.0, -41.81)]
ARCSEC = 3600 * 180 / math.pi


def wcs_at(ra: float, dec: float, angle: float = 33.0) -> Wcs:
    return boresight_wcs(CCD, ra, dec, angle)


def place(wcs: Wcs, warped: Warped) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return wcs.sky_to_pixel(*hpgeom.pixel_to_angle(2**warped.order, warped.pixels))


def solid_angle(wcs: Wcs) -> NDArray[np.float32]:
    """Area of each pixel [arcsec2], from the corners of blocks of pixels."""
    ny, nx = wcs.shape
    x, y = np.meshgrid(np.linspace(-0.5, nx - 0.5, 41), np.linspace(-0.5, ny - 0.5, 41))
    ra, dec = (np.radians(axis) for axis in wcs.pixel_to_sky(x, y))
    v = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    one, other = v[1:, 1:] - v[:-1, :-1], v[1:, :-1] - v[:-1, 1:]
    area = 0.5 * np.linalg.norm(np.cross(one, other), axis=-1) * ARCSEC**2 * 1600 / (nx * ny)
    rows, columns = np.arange(ny) * 40 // ny, np.arange(nx) * 40 // nx
    return area[rows[:, None], columns].astype(np.float32)


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_a_flat_sky_stays_flat(ra: float, dec: float) -> None:
    """Also across the borders of base pixels, where HEALPix bends, and over a pole."""
    wcs = wcs_at(ra, dec)
    warped = warp(3.0 * solid_angle(wcs), wcs.pixel_to_sky)
    assert warped.order == 17
    seen = np.isfinite(warped.values)
    assert (~seen).sum() <= 4  # a corner may have less than half of a pixel
    assert warped.values[seen] == pytest.approx(3.0, rel=1e-4)


def test_a_pixel_counts_by_the_sky_it_covers() -> None:
    """At the edge of the field of LSSTCam pixels see more sky than in its middle."""
    wcs = boresight_wcs(CORNER, 53.4, -28.2, 0.0)
    warped = warp(np.full(CORNER.shape, 100.0, np.float32), wcs.pixel_to_sky)
    x, y = place(wcs, warped)
    inside = (x > 1) & (x < CORNER.width - 2) & (y > 1) & (y < CORNER.height - 2)
    area = solid_angle(wcs)[y[inside].round().astype(int), x[inside].round().astype(int)]
    assert warped.values[inside] * area == pytest.approx(100.0, rel=2e-4)
    assert wcs.pixel_scale / wcs_at(0, 0).pixel_scale != pytest.approx(1, abs=1e-4)


def stars(shape: tuple[int, int], fwhm: float, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Draw stars of 10 000 electron on a loose grid, at random places between pixels."""
    rng = np.random.default_rng(seed)
    image = np.zeros(shape, np.float32)
    grid = np.stack(np.meshgrid(np.arange(150, shape[1] - 150, 260), np.arange(150, shape[0] - 150, 260)), -1)
    places = grid.reshape(-1, 2) + rng.uniform(-40, 40, (grid.size // 2, 2))
    sigma = fwhm / 2.3548
    for x, y in places:
        reach = int(5 * sigma) + 2
        rows, columns = np.mgrid[int(y) - reach : int(y) + reach, int(x) - reach : int(x) + reach]
        light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)) / (2 * math.pi * sigma**2)
        image[rows, columns] += 1e4 * light
    return image, places


@pytest.mark.parametrize(("ra", "dec"), PLACES[:4])
def test_stars_keep_their_flux_and_their_place(ra: float, dec: float) -> None:
    wcs = wcs_at(ra, dec)
    image, places = stars((1600, 1600), 8.0, 1)
    wcs = Wcs(wcs.ra0, wcs.dec0, wcs.x0 - 1200, wcs.y0 - 1200, wcs.cd, image.shape, wcs.a, wcs.b)
    warped = warp(image, wcs.pixel_to_sky)
    x, y = place(wcs, warped)
    area = pixel_size(warped.order) ** 2
    fluxes, offsets = [], []
    for at_x, at_y in places:
        near = np.hypot(x - at_x, y - at_y) < 60
        light = warped.values[near].astype(np.float64)
        fluxes.append(light.sum() * area)
        offsets.append((np.average(x[near], weights=light) - at_x, np.average(y[near], weights=light) - at_y))
    assert np.std(fluxes) < 0.004 * 1e4
    assert np.mean(fluxes) == pytest.approx(1e4, rel=1e-3)
    assert warped.flux == pytest.approx(float(image.sum(dtype=np.float64)), rel=1e-3)
    assert np.std(offsets) < 0.15  # pixels of 0.2 arcsec, in bins of 8
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.1


def test_what_is_missing_stays_missing() -> None:
    wcs = wcs_at(53.4, -28.2)
    image = np.full(CCD.shape, 5.0, np.float32)
    image[1000:1500, :] = np.nan
    image[::7, ::5] = np.nan  # a few bad pixels of a bin do not matter
    image[3000, 3000] = np.inf
    warped = warp(image, wcs.pixel_to_sky)
    _, y = place(wcs, warped)
    lost = np.isnan(warped.values)
    assert lost[(y > 1010) & (y < 1490)].all()
    assert not lost[(y < 985) | (y > 1515)].any()
    assert warped.values[~lost] == pytest.approx(5.0 / wcs.pixel_scale**2, rel=1e-3)


def test_an_image_of_nothing_is_nothing() -> None:
    wcs = wcs_at(53.4, -28.2)
    warped = warp(np.full(CCD.shape, np.nan, np.float32), wcs.pixel_to_sky, order=12)
    assert np.isnan(warped.values).all()
    assert warped.flux == 0


def test_sides_that_are_no_multiple_of_the_binning() -> None:
    wcs = wcs_at(53.4, -28.2)
    small = Wcs(wcs.ra0, wcs.dec0, 50.0, 50.0, wcs.cd, (203, 101))
    warped = warp(np.ones((203, 101), np.float32), small.pixel_to_sky, binning=8, order=18)
    seen = np.isfinite(warped.values)
    assert (~seen).sum() <= 4
    assert warped.values[seen] == pytest.approx(1 / small.pixel_scale**2, rel=1e-3)


@given(factor=st.floats(-100, 100))
def test_it_is_linear(factor: float) -> None:
    wcs = wcs_at(53.4, -28.2)
    here = Wcs(wcs.ra0, wcs.dec0, 150.0, 150.0, wcs.cd, (300, 300))
    image, _ = stars((300, 300), 8.0, 2)
    one, other = warp(image, here.pixel_to_sky), warp(image * np.float32(factor), here.pixel_to_sky)
    np.testing.assert_allclose(other.values, one.values * np.float32(factor), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("scale", "order"), [(1.6, 17), (0.8, 18), (0.2, 20), (0.77, 18), (200.0, 10), (1e9, 0)])
def test_the_order_is_that_of_the_nearest_size(scale: float, order: int) -> None:
    assert order_for(scale) == order


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_no_scale_has_no_order(scale: float) -> None:
    with pytest.raises(InputError, match="no pixel scale; expected arcsec above 0"):
        order_for(scale)


@pytest.mark.parametrize(
    ("shape", "binning", "message"),
    [
        ((100,), 8, r"not an image; .* found \(100,\)"),
        ((1, 100), 1, r"not an image; expected two dimensions of 2 pixels and more; found \(1, 100\)"),
        ((100, 100), 0, "impossible binning; expected 1 to 50; found 0"),
        ((100, 100), 51, "impossible binning; expected 1 to 50; found 51"),
    ],
)
def test_what_cannot_be_warped_is_refused(shape: tuple[int, ...], binning: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        warp(np.ones(shape, np.float32), wcs_at(0, 0).pixel_to_sky, binning=binning)


@pytest.mark.parametrize(
    ("pixel_to_sky", "message"),
    [
        (lambda x, y: (np.where(x > 50, np.nan, x), y), "part of the image is not on the sky"),
        (lambda x, y: (x * 1e-3 + 1e-2 * (x > 50), y * 1e-3), "no smooth function of the pixels; expected .* bins"),
        (lambda x, y: (np.multiply(x, 2.0), np.asarray(y) * 0.8), "no detector looks so wide"),
    ],
)
def test_a_system_that_is_none_is_refused(pixel_to_sky: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        warp(np.ones((100, 100), np.float32), pixel_to_sky)  # type: ignore[arg-type]


def test_a_distorted_system_is_followed() -> None:
    """Ten times the distortion of a field's edge: a polynomial of higher degree, to a hundredth of a bin."""
    wcs = wcs_at(53.4, -28.2)
    bent = np.zeros((4, 4))
    bent[3, 0], bent[1, 2] = 1e-9, -2e-9
    wcs = Wcs(wcs.ra0, wcs.dec0, wcs.x0, wcs.y0, wcs.cd, wcs.shape, bent, bent.T)
    plane = fit_local_plane(wcs.pixel_to_sky, wcs.shape, 8)
    assert len(plane.x) > 3
    assert plane.error < 0.01
    warped = warp(2.0 * solid_angle(wcs), wcs.pixel_to_sky)
    assert warped.values == pytest.approx(2.0, rel=2e-3)


# --- HEALPix itself -----------------------------------------------------------------------------------------------


@given(order=st.integers(0, 24), part=st.floats(0, 1, exclude_max=True))
def test_places_in_base_pixels_are_those_of_the_libraries(order: int, part: float) -> None:
    pixel = int(part * 12 * 4**order)
    inside = pixel % 4**order
    u, v = (compact(inside) + 0.5) / 2**order, (compact(inside >> 1) + 0.5) / 2**order
    found = face_to_vector(pixel >> 2 * order, u, v)
    assert found == pytest.approx(healpy.pix2vec(2**order, pixel, nest=True), abs=4e-15)


@pytest.mark.parametrize("face", range(12))
def test_the_corners_of_base_pixels(face: int) -> None:
    for u, v in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        assert np.linalg.norm(face_to_vector(face, u, v)) == pytest.approx(1, abs=1e-15)
    if face < 4:
        assert face_to_vector(face, 1.0, 1.0) == pytest.approx((0, 0, 1))


# --- tiles --------------------------------------------------------------------------------------------------------


def test_tiles_hold_every_pixel_in_its_place() -> None:
    wcs = wcs_at(53.4, -28.2)
    warped = warp(np.random.default_rng(1).normal(100, 5, CCD.shape).astype(np.float32), wcs.pixel_to_sky)
    found = tiles(warped)
    assert set(found) == set((warped.pixels >> 18).tolist())
    assert sum(np.isfinite(tile).sum() for tile in found.values()) == len(warped.pixels)
    rows, columns = tile_places(9)
    for number, tile in found.items():
        here = warped.pixels >> 18 == number
        inside = warped.pixels[here] & (4**9 - 1)
        np.testing.assert_array_equal(tile[rows[inside], columns[inside]], warped.values[here])


def test_neighbours_in_a_tile_are_neighbours_on_the_sky() -> None:
    rows, columns = tile_places(5)
    square = np.empty((32, 32), np.int64)
    square[rows, columns] = 700 * 4**5 + np.arange(4**5)
    vectors = np.stack(healpy.pix2vec(2**10, square, nest=True), axis=-1)
    for axis in (0, 1):
        steps = np.linalg.norm(np.diff(vectors, axis=axis), axis=-1) * ARCSEC
        assert steps.max() < 1.6 * pixel_size(10)


def test_pixels_too_large_for_a_tile_are_refused() -> None:
    with pytest.raises(InputError, match="too few pixels for a tile; expected order 9 or more; found 8"):
        tiles(Warped(8, np.array([1]), np.ones(1, np.float32)))


@pytest.mark.filterwarnings("ignore")  # the tiles of that survey have a BLANK card that is none, and end early
def test_real_tiles_join_as_ours(shared_data: Path) -> None:
    """Four tiles of DSS2 that are the children of one: put where we put nested pixels, they make one picture."""
    folder = shared_data / "hips_samples/DSS2Red/Norder3/Dir0"
    rows, columns = tile_places(1)
    seams, tile_of = [], {}
    for child in range(4):
        tile_of[rows[child], columns[child]] = fits.getdata(folder / f"Npix{448 + child}.fits").astype(float)
    for i in (0, 1):
        seams.append(np.corrcoef(tile_of[i, 0][:, -1], tile_of[i, 1][:, 0])[0, 1])
        seams.append(np.corrcoef(tile_of[0, i][-1], tile_of[1, i][0])[0, 1])
    assert min(seams) > 0.8
