"""Which night is the current one."""

from __future__ import annotations

from datetime import UTC, datetime

from rapid.tv.nights import with_current

NOW = datetime(2026, 3, 16, 4, tzinfo=UTC)


def current(*nights: tuple[str, int, int]) -> set[tuple[str, int]]:
    listed = [{"camera": camera, "day_obs": day_obs, "done": done} for camera, day_obs, done in nights]
    marked = with_current(sorted(listed, key=lambda night: -night["day_obs"]), NOW)
    return {(str(night["camera"]), int(str(night["day_obs"]))) for night in marked if night["current"]}


def test_the_newest_measured_night_of_each_camera() -> None:
    found = current(("auxtel", 20260314, 3), ("auxtel", 20260315, 1), ("lsstcam", 20260101, 2))
    assert found == {("auxtel", 20260315), ("lsstcam", 20260101)}


def test_a_night_of_broken_files_is_none() -> None:
    assert current(("auxtel", 20260315, 3), ("auxtel", 20260316, 0)) == {("auxtel", 20260315)}


def test_a_night_to_come_is_none() -> None:
    assert current(("auxtel", 20260315, 3), ("auxtel", 20991231, 5)) == {("auxtel", 20260315)}
    assert current(("auxtel", 20260315, 3), ("auxtel", 20260316, 1)) == {("auxtel", 20260316)}, "clocks may differ"


def test_where_nothing_better_is_there_the_newest_is_shown() -> None:
    assert current(("auxtel", 20260315, 0), ("auxtel", 20991231, 0)) == {("auxtel", 20260315)}
    assert current(("auxtel", 20991231, 0)) == {("auxtel", 20991231)}
    assert current() == set()
