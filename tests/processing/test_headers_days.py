"""The days on which LSSTCam and ComCam headers said it wrong, and how it is set right."""

from __future__ import annotations

import pytest

from tests.support.lsstcam_cards import info, on


@pytest.mark.parametrize(
    ("day_obs", "seq_num", "given", "expected"),
    [
        (20250301, 5, 46.0, 46.0),
        (20250302, 5, 46.0, -44.0),
        (20250421, 5, 46.0, -44.0),
        (20250421, 5, 0.0, 0.0),
        (20250422, 250, 318.0, 138.0),
        (20250422, 250, 46.0, -134.0),
        (20250422, 251, 46.0, 46.0),
        (20250423, 5, 46.0, 46.0),
        (20250423, 5, None, None),
    ],
)
def test_the_rotator_of_the_first_weeks(
    day_obs: int, seq_num: int, given: float | None, expected: float | None
) -> None:
    assert on(day_obs, seq_num, ROTPA=given).rotator_angle == expected


@pytest.mark.parametrize(
    ("day_obs", "seq_num", "closed"),
    [
        (20250518, 1, True), (20250519, 1, False), (20250703, 742, False), (20250703, 743, True), (20250703, 745, True),
        (20250703, 746, False), (20250704, 833, True), (20250705, 736, True), (20250705, 737, False),
        (20250707, 743, False), (20250707, 744, True), (20250707, 823, True), (20250707, 824, False),
        (20250707, 864, True), (20250707, 943, True), (20250707, 944, False), (20250714, 258, True),
        (20250715, 1218, True), (20250819, 3, False), (20250819, 4, True), (20250819, 1052, True),
    ],
)  # fmt: skip
def test_calibrations_in_the_closed_dome(day_obs: int, seq_num: int, closed: bool) -> None:
    assert on(day_obs, seq_num).vignetting == ("FULLY" if closed else "NO")
    assert on(day_obs, seq_num).can_see_sky is not closed


@pytest.mark.parametrize(
    ("day_obs", "seq_num", "given", "expected"),
    [
        (20250609, 75, "r_57", "r_57"),
        (20250609, 76, "r_57", "z_20"),
        (20250609, 578, "r_57", "z_20"),
        (20250609, 579, "r_57", "r_57"),
        (20260315, 48, "r_57", "r_57"),
        (20260315, 49, "r_57", "i_39"),
        (20260315, 109, "r_57", "i_39"),
        (20260315, 110, "r_57", "r_57"),
        (20231107, 1, "ph_05", "ph_5"),
        (20241016, 1, "ph_05", "ph_5"),
        (20241017, 1, "ph_05", "ph_05"),
    ],
)
def test_filters_that_were_named_wrongly(day_obs: int, seq_num: int, given: str, expected: str) -> None:
    assert on(day_obs, seq_num, FILTER=given).physical_filter == expected


def test_corrections_of_single_exposures_come_first() -> None:
    """One whose telescope said nothing, and one whose position is in FK5."""
    lost = on(20251121, 156, DATE__BEG="2025-11-22T03:26:01.475", RA=None, OBJECT=None, VIGN_MIN=None)
    assert (lost.object, lost.rotator_angle, lost.elevation) == (
        "lowdust GW_case_large_1",
        290.31522740370315,
        60.6996854239269,
    )
    assert (lost.can_see_sky, lost.tracking_frame) == (True, "icrs")
    assert on(20250718, 14).tracking_frame == "fk5"
    assert on(20250522, 139, GROUPID=None).group == "2025-05-23T00:28:42.492#1"


@pytest.mark.parametrize(
    ("begin", "offset"),
    [("2019-03-10T10:00:36", 28800.0), ("2019-03-10T10:00:38", 25200.0), ("2024-04-30T23:59:59", 25200.0),
     ("2023-11-05T09:00:36", 25200.0), ("2023-11-05T09:00:38", 28800.0), ("2024-05-01T00:00:00", 43200.0)],
)  # fmt: skip
def test_the_day_of_the_laboratory(begin: str, offset: float) -> None:
    assert info(DATE__BEG=begin).day_obs_offset == offset


def test_a_test_that_went_under_the_name_of_a_survey() -> None:
    assert on(20250415, 228, PROGRAM="BLOCK-417").program == "BLOCK-T417"
    assert on(20250415, 228, PROGRAM="BLOCK-365").program == "BLOCK-365"
    assert on(20251001, 228, PROGRAM="BLOCK-417").program == "BLOCK-417"
