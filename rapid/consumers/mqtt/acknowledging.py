"""Which messages of a connection may be acknowledged. Knows no library."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapid.events import FileArrived, Rejected

__all__ = ["Acknowledging"]


class Acknowledging:
    """Acknowledges the messages of one connection, in the order in which they came.

    Batches may be settled in any order; the protocol asks for acknowledgements in the order of the messages (MQTT 5.0,
    MQTT-4.6.0-2), so that one which is settled waits for those before it.

    Parameters
    ----------
    acknowledge
        Sends one acknowledgement.
    """

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        self._acknowledge = acknowledge
        self._open: deque[_Batch] = deque()

    def batch(self, items: Sequence[FileArrived | Rejected], identifiers: Sequence[int]) -> _Batch:
        """Make a batch.

        Parameters
        ----------
        items
            What the messages say.
        identifiers
            The packet identifiers of those messages of the batch that are to be acknowledged.
        """
        batch = _Batch(tuple(items), tuple(identifiers), self._advance)
        self._open.append(batch)
        return batch

    def _advance(self) -> None:
        while self._open and self._open[0].settled:
            for identifier in self._open.popleft().identifiers:
                self._acknowledge(identifier)


@dataclass(slots=True)
class _Batch:
    items: tuple[FileArrived | Rejected, ...]
    identifiers: tuple[int, ...]
    advance: Callable[[], None]
    settled: bool = False

    async def settle(self) -> None:
        """Let the messages be acknowledged; an acknowledgement that gets lost costs duplicates only."""
        self.settled = True
        self.advance()
