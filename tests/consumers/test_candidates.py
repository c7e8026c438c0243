"""When is a file ready? Decided without a disk and without waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.consumers.candidates import Candidate, Candidates, Verdict
from rapid.consumers.scan import Seen

QUIET, GIVE_UP = 0.3, 10.0
START = datetime(2024, 6, 24, tzinfo=UTC)


def at(now: float) -> datetime:
    return START + timedelta(seconds=now)


def seen(key: str = "a.fits", size: int = 100, mtime_ns: int = 1) -> Seen:
    return Seen(key, size, mtime_ns)


def notice(candidates: Candidates, file: Seen, now: float, *, live: bool = True, age: float = 0.0) -> None:
    candidates.notice(file, at=at(now), now=now, live=live, age=age)


def judge(candidates: Candidates, candidate: Candidate, now: float, *, whole: bool | None = True) -> Verdict:
    return candidates.judge(candidate, candidate.seen, whole=whole, at=at(now), now=now)


@pytest.fixture
def candidates() -> Candidates:
    return Candidates(quiet=QUIET, give_up_after=GIVE_UP)


def test_a_whole_file_is_ready_when_it_was_quiet(candidates: Candidates) -> None:
    notice(candidates, seen(), 100.0)
    assert candidates.next_look() == 100.0 + QUIET
    assert candidates.due(100.2, 10) == []
    [candidate] = candidates.due(100.3, 10)
    assert candidate.noticed_at == at(100.0)
    assert judge(candidates, candidate, 100.3) is Verdict.READY
    assert candidates.next_look() is None
    assert len(candidates) == 0
    assert candidates.known() == {"a.fits"}


def test_a_file_known_to_be_old_need_not_wait(candidates: Candidates) -> None:
    notice(candidates, seen(), 100.0, age=3600.0)
    [candidate] = candidates.due(100.0, 10)
    assert not candidates.wants_inside(candidate, 100.0)
    assert judge(candidates, candidate, 100.0, whole=None) is Verdict.READY


def test_a_file_from_the_future_waits_like_a_new_one(candidates: Candidates) -> None:
    notice(candidates, seen(), 100.0, age=-3600.0)
    assert candidates.next_look() == 100.0 + QUIET


def test_a_file_that_is_not_whole_is_ready_when_it_is_given_up(candidates: Candidates) -> None:
    notice(candidates, seen(), 0.0)
    now, asked = 0.0, 0
    while True:
        look = candidates.next_look()
        assert look is not None
        now = look
        [candidate] = candidates.due(now, 10)
        asked += candidates.wants_inside(candidate, now)
        whole = False if candidates.wants_inside(candidate, now) else None
        if judge(candidates, candidate, now, whole=whole) is Verdict.READY:
            break
    assert GIVE_UP <= now <= GIVE_UP + QUIET
    assert asked == 1


def test_a_change_begins_the_wait_anew(candidates: Candidates) -> None:
    notice(candidates, seen(size=100), 0.0)
    [candidate] = candidates.due(0.3, 10)
    grown = seen(size=200, mtime_ns=2)
    assert candidates.judge(candidate, grown, whole=None, at=at(0.3), now=0.3) is Verdict.NOT_YET
    assert candidates.due(0.5, 10) == []
    [candidate] = candidates.due(0.6, 10)
    assert (candidate.seen, candidate.noticed_at) == (grown, at(0.3))
    assert judge(candidates, candidate, 0.6) is Verdict.READY


def test_a_change_heard_of_begins_the_wait_anew(candidates: Candidates) -> None:
    notice(candidates, seen(size=100), 0.0)
    notice(candidates, seen(size=200), 0.2)
    assert candidates.due(0.3, 10) == []
    [candidate] = candidates.due(0.5, 10)
    assert candidate.seen.size == 200


def test_hearing_of_it_again_changes_nothing(candidates: Candidates) -> None:
    notice(candidates, seen(), 0.0)
    notice(candidates, seen(), 0.2)
    assert len(candidates.due(0.3, 10)) == 1
    assert candidates.due(0.6, 10) == []


def test_a_file_found_and_then_heard_of_becomes_live(candidates: Candidates) -> None:
    notice(candidates, seen(), 0.0, live=False)
    notice(candidates, seen(), 0.1, live=True)
    [candidate] = candidates.due(0.3, 10)
    assert candidate.live
    notice(candidates, seen("b.fits", size=1), 0.0, live=True)
    notice(candidates, seen("b.fits", size=2), 0.1, live=False)
    [candidate] = candidates.due(0.5, 10)
    assert candidate.live


def test_what_was_announced_is_announced_again_only_when_it_changed(candidates: Candidates) -> None:
    notice(candidates, seen(), 0.0)
    judge(candidates, candidates.due(1.0, 1)[0], 1.0)
    notice(candidates, seen(), 2.0)
    assert len(candidates) == 0
    notice(candidates, seen(mtime_ns=2), 3.0)
    assert judge(candidates, candidates.due(4.0, 1)[0], 4.0) is Verdict.READY
    assert candidates.known() == {"a.fits"}


def test_what_vanished_is_forgotten(candidates: Candidates) -> None:
    notice(candidates, seen("gone.fits"), 0.0)
    [candidate] = candidates.due(1.0, 1)
    assert candidates.judge(candidate, None, whole=None, at=at(1.0), now=1.0) is Verdict.GONE
    notice(candidates, seen("announced.fits"), 0.0)
    judge(candidates, candidates.due(1.0, 1)[0], 1.0)
    notice(candidates, seen("pending.fits"), 1.0)
    assert candidates.known() == {"announced.fits", "pending.fits"}
    candidates.forget("announced.fits")
    candidates.forget("pending.fits")
    candidates.forget("never-seen.fits")
    assert candidates.known() == set()
    assert candidates.due(9.0, 10) == []
    notice(candidates, seen("announced.fits"), 2.0)
    assert len(candidates) == 1


def test_a_verdict_on_something_outdated_is_not_ready(candidates: Candidates) -> None:
    notice(candidates, seen(size=1), 0.0)
    [candidate] = candidates.due(1.0, 1)
    notice(candidates, seen(size=2), 1.0)
    assert judge(candidates, candidate, 1.0) is Verdict.NOT_YET
    assert candidates.due(2.0, 1)[0].seen.size == 2


def test_a_file_that_is_again_as_it_was_announced_is_not_announced_again(candidates: Candidates) -> None:
    """A look that took long may tell of a content after a newer one was announced."""
    notice(candidates, seen(size=2), 0.0)
    judge(candidates, candidates.due(1.0, 1)[0], 1.0)
    notice(candidates, seen(size=1), 1.0)
    [stale] = candidates.due(2.0, 1)
    assert candidates.judge(stale, seen(size=2), whole=None, at=at(2.0), now=2.0) is Verdict.NOT_YET
    assert len(candidates) == 0
    assert candidates.due(99.0, 10) == []


def test_live_files_come_first_and_each_group_as_it_was_written(candidates: Candidates) -> None:
    for number in (3, 1, 2):
        notice(candidates, seen(f"old{number}.fits", mtime_ns=number), 0.0, live=False)
        notice(candidates, seen(f"new{number}.fits", mtime_ns=100 + number), 0.0, live=True)
    order = [candidate.seen.key for _ in range(3) for candidate in candidates.due(1.0, 2)]
    assert order == ["new1.fits", "new2.fits", "new3.fits", "old1.fits", "old2.fits", "old3.fits"]


_NAMES = st.sampled_from(["a.fits", "b.fits", "c.fits"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), _NAMES, st.integers(1, 3), st.booleans()),
        st.tuples(st.just("delete"), _NAMES, st.just(0), st.just(value=False)),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 40), st.just(value=False)),
        st.tuples(st.just("look everywhere"), st.just(""), st.just(0), st.just(value=False)),
    ),
    max_size=60,
)


class World:
    """A disk with files that are written, deleted and looked at, and a record of what was announced."""

    def __init__(self) -> None:
        self.now = 0.0
        self.files: dict[str, tuple[Seen, bool, float]] = {}
        self.candidates = Candidates(quiet=QUIET, give_up_after=GIVE_UP)
        self.announced: list[tuple[Seen, float]] = []

    def step(self, what: str, name: str, number: int, whole: bool) -> None:
        if what == "write":
            file = Seen(name, number, round(self.now * 1e9) + number)
            self.files[name] = (file, whole, self.now)
            if number > 1:  # of the others the kernel says nothing
                notice(self.candidates, file, self.now)
        elif what == "delete":
            self.files.pop(name, None)
        elif what == "wait":
            for _ in range(number):
                self.now += 0.1
                self.examine()
        else:
            for gone in self.candidates.known() - self.files.keys():
                self.candidates.forget(gone)
            for file, _, _ in self.files.values():
                notice(self.candidates, file, self.now, live=False)

    def examine(self) -> None:
        for candidate in self.candidates.due(self.now, 2):
            file, whole, changed = self.files.get(candidate.seen.key, (None, False, 0.0))
            inside = file == candidate.seen and self.candidates.wants_inside(candidate, self.now)
            verdict = self.candidates.judge(
                candidate, file, whole=whole if inside else None, at=at(self.now), now=self.now
            )
            if verdict is Verdict.READY:
                assert file == candidate.seen
                assert self.now - changed >= (QUIET if whole else GIVE_UP) - 1e-6
                self.announced.append((candidate.seen, self.now))


@given(_STEPS)
def test_whatever_happens_each_content_is_announced_once_and_in_the_end_all_are(
    steps: list[tuple[str, str, int, bool]],
) -> None:
    world = World()
    for step in steps:
        world.step(*step)
    world.step("look everywhere", "", 0, False)
    world.step("wait", "", 110, False)
    assert len({seen for seen, _ in world.announced}) == len(world.announced) or _came_back(steps)
    assert {file for file, _, _ in world.files.values()} <= {seen for seen, _ in world.announced}
    assert world.candidates.known() == world.files.keys()
    assert len(world.candidates) == 0


def _came_back(steps: list[tuple[str, str, int, bool]]) -> bool:
    return any(step[0] == "delete" for step in steps)


def test_the_content_is_size_and_time() -> None:
    file = Seen("a.fits", 3, 1_700_000_000_123_456_789)
    assert file.content == "3-1700000000123456789"
    assert file.written_at.isoformat() == "2023-11-14T22:13:20.123456+00:00"


@pytest.mark.parametrize(("mtime_ns", "year"), [(-5, 1970), (2**80, 9999)])
def test_an_impossible_time_is_brought_to_a_possible_one(mtime_ns: int, year: int) -> None:
    assert replace(seen(), mtime_ns=mtime_ns).written_at.year == year
