"""How far a topic may be said to be done with. Knows no Kafka."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from itertools import count
from typing import Generic, TypeVar

__all__ = ["Progress"]

_P = TypeVar("_P", bound=Hashable)


class Progress(Generic[_P]):
    """The batches that were taken from some partitions and are settled in any order.

    An offset is committable when everything before it is settled: what is behind a batch that is not settled yet has to
    wait for it, since a commit speaks for all that lies before.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self._open: dict[_P, deque[tuple[int, int]]] = {}
        self._places: dict[int, tuple[_P, ...]] = {}
        self._settled: set[int] = set()
        self._ready: dict[_P, int] = {}

    def __len__(self) -> int:
        """How many batches are not settled."""
        return len(self._places) - len(self._settled)

    def take(self, ends: Mapping[_P, int]) -> int:
        """Note a batch and return its number.

        Parameters
        ----------
        ends
            For each partition that it has messages of, the offset after the last one.
        """
        number = next(self._numbers)
        for partition, end in ends.items():
            self._open.setdefault(partition, deque()).append((number, end))
        self._places[number] = tuple(ends)
        return number

    def settle(self, number: int) -> None:
        """Note that everything in a batch is durably recorded; once more, or too late, does no harm."""
        if number not in self._places:
            return
        self._settled.add(number)
        for partition in self._places[number]:
            self._advance(partition)

    def committable(self) -> dict[_P, int]:
        """Return the offsets that can be committed and were not yet."""
        return dict(self._ready)

    def committed(self, offsets: Mapping[_P, int]) -> None:
        """Note that these were committed."""
        for partition, offset in offsets.items():
            if self._ready.get(partition) == offset:
                del self._ready[partition]

    def forget(self, partitions: Iterable[_P]) -> None:
        """Drop everything about partitions that are not ours any more, or that are read from another place."""
        for partition in partitions:
            self._ready.pop(partition, None)
            for number, _ in self._open.pop(partition, ()):
                self._leave(number, partition)

    def clear(self) -> None:
        """Forget every partition."""
        self.forget(list(self._open.keys() | self._ready.keys()))

    def _advance(self, partition: _P) -> None:
        batches = self._open.get(partition, deque())
        while batches and batches[0][0] in self._settled:
            number, self._ready[partition] = batches.popleft()
            self._leave(number, partition)

    def _leave(self, number: int, partition: _P) -> None:
        """Forget a batch with the last of its partitions."""
        left = tuple(place for place in self._places[number] if place != partition)
        if left:
            self._places[number] = left
        else:
            del self._places[number]
            self._settled.discard(number)
