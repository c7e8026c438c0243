"""When a product is due, and what it says of which detector."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.gather.progress import Deadlines, Step, progress_of, step
from rapid.ports import DetectorStanding, Standing, State
from tests.support.ledgers import NOON
from tests.support.wholes import DETECTORS, key_of, name_of

NAME = name_of()
FIVE = {"LSSTCam": DETECTORS}
DEADLINES = Deadlines(files=timedelta(seconds=30), processing=timedelta(seconds=120), pause=timedelta(seconds=5))


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def stands(*states: State | None, **known: object) -> Standing:
    """The five detectors, in order; None for one without a file."""
    detectors = tuple(
        DetectorStanding(name, state, "broken" if state is State.FAILED else "", 1, key_of(name, NAME), NOON)
        for name, state in zip(DETECTORS, states, strict=False)
        if state is not None
    )
    return replace(Standing(NAME, detectors=detectors), **known)  # type: ignore[arg-type]


def look(standing: Standing, seconds: float) -> Step:
    return step(standing, FIVE, DEADLINES, now=at(seconds))


class TestWhenItIsDue:
    def test_at_once_when_every_detector_is_finished(self) -> None:
        found = look(stands(*[State.DONE] * 4, State.FAILED), 0.1)
        assert (found.due, found.until) == (True, None)
        assert found.progress.complete
        assert found.progress.failed == (("R22_S11", "broken"),)

    def test_not_while_a_file_may_still_come(self) -> None:
        found = look(stands(*[State.DONE] * 4), 29.9)
        assert (found.due, found.until) == (False, at(30))

    def test_at_the_deadline_of_the_files(self) -> None:
        found = look(stands(*[State.DONE] * 4), 30.0)
        assert (found.due, found.until) == (True, None)
        assert found.progress.missing == ("R22_S11",)

    def test_the_files_have_their_time_from_the_readout_or_the_last_of_them(self) -> None:
        assert look(stands(*[State.DONE] * 4, read_out_at=at(-20)), 11).until == at(30)
        assert look(stands(*[State.DONE] * 4, read_out_at=at(20)), 11).until == at(50)

    def test_an_exposure_of_which_no_file_comes_is_due_too(self) -> None:
        heard = stands(started_at=at(-15), exposure_time=15.0)
        assert look(heard, 29).until == at(30)
        assert look(heard, 30).due
        assert look(replace(heard, read_out_at=at(2)), 30).until == at(32)

    @pytest.mark.parametrize("seconds", [1e12, 1e300, -1e300])
    def test_an_impossible_exposure_time_is_a_day_or_nothing(self, seconds: float) -> None:
        found = look(stands(started_at=NOON, exposure_time=seconds), 1)
        assert found.until == at(30 + (86400 if seconds > 0 else 0))

    @pytest.mark.parametrize("moment", ["started_at", "read_out_at"])
    def test_a_moment_at_the_end_of_time_is_waited_for(self, moment: str) -> None:
        end = datetime.max.replace(tzinfo=UTC)
        found = look(stands(exposure_time=1e300, **{moment: end}), 1)
        assert not found.due
        assert found.until is not None

    def test_nobody_waits_for_what_nobody_announced_a_time_of(self) -> None:
        found = look(stands(sensors=(("R22_S00", "science"), ("R22_S01", "science")), origin="x"), 1e6)
        assert (found.due, found.until) == (False, None)

    def test_results_have_their_time_from_when_work_began(self) -> None:
        waiting = stands(*[State.DONE] * 4, State.RUNNING)
        assert look(waiting, 1e6).until is None  # a backlog is not late
        assert look(replace(waiting, work_began_at=at(1)), 120).until == at(121)
        found = look(replace(waiting, work_began_at=at(1)), 121)
        assert found.due
        assert found.progress.working == ("R22_S11",)

    def test_work_on_what_came_is_waited_for_after_the_deadline_of_the_files(self) -> None:
        found = look(stands(State.DONE, State.RUNNING, work_began_at=at(1)), 40)
        assert (found.due, found.until) == (False, at(121))


class TestWhatWasSaid:
    def test_the_same_is_not_said_again(self) -> None:
        said = look(stands(*[State.DONE] * 5), 1)
        after = stands(*[State.DONE] * 5, fingerprint=said.fingerprint, revision=1, said_at=at(1))
        assert look(after, 2) == replace(said, due=False)

    def test_a_late_file_changes_nothing_before_it_is_measured(self) -> None:
        four = [State.DONE] * 4
        said = look(stands(*four, work_began_at=NOON), 130)
        known = {"fingerprint": said.fingerprint, "revision": 1, "said_at": at(130), "work_began_at": NOON}
        late = stands(*four, State.RUNNING, **known)
        assert not look(late, 140).due
        assert look(stands(*four, State.DONE, **known), 131).due  # complete: no pause
        assert look(stands(*four, State.FAILED, **known), 131).due

    def test_late_ones_that_come_one_by_one_are_said_together(self) -> None:
        said = look(stands(*[State.DONE] * 2), 30)
        known = {"fingerprint": said.fingerprint, "revision": 1, "said_at": at(30), "read_out_at": at(-60)}
        third = stands(*[State.DONE] * 3, **known)
        assert (look(third, 31).due, look(third, 31).until) == (False, at(35))
        assert look(third, 35).due

    def test_another_result_of_a_detector_is_said(self) -> None:
        whole = stands(*[State.DONE] * 5)
        said = look(whole, 1)
        again = tuple(replace(found, revision=2) for found in whole.detectors)
        assert look(replace(whole, detectors=again, fingerprint=said.fingerprint, said_at=at(1)), 1.5).due


class TestOneDetector:
    ONE = Standing(name_of(camera="AT"), started_at=NOON, exposure_time=10.0)
    CONFIGURED: ClassVar = {"LATISS": ("R00_S00",)}

    def test_its_line_is_that_of_its_exposure(self) -> None:
        for state in (State.WAITING, State.RUNNING, State.DONE, State.FAILED):
            found = DetectorStanding("R00_S00", state, "", 1, "key", NOON)
            there = replace(self.ONE, detectors=(found,), work_began_at=NOON)
            looked = step(there, self.CONFIGURED, DEADLINES, now=at(1e6))
            assert (looked.due, looked.until) == (False, None)

    def test_a_file_that_does_not_come_is_said(self) -> None:
        assert step(self.ONE, self.CONFIGURED, DEADLINES, now=at(39)).until == at(40)
        assert step(self.ONE, self.CONFIGURED, DEADLINES, now=at(40)).due


def test_a_list_goes_before_what_is_configured_and_a_file_before_both() -> None:
    listed = stands(None, None, None, None, State.DONE, sensors=(("R22_S00", "science"),), origin="expectedSensors")
    assert progress_of(listed, FIVE).expected == ("R22_S00", "R22_S11")
    assert progress_of(replace(listed, sensors=()), FIVE).expected == DETECTORS
    assert progress_of(replace(listed, sensors=()), {}).expected == ("R22_S11",)


def test_a_guider_is_its_stamps_and_its_raw() -> None:
    sensors = (("R00_SG0", "guider"), ("R22_S11", "science"))
    stamps = DetectorStanding("R00_SG0_guider", State.DONE, "", 1, "a", NOON)
    raw = DetectorStanding("R00_SG0", State.RUNNING, "", 0, "b", NOON)
    standing = Standing(NAME, sensors=sensors, origin="x", detectors=(stamps, raw))
    assert progress_of(standing, FIVE).working == ("R00_SG0",)
    failed = replace(raw, state=State.FAILED, error="no")
    assert progress_of(replace(standing, detectors=(stamps, failed)), FIVE).failed == (("R00_SG0", "no"),)
    assert progress_of(replace(standing, detectors=(stamps,)), FIVE).done == ("R00_SG0",)


states = st.lists(st.sampled_from([None, *(state for state in State if state is not State.SUPERSEDED)]), max_size=5)
moments = st.none() | st.floats(-100, 100).map(at)
standings = st.builds(
    lambda states, **known: stands(*states, **known),
    states,
    started_at=moments,
    exposure_time=st.none() | st.floats(0, 100),
    read_out_at=moments,
    work_began_at=moments,
    said_at=moments,
    fingerprint=st.sampled_from(["", "other"]),
)


@given(standings, st.floats(-200, 400))
def test_every_detector_is_in_one_place(standing: Standing, seconds: float) -> None:
    found = look(standing, seconds).progress
    failed = [name for name, _ in found.failed]
    assert sorted([*found.done, *failed, *found.working, *found.missing]) == list(found.expected)


@given(standings, st.floats(-200, 400))
def test_what_is_not_due_has_a_time_ahead_or_waits_for_news(standing: Standing, seconds: float) -> None:
    found = look(standing, seconds)
    assert not (found.due and found.until)
    if found.until is not None:
        assert found.until > at(seconds)


@given(standings)
def test_whoever_waits_as_he_is_told_comes_to_an_end(standing: Standing) -> None:
    now, looks = at(-200), 0
    while (found := step(standing, FIVE, DEADLINES, now=now)).until is not None:
        now, looks = found.until, looks + 1
        assert looks <= 3
    later = step(standing, FIVE, DEADLINES, now=now + timedelta(days=1))
    assert later.due == found.due  # nobody has to look again who was not told to


@given(standings, st.permutations(range(5)), st.floats(-200, 400))
def test_the_order_of_the_files_makes_no_difference(standing: Standing, order: list[int], seconds: float) -> None:
    mixed = tuple(standing.detectors[i] for i in order if i < len(standing.detectors))
    assert look(replace(standing, detectors=mixed), seconds) == look(standing, seconds)
