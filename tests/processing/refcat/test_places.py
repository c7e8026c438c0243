"""Places on the sphere, against astropy and against themselves."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Distance, SkyCoord
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import InputError
from rapid.processing.refcat.places import in_polygon, julian_year, julian_year_of_mjd, moved, separation

RA = st.floats(0.0, 360.0, exclude_max=True)
DEC = st.floats(-90.0, 90.0)


@pytest.mark.parametrize("time", ["2000-01-01T12:00:00", "2026-03-15T04:05:06.789", "1991-04-02T13:30:00"])
def test_epochs_are_those_of_astropy(time: str) -> None:
    expected = Time(time, scale="tai")
    assert julian_year(time) == pytest.approx(expected.jyear, abs=2e-6)
    assert julian_year_of_mjd(np.array([expected.tai.mjd]))[0] == pytest.approx(expected.jyear, abs=2e-6)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-03-15T04:05:06Z", "2026-13-01T00:00:00"])
def test_what_is_no_time_is_refused(time: str) -> None:
    with pytest.raises(InputError, match=f"not a time; expected ISO 8601 in TAI without a zone; found '{time}'"):
        julian_year(time)


def test_gaia_dr3_is_of_2016() -> None:
    assert julian_year_of_mjd(np.array([57388.5]))[0] == 2016.0


@pytest.mark.parametrize("dec", [-89.999, -45.0, 0.0, 60.0, 89.9999])
@pytest.mark.parametrize("years", [-20.0, 10.5])
def test_motion_is_that_of_astropy(dec: float, years: float) -> None:
    start, motion = SkyCoord(359.99999 * u.deg, dec * u.deg), (-3000.0, 9000.0)
    moving = SkyCoord(
        start.ra,
        start.dec,
        distance=Distance(1.0 * u.pc),  # so slow that relativity does nothing
        pm_ra_cosdec=motion[0] * u.mas / u.yr,
        pm_dec=motion[1] * u.mas / u.yr,
        obstime=Time(2016.0, format="jyear"),
    )
    there = moving.apply_space_motion(new_obstime=Time(2016.0 + years, format="jyear"))
    columns = (np.array([value]) for value in (start.ra.deg, dec, *motion))
    ra, dec_now, pm_ra, pm_dec = columns
    found = moved(ra, dec_now, pm_ra=pm_ra, pm_dec=pm_dec, years=np.array([years]))
    apart = SkyCoord(*found, unit="deg").separation(SkyCoord(there.ra, there.dec))
    assert apart.to_value("mas").max() < 0.05
    assert 0.0 <= found[0][0] < 360.0


def test_unknown_motion_leaves_a_star_where_it_is() -> None:
    one = np.array([10.0, 20.0, 30.0])
    pm_ra, pm_dec = np.array([np.nan, 5000.0, 0.0]), np.array([5000.0, np.nan, 3.6e6])
    ra, dec = moved(one, one, pm_ra=pm_ra, pm_dec=pm_dec, years=np.full(3, 1.0))
    np.testing.assert_allclose(ra[:2], one[:2], atol=1e-12)
    np.testing.assert_allclose(dec[:2], one[:2], atol=1e-12)
    assert dec[2] == pytest.approx(31.0, abs=2e-4)


@given(ra=RA, dec=DEC, ra0=RA, dec0=DEC)
def test_separation_is_that_of_astropy(ra: float, dec: float, ra0: float, dec0: float) -> None:
    expected = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(ra0, dec0, unit="deg")).deg
    assert separation(np.array([ra]), np.array([dec]), ra0, dec0)[0] == pytest.approx(expected, abs=1e-9)


@given(ra=RA, turn=st.floats(0.0, 360.0), reverse=st.booleans())
def test_a_polygon_holds_its_inside_wherever_it_is(ra: float, turn: float, reverse: bool) -> None:
    angles = np.radians(turn + np.array([0.0, 90.0, 180.0, 270.0]))
    corners = np.stack([ra + np.cos(angles), np.sin(angles)], axis=-1)
    corners = corners[::-1] if reverse else corners
    inside = in_polygon(np.array([ra, ra + 0.69, ra + 0.1]) % 360.0, np.array([0.0, 0.0, -0.5]), corners)
    outside = in_polygon(np.array([ra + 1.01, ra, ra + 180.0]) % 360.0, np.array([0.0, 1.01, 0.0]), corners)
    assert inside.all()
    assert not outside.any()


def test_a_polygon_around_a_pole() -> None:
    corners = np.array([[0.0, 89.0], [90.0, 89.0], [180.0, 89.0], [270.0, 89.0]])
    places = np.array([[12.0, 90.0], [200.0, 89.5], [45.0, 89.0], [0.0, 88.9], [0.0, -90.0]])
    np.testing.assert_array_equal(in_polygon(*places.T, corners), [True, True, False, False, False])
