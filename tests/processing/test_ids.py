"""Numbers of exposures, there and back, and as the observatory's own translator makes them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadHeader
from rapid.processing.ids import CONTROLLERS, detector_exposure_id, exposure_id, parse_obs_id, unpack_exposure_id

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


def test_the_observatorys_own_cases(shared_data: Path) -> None:
    cases = json.loads((shared_data / "translator_cases/exposure_id_cases.json").read_text())
    for case in cases["from_upstream_test"] + cases["from_oracle"]:
        day = int(str(case["day_obs"])[:10].replace("-", ""))
        assert exposure_id(day, int(case["seq_num"]), case["controller"] or "O") == case["exposure_id"], case
    for case in cases["unpack"]:
        expected = int(case["day_obs"]), case["seq_num"], case["controller"]
        assert unpack_exposure_id(case["exposure_id"]) == expected
    for case in cases["detector_exposure_id"]:
        assert detector_exposure_id(case["exposure_id"], case["detector"]) == case["detector_exposure_id"], case
