"""How far a topic is done with, whatever the order in which batches are settled."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from rapid.consumers.kafka.progress import Progress

PARTITIONS = ("a", "b", "c")


def test_a_batch_is_committable_once_it_is_settled() -> None:
    progress: Progress[str] = Progress()
    number = progress.take({"a": 5, "b": 7})
    assert progress.committable() == {}
    progress.settle(number)
    assert progress.committable() == {"a": 5, "b": 7}
    assert len(progress) == 0


def test_what_lies_behind_an_open_batch_waits_for_it() -> None:
    progress: Progress[str] = Progress()
    first, second = progress.take({"a": 5}), progress.take({"a": 9, "b": 3})
    progress.settle(second)
    assert progress.committable() == {"b": 3}
    progress.settle(first)
    assert progress.committable() == {"a": 9, "b": 3}


def test_settling_twice_says_nothing_new() -> None:
    progress: Progress[str] = Progress()
    number = progress.take({"a": 5})
    progress.settle(number)
    progress.committed(progress.committable())
    progress.settle(number)
    assert progress.committable() == {}


def test_a_commit_of_long_ago_does_not_hide_a_newer_offset() -> None:
    progress: Progress[str] = Progress()
    progress.settle(progress.take({"a": 5}))
    on_the_way = progress.committable()
    progress.settle(progress.take({"a": 8}))
    progress.committed(on_the_way)
    assert progress.committable() == {"a": 8}


def test_a_partition_that_went_away_is_not_committed_by_what_was_taken_before() -> None:
    progress: Progress[str] = Progress()
    old = progress.take({"a": 5, "b": 2})
    progress.forget(["a"])
    new = progress.take({"a": 3})
    progress.settle(old)
    assert progress.committable() == {"b": 2}
    progress.settle(new)
    assert progress.committable() == {"a": 3, "b": 2}
    assert len(progress) == 0


@dataclass
class Model:
    """Message by message, what a partition's committed offset may at most be."""

    taken: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in PARTITIONS})
    settled: set[int] = field(default_factory=set)

    def limit(self, partition: str) -> int:
        batches = self.taken[partition]
        return next((end for end, number in enumerate(batches) if number not in self.settled), len(batches))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.dictionaries(st.sampled_from(PARTITIONS), st.integers(1, 4), min_size=1)),
        st.tuples(st.just("settle"), st.integers(0, 30)),
        st.tuples(st.just("commit"), st.none()),
    ),
    max_size=60,
)


@given(STEPS)
def test_a_commit_never_passes_a_message_that_is_not_settled_and_none_is_left(steps: list[tuple[str, object]]) -> None:
    progress: Progress[str] = Progress()
    model, numbers, committed = Model(), [], dict.fromkeys(PARTITIONS, 0)

    def commit() -> None:
        offsets = progress.committable()
        for partition, offset in offsets.items():
            assert committed[partition] < offset <= model.limit(partition)
            committed[partition] = offset
        progress.committed(offsets)

    for what, argument in steps:
        if what == "take":
            assert isinstance(argument, dict)
            ends = {partition: len(model.taken[partition]) + count for partition, count in argument.items()}
            numbers.append(progress.take(ends))
            for partition, count in argument.items():
                model.taken[partition] += [numbers[-1]] * count
        elif what == "settle" and numbers:
            assert isinstance(argument, int)
            number = numbers[argument % len(numbers)]
            model.settled.add(number)
            progress.settle(number)
        else:
            commit()
    for number in numbers:
        model.settled.add(number)
        progress.settle(number)
    commit()
    assert committed == {partition: len(batches) for partition, batches in model.taken.items()}
    assert len(progress) == 0
