"""What every store promises, asked of a directory, of memory and of S3."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapid.errors import BadName, NotAvailable
from rapid.ports import Store, StoredObject
from rapid.stores import open_store, read
from tests.support.s3 import S3Server

HOSTILE = [
    "../x",
    "/abs",
    "a//b",
    "a/../b",
    "a/./b",
    "a\0b",
    "a\\b",
    "",
    "a/",
    ".",
    "..",
    "new\nline",
    "n" * 2000,
    "\udcff.fits",
]
ODD = ["a b.txt", "ä/ö €.fits", "a%2F..%2Fb", "a[1]{x}'\"`^~|<>?*&=+,;:@!$().fits", "#", "a#b", "x" * 200]
PATIENT = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""One store serves all examples: each takes keys of its own."""


@pytest.fixture(params=["directory", "memory", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, str]]:
    if request.param == "directory":
        return (tmp_path / "store").as_uri(), {}
    if request.param == "memory":
        return f"memory:///{uuid.uuid4()}", {}
    server: S3Server = request.getfixturevalue("s3")
    return f"s3://{server.bucket()}/some/where", server.options


@pytest.fixture
def store(address: tuple[str, dict[str, str]]) -> Store:
    return open_store(*address)


async def listed(store: Store, prefix: str = "") -> dict[str, StoredObject]:
    return {found.key: found async for found in store.list(prefix)}


@PATIENT
@given(body=st.binary(max_size=300))
async def test_what_is_put_is_got(store: Store, body: bytes) -> None:
    key = f"round/{uuid.uuid4()}.bin"
    await store.put(key, body)
    assert await store.get(key) == body
    assert (await store.head(key)).size == len(body)


async def test_a_body_larger_than_one_part_of_an_upload_is_got_whole(store: Store) -> None:
    body = bytes(range(256)) * 45_000
    await store.put("large.bin", body)
    assert await store.get("large.bin") == body


@pytest.mark.parametrize("key", ODD)
async def test_an_odd_but_usable_key_is_kept_as_it_is(store: Store, key: str) -> None:
    await store.put(key, b"odd")
    assert await store.get(key) == b"odd"
    assert list(await listed(store)) == [key]


@pytest.mark.parametrize("key", HOSTILE)
async def test_a_hostile_key_is_refused_by_every_method(store: Store, key: str) -> None:
    for refuse in (store.get(key), store.put(key, b""), store.head(key), store.delete(key)):
        with pytest.raises(BadName, match="key"):
            await refuse
    assert await listed(store) == {}


@pytest.mark.parametrize("prefix", ["..", "../x", "/abs", "a//b", "a/../b", "/", "a\\b"])
async def test_a_hostile_prefix_is_refused(store: Store, prefix: str) -> None:
    with pytest.raises(BadName, match="key"):
        await listed(store, prefix)


async def test_a_missing_key_is_not_available_and_named(store: Store) -> None:
    for ask in (store.get("no/such.fits"), store.head("no/such.fits")):
        with pytest.raises(NotAvailable, match=r"no/such\.fits is not there") as caught:
            await ask
        assert caught.value.retriable


async def test_a_part_of_a_key_is_no_object(store: Store) -> None:
    await store.put("a/b.fits", b"x")
    with pytest.raises(NotAvailable, match="is not there"):
        await store.get("a")
    with pytest.raises(NotAvailable, match="is not there"):
        await store.get("a/b.fits/c")


async def test_the_listing_is_what_was_put(store: Store) -> None:
    keys = {"a/1.txt", "a/b/2.txt", "ab/3.txt", "4.txt"}
    for key in keys:
        await store.put(key, key.encode())
    found = await listed(store)
    assert set(found) == keys
    assert {key: described.size for key, described in found.items()} == {key: len(key) for key in keys}
    for key, described in found.items():
        assert described == await store.head(key)


async def test_a_prefix_ends_where_a_part_of_the_key_ends(store: Store) -> None:
    for key in ("a/1", "a/b/2", "ab/3", "c"):
        await store.put(key, b"")
    assert set(await listed(store, "a")) == set(await listed(store, "a/")) == {"a/1", "a/b/2"}
    assert set(await listed(store, "a/b")) == {"a/b/2"}
    assert await listed(store, "no/such/place") == {}
    assert await listed(store, "c") == {}


async def test_a_listing_of_more_than_one_page_is_whole(store: Store) -> None:
    keys = {f"page/{number:04d}" for number in range(1100)}
    for group in range(0, 1100, 50):
        await asyncio.gather(*(store.put(f"page/{number:04d}", b"") for number in range(group, group + 50)))
    assert set(await listed(store, "page")) == keys


async def test_the_tag_tells_contents_apart(store: Store) -> None:
    await store.put("tag", b"one")
    first = await store.head("tag")
    assert await store.head("tag") == first
    await store.put("tag", b"another")
    second = await store.head("tag")
    assert first.etag
    assert first.etag != second.etag
    assert (first.size, second.size) == (3, 7)


async def test_the_time_of_change_is_now_in_utc(store: Store) -> None:
    await store.put("when", b"")
    modified = (await store.head("when")).modified
    assert modified.tzinfo is UTC
    assert abs(datetime.now(UTC) - modified) < timedelta(minutes=1)


async def test_delete_is_idempotent(store: Store) -> None:
    await store.put("gone", b"x")
    await store.delete("gone")
    await store.delete("gone")
    await store.delete("never/was")
    assert await listed(store) == {}


async def test_a_concurrent_reader_sees_all_or_nothing(store: Store) -> None:
    """Readers never see a mixture of two bodies nor a part of one, while a writer replaces one by the other."""
    bodies = [bytes([number]) * 700_000 for number in (1, 2)]
    await store.put("shared", bodies[0])
    writing = asyncio.create_task(_replace(store, bodies * 8))
    seen = set()
    while not writing.done():
        body = await store.get("shared")
        assert body in bodies
        assert (await store.head("shared")).size == 700_000
        assert list(await listed(store)) == ["shared"]
        seen.add(body[0])
    await writing
    assert seen


async def _replace(store: Store, bodies: list[bytes]) -> None:
    for body in bodies:
        await store.put("shared", body)


async def test_blocking_code_reads_the_same(store: Store, address: tuple[str, dict[str, str]]) -> None:
    url, options = address
    await store.put("seen/by/both", b"both")
    assert await asyncio.to_thread(read, url, "seen/by/both", options) == b"both"
    with pytest.raises(NotAvailable, match="not/this is not there"):
        await asyncio.to_thread(read, url, "not/this", options)
    with pytest.raises(BadName):
        await asyncio.to_thread(read, url, "../secret", options)
