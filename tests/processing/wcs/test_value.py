"""The way to the sky and back, against itself, against astropy and against plain spherical geometry."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rapid.errors import BadHeader, InputError
from rapid.processing.wcs import Wcs, plane_to_sky, sky_to_plane

ARCSEC = 1.0 / 3600.0
FOUR = ((np.nan, 0.0), (0.0, 1.0))


def distorted(**changes: object) -> Wcs:
    """A system like that of one detector, with a distortion of some 5 pixels at its corners."""
    chance = np.random.default_rng(7)
    a, b = chance.normal(0.0, 1.0, (2, 4, 4))
    for c in (a, b):
        for i in range(4):
            for j in range(4):
                c[i, j] = 0.0 if i + j < 2 or i + j > 3 else c[i, j] * 2000.0 ** -(i + j)
    angle = np.radians(31.0)
    cd = 0.2 * ARCSEC * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return replace(Wcs(150.1, -30.2, 2047.5, 2001.5, cd, (4004, 4096), a, b), **changes)  # type: ignore[arg-type]


def grid(wcs: Wcs, *, beyond: float = 0.5, number: int = 9) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ny, nx = wcs.shape
    x, y = np.meshgrid(np.linspace(-beyond, nx - 1 + beyond, number), np.linspace(-beyond, ny - 1 + beyond, number))
    return x, y


def separation(ra: object, dec: object, ra2: object, dec2: object) -> float:
    """Largest separation [arcsec]."""
    first = SkyCoord(ra, dec, unit="deg")
    return float(np.max(first.separation(SkyCoord(ra2, dec2, unit="deg")).arcsec))


# --- there and back ------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    ra=st.floats(0.0, 360.0),
    dec=st.floats(-90.0, 90.0),
    turn=st.floats(0.0, 360.0),
    mirrored=st.booleans(),
    far=st.floats(-30_000.0, 30_000.0),
)
def test_there_and_back(ra: float, dec: float, turn: float, mirrored: bool, far: float) -> None:
    wcs = distorted(ra0=ra, dec0=dec).moved(ra, dec, rotation=turn)
    if mirrored:
        wcs = replace(wcs, cd=wcs.cd @ np.diag((-1.0, 1.0)))
    if (
        abs(far) > 4000.0
    ):  # the tangent point of most detectors lies far outside: there the distortion is small and smooth
        wcs = replace(wcs, x0=far, a=wcs.a * 1e-3, b=wcs.b * 1e-3)
    x, y = grid(wcs)
    back_x, back_y = wcs.sky_to_pixel(*wcs.pixel_to_sky(x, y))
    assert float(np.max(np.hypot(back_x - x, back_y - y))) < 1e-6


def test_the_projection_keeps_angles_and_distances_of_the_sphere() -> None:
    """A point at (xi, eta) lies at position angle atan2(xi, eta) and distance atan(hypot(xi, eta)) of the tangent point."""
    xi, eta = np.array([0.3, -1.2, 2.0, 0.0, 0.0]), np.array([0.7, -0.1, -1.9, 1.0, 0.0])
    for ra0, dec0 in ((10.0, 20.0), (359.9, -89.0), (0.05, 88.9), (200.0, 0.0)):
        ra, dec = plane_to_sky(xi, eta, ra0, dec0)
        middle, found = SkyCoord(ra0, dec0, unit="deg"), SkyCoord(ra, dec, unit="deg")
        distance = np.degrees(np.arctan(np.radians(np.hypot(xi, eta))))
        np.testing.assert_allclose(middle.separation(found).deg, distance, atol=1e-9)
        wanted = np.degrees(np.arctan2(xi, eta))[:4] % 360
        np.testing.assert_allclose(middle.position_angle(found).deg[:4], wanted, atol=1e-8)
        back = sky_to_plane(ra, dec, ra0, dec0)
        np.testing.assert_allclose(back, (xi, eta), atol=1e-11)


def test_the_meridian_is_crossed_without_a_jump() -> None:
    wcs = distorted(ra0=0.001, dec0=5.0)
    ra, _ = wcs.pixel_to_sky(*grid(wcs))
    assert np.min(ra) >= 0.0
    assert np.max(ra) < 360.0
    assert np.any(ra > 359.8)
    assert np.any(ra < 0.2)


def test_the_pole_may_be_on_the_detector() -> None:
    wcs = distorted(dec0=90.0)
    x, y = wcs.sky_to_pixel(77.0, 90.0)
    np.testing.assert_allclose((x, y), (wcs.x0, wcs.y0), atol=1e-9)


def test_what_is_out_of_reach_is_nan() -> None:
    wcs = distorted()
    x, y = wcs.sky_to_pixel((150.1, 330.1, np.nan), (-30.2, 30.2, 0.0))
    assert np.isfinite([x[0], y[0]]).all()
    assert np.isnan([x[1:], y[1:]]).all()
    folding = replace(wcs, a=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-1e-3, 0.0, 0.0]]), b=np.zeros((3, 3)))
    u, _ = folding.plane_to_pixel(*(wcs.cd @ np.array([300.0, 0.0])))  # u - u**2 / 1000 is never more than 250
    assert np.isnan(u)
    assert not folding.contains(330.1, 30.2)


def test_scalars_and_arrays_of_any_shape_are_taken() -> None:
    wcs = distorted()
    assert np.shape(wcs.pixel_to_sky(1, 2)[0]) == ()
    assert np.shape(wcs.sky_to_pixel(150.0, [-30.1, -30.2])[1]) == (2,)
    assert np.shape(wcs.pixel_to_sky(np.zeros((2, 1)), np.zeros((1, 3)))[0]) == (2, 3)
    assert np.shape(wcs.pixel_to_sky([], [])[0]) == (0,)
    assert np.shape(wcs.sky_to_pixel([], [])[0]) == (0,)


# --- cards ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wcs", [distorted(), distorted(a=np.zeros((1, 1)), b=np.zeros((1, 1))), distorted(dec0=-89.95)]
)
def test_astropy_reads_our_cards_to_the_same_sky(wcs: Wcs) -> None:
    theirs = WCS(fits.Header(wcs.to_header()))
    x, y = grid(wcs)
    assert separation(*wcs.pixel_to_sky(x, y), *theirs.all_pix2world(x, y, 0)) < 1e-6


def test_the_polynomials_for_the_way_back_are_good_to_a_thousandth_of_a_pixel() -> None:
    wcs = distorted(a=distorted().a * 0.1, b=distorted().b * 0.1)
    theirs = WCS(fits.Header(wcs.to_header()))
    x, y = grid(wcs)
    pixels = np.column_stack((x.ravel(), y.ravel()))
    back = theirs.sip_foc2pix(theirs.sip_pix2foc(pixels, 0), 0)
    assert np.max(np.hypot(*(back - pixels).T)) < 1e-3


def test_our_cards_come_back_as_they_were() -> None:
    wcs = distorted()
    again = Wcs.from_header(wcs.to_header(), shape=wcs.shape)
    x, y = grid(wcs)
    np.testing.assert_array_equal(again.pixel_to_sky(x, y), wcs.pixel_to_sky(x, y))
    header = fits.Header(wcs.to_header())
    header["NAXIS1"], header["NAXIS2"] = 4096, 4004
    assert Wcs.from_header(header).shape == (4004, 4096)


def plain(**changes: object) -> dict[str, object]:
    cards: dict[str, object] = {
        "NAXIS1": 300, "NAXIS2": 200, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 12.0, "CRVAL2": 34.0,
        "CRPIX1": 150.0, "CRPIX2": 100.5, "CDELT1": -1e-4, "CDELT2": 1.1e-4,
    }  # fmt: skip
    return {key: value for key, value in (cards | changes).items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"CROTA2": 25.0},
        {"PC1_1": 0.9, "PC1_2": -0.2, "PC2_1": 0.25},
        {"CD1_1": 1e-4, "CD2_2": 2e-4, "CD2_1": 3e-5, "CDELT1": None, "CDELT2": None},
        {"CRVAL1": -12.0, "LONPOLE": 180.0, "CUNIT1": "deg", "CUNIT2": "deg"},
    ],
)
def test_every_way_of_writing_the_matrix_is_read_as_astropy_does(changes: dict[str, object]) -> None:
    cards = plain(**changes)
    ours = Wcs.from_header(cards)
    x, y = grid(ours)
    assert separation(*ours.pixel_to_sky(x, y), *WCS(fits.Header(cards)).all_pix2world(x, y, 0)) < 1e-6
    assert ours.shape == (200, 300)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"CTYPE1": "RA---TPV"}, "f.fits: not a system we read; expected RA---TAN and DEC--TAN, with -SIP or without; found 'RA---TPV'"),
        ({"CTYPE1": None}, "not a system we read"),
        ({"CRVAL1": None}, "f.fits: CRVAL1 is missing or impossible; expected a number; found none"),
        ({"CRVAL2": "north"}, "f.fits: CRVAL2 is missing or impossible; expected a number; found 'north'"),
        ({"CRVAL2": 90.1}, "f.fits: impossible CRVAL2; expected -90 to 90; found 90.1"),
        ({"CRPIX1": True}, "CRPIX1 is missing or impossible; expected a number; found True"),
        ({"CRPIX2": float("nan")}, "CRPIX2 is missing or impossible"),
        ({"CDELT1": None}, "CDELT1 is missing or impossible"),
        ({"CDELT1": 0.0}, "f.fits: the matrix cannot be inverted; expected CD or CDELT; found [["),
        ({"LONPOLE": 170.0}, "f.fits: unusual LONPOLE; expected 180; found 170.0"),
        ({"CUNIT2": "arcsec"}, "f.fits: unusual CUNIT2; expected deg; found 'arcsec'"),
        ({"NAXIS1": None}, "NAXIS1 is missing or impossible"),
        ({"NAXIS2": 0}, "f.fits: impossible NAXIS1, NAXIS2; expected 1 or more; found 300, 0"),
        ({"RADESYS": "FK4"}, "f.fits: unusual RADESYS or EQUINOX; expected ICRS, or FK5 of 2000; found FK4, no equinox"),
        ({"EQUINOX": 1950.0}, "f.fits: unusual RADESYS or EQUINOX; expected ICRS, or FK5 of 2000; found ICRS, 1950.0"),
        ({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 10}, "f.fits: impossible A_ORDER; expected 0 to 9; found 10"),
        ({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "B_ORDER": 2.5}, "f.fits: impossible B_ORDER; expected 0 to 9; found 2.5"),
        ({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "A_1_1": "x"}, "A_1_1 is missing or impossible"),
    ],
)  # fmt: skip
def test_cards_that_cannot_be_are_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(BadHeader) as caught:
        Wcs.from_header(plain(**changes), name="f.fits")
    assert told in str(caught.value)


HOSTILE = st.one_of(
    st.none(), st.booleans(), st.text(max_size=4), st.floats(), st.integers(-3, 12), st.sampled_from([2**63, -(2**64), 10**400, 1e308])
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    cards=st.dictionaries(
        st.sampled_from([*plain(), "A_ORDER", "B_ORDER", "A_2_0", "B_1_1", "CD1_1", "PC2_1", "CROTA2"]), HOSTILE
    )
)
def test_no_card_gives_any_other_error_or_warning(cards: dict[str, object]) -> None:
    header = plain(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2) | cards
    with contextlib.suppress(InputError):
        wcs = Wcs.from_header(header, name="f.fits")
        x, y = wcs.sky_to_pixel(*wcs.pixel_to_sky(*grid(wcs, number=3)))
        assert x.shape == y.shape == (3, 3)


def test_undefined_cards_are_refused_and_not_believed() -> None:
    header = fits.Header(plain())
    header["CRVAL1"] = fits.card.UNDEFINED
    with pytest.raises(BadHeader, match="CRVAL1 is missing or impossible"):
        Wcs.from_header(header)


# --- made of a fit ------------------------------------------------------------------------------------------------------


def fitted(wcs: Wcs, order: int, origin: tuple[float, float]) -> Wcs:
    """Fit polynomials to what a system says, and make one of them."""
    x, y = grid(wcs, number=15)
    xi, eta = wcs.pixel_to_plane(x, y)
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    u, v = (x - origin[0]).ravel() / 2000.0, (y - origin[1]).ravel() / 2000.0
    design = np.stack([u**i * v**j for i, j in powers], axis=1)
    p, q = np.zeros((2, order + 1, order + 1))
    for c, wanted in ((p, xi), (q, eta)):
        found = np.linalg.lstsq(design, wanted.ravel(), rcond=None)[0]
        for (i, j), value in zip(powers, found, strict=True):
            c[i, j] = value / 2000.0 ** (i + j)
    return Wcs.from_polynomials(tangent=(wcs.ra0, wcs.dec0), origin=origin, xi=p, eta=q, shape=wcs.shape)


@pytest.mark.parametrize("origin", [(2047.5, 2001.5), (0.0, 0.0), (2047.5, -300.0)])
def test_polynomials_of_a_fit_give_the_system_back(origin: tuple[float, float]) -> None:
    wcs = distorted()
    again = fitted(wcs, 3, origin)
    np.testing.assert_allclose((again.x0, again.y0), (wcs.x0, wcs.y0), atol=1e-6)
    x, y = grid(wcs)
    assert separation(*again.pixel_to_sky(x, y), *wcs.pixel_to_sky(x, y)) < 1e-7


def test_polynomials_that_make_no_system_are_refused() -> None:
    def make(xi: object, eta: object) -> Wcs:
        return Wcs.from_polynomials(tangent=(0.0, 0.0), origin=(0.0, 0.0), xi=xi, eta=eta, shape=(10, 10))  # type: ignore[arg-type]

    with pytest.raises(
        InputError, match=r"^not a pair of polynomials; expected two arrays of shape \(n, n\), n > 1; found"
    ):
        make(np.zeros((2, 2)), np.zeros((3, 3)))
    with pytest.raises(InputError, match="not a pair of polynomials"):
        make(np.zeros((1, 1)), np.zeros((1, 1)))
    with pytest.raises(InputError, match=r"^a matrix that cannot be inverted; expected two by two, not singular"):
        make(((0.0, 1.0), (1.0, 0.0)), ((0.0, 2.0), (2.0, 0.0)))
    with pytest.raises(InputError, match=r"^a matrix that cannot be inverted"):
        make(FOUR, FOUR)
    with pytest.raises(
        InputError, match=r"^these polynomials do not reach the tangent point; expected a zero; found none"
    ):
        make(((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 0.0, 0.0)), ((0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))


# --- what it is like ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [0.0, 30.0, -120.0, 180.0])
def test_scale_orientation_and_hand_are_those_of_the_matrix(turn: float) -> None:
    north_up = np.array([[-1.0, 0.0], [0.0, 1.0]]) * 0.1 * ARCSEC
    wcs = Wcs(20.0, 60.0, 50.0, 50.0, north_up, (101, 101)).moved(20.0, 60.0, rotation=turn, scale=1.5)
    assert wcs.pixel_scale == pytest.approx(0.15, rel=1e-9)
    assert wcs.orientation == pytest.approx(turn, abs=1e-6)
    assert not wcs.is_mirrored
    assert replace(wcs, cd=-wcs.cd @ np.diag((1.0, -1.0))).is_mirrored
    np.testing.assert_allclose(wcs.centre, (20.0, 60.0), atol=1e-12)


def test_scale_is_what_astropy_finds_far_off_the_axis() -> None:
    """1.7 degrees from the tangent point a pixel covers less sky than on the axis."""
    wcs = distorted(x0=-30_000.0, a=np.zeros((1, 1)), b=np.zeros((1, 1)))
    x, y = (wcs.shape[1] - 1) / 2, (wcs.shape[0] - 1) / 2
    corners = SkyCoord(*wcs.pixel_to_sky(x + np.array((-5, 5, 0, 0)), y + np.array((0, 0, -5, 5))), unit="deg")
    across, along = (corners[i].separation(corners[i + 1]).arcsec / 10 for i in (0, 2))
    assert wcs.pixel_scale == pytest.approx(float(np.sqrt(across * along)), rel=1e-6)
    assert 0.1997 < wcs.pixel_scale < 0.1999
    assert wcs.orientation == pytest.approx(float(corners[2].position_angle(corners[3]).deg), abs=1e-4)


def test_moving_the_pointing_moves_all_stars_alike() -> None:
    wcs = distorted()
    moved = wcs.moved(wcs.ra0 + 0.05, wcs.dec0 - 0.03)
    np.testing.assert_allclose(moved.pixel_to_plane(*grid(wcs)), wcs.pixel_to_plane(*grid(wcs)), atol=1e-14)
    np.testing.assert_allclose(moved.pixel_to_sky(wcs.x0, wcs.y0), (wcs.ra0 + 0.05, wcs.dec0 - 0.03), atol=1e-12)


def test_the_footprint_is_the_outline_of_the_pixels() -> None:
    wcs = distorted()
    x, y = wcs.sky_to_pixel(*wcs.footprint.T)
    np.testing.assert_allclose(x, (-0.5, 4095.5, 4095.5, -0.5), atol=1e-6)
    np.testing.assert_allclose(y, (-0.5, -0.5, 4003.5, 4003.5), atol=1e-6)


def test_what_is_on_the_image_is_told() -> None:
    wcs = distorted()
    x, y = np.array([0.0, -0.49, -0.51, 4095.49, 4095.51, 100.0]), np.array([0.0, 10.0, 10.0, 10.0, 10.0, 4003.6])
    assert wcs.contains(*wcs.pixel_to_sky(x, y)).tolist() == [True, True, False, True, False, False]


# --- what no system can be -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"ra0": np.nan},
            "an impossible reference point; expected four numbers, dec within 90 degrees; found (nan, -30.2",
        ),
        ({"dec0": 91.0}, "an impossible reference point"),
        (
            {"cd": np.zeros((2, 2))},
            "a matrix that cannot be inverted; expected two by two, not singular; found [[0.0, 0.0]",
        ),
        ({"cd": np.eye(3)}, "a matrix that cannot be inverted"),
        (
            {"a": np.zeros((2, 2))},
            "impossible distortion; expected two arrays of shape (n, n); found (2, 2) and (4, 4)",
        ),
        ({"a": np.full((4, 4), np.inf)}, "impossible distortion; expected finite coefficients; found NaN or infinity"),
    ],
)
def test_impossible_systems_are_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(InputError) as caught:
        distorted(**changes)
    assert str(caught.value).startswith(told)


def test_nobody_can_change_it() -> None:
    wcs = distorted()
    for array in (wcs.cd, wcs.a, wcs.b):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1.0
    cd = np.eye(2)
    wcs = replace(wcs, cd=cd)
    cd[0, 0] = 5.0
    assert wcs.cd[0, 0] == 1.0


def test_no_warning_reaches_anybody() -> None:
    wcs = distorted(a=distorted().a * 1e3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wcs.sky_to_pixel(np.linspace(0, 360, 50), np.linspace(-90, 90, 50))
