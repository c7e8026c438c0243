"""What the messages of a bus say, sorted into what is recorded, what is told, and what is only counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from rapid import metrics
from rapid.consumers.decoders import Decoded
from rapid.events import Event, FileArrived, Ignored, Rejected

__all__ = ["Said"]


@dataclass(slots=True)
class Said:
    """What some messages say.

    Attributes
    ----------
    items
        Files, and what cannot be used.
    events
        What else was said.
    """

    items: list[FileArrived | Rejected] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def add(self, decoded: Sequence[Decoded], *, source: str, live_window: timedelta) -> None:
        """Sort what one message says; a file that was written longer ago than the window is backlog."""
        for value in decoded:
            if isinstance(value, FileArrived):
                late = value.live and value.seen_at - value.written_at > live_window
                self.items.append(replace(value, live=False) if late else value)
            elif isinstance(value, Rejected):
                self.items.append(value)
            elif isinstance(value, Ignored):
                metrics.BUS_IGNORED.labels(source=source, why=value.why).inc()
            else:
                self.events.append(value)
