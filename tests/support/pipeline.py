"""Small real workers and a gallery in memory, for the pipeline without processes and stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from rapid.errors import DeadlineExceeded, NotAvailable
from rapid.events import FileArrived, name_facts
from rapid.ports import Arrival, EncodedPicture, JsonValue, Outcome, Row, State, Task

NIGHT = 20260315
EVENING = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)


def key_of(seq_num: int, day_obs: int = NIGHT) -> str:
    obs_id = f"AT_O_{day_obs}_{seq_num:06d}"
    return f"LATISS/{day_obs}/{obs_id}/{obs_id}_R00_S00.fits"


def announced(seq_num: int, *, content: str = "a", live: bool = True, at: datetime = EVENING) -> FileArrived:
    key = key_of(seq_num)
    return FileArrived(key, content, 100, at, at, "test", live, name_facts(key))


def waiting(number: int, *, live: bool = True, at: datetime = EVENING, **changes: object) -> Arrival:
    """An arrival as a ledger would have it."""
    key = key_of(number)
    arrival = Arrival(
        id=number, key=key, content="a", size=100, source="test", live=live, instrument="LATISS",
        obs_id=key.rpartition("/")[2][:20], day_obs=NIGHT, seq_num=number, detector_name="R00_S00", written_at=at,
        seen_at=at, recorded_at=at, state=State.WAITING, attempts=0, interruptions=0, not_before=at, error="",
    )  # fmt: skip
    return replace(arrival, **changes)  # type: ignore[arg-type]


def outcome_of(task: Task) -> Outcome:
    """What a worker would find in the file of a task; its picture holds the key and content it was made from."""
    facts = name_facts(task.key)
    assert facts is not None
    row = Row(
        camera="auxtel", instrument=facts.instrument, obs_id=facts.obs_id, day_obs=facts.day_obs,
        seq_num=facts.seq_num, detector_name=facts.detector_name, cells={"content": task.content},
    )  # fmt: skip
    column = {"label": "Content", "unit": "", "description": "The content's tag.", "type": "word", "group": "exposure"}
    picture = EncodedPicture("monitor", "png", f"{task.key} {task.content}".encode(), 1, 1)
    return Outcome(row, {"content": column}, (picture,), EVENING, {"read": 0.1}, 0.2)


@dataclass(slots=True)
class LocalTasks:
    """Workers in this process: tasks run concurrently up to the capacity, each as its `script` says.

    The script of a key is called with the number of the try (from 1) and returns an exception to raise, seconds to
    take, or None.
    """

    capacity: int = 2
    scripts: dict[str, Callable[[int], Exception | float | None]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    most_at_once: int = 0
    now: int = 0
    gate: asyncio.Event | None = None

    async def run(self, task: Task, *, deadline: float) -> Outcome:
        self.started.append(task.key)
        self.now += 1
        self.most_at_once = max(self.now, self.most_at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            told = self.scripts.get(task.key, lambda _: None)(self.started.count(task.key))
            if isinstance(told, Exception):
                raise told
            await asyncio.sleep(min(told or 0, deadline))
            if told is not None and told > deadline:
                raise DeadlineExceeded(f"{task.key}: not done after {deadline} s")
            return outcome_of(task)
        finally:
            self.now -= 1


@dataclass(slots=True)
class MemoryGallery:
    """A gallery that keeps what it is given, in order; away while `away` is above zero."""

    log: list[str] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    nights: dict[tuple[str, int], list[Mapping[str, JsonValue]]] = field(default_factory=dict)
    away: int = 0

    async def publish(self, outcome: Outcome) -> Row:
        self._knock()
        channels = {}
        for picture in outcome.pictures:
            key = f"{outcome.row.obs_id}/{picture.channel}.{picture.suffix}"
            self.pictures[key] = picture.body
            channels[picture.channel] = key
        catalogues = {each.name: f"{outcome.row.obs_id}/{each.name}.parquet" for each in outcome.catalogues}
        self.log.append(outcome.row.obs_id)
        return replace(outcome.row, channels=channels, catalogues=catalogues)

    async def publish_night(
        self,
        camera: str,
        day_obs: int,
        columns: Mapping[str, Mapping[str, str]],
        entries: Sequence[Mapping[str, JsonValue]],
    ) -> None:
        self._knock()
        self.nights[camera, day_obs] = list(entries)

    def _knock(self) -> None:
        if self.away > 0:
            self.away -= 1
            raise NotAvailable("the gallery is away")


class Clock:
    """A clock that is moved by hand, or runs at its own pace from a given start."""

    def __init__(self, start: datetime = EVENING) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
