"""Which exposure is next."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from rapid.pipeline.lanes import Lanes, LanesPolicy
from tests.support.pipeline import EVENING, waiting


def later(seconds: float) -> object:
    return EVENING + timedelta(seconds=seconds)


def drain(lanes: Lanes, now: object = EVENING) -> list[int]:
    taken = []
    while (arrival := lanes.pop(now=now)) is not None:
        taken.append(arrival.id)
    return taken


def test_live_lane_gives_the_newest_first() -> None:
    lanes = Lanes(LanesPolicy())
    for number in (2, 1, 3):
        lanes.push(waiting(number, at=later(number)), now=later(4))
    assert drain(lanes, later(4)) == [3, 2, 1]


def test_backlog_gives_the_oldest_first() -> None:
    lanes = Lanes(LanesPolicy())
    for number in (2, 1, 3):
        lanes.push(waiting(number, live=False, at=later(number)), now=later(4))
    assert drain(lanes, later(4)) == [1, 2, 3]


@given(share=st.sampled_from([0.1, 0.25, 0.5, 0.75]))
def test_backlog_has_its_share_while_live_frames_wait(share: float) -> None:
    lanes = Lanes(LanesPolicy(backlog_share=share))
    for number in range(400):
        lanes.push(waiting(number, live=number % 2 == 0), now=EVENING)
    taken = [lanes.pop(now=EVENING) for _ in range(200)]
    backlog = sum(not arrival.live for arrival in taken if arrival)
    assert abs(backlog - 200 * share) <= 2


def test_live_frames_are_not_held_up_by_credit_from_quiet_hours() -> None:
    lanes = Lanes(LanesPolicy(backlog_share=0.25))
    for number in range(50):  # an hour of live frames with an empty backlog must not be paid back later
        lanes.push(waiting(number), now=EVENING)
    drain(lanes)
    for number in range(100, 110):
        lanes.push(waiting(number, live=False), now=EVENING)
    for number in range(200, 210):
        lanes.push(waiting(number), now=EVENING)
    first_four = [lanes.pop(now=EVENING) for _ in range(4)]
    assert sum(arrival.live for arrival in first_four if arrival) == 3


def test_a_live_frame_that_is_overtaken_too_long_goes_to_the_backlog() -> None:
    lanes = Lanes(LanesPolicy(backlog_share=0.5, live_window=timedelta(seconds=60)))
    lanes.push(waiting(1), now=EVENING)
    lanes.push(waiting(2, at=later(50)), now=later(50))
    assert lanes.sizes() == {"live": 2, "backlog": 0, "later": 0}
    lanes.push(waiting(3, at=later(61)), now=later(61))
    assert lanes.pop(now=later(61)).id == 3
    assert lanes.sizes() == {"live": 1, "backlog": 1, "later": 0}
    assert lanes.pop(now=later(61)).id == 1, "its share comes before the next live frame"


def test_a_retry_waits_for_its_time() -> None:
    lanes = Lanes(LanesPolicy())
    lanes.push(waiting(1, not_before=later(5)), now=EVENING)
    assert lanes.pop(now=later(4)) is None
    assert lanes.next_at() == later(5)
    assert lanes.pop(now=later(5)).id == 1
    assert lanes.next_at() is None


@given(
    numbers=st.lists(st.integers(0, 10_000), unique=True, max_size=60),
    live=st.lists(st.booleans(), min_size=60, max_size=60),
    delays=st.lists(st.integers(0, 2000), min_size=60, max_size=60),
)
def test_everything_comes_out_once(numbers: list[int], live: list[bool], delays: list[int]) -> None:
    lanes = Lanes(LanesPolicy())
    for number, is_live, delay in zip(numbers, live, delays, strict=False):
        lanes.push(waiting(number, live=is_live, not_before=later(delay)), now=EVENING)
    assert len(lanes) == len(numbers)
    assert sorted(drain(lanes, later(3000))) == sorted(numbers)
    assert len(lanes) == 0


def test_oldest_is_told_for_each_lane() -> None:
    lanes = Lanes(LanesPolicy())
    lanes.push(waiting(1, live=False, at=later(-100)), now=EVENING)
    lanes.push(waiting(2, at=later(-5)), now=EVENING)
    assert lanes.oldest() == {"backlog": later(-100), "live": later(-5)}


@given(back=st.floats(0, 86_400), wait=st.floats(0, 8), pushed_before=st.booleans())
def test_nobody_waits_long_when_the_clock_is_set_back(back: float, wait: float, pushed_before: bool) -> None:
    lanes = Lanes(LanesPolicy(), longest_wait=timedelta(seconds=16))
    lanes.push(waiting(1, not_before=later(wait)), now=EVENING if pushed_before else later(-back))
    assert drain(lanes, later(16 - back)) == [1]


def test_a_moment_that_no_wait_leads_to_is_due() -> None:
    lanes = Lanes(LanesPolicy(), longest_wait=timedelta(seconds=16))
    lanes.push(waiting(1, not_before=later(4)), now=EVENING)
    assert drain(lanes, later(3.9)) == []
    assert drain(lanes, later(-11.9)) == []
    assert drain(lanes, later(-3600)) == [1]
