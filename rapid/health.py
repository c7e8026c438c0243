"""Is the service alive, and can it do its work? Two questions, asked by whoever runs it.

*Alive* means: the event loop turns and every component has reported within its deadline. When the answer is no, a
restart helps. *Ready* means: nothing that the service needs is reported missing. When the answer is no, a restart
does not help: the ledger's disk, a store or the bus is away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry

from rapid import metrics

__all__ = ["Health", "Report", "Standing", "Status", "keep_beating", "router"]


class Standing(StrEnum):
    """How a component stands."""

    STARTING = "starting"
    OK = "ok"
    FAILING = "failing"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Status:
    """One component: how it stands, since how many seconds it is silent, and why it fails."""

    name: str
    standing: Standing
    silent_seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to one of the two questions, with every component that had a part in it."""

    ok: bool
    components: tuple[Status, ...]

    def as_json(self) -> dict[str, object]:
        """Return what the page shows; the culprits come first."""
        order = {Standing.STALE: 0, Standing.FAILING: 1, Standing.STARTING: 2, Standing.OK: 3}
        return {
            "ok": self.ok,
            "components": [
                {
                    "name": status.name,
                    "standing": status.standing.value,
                    "silent_seconds": round(status.silent_seconds, 3),
                    "why": status.why,
                }
                for status in sorted(self.components, key=lambda status: (order[status.standing], status.name))
            ],
        }


@dataclass(frozen=True, slots=True)
class _Component:
    deadline: float | None
    reported_at: float
    standing: Standing
    why: str = ""


class Health:
    """What the components last said of themselves.

    May be told from any thread: a report replaces one frozen value.

    Parameters
    ----------
    clock
        Seconds that never run backwards.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._components: dict[str, _Component] = {}

    def expect(self, name: str, *, deadline: timedelta | None = None) -> None:
        """Declare a component: the service is not ready until it beats.

        Parameters
        ----------
        deadline
            How long it may be silent, counted from now; None for one that reports changes only, a ledger say.
        """
        limit = None if deadline is None else deadline.total_seconds()
        self._components[name] = _Component(limit, self._clock(), Standing.STARTING)

    def beat(self, name: str) -> None:
        """Say that a component works.

        Raises
        ------
        KeyError
            If nobody expects it: a name with a slip of the pen would never be missed.
        """
        self._report(name, Standing.OK, "")

    def fail(self, name: str, why: str) -> None:
        """Say that a component is alive and cannot work. It may beat again later.

        Raises
        ------
        KeyError
            If nobody expects it.
        """
        self._report(name, Standing.FAILING, why)

    def reporter(self, name: str) -> Callable[[str], None]:
        """Return what a component calls: with an empty word when it works, with the reason when it cannot."""

        def report(why: str) -> None:
            if why:
                self.fail(name, why)
            else:
                self.beat(name)

        return report

    def forget(self, name: str) -> None:
        """Stop expecting a component, one that came to its end; one that is unknown is no error."""
        self._components.pop(name, None)

    def live(self) -> Report:
        """Tell whether every component has reported within its deadline."""
        statuses = self._statuses()
        return Report(all(status.standing is not Standing.STALE for status in statuses), statuses)

    def ready(self) -> Report:
        """Tell whether every component works. A service that expects nothing yet is not ready."""
        statuses = self._statuses()
        return Report(bool(statuses) and all(status.standing is Standing.OK for status in statuses), statuses)

    def _report(self, name: str, standing: Standing, why: str) -> None:
        known = self._components[name]
        self._components[name] = replace(known, reported_at=self._clock(), standing=standing, why=why)

    def _statuses(self) -> tuple[Status, ...]:
        now = self._clock()
        return tuple(_status(name, component, now) for name, component in sorted(self._components.items()))


def _status(name: str, component: _Component, now: float) -> Status:
    silent = now - component.reported_at
    if component.deadline is not None and silent > component.deadline:
        why = f"silent for {silent:.1f} s, expected a report every {component.deadline:.1f} s"
        return Status(name, Standing.STALE, silent, f"{why}; before that: {component.why}" if component.why else why)
    return Status(name, component.standing, silent, component.why)


async def keep_beating(health: Health, name: str = "loop", *, every: timedelta = timedelta(seconds=1)) -> None:
    """Beat for the event loop itself until cancelled: it is missed when something holds the loop up.

    Ten beats may be missed before the loop counts as stuck.
    """
    health.expect(name, deadline=10 * every)
    while True:
        health.beat(name)
        await asyncio.sleep(every.total_seconds())


def router(health: Health, registry: CollectorRegistry = metrics.REGISTRY) -> APIRouter:
    """Return the pages ``/livez``, ``/readyz`` (200 or 503, with the components as JSON) and ``/metrics``."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/livez")
    async def livez() -> Response:
        return _page(health.live())

    @routes.get("/readyz")
    async def readyz() -> Response:
        return _page(health.ready())

    @routes.get("/metrics")
    async def metrics_page() -> Response:
        return Response(metrics.exposition(registry), media_type=metrics.CONTENT_TYPE)

    return routes


def _page(report: Report) -> Response:
    """Answer with the report; nobody on the way may keep it."""
    return JSONResponse(report.as_json(), status_code=200 if report.ok else 503, headers={"Cache-Control": "no-store"})
