"""TAI stamps and ISO times become UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from astropy.time import Time
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rapid.consumers.decoders.times import utc_of_iso, utc_of_milliseconds, utc_of_tai

EPOCH_TAI = Time("1970-01-01", scale="tai")


@settings(deadline=None)  # the first conversion loads tables
@given(st.floats(63_072_100.0, 1_790_000_000.0))
@example(1768282355.374)
@example(1483228836.5)  # within the second before the leap second of 2017
@example(1483228837.0)
def test_a_stamp_is_what_astropy_says_it_is(stamp: float) -> None:
    found = utc_of_tai(stamp)
    assert found is not None
    expected = Time(EPOCH_TAI.jd1, EPOCH_TAI.jd2 + stamp / 86400, format="jd", scale="tai").utc.ymdhms
    if expected["second"] >= 60:  # datetime has no leap seconds: it is that second once more, or the one after
        return
    said = datetime(*(int(expected[part]) for part in ("year", "month", "day", "hour", "minute")), tzinfo=UTC)
    assert abs(found - said - timedelta(seconds=float(expected["second"]))) < timedelta(microseconds=20)


def test_tai_is_37_seconds_ahead_in_our_time() -> None:
    assert utc_of_tai(1768282355.374) == datetime.fromtimestamp(1768282355.374 - 37, UTC)


def test_nought_is_not_set() -> None:
    assert utc_of_tai(0.0) is None


@pytest.mark.parametrize("stamp", [-1.0, 1.0, 63072009.0, 1e10, math.nan, math.inf, -math.inf, 10**300])
def test_what_is_no_stamp_is_refused(stamp: float) -> None:
    with pytest.raises(ValueError, match="is not a time in TAI seconds between 1972 and 2200"):
        utc_of_tai(stamp)


@settings(deadline=None)
@given(st.datetimes(timezones=st.sampled_from([UTC, None])))
def test_an_iso_time_is_read(when: datetime) -> None:
    assert utc_of_iso(when.isoformat()) == when.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "0.000000", "now", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+05:00"])
def test_what_is_no_iso_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid isoformat|a time that UTC cannot hold"):
        utc_of_iso(text)


@settings(deadline=None)
@given(st.integers(0, 4_000_000_000_000))
def test_the_stamp_of_a_record_is_in_milliseconds(stamp: int) -> None:
    found = utc_of_milliseconds(stamp)
    assert found is not None
    assert (found - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1) == stamp


@pytest.mark.parametrize("stamp", [-1, -(1 << 63), (1 << 63) - 1, 253_402_300_800_000])
def test_the_stamp_of_a_record_may_be_anything(stamp: int) -> None:
    assert utc_of_milliseconds(stamp) is None
