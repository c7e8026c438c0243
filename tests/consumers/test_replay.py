"""An archived night is announced in order, all of it, at the pace that was asked for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapid.consumers.replay import ReplaySource
from rapid.errors import BadName, NotAvailable
from rapid.events import FileArrived, Rejected
from rapid.ports import Store
from rapid.stores import open_store
from tests.support.s3 import S3Server

SOON = 20.0
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def name(seq_num: int, detector: str = "R00_S00", *, day_obs: int = 20240624, camera: str = "AT") -> str:
    instrument = {"AT": "LATISS", "MC": "LSSTCam"}[camera]
    obs_id = f"{camera}_O_{day_obs}_{seq_num:06d}"
    return f"{instrument}/{day_obs}/{obs_id}/{obs_id}_{detector}.fits"


@pytest.fixture
def store() -> Store:
    return open_store(f"memory:///{uuid.uuid4()}")


async def fill(store: Store, keys: Iterable[str]) -> None:
    for key in keys:
        await store.put(key, key.encode())


async def announced(source: ReplaySource) -> list[str]:
    async with asyncio.timeout(SOON), source.batches() as batches:
        return [
            item.key
            for batch in [batch async for batch in batches]
            for item in batch.items
            if isinstance(item, FileArrived)
        ]


async def test_the_order_is_day_number_detector(store: Store) -> None:
    keys = [
        name(9, day_obs=20240623),
        name(1, "R01_S00", camera="MC"),
        name(1, "R22_S11", camera="MC"),
        name(2, "R01_S00", camera="MC"),
        name(10, "R01_S00", camera="MC"),
        name(100000, "R01_S00", camera="MC"),
        "LSSTCam/20240624/3019031900001-R10-S02-det029.fits",
        "zz.fits",
    ]
    await fill(store, reversed(keys))
    assert await announced(ReplaySource(store)) == keys


async def test_a_night_of_an_instrument_is_its_directory(store: Store) -> None:
    await fill(store, [name(2), name(1), name(1, day_obs=20240625), name(1, camera="MC"), "LATISS/202406240/x.fits"])
    night = ReplaySource(store, instrument="LATISS", day_obs=20240624)
    assert await announced(night) == [name(1), name(2)]
    assert await announced(ReplaySource(store, instrument="LSSTCam")) == [name(1, camera="MC")]
    assert await announced(ReplaySource(store, day_obs=20240624)) == [name(1), name(1, camera="MC"), name(2)]
    assert await announced(ReplaySource(store, instrument="LSSTCam", day_obs=20240625)) == []


async def test_a_prefix_goes_before_the_night(store: Store) -> None:
    await fill(store, [f"old/archive/{name(1)}", name(2)])
    source = ReplaySource(store, prefix="/old/archive/", instrument="LATISS", day_obs=20240624)
    assert await announced(source) == [f"old/archive/{name(1)}"]


async def test_one_file_can_be_taken_and_a_directory_with_the_name_of_one(store: Store) -> None:
    await fill(store, ["some/3018092000065-det000.fits", "some/other.fits", "odd.fits/a.fits"])
    assert await announced(ReplaySource(store, prefix="some/3018092000065-det000.fits")) == [
        "some/3018092000065-det000.fits"
    ]
    assert await announced(ReplaySource(store, prefix="odd.fits")) == ["odd.fits/a.fits"]
    assert await announced(ReplaySource(store, prefix="no.fits")) == []


async def test_only_finished_raw_files_are_taken(store: Store) -> None:
    await fill(
        store,
        ["a.fits", "a.json", "a.fits.part", ".a.fits", "night.tmp/a.fits", ".trash/a.fits", "b.fits.fz", "c.fits.gz"],
    )
    assert await announced(ReplaySource(store)) == ["a.fits", "b.fits.fz", "c.fits.gz"]


async def test_real_files_with_other_names_are_taken(shared_data: Path) -> None:
    source = ReplaySource(open_store(str(shared_data / "obs_lsst_raws")), prefix="latiss")
    assert await announced(source) == ["latiss/3018092000065-det000.fits"]


async def test_an_announcement_says_what_the_archive_says(store: Store) -> None:
    await fill(store, [name(1)])
    described = await store.head(name(1))
    async with ReplaySource(store, clock=lambda: NOON).batches() as batches:
        [item] = (await anext(batches)).items
    assert isinstance(item, FileArrived)
    assert (item.key, item.content, item.size) == (described.key, described.etag, described.size)
    assert (item.written_at, item.seen_at) == (described.modified, NOON)
    assert (item.source, item.live) == ("replay", False)
    assert item.facts is not None
    assert item.facts.obs_id == "AT_O_20240624_000001"


async def test_the_content_is_the_same_for_a_directory_that_is_watched(tmp_path: Path) -> None:
    """What the directory source announced before is a duplicate and not a change."""
    (tmp_path / "a.fits").write_bytes(b"raw")
    async with ReplaySource(open_store(str(tmp_path))).batches() as batches:
        [item] = (await anext(batches)).items
    assert isinstance(item, FileArrived)
    assert item.content == f"3-{(tmp_path / 'a.fits').stat().st_mtime_ns}"


async def test_the_number_of_files_is_known_before(store: Store) -> None:
    await fill(store, [name(number) for number in range(7)])
    source = ReplaySource(store, batch_size=3)
    assert await source.count() == 7
    await fill(store, [name(99)])
    assert len(await announced(source)) == await source.count() == 7
    async with source.batches() as batches:
        assert [len(batch.items) async for batch in batches] == [3, 3, 1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 999999),
            st.sampled_from(["R00_S00", "R22_S11", "R44_SW1"]),
            st.sampled_from([20240101, 20251231]),
        ),
        unique=True,
        max_size=20,
    ),
    st.integers(1, 8),
    st.booleans(),
)
async def test_all_of_an_archive_is_announced_once_in_order(
    taken: list[tuple[int, str, int]], batch_size: int, paced: bool
) -> None:
    store = open_store(f"memory:///{uuid.uuid4()}")
    await fill(store, [name(seq_num, detector, day_obs=day, camera="MC") for seq_num, detector, day in taken])
    source = ReplaySource(store, batch_size=batch_size, interval=timedelta(0) if paced else None)
    expected = sorted(taken, key=lambda one: (one[2], one[0], one[1]))
    assert await announced(source) == [name(seq, detector, day_obs=day, camera="MC") for seq, detector, day in expected]
    assert await source.count() == len(taken)


# --- pace --------------------------------------------------------------------------------------------------------


async def test_a_paced_batch_is_an_exposure_and_comes_in_its_turn(store: Store) -> None:
    await fill(store, [name(seq, detector, camera="MC") for seq in (1, 2, 3) for detector in ("R01_S00", "R22_S11")])
    await fill(store, ["lone.fits"])
    loop = asyncio.get_running_loop()
    async with ReplaySource(store, interval=timedelta(seconds=0.15)).batches() as batches:
        begun, times, groups = loop.time(), [], []
        async for batch in batches:
            times.append(loop.time() - begun)
            groups.append(
                [item.facts.seq_num if isinstance(item, FileArrived) and item.facts else None for item in batch.items]
            )
    assert groups == [[1, 1], [2, 2], [3, 3], [None]]
    for number, when in enumerate(times):
        assert number * 0.15 - 0.02 <= when < number * 0.15 + 2.0
    assert times[0] < 0.15


async def test_who_is_late_is_not_waited_for(store: Store) -> None:
    await fill(store, [name(number) for number in range(1, 5)])
    loop = asyncio.get_running_loop()
    async with ReplaySource(store, interval=timedelta(seconds=0.1)).batches() as batches:
        await anext(batches)
        await asyncio.sleep(0.35)
        begun = loop.time()
        assert len([batch async for batch in batches]) == 3
    assert loop.time() - begun < 0.1


async def test_leaving_ends_the_wait_for_the_next_exposure(store: Store) -> None:
    await fill(store, [name(1), name(2)])
    async with ReplaySource(store, interval=timedelta(hours=1)).batches() as batches:
        await anext(batches)
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0.01)
        assert not waiting.done()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, SOON)


# --- what goes wrong ---------------------------------------------------------------------------------------------


async def test_a_key_of_a_bucket_that_we_cannot_use_is_rejected(s3: S3Server) -> None:
    bucket = s3.bucket()
    for key in ("night/back\\slash.fits", "night/good.fits"):
        s3.client().put_object(Bucket=bucket, Key=key, Body=b"raw")
    async with ReplaySource(open_store(f"s3://{bucket}", s3.options)).batches() as batches:
        items = [item async for batch in batches for item in batch.items]
    [rejected] = [item for item in items if isinstance(item, Rejected)]
    assert "no backslash" in rejected.reason
    assert (rejected.source, rejected.body) == ("replay", b"night/back\\slash.fits")
    assert [item.key for item in items if isinstance(item, FileArrived)] == ["night/good.fits"]


async def test_an_archive_that_is_away_is_told_at_once(tmp_path: Path) -> None:
    source = ReplaySource(open_store(str(tmp_path / "mount")))
    (tmp_path / "mount").rmdir()
    with pytest.raises(NotAvailable, match="mount is not there"):
        await source.count()
    with pytest.raises(NotAvailable, match="mount is not there"):
        await announced(source)


@pytest.mark.parametrize("prefix", ["../other", "a//b", "a/../../b"])
async def test_a_prefix_that_climbs_out_is_refused(store: Store, prefix: str) -> None:
    with pytest.raises(BadName, match="climbs out"):
        await announced(ReplaySource(store, prefix=prefix))
