"""Whatever happens to an exposure, in whatever order, however often, and whoever dies meanwhile: it ends the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rapid.events import Stage
from rapid.gather.progress import Deadlines, progress_of
from rapid.gather.service import Gather
from rapid.ledger import open_ledger
from rapid.ports import JsonValue, Ledger
from tests.support.ledgers import Clock, sqlite_url
from tests.support.wholes import DAY_OBS, DETECTORS, bury, expect, finish, name_of, raw, seen

T = TypeVar("T")
NAME = name_of()
FIVE = {"LSSTCam": DETECTORS}
LISTED = DETECTORS[:4]
detectors = st.sampled_from(DETECTORS)


class Exposure(RuleBasedStateMachine):
    """One exposure, whose detectors come, are measured or fail, come again, and whose gatherer is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="gather-"))
        self.loop = asyncio.new_event_loop()
        self.clock = Clock()
        self.opened = AsyncExitStack()
        self.ledger: Ledger = self.run(
            self.opened.enter_async_context(open_ledger(sqlite_url(self.place), clock=self.clock))
        )
        self.waiting: dict[str, str] = {}
        self.finished: dict[str, str] = {}
        self.listed = self.heard = False
        self.said: list[dict[str, JsonValue]] = []
        self.begin()

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(what)

    def teardown(self) -> None:
        self.settle()
        self.run(self.opened.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.place)

    @rule()
    def begin(self) -> None:
        """A gatherer is killed, and another one begins."""
        self.gather = Gather(self.ledger, configured=FIVE, deadlines=Deadlines())

    @rule(detector=detectors, content=st.sampled_from("ab"))
    def arrive(self, detector: str, content: str) -> None:
        recorded = self.run(self.ledger.record([raw(detector, NAME, content, at=self.clock())]))
        for arrival in recorded.new:
            self.waiting[detector] = arrival.content
            self.finished.pop(detector, None)

    @rule(detector=detectors, well=st.booleans())
    def finish(self, detector: str, well: bool) -> None:
        if self.waiting.pop(detector, None) is not None:
            self.run(finish(self.ledger, detector, NAME) if well else bury(self.ledger, detector, NAME))
            self.finished[detector] = "done" if well else "failed"

    @rule()
    def hear_list(self) -> None:
        self.run(self.ledger.exposures.hear([expect(NAME, *LISTED, origin="expectedSensors")]))
        self.listed = True

    @rule(stage=st.sampled_from([Stage.STARTED, Stage.READ_OUT]))
    def hear_stage(self, stage: Stage) -> None:
        self.run(self.ledger.exposures.hear([seen(NAME, stage, exposure_time=15.0)]))
        self.heard = True

    @rule(seconds=st.sampled_from([0.5, 6.0, 31.0, 121.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def look(self) -> None:
        self.run(self.gather.catch_up())
        entry = self.whole()
        if entry and entry not in self.said:
            self.said.append(entry)

    def whole(self) -> dict[str, JsonValue]:
        _, _, entries = self.run(self.ledger.night("lsstcam", DAY_OBS))
        found = [dict(entry) for entry in entries if entry["detector_name"] == ""]
        return found[0] if found else {}

    @invariant()
    def revisions_count_what_was_said(self) -> None:
        assert [entry["revision"] for entry in self.said] == sorted({entry["revision"] for entry in self.said})  # type: ignore[type-var]

    def settle(self) -> None:
        """Everything that waits is measured, all deadlines pass: what is shown follows from what there is alone."""
        for detector in list(self.waiting):
            self.finish(detector, well=True)
        for _ in range(4):
            self.look()
            self.clock.advance(200)
        assert not self.run(self.ledger.exposures.due())
        standing = self.run(self.ledger.exposures.standing(NAME))
        expected = set(LISTED if self.listed else DETECTORS) | self.finished.keys()
        entry = self.whole()
        if not self.finished and not self.heard:
            assert not entry  # nobody said that it would come
            return
        states = list(self.finished.values())
        cells = entry["cells"]
        assert isinstance(cells, dict)
        counts = [cells[f"detectors_{kind}"] for kind in ("expected", "done", "failed", "missing", "late")]
        assert counts == [
            len(expected), states.count("done"), states.count("failed"), len(expected - self.finished.keys()), 0,
        ]  # fmt: skip
        assert progress_of(standing, FIVE).expected == tuple(sorted(expected))
        before = self.run(self.ledger.last_feed_id())
        self.begin()
        self.look()
        assert self.run(self.ledger.last_feed_id()) == before, "what was said is said again"


TestAnyOrder = Exposure.TestCase
TestAnyOrder.settings = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
