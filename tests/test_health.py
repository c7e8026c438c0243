"""Health: who is missed, when, and what the pages say."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from rapid.health import Health, Standing, keep_beating, router


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock=clock)


def standings(health: Health) -> dict[str, Standing]:
    return {status.name: status.standing for status in health.live().components}


def test_a_service_that_expects_nothing_is_alive_and_not_ready(health: Health) -> None:
    assert health.live().ok
    assert not health.ready().ok


def test_a_component_is_starting_until_it_beats(health: Health) -> None:
    health.expect("ledger")
    assert standings(health) == {"ledger": Standing.STARTING}
    assert health.live().ok
    assert not health.ready().ok
    health.beat("ledger")
    assert health.ready().ok


def test_a_failing_component_is_alive_and_not_ready_until_it_beats(health: Health) -> None:
    health.expect("store")
    health.fail("store", "bucket is away")
    assert health.live().ok
    assert not health.ready().ok
    assert health.ready().components[0].why == "bucket is away"
    health.beat("store")
    assert health.ready().ok
    assert health.ready().components[0].why == ""


def test_a_silent_component_is_stale_after_its_deadline_and_not_before(health: Health, clock: Clock) -> None:
    health.expect("source", deadline=timedelta(seconds=30))
    health.beat("source")
    clock.now += 30
    assert health.live().ok
    clock.now += 0.5
    assert not health.live().ok
    assert not health.ready().ok
    (status,) = health.live().components
    assert status.standing is Standing.STALE
    assert status.why == "silent for 30.5 s, expected a report every 30.0 s"
    health.beat("source")
    assert health.live().ok


def test_a_component_that_never_reports_is_missed_too(health: Health, clock: Clock) -> None:
    health.expect("source", deadline=timedelta(seconds=5))
    clock.now += 6
    assert standings(health) == {"source": Standing.STALE}


def test_a_component_that_fails_and_then_falls_silent_keeps_its_reason(health: Health, clock: Clock) -> None:
    health.expect("source", deadline=timedelta(seconds=5))
    health.fail("source", "no route to the broker")
    clock.now += 6
    assert health.live().components[0].why.endswith("before that: no route to the broker")


def test_a_component_without_a_deadline_is_never_stale(health: Health, clock: Clock) -> None:
    health.expect("ledger")
    health.beat("ledger")
    clock.now += 1e6
    assert health.live().ok
    assert health.ready().ok


def test_a_name_nobody_expects_is_an_error(health: Health) -> None:
    with pytest.raises(KeyError, match="leger"):
        health.beat("leger")
    with pytest.raises(KeyError, match="leger"):
        health.fail("leger", "x")


def test_a_forgotten_component_is_not_missed(health: Health, clock: Clock) -> None:
    health.expect("replay", deadline=timedelta(seconds=1))
    clock.now += 2
    health.forget("replay")
    health.forget("replay")
    assert health.live().ok


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["beat", "fail"]), st.floats(0, 20)), min_size=1, max_size=30
    )
)
def test_what_is_ready_is_alive(told: list[tuple[str, str, float]]) -> None:
    clock = Clock()
    health = Health(clock=clock)
    for name in "abc":
        health.expect(name, deadline=timedelta(seconds=10))
    for name, what, later in told:
        health.beat(name) if what == "beat" else health.fail(name, "away")
        clock.now += later
        assert health.live().ok or not health.ready().ok
        assert [status.name for status in health.live().components] == ["a", "b", "c"]


async def test_the_loop_beats_for_itself_and_is_missed_when_it_is_held_up() -> None:
    health = Health()
    beating = asyncio.create_task(keep_beating(health, every=timedelta(milliseconds=10)))
    await asyncio.sleep(0.03)
    assert health.ready().ok
    time.sleep(0.15)  # what must never happen: the loop is blocked
    assert not health.live().ok
    await asyncio.sleep(0.03)
    assert health.live().ok
    beating.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await beating


# --- the pages ---------------------------------------------------------------------------------------------------


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def client(health: Health, registry: CollectorRegistry) -> Iterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router(health, registry))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rapid")


async def test_livez_and_readyz_answer_200_when_all_is_well(health: Health, client: httpx.AsyncClient) -> None:
    health.expect("ledger")
    health.beat("ledger")
    for path in ("/livez", "/readyz"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {
            "ok": True,
            "components": [{"name": "ledger", "standing": "ok", "silent_seconds": 0.0, "why": ""}],
        }


async def test_readyz_names_the_culprits_first(health: Health, clock: Clock, client: httpx.AsyncClient) -> None:
    health.expect("source", deadline=timedelta(seconds=1))
    health.expect("ledger")
    health.expect("a-store")
    health.beat("ledger")
    health.fail("a-store", "bucket is away")
    clock.now += 2
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    body = answer.json()
    assert body["ok"] is False
    assert [(part["name"], part["standing"]) for part in body["components"]] == [
        ("source", "stale"),
        ("a-store", "failing"),
        ("ledger", "ok"),
    ]


async def test_livez_is_503_for_a_stale_component_only(health: Health, clock: Clock, client: httpx.AsyncClient) -> None:
    health.expect("source", deadline=timedelta(seconds=1))
    health.fail("source", "broker away")
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/readyz")).status_code == 503
    clock.now += 2
    assert (await client.get("/livez")).status_code == 503


async def test_metrics_shows_the_registry_it_was_given(client: httpx.AsyncClient, registry: CollectorRegistry) -> None:
    Counter("stars", "Stars seen.", registry=registry).inc(3)
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "stars_total 3.0" in answer.text
