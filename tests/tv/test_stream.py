"""The live stream: resumed it misses nothing, silent it says so, stopped it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import httpx
import pytest
import pytest_asyncio

from rapid.errors import ConfigError, LedgerError
from rapid.tv.server import create_app, serve
from rapid.tv.stream import PAGE, FeedWatch, feed_blocks
from tests.support.live_server import Told, served, told
from tests.support.memory_feed import MemoryFeed, MemoryStore, entry_of


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed()


@pytest_asyncio.fixture
async def watch(feed: MemoryFeed) -> AsyncIterator[FeedWatch]:
    watch = FeedWatch(feed, pause=0.01)  # type: ignore[arg-type]
    running = asyncio.create_task(watch.run())
    yield watch
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def take(
    feed: MemoryFeed, watch: FeedWatch, count: int, *, after: str | None, camera: str | None = None
) -> list[Told]:
    """Read the first events of a stream."""
    found: list[Told] = []
    blocks = feed_blocks(feed, watch, after=after, camera=camera, heartbeat=0.05)  # type: ignore[arg-type]
    async with asyncio.timeout(5), aclosing(blocks), aclosing(told(blocks)) as events:
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


async def append(feed: MemoryFeed, *seq_nums: int) -> None:
    for seq_num in seq_nums:
        await feed.append(entry_of(seq_num))


# --- what is sent ----------------------------------------------------------------------------------------------------


async def test_a_client_gets_exactly_what_it_missed_in_order(feed: MemoryFeed, watch: FeedWatch) -> None:
    await append(feed, *range(1, 11))
    events = await take(feed, watch, 7, after="4")
    assert [(e.event, e.id, e.data["seq_num"]) for e in events[:6]] == [("exposure", n, n) for n in range(5, 11)]
    assert events[6].event == "beat"


async def test_an_event_carries_the_whole_entry(feed: MemoryFeed, watch: FeedWatch) -> None:
    event = await feed.append(entry_of(3, error="two\nlines\r\nof it"))
    (sent,) = await take(feed, watch, 1, after="0")
    assert sent.data == {
        "at": event.at.isoformat(),
        "camera": "auxtel",
        "day_obs": 20260315,
        "seq_num": 3,
        "body": entry_of(3, error="two\nlines\r\nof it"),
    }


async def test_many_missed_events_come_page_by_page(feed: MemoryFeed, watch: FeedWatch) -> None:
    await append(feed, *range(1, 2 * PAGE + 31))
    events = await take(feed, watch, 2 * PAGE + 30, after="0")
    assert [event.id for event in events] == list(range(1, 2 * PAGE + 31))


async def test_without_an_id_only_what_is_new_comes(feed: MemoryFeed, watch: FeedWatch) -> None:
    await append(feed, 1, 2, 3)
    reading = asyncio.create_task(take(feed, watch, 2, after=None))
    await asyncio.sleep(0.02)
    await append(feed, 4)
    events = [event for event in await reading if event.event != "beat"]
    assert [event.id for event in events] == [4]


async def test_an_event_comes_at_once(feed: MemoryFeed, watch: FeedWatch) -> None:
    blocks = feed_blocks(feed, watch, after="0", heartbeat=30.0)  # type: ignore[arg-type]
    async with asyncio.timeout(5), aclosing(blocks), aclosing(told(blocks)) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.05)
        begin = time.perf_counter()
        await append(feed, 1)
        await waiting
        assert time.perf_counter() - begin < 1.0  # a heartbeat would be 30 s away


@pytest.mark.parametrize("after", ["9", "18446744073709551616", "x", "-1", "1.5", "٣"])
async def test_an_id_the_feed_has_not_reached_is_answered_by_a_reset(
    feed: MemoryFeed, watch: FeedWatch, after: str
) -> None:
    await append(feed, 1, 2, 3)
    reset, beat = await take(feed, watch, 2, after=after)
    assert (reset.event, reset.id, reset.data) == ("reset", 3, {"as_of": 3})
    assert beat.event == "beat"


async def test_silence_is_broken_by_a_heartbeat_without_an_id(feed: MemoryFeed, watch: FeedWatch) -> None:
    await append(feed, 1)
    first, second = await take(feed, watch, 2, after="1")
    assert (first.event, first.id, first.data["last_id"], first.comment) == ("beat", None, 1, "heartbeat")
    assert second.data["now"] > first.data["now"]


async def test_one_camera_may_be_asked_for(feed: MemoryFeed, watch: FeedWatch) -> None:
    await feed.append(entry_of(1))
    await feed.append(entry_of(2, camera="lsstcam"))
    await feed.append(entry_of(3))
    events = await take(feed, watch, 2, after="0", camera="auxtel")
    assert [event.data["seq_num"] for event in events] == [1, 3]


async def test_a_stream_ends_when_its_ledger_is_lost(
    feed: MemoryFeed, watch: FeedWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(after: int, *, limit: int) -> None:
        raise LedgerError("gone")

    monkeypatch.setattr(feed, "feed", away)
    async with asyncio.timeout(2):
        blocks = [block async for block in feed_blocks(feed, watch, after="0")]  # type: ignore[arg-type]
    assert blocks == [b"retry: 1000\n\n"]


async def test_the_watch_outlives_a_ledger_that_was_away(feed: MemoryFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = feed.wait_feed, 0

    async def flaky(after: int, *, timeout: float) -> bool:
        nonlocal calls
        calls += 1
        if calls <= 3:
            raise LedgerError("away")
        return await real(after, timeout=timeout)

    monkeypatch.setattr(feed, "wait_feed", flaky)
    watch = FeedWatch(feed, pause=0.001)  # type: ignore[arg-type]
    running = asyncio.create_task(watch.run())
    await append(feed, 1)
    assert await watch.wait(0, timeout=2)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert calls > 3


async def test_a_client_that_does_not_read_is_not_queued_for(feed: MemoryFeed, watch: FeedWatch) -> None:
    asked: list[int] = []
    real = feed.feed

    async def counted(after: int, *, limit: int = 500) -> object:
        asked.append(limit)
        return await real(after, limit=limit)

    feed.feed = counted  # type: ignore[assignment,method-assign]
    await append(feed, *range(1, 5 * PAGE))
    async with aclosing(feed_blocks(feed, watch, after="0")) as blocks:  # type: ignore[arg-type]
        await anext(blocks)
        await anext(blocks)
        await append(feed, *range(5 * PAGE, 6 * PAGE))
        await asyncio.sleep(0.05)
    assert asked == [PAGE]


# --- on a real server ------------------------------------------------------------------------------------------------


async def test_a_hundred_lost_connections_lose_nothing(feed: MemoryFeed) -> None:
    total = 200
    seen: dict[int, object] = {}
    order: list[int] = []
    connections = 0
    app = create_app(feed, MemoryStore())  # type: ignore[arg-type]
    async with asyncio.timeout(60), served(app) as url, httpx.AsyncClient(base_url=url) as client:
        writing = asyncio.create_task(write_slowly(feed, total))
        while len(order) < total:
            connections += 1
            headers = {"Last-Event-ID": str(order[-1])} if order else {}
            async with (
                client.stream("GET", "api/v1/stream?after=0", headers=headers) as answer,
                aclosing(told(answer.aiter_bytes())) as events,
            ):
                async for event in events:
                    order.append(event.id or 0)
                    seen[event.data["seq_num"]] = event.data["body"]
                    if len(order) % 2 == 0:
                        break  # the line is cut in the middle of everything
        await writing
    assert connections >= 100
    assert order == list(range(1, total + 1))
    _, _, rows = await feed.night("auxtel", 20260315)
    assert seen == {row["seq_num"]: row for row in rows}


async def write_slowly(feed: MemoryFeed, total: int) -> None:
    for number in range(total):
        await feed.append(entry_of(number % 60 + 1, revision=number // 60 + 1))
        await asyncio.sleep(0.001)


async def test_the_server_stops_at_once_with_streams_open(feed: MemoryFeed) -> None:
    await append(feed, 1)
    app = create_app(feed, MemoryStore())  # type: ignore[arg-type]
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, port=0, ready=url.set_result))
    async with (
        asyncio.timeout(20),
        httpx.AsyncClient(base_url=await url) as client,
        client.stream("GET", "api/v1/stream?after=0") as one,
        client.stream("GET", "api/v1/stream?after=0") as other,
    ):
        streams = [one.aiter_bytes(), other.aiter_bytes()]
        for stream in streams:
            assert await anext(stream)
        begin = time.perf_counter()
        serving.cancel()
        for stream in streams:
            async for _ in stream:  # what was on its way still comes, and then the end
                pass
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert time.perf_counter() - begin < 4.0


async def test_an_address_in_use_is_one_clear_sentence(feed: MemoryFeed) -> None:
    app = create_app(feed, MemoryStore())  # type: ignore[arg-type]
    async with served(app) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await serve(create_app(feed, MemoryStore()), port=port)  # type: ignore[arg-type]


async def test_the_stream_is_not_for_caches(feed: MemoryFeed) -> None:
    async with (
        served(create_app(feed, MemoryStore())) as url,  # type: ignore[arg-type]
        httpx.AsyncClient(base_url=url) as client,
        client.stream("GET", "api/v1/stream") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["x-content-type-options"] == "nosniff"
