from __future__ import annotations

from datetime import UTC, datetime, timedelta

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.errors import ConfigError
from rapid.processing.geometry import detectors
from rapid.simulation.plan import NightPlan
from rapid.simulation.projection import Projection
from rapid.simulation.schedule import make_schedule
from rapid.simulation.site import ELEVATION, LATITUDE, LONGITUDE, icrs_at_hour_angle, observe, tai

SITE = EarthLocation.from_geodetic(LONGITUDE, LATITUDE, ELEVATION)


def plan_of(*sequences: dict[str, object]) -> NightPlan:
    return NightPlan.model_validate({"name": "x", "begins": "2024-06-24T22:30:00", "sequences": sequences})


def science(**fields: object) -> dict[str, object]:
    return {"kind": "science", "count": 3, "exposure_time": 10, "filter": "SDSSr_65mm", **fields}


@pytest.mark.parametrize(("ra", "dec"), [(223.77, -20.01), (190.0, -60.0), (250.0, 5.0), (160.0, -89.0)])
def test_horizontal_coordinates_are_those_of_astropy(ra: float, dec: float) -> None:
    when = datetime(2024, 6, 25, 1, 27, 18, 160000, tzinfo=UTC)
    theirs = SkyCoord(ra * u.deg, dec * u.deg).transform_to(AltAz(obstime=Time(when), location=SITE))
    ours = observe(ra, dec, when)
    assert ours.elevation == pytest.approx(theirs.alt.deg, abs=2.0 / 3600)
    assert (ours.azimuth - theirs.az.deg) % 360.0 == pytest.approx(0.0, abs=2.0 / 3600) or (
        ours.azimuth - theirs.az.deg
    ) % 360.0 > 360 - 2 / 3600


def test_a_real_pointing_is_met() -> None:
    """LATISS, 2024-06-24, exposure 106: what the mount said it did."""
    ours = observe(223.77379669301, -20.013429451065846, datetime(2024, 6, 25, 1, 27, 18, 160000, tzinfo=UTC))
    assert ours.elevation == pytest.approx(79.85583534052326, abs=0.01)
    assert ours.azimuth == pytest.approx(-3.3659773360866496, abs=0.06)
    assert ours.hour_angle == pytest.approx(0.042468393994478826, abs=0.0005)
    assert ours.airmass == pytest.approx(1.0156209056522223, abs=0.0005)


@given(st.floats(-5, 5), st.floats(-75, 20))
def test_a_place_by_hour_angle_is_there(hour_angle: float, dec: float) -> None:
    when = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    assert observe(*icrs_at_hour_angle(hour_angle, dec, when), when).hour_angle == pytest.approx(hour_angle, abs=1e-6)


def test_airmass_at_zenith_and_low() -> None:
    when = datetime(2024, 6, 25, 1, 0, tzinfo=UTC)
    assert observe(*icrs_at_hour_angle(0.0, LATITUDE, when), when).airmass == pytest.approx(1.0, abs=1e-4)
    low = observe(*icrs_at_hour_angle(0.0, LATITUDE + 60.0, when), when)
    assert low.elevation == pytest.approx(30.0, abs=0.01)
    assert low.airmass == pytest.approx(1.995, abs=0.002)  # Hardie 1962; the plane-parallel value is 2


def test_tai_is_37_seconds_ahead() -> None:
    moments = [datetime(2024, 6, 25, 1, 27, 18, 160000, tzinfo=UTC), datetime(2026, 11, 22, 12, 0, tzinfo=UTC)]
    for utc, moment in zip(moments, tai(moments), strict=True):
        assert moment - utc.replace(tzinfo=None) == timedelta(seconds=37)


def test_names_times_and_rollover() -> None:
    """day_obs rolls over at 12 h TAI, which is 11:59:23 UTC; numbers start again."""
    plan = plan_of({"kind": "dark", "count": 4, "exposure_time": 10})
    night = make_schedule(plan.exposures(), datetime(2024, 6, 25, 11, 59, 0, tzinfo=UTC), first_seq_num=41)
    assert [e.obs_id for e in night] == [
        "AT_O_20240624_000041",
        "AT_O_20240624_000042",
        "AT_O_20240625_000001",
        "AT_O_20240625_000002",
    ]
    assert night[0].end - night[0].begin == timedelta(seconds=10.012)
    assert night[1].begin == night[0].end + timedelta(seconds=2)
    assert night[0].begin_tai == datetime(2024, 6, 25, 11, 59, 37)  # noqa: DTZ001 - TAI


