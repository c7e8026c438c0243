"""A run is the same whatever the order its frames come in, and however often."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib_verify.measurements import FrameMeasurements
from calib_verify.run_state import RunState, run_of
from tests.calib_verify.frames import frame, subject

BEGIN = datetime(2026, 3, 15, 22, tzinfo=UTC)
QUIET = timedelta(minutes=5)
KEY = run_of(subject())


def arrivals() -> list[tuple[FrameMeasurements, datetime]]:
    """Frames of three exposures of two detectors; some are claimed twice, once as a failure and once measured otherwise."""
    frames = [
        frame(number, detector=detector, amplifiers=("C10",))
        for number in (1, 2, 3)
        for detector in ("R22_S11", "R22_S12")
    ]
    failed = replace(frames[0], measurements=(), failure="damaged")
    again = frame(2, detector="R22_S11", amplifiers=("C10",), bad={"C10": {"mean": 0.3}})
    return [(each, BEGIN + timedelta(seconds=10 * i)) for i, each in enumerate([*frames, failed, again])]


EVERY = arrivals()
events = st.lists(st.sampled_from(EVERY), max_size=20)


def state_of(found: list[tuple[FrameMeasurements, datetime]]) -> RunState:
    state = RunState(KEY)
    for each, at in found:
        state = state.add(each, at=at)
    return state


@settings(max_examples=100, deadline=None)
@given(st.permutations(EVERY), st.lists(st.sampled_from(EVERY)))
def test_order_and_doubles_do_not_matter(
    ordered: list[tuple[FrameMeasurements, datetime]], again: list[tuple[FrameMeasurements, datetime]]
) -> None:
    assert state_of([*ordered, *again]) == state_of(EVERY)


@settings(max_examples=100, deadline=None)
@given(events, events, events)
def test_states_are_a_semilattice(
    a: list[tuple[FrameMeasurements, datetime]],
    b: list[tuple[FrameMeasurements, datetime]],
    c: list[tuple[FrameMeasurements, datetime]],
) -> None:
    one, two, three = state_of(a), state_of(b), state_of(c)
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))
    assert one.merge(one) == one
    assert one.merge(RunState(KEY)) == one
    assert one.merge(two) == state_of([*a, *b])


def test_what_was_measured_goes_before_a_failure() -> None:
    state = state_of(EVERY)
    assert len(state.frames) == 6
    assert not state.frames[EVERY[0][0].subject.exposure_id, "R22_S11"].failure


def test_a_run_is_complete_by_count_or_by_quiet() -> None:
    last = EVERY[5][1]
    both = ("R22_S11", "R22_S12")
    state = state_of(EVERY[:6])
    assert state.is_complete(now=last, quiet=QUIET, exposures=3, detectors=both)
    assert not state.is_complete(now=last, quiet=QUIET, exposures=4, detectors=both)
    assert not state.is_complete(now=last, quiet=QUIET)
    assert not state_of(EVERY[:5]).is_complete(now=last, quiet=QUIET, exposures=3, detectors=both)
    assert not state.is_complete(now=last + QUIET - timedelta(microseconds=1), quiet=QUIET)
    assert state.is_complete(now=last + QUIET, quiet=QUIET)
    assert not RunState(KEY).is_complete(now=last + QUIET, quiet=QUIET)


def test_frames_of_another_run_are_refused() -> None:
    with pytest.raises(ValueError, match="is no part of"):
        RunState(KEY).add(frame(kind="flat"), at=BEGIN)
    with pytest.raises(ValueError, match="cannot be merged"):
        RunState(KEY).merge(RunState(run_of(subject(kind="dark"))))


def test_flats_of_another_filter_are_another_run() -> None:
    flat = subject(kind="flat")
    assert run_of(flat) != run_of(replace(flat, physical_filter="SDSSg_65mm~empty"))
    assert run_of(subject()) == run_of(replace(subject(), physical_filter="SDSSg_65mm~empty"))
