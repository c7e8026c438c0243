"""Numbers that are missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rapid.gather.gaps import gaps_between, gaps_text


def test_gaps_are_told_with_their_ends() -> None:
    assert gaps_between([3, 1, 4, 9, 11, 4]) == [(2, 2), (5, 8), (10, 10)]
    assert gaps_text([(2, 2), (5, 8)]) == "2, 5-8"
    assert gaps_between([]) == gaps_between([7]) == []


@given(st.sets(st.integers(0, 300)))
def test_gaps_and_numbers_are_all_there_is(numbers: set[int]) -> None:
    missing = {n for first, last in gaps_between(numbers) for n in range(first, last + 1)}
    assert not missing & numbers
    assert missing | numbers == (set(range(min(numbers), max(numbers) + 1)) if numbers else set())