def test_a_sequence_follows_its_target() -> None:
    plan = plan_of(science(target={"name": "a", "hour_angle": -1, "dec": -30}, pause=600))
    first, second, third = make_schedule(plan.exposures(), plan.begins)
    assert first.centre == second.centre == third.centre
    assert first.at_begin is not None
    assert third.at_begin is not None
    assert first.at_begin.ra == third.at_begin.ra
    assert third.at_begin.hour_angle - first.at_begin.hour_angle == pytest.approx(
        (third.begin - first.begin).total_seconds() / 3600 * 1.0027379, abs=1e-5
    )


def test_dithers_stay_within_their_radius() -> None:
    plan = plan_of(science(count=9, dither=60.0, target={"name": "a", "hour_angle": -1, "dec": -60}))
    night = make_schedule(plan.exposures(), plan.begins)
    centre = SkyCoord(*night[0].centre, unit="deg")
    places = SkyCoord([e.at_begin.ra for e in night], [e.at_begin.dec for e in night], unit="deg")
    distances = centre.separation(places).arcsec
    assert distances[0] == pytest.approx(0.0, abs=1e-6)
    assert distances.max() == pytest.approx(60.0, rel=0.01)
    between = [a.separation(b).arcsec for i, a in enumerate(places) for b in places[:i]]
    assert min(between) > 10.0


def test_a_target_below_the_horizon_is_refused() -> None:
    plan = plan_of({"kind": "bias", "count": 1}, science(target={"name": "Polaris", "ra": 37.95, "dec": 89.26}))
    with pytest.raises(
        ConfigError,
        match=r"sequences\[1\].target: Polaris is at elevation -\d+\.\d deg at 2024-06-24T22:30 UTC; expected at least 15 deg",
    ):
        make_schedule(plan.exposures(), plan.begins)


DETECTOR = detectors("LATISS")["R00_S00"]


@settings(max_examples=50)
@given(
    st.floats(0, 360, exclude_max=True), st.floats(-85, 85), st.floats(0, 360), st.floats(0, 4071), st.floats(0, 3999)
)
def test_projection_goes_there_and_back(ra: float, dec: float, rotator: float, x: float, y: float) -> None:
    projection = Projection(DETECTOR, ra, dec, rotator)
    found = projection.pixels(*projection.sky(np.array([x]), np.array([y])))
    np.testing.assert_allclose(np.ravel(found), [x, y], atol=1e-5)


def test_projection_has_scale_and_orientation() -> None:
    """Distances are those of the plate scale; at rotator 0 with parity, east is +x and north +y."""
    projection = Projection(DETECTOR, 180.0, -30.0, 0.0)
    x, y = projection.pixels(np.array([180.0]), np.array([-30.0]))
    assert (x[0], y[0]) == pytest.approx((2036.5 + 51.5, 2000.5 + 5.5))
    east_x, east_y = projection.pixels(np.array([180.0 + 1 / 60 / np.cos(np.radians(30))]), np.array([-30.0]))
    north_x, north_y = projection.pixels(np.array([180.0]), np.array([-30.0 + 1 / 60]))
    assert (east_x[0] - x[0], east_y[0] - y[0]) == pytest.approx((60 / 0.095695, 0.0), abs=0.1)
    assert (north_x[0] - x[0], north_y[0] - y[0]) == pytest.approx((0.0, 60 / 0.095695), abs=0.1)


@pytest.mark.parametrize("rotator", [0.0, 30.0, 98.6, 200.0])
def test_a_target_falls_on_its_pixel(rotator: float) -> None:
    target = {"name": "a", "hour_angle": 0.3, "dec": -18.5, "rotator": rotator, "pixel": [2000, 700]}
    plan = plan_of(science(target=target))
    exposure = make_schedule(plan.exposures(), plan.begins)[0]
    assert exposure.at_begin is not None
    assert exposure.centre is not None
    projection = Projection(DETECTOR, exposure.at_begin.ra, exposure.at_begin.dec, rotator)
    x, y = projection.pixels(np.array([exposure.centre[0]]), np.array([exposure.centre[1]]))
    assert (x[0], y[0]) == pytest.approx((2000.0, 700.0), abs=1e-3)
