"""Messages are acknowledged in the order in which they came, whatever the order in which batches are settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rapid.consumers.mqtt.acknowledging import Acknowledging


async def test_a_settled_batch_is_acknowledged_once() -> None:
    sent: list[int] = []
    batch = Acknowledging(sent.append).batch([], [7, 9])
    assert sent == []
    await batch.settle()
    await batch.settle()
    assert sent == [7, 9]


async def test_what_came_later_waits_for_what_came_before() -> None:
    sent: list[int] = []
    acknowledging = Acknowledging(sent.append)
    first, second, third = (acknowledging.batch([], [number]) for number in (1, 2, 3))
    await third.settle()
    await second.settle()
    assert sent == []
    await first.settle()
    assert sent == [1, 2, 3]


async def test_a_batch_without_anything_to_acknowledge_holds_nothing_up() -> None:
    sent: list[int] = []
    acknowledging = Acknowledging(sent.append)
    nothing, one = acknowledging.batch([], []), acknowledging.batch([], [1])
    await one.settle()
    await nothing.settle()
    assert sent == [1]


@given(st.lists(st.integers(0, 4), max_size=20), st.data())
async def test_acknowledgements_are_a_prefix_of_what_came(sizes: list[int], data: st.DataObject) -> None:
    sent: list[int] = []
    acknowledging, came, settled = Acknowledging(sent.append), [], set()
    ends = []
    batches = []
    for size in sizes:
        identifiers = range(len(came), len(came) + size)
        batches.append(acknowledging.batch([], identifiers))
        came += identifiers
        ends.append(len(came))
    for number in data.draw(st.permutations(range(len(batches)))):
        await batches[number].settle()
        settled.add(number)
        whole = next((each for each in range(len(batches)) if each not in settled), len(batches))
        assert sent == came[: ends[whole - 1] if whole else 0]
    assert sent == came
