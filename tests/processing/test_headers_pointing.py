"""Positions, sites and days of a header against other people's software."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import astropy.units as u
import pytest
from astropy.coordinates import CIRS, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given
from hypothesis import strategies as st

from rapid.processing.headers import translate
from rapid.processing.headers.horizon import icrs_of_horizontal
from rapid.processing.headers.pointing import AUXTEL, SIMONYI, tracking
from rapid.processing.headers.times import pacific_offset
from tests.support.frames import CARDS

NEW_YEAR = datetime(2020, 1, 1)  # noqa: DTZ001 - TAI has no zone
SUMMER_TIME_OF_NOW = datetime(2007, 1, 2)  # noqa: DTZ001


@given(ra=st.floats(0, 360), dec=st.floats(-90, 90))
def test_fk5_is_turned_to_icrs(ra: float, dec: float) -> None:
    """Both by the same three small angles: equal to a microarcsecond."""
    found = tracking({"RADESYS": "FK5", "RASTART": ra, "DECSTART": dec})
    assert found is not None
    wanted = SkyCoord(ra, dec, unit="deg", frame="fk5").icrs
    assert SkyCoord(*found[0], unit="deg").separation(wanted).uas < 1
    assert 0 <= found[0][0] < 360


@pytest.mark.parametrize(
    ("site", "longitude", "latitude"), [(AUXTEL, -70.747698, -30.244728), (SIMONYI, -70.749417, -30.244639)]
)
def test_the_telescopes_stand_on_the_summit(
    site: tuple[float, float, float], longitude: float, latitude: float
) -> None:
    wanted = EarthLocation.from_geodetic(longitude, latitude, 2663.0)
    assert site == pytest.approx([axis.to_value("m") for axis in wanted.geocentric], abs=1e-6)


def test_horizontal_coordinates_are_those_of_the_hour_angle() -> None:
    """At the meridian RA is the sidereal time, and the declination latitude less zenith distance, but for precession."""
    when = NEW_YEAR + timedelta(days=20.5)
    site = EarthLocation.from_geocentric(*AUXTEL, unit=u.m)
    frame = CIRS(obstime=Time(when, scale="tai"), location=site)
    found = SkyCoord(*icrs_of_horizontal(0.0, 70.0, when, AUXTEL), unit="deg").transform_to(frame)
    with iers.conf.set_temp("auto_download", False):
        sidereal = Time(when, scale="tai").earth_rotation_angle(site.lon)
    assert (found.ra - sidereal).wrap_at("180d").arcsec == pytest.approx(0.0, abs=2.0)
    assert found.dec.deg == pytest.approx(site.lat.deg + 20.0, abs=2 / 3600)


def test_a_position_computed_with_a_lost_clock_is_computed_again() -> None:
    """The time of the exposure is that of its file, so RA and Dec of the header are of no time."""
    cards = CARDS | {
        "OBSID": "AT_O_20200115_000051", "DAYOBS": "20200115", "IMGTYPE": "ENGTEST", "DATE": "2020-01-16T03:00:00.000",
        "DATE-OBS": "1970-01-01T00:00:08.000", "DATE-BEG": "1970-01-01T00:00:08.000", "AZSTART": 30.0, "ELSTART": 60.0,
        "RA": 1.0, "DEC": 1.0,
    }  # fmt: skip
    info = translate(cards, name="x.fits")
    expected = icrs_of_horizontal(30.0, 60.0, NEW_YEAR + timedelta(days=15, hours=3), AUXTEL)
    assert (info.ra, info.dec, info.tracking_frame) == (*expected, "icrs")
    blind = translate(cards | {"AZSTART": None}, name="x.fits")
    assert (blind.ra, blind.dec, blind.tracking_frame) == (None, None, None)
    later = {"OBSID": "AT_O_20210115_000051", "DAYOBS": "20210115", "DATE": "2021-01-16T03:00:00.000"}
    trusted = translate(cards | later, name="x.fits")
    assert (trusted.ra, trusted.dec) == (1.0, 1.0)


@given(st.datetimes(SUMMER_TIME_OF_NOW, SUMMER_TIME_OF_NOW + timedelta(days=10_950)))
def test_the_pacific_day_is_that_of_the_time_zone(begin: datetime) -> None:
    try:
        zone = ZoneInfo("US/Pacific")
    except ZoneInfoNotFoundError:
        pytest.skip("no database of time zones on this machine; apt install tzdata brings it")
    local = (begin - timedelta(seconds=37)).replace(tzinfo=UTC).astimezone(zone)
    assert pacific_offset(begin) == -local.utcoffset().total_seconds()  # type: ignore[union-attr]
