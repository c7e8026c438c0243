"""Numbers of exposures, there and back, and as the observatory's own translator makes them."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadHeader
from rapid.processing.ids import (
    CONTROLLERS,
    detector_exposure_id,
    exposure_id,
    parse_obs_id,
    unpack_detector_exposure_id,
    unpack_exposure_id,
    unpack_visit_id,
    visit_id,
)

FIRST, LAST = datetime(2018, 3, 3, 10), datetime(2045, 1, 1)  # noqa: DTZ001 - TAI has no zone
days = st.dates(date(2018, 1, 1), date(2045, 12, 31)).map(lambda day: int(day.strftime("%Y%m%d")))


@given(day_obs=days, seq_num=st.integers(0, 99_999), controller=st.sampled_from(CONTROLLERS))
def test_there_and_back(day_obs: int, seq_num: int, controller: str) -> None:
    number = exposure_id(day_obs, seq_num, controller)
    assert len(str(number)) == 13
    found_day, found_seq, found_controller = unpack_exposure_id(number)
    assert (found_day, found_seq) == (day_obs, seq_num)
    assert found_controller in {controller, "O"}
    assert exposure_id(found_day, found_seq, found_controller) == number


@given(day=st.dates(date(2018, 1, 1), date(2045, 12, 30)), seq_num=st.integers(0, 99_999))
def test_numbers_grow_with_time(day: date, seq_num: int) -> None:
    today, tomorrow = (int(d.strftime("%Y%m%d")) for d in (day, day + timedelta(days=1)))
    assert exposure_id(today, seq_num) < exposure_id(tomorrow, 0)


@pytest.mark.parametrize(
    ("day_obs", "seq_num", "controller", "number"),
    [
        (20240318, 43, "O", 2024031800043),
        (20231004, 1, "C", 3023100400001),
        (20231005, 1, "C", 2023100500001),
        (20240318, 1, "H", 4024031800001),
        (20250417, 42, "S", 7025041700042),
        (20250418, 42, "S", 2025041800042),
    ],
)
def test_controllers_share_a_count_from_their_dates_on(
    day_obs: int, seq_num: int, controller: str, number: int
) -> None:
    assert exposure_id(day_obs, seq_num, controller) == number


@pytest.mark.parametrize(
    ("day_obs", "seq_num", "controller", "words"),
    [
        (20240101, 100_000, "O", "impossible seq_num; expected 0 to 99999; found 100000"),
        (20240101, -1, "O", "impossible seq_num"),
        (20241301, 1, "O", "impossible day_obs; expected YYYYMMDD; found 20241301"),
        (20240101, 1, "Z", "unknown controller; expected one of OCHPQS; found 'Z'"),
        (20240101, 1, "", "unknown controller"),
    ],
)
def test_what_cannot_be_is_refused(day_obs: int, seq_num: int, controller: str, words: str) -> None:
    with pytest.raises(BadHeader, match=words):
        exposure_id(day_obs, seq_num, controller)


@pytest.mark.parametrize("number", [0, 51, 1024031800043, 8024031800043, 2024133100001, -5])
def test_numbers_of_no_exposure_are_refused(number: int) -> None:
    with pytest.raises(BadHeader):
        unpack_exposure_id(number)


def test_an_obs_id_is_found_in_a_name() -> None:
    found = parse_obs_id("LATISS/20260315/AT_O_20260315_000051/AT_O_20260315_000051_R00_S00.fits")
    assert found is not None
    assert (found.obs_id, found.camera, found.controller) == ("AT_O_20260315_000051", "AT", "O")
    assert (found.day_obs, found.seq_num) == (20260315, 51)
    assert parse_obs_id("3018092000065-det000.fits") is None


@pytest.mark.parametrize(
    ("day_obs", "seq_num", "controller"),
    [("20240318", "43", "O"), ("2024-03-18", 43, None), ("2024-03-18T01:02:03", "00043", "O"), (20240318, 43, None)],
)
def test_days_and_counts_may_be_text(day_obs: int | str, seq_num: int | str, controller: str | None) -> None:
    assert exposure_id(day_obs, seq_num, controller) == 2024031800043


@pytest.mark.parametrize(
    ("day_obs", "seq_num", "words"),
    [
        ("2024-1-1", 1, "impossible day_obs; expected YYYYMMDD or YYYY-MM-DD; found '2024-1-1'"),
        ("2024-0101", 1, "impossible day_obs"),
        ("20240230", 1, "impossible day_obs; expected YYYYMMDD; found 20240230"),
        ("", 1, "impossible day_obs"),
        (10**30, 1, "impossible day_obs"),
        (20240101, "-1", "impossible seq_num; expected 0 to 99999; found '-1'"),
        (20240101, "1.5", "impossible seq_num"),
        (20240101, "9" * 5000, "impossible seq_num"),
    ],
)
def test_text_that_is_no_day_or_count_is_refused(day_obs: int | str, seq_num: int | str, words: str) -> None:
    with pytest.raises(BadHeader, match=words):
        exposure_id(day_obs, seq_num)


# --- one detector's part of an exposure ------------------------------------------------------------------------------


@given(
    day=st.dates(date(2010, 1, 1), date(2010, 1, 1) + timedelta(days=16383)),
    seq_num=st.integers(0, 32_767),
    controller=st.sampled_from(CONTROLLERS),
    detector=st.integers(0, 255),
)
def test_a_detectors_part_there_and_back(day: date, seq_num: int, controller: str, detector: int) -> None:
    number = exposure_id(int(day.strftime("%Y%m%d")), seq_num, controller)
    packed = detector_exposure_id(number, detector)
    assert 0 <= packed < 2**40
    assert unpack_detector_exposure_id(packed) == (number, detector)


@given(st.integers(0, 6 * 2**37 - 1))
def test_every_number_of_a_detectors_part_is_of_one(packed: int) -> None:
    assert detector_exposure_id(*unpack_detector_exposure_id(packed)) == packed


@pytest.mark.parametrize(
    ("number", "detector", "words"),
    [
        (2026031500051, 256, "impossible detector; expected 0 to 255; found 256"),
        (2026031500051, -1, "impossible detector"),
        (2026031532768, 0, "impossible seq_num for a detector's number; expected 0 to 32767; found 32768"),
        (2009123100001, 0, "impossible number of days since 2010-01-01; expected 0 to 16383; found -1"),
        (2054111000001, 0, "impossible number of days since 2010-01-01; expected 0 to 16383; found 16384"),
        (51, 0, "not the number of an exposure"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(number: int, detector: int, words: str) -> None:
    with pytest.raises(BadHeader, match=words):
        detector_exposure_id(number, detector)


@pytest.mark.parametrize("packed", [-1, 6 * 2**37, 10**30])
def test_numbers_of_no_detectors_part_are_refused(packed: int) -> None:
    with pytest.raises(BadHeader, match=f"not the number of one detector's part.*0 to {6 * 2**37 - 1}; found {packed}"):
        unpack_detector_exposure_id(packed)


# --- visits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "number"),
    [
        ("2024-06-25T01:26:31.895#1", 2992083918950001),
        ("2024-06-25T01:26:31.895+1", 2992083918950001),
        ("2025-04-16T00:53:10.143", 3246943901430000),
        ("2026031500051", 2026031500051),
        ("bias_0027_0100", 3575576933793566714),
        ("TEST01", 1123819875881954006),
        ("dark_0002_0005", 6861884254113212214),
    ],
)
def test_visits_are_numbered_by_their_group(group: str, number: int) -> None:
    assert visit_id(group) == number


@given(
    when=st.datetimes(FIRST, LAST).map(lambda t: t.isoformat(timespec="milliseconds")),
    count=st.integers(1, 9999) | st.none(),
)
def test_a_visit_named_by_a_time_there_and_back(when: str, count: int | None) -> None:
    group = when if count is None else f"{when}#{count}"
    assert unpack_visit_id(visit_id(group)) == group


@given(day_obs=days, seq_num=st.integers(0, 99_999), controller=st.sampled_from(CONTROLLERS))
def test_a_visit_of_one_exposure_there_and_back(day_obs: int, seq_num: int, controller: str) -> None:
    number = exposure_id(day_obs, seq_num, controller)
    assert unpack_visit_id(visit_id(str(number))) == str(number)


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_every_group_has_a_visit_of_64_bits(group: str) -> None:
    assert visit_id(group) == visit_id(group)
    assert abs(visit_id(group)) < 2**63


@pytest.mark.parametrize(
    "group", ["2024-13-45T01:26:31.895", "9" * 30, "9" * 5000, f"2024-06-25T01:26:31.895#{'9' * 9}", "x" * 500]
)
def test_names_that_are_no_time_and_no_number_are_hashed(group: str) -> None:
    assert 0 <= visit_id(group) < 2**63


def test_a_group_no_header_can_hold_is_refused() -> None:
    with pytest.raises(BadHeader, match="the name of a group cannot be used; expected ASCII; found 'é'"):
        visit_id("é")


@pytest.mark.parametrize("number", [3575576933793566714, 51, -3, 1024031800043])
def test_a_visit_that_tells_no_group_is_refused(number: int) -> None:
    with pytest.raises(BadHeader):
        unpack_visit_id(number)


# --- the observatory's own cases -------------------------------------------------------------------------------------


def test_the_observatorys_own_cases(shared_data: Path) -> None:
    cases = json.loads((shared_data / "translator_cases/exposure_id_cases.json").read_text())
    for case in cases["from_upstream_test"] + cases["from_oracle"]:
        assert exposure_id(case["day_obs"], case["seq_num"], case["controller"]) == case["exposure_id"], case
    for case in cases["must_raise_ValueError"]:
        with pytest.raises(BadHeader):
            exposure_id(case["day_obs"], case["seq_num"], case["controller"])
    for case in cases["unpack"]:
        expected = int(case["day_obs"]), case["seq_num"], case["controller"]
        assert unpack_exposure_id(case["exposure_id"]) == expected
    for case in cases["detector_exposure_id"]:
        packed = detector_exposure_id(case["exposure_id"], case["detector"])
        assert packed == case["detector_exposure_id"], case
        assert unpack_detector_exposure_id(packed) == (case["exposure_id"], case["detector"])


def test_a_visit_of_a_table_is_unpacked_as_quickly_as_any() -> None:
    number = visit_id("2024-06-25T01:26:31.895#1")
    assert unpack_visit_id(np.int64(number)) == unpack_visit_id(number) == "2024-06-25T01:26:31.895#1"  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        unpack_visit_id(float(number))  # type: ignore[arg-type]
