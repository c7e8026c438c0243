"""A directory that is watched: what is announced, when, and what is not."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from rapid.consumers import directory, listening
from rapid.consumers.directory import DirectorySource
from rapid.consumers.scan import Look, look_everywhere
from rapid.events import FileArrived, Rejected
from rapid.ports import Batch
from rapid.processing.fits import is_complete

SOON = 20.0
"""Longest wait for what must come [s]: a loaded machine is no failure."""
QUIET, GIVE_UP = 0.1, 1.0
END = b"END OF FILE"
"""What a whole file of these tests ends with."""


def ends_well(path: Path) -> bool:
    return path.read_bytes().endswith(END)


def watch(
    root: Path,
    *,
    rescan: float = 3600.0,
    complete: Callable[[Path], bool] = ends_well,
    quiet: float = QUIET,
    **more: object,
) -> DirectorySource:
    return DirectorySource(
        root,
        is_complete=complete,
        quiet=timedelta(seconds=quiet),
        give_up_after=timedelta(seconds=GIVE_UP),
        rescan=timedelta(seconds=rescan),
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture(autouse=True)
def quick_ear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the ear make sure of its directory often, so that tests wait less until it listens."""
    monkeypatch.setattr(listening, "TICK", timedelta(seconds=0.1))


def write(root: Path, name: str | bytes, body: bytes = END, *, age: float = 0.0) -> Path:
    path = root / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    if age:
        os.utime(path, (time.time() - age,) * 2)
    return path


async def items_of(batches: AsyncIterator[Batch], count: int, within: float = SOON) -> list[FileArrived | Rejected]:
    items: list[FileArrived | Rejected] = []
    async with asyncio.timeout(within):
        while len(items) < count:
            items += (await anext(batches)).items
    return items


async def arrivals(batches: AsyncIterator[Batch], count: int) -> list[FileArrived]:
    items = await items_of(batches, count)
    assert all(isinstance(item, FileArrived) for item in items), items
    return [item for item in items if isinstance(item, FileArrived)]


async def assert_silent(batches: AsyncIterator[Batch], seconds: float) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(batches), seconds)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.01)


# --- what is announced -------------------------------------------------------------------------------------------


async def test_a_file_says_what_it_is(root: Path) -> None:
    path = write(root, "LATISS/20240624/AT_O_20240624_000021/AT_O_20240624_000021_R00_S00.fits", age=3600)
    before = datetime.now(UTC)
    async with watch(root).batches() as batches:
        [item] = await arrivals(batches, 1)
    status = path.stat()
    assert item.key == "LATISS/20240624/AT_O_20240624_000021/AT_O_20240624_000021_R00_S00.fits"
    assert item.content == f"{status.st_size}-{status.st_mtime_ns}"
    assert (item.size, item.source, item.live) == (len(END), "directory", False)
    assert abs(item.written_at.timestamp() - status.st_mtime) < 1e-5
    assert before <= item.seen_at <= datetime.now(UTC)
    assert item.facts is not None
    assert (item.facts.instrument, item.facts.seq_num, item.facts.detector_name) == ("LATISS", 21, "R00_S00")


async def test_at_the_start_only_what_was_just_written_is_live_and_comes_first(root: Path) -> None:
    write(root, "yesterday.fits", age=86400)
    write(root, "just-now.fits", age=5)
    async with watch(root).batches() as batches:
        items = await arrivals(batches, 2)
    assert [(item.key, item.live) for item in items] == [("just-now.fits", True), ("yesterday.fits", False)]


async def test_the_window_of_what_is_live_can_be_set(root: Path) -> None:
    write(root, "a.fits", age=120)
    for window, live in ((60, False), (180, True)):
        async with watch(root, live_window=timedelta(seconds=window)).batches() as batches:
            [item] = await arrivals(batches, 1)
        assert item.live is live


async def test_what_the_kernel_tells_of_is_live_whatever_its_date(root: Path, tmp_path: Path) -> None:
    async with watch(root).batches() as batches:
        await _listening(root, batches)
        write(tmp_path, "old.fits", age=86400).rename(root / "old.fits")
        [item] = await arrivals(batches, 1)
    assert (item.key, item.live) == ("old.fits", True)


async def _listening(root: Path, batches: AsyncIterator[Batch]) -> None:
    """Wait until the ear is open: what is written then is heard."""
    write(root, "first.fits")
    await arrivals(batches, 1)
    await asyncio.sleep(2 * listening.TICK.total_seconds())


async def test_a_live_file_is_announced_soon(root: Path) -> None:
    async with watch(root).batches() as batches:
        await _listening(root, batches)
        begun = time.monotonic()
        write(root, "new/live.fits")
        [item] = await arrivals(batches, 1)
        took = time.monotonic() - begun
    assert (item.key, item.live) == ("new/live.fits", True)
    assert QUIET <= took < 3.0


async def test_sidecars_and_unfinished_names_are_not_announced(root: Path) -> None:
    async with watch(root).batches() as batches:
        await _listening(root, batches)
        for name in ("a.json", ".a.fits", "a.fits.tmp", "a.fits.part", "night.tmp/a.fits", "notes.txt"):
            write(root, name)
        write(root, "MC_C_20240918_000013_R00_SG0_guider.fits")
        [item] = await arrivals(batches, 1)
        await assert_silent(batches, 3 * QUIET)
    assert item.facts is not None
    assert item.facts.guider


async def test_a_finished_name_is_announced_when_it_gets_it(root: Path) -> None:
    async with watch(root).batches() as batches:
        await _listening(root, batches)
        part = write(root, "night/a.fits.part")
        await assert_silent(batches, 3 * QUIET)
        part.rename(root / "night" / "a.fits")
        write(root, "night.tmp/b.fits")
        (root / "night.tmp").rename(root / "night2")
        items = await arrivals(batches, 2)
    assert {item.key for item in items} == {"night/a.fits", "night2/b.fits"}


async def test_a_directory_filled_before_the_kernel_watches_it_is_not_missed(root: Path, tmp_path: Path) -> None:
    """Nothing tells of a file that is moved into a directory made a moment ago; only a second look finds it."""
    count = 60
    async with watch(root).batches() as batches:
        await _listening(root, batches)
        for number in range(count):
            part = write(tmp_path, f"{number}.part")
            (root / f"exposure{number}" / "deep").mkdir(parents=True)
            part.rename(root / f"exposure{number}" / "deep" / "a.fits")
            await asyncio.sleep(0.002)
        items = await arrivals(batches, count)
    assert {item.key for item in items} == {f"exposure{number}/deep/a.fits" for number in range(count)}
    assert all(item.live for item in items)


async def test_a_changed_file_is_announced_again_and_so_is_one_that_came_back(root: Path) -> None:
    path = write(root, "a.fits", age=60)
    async with watch(root).batches() as batches:
        [first] = await arrivals(batches, 1)
        await asyncio.sleep(2 * listening.TICK.total_seconds())
        path.write_bytes(b"more" + END)
        [second] = await arrivals(batches, 1)
        assert second.size == first.size + 4
        assert second.content != first.content
        times = path.stat().st_mtime_ns
        path.unlink()
        await assert_silent(batches, 3 * QUIET)
        path.write_bytes(b"more" + END)
        os.utime(path, ns=(times, times))
        [third] = await arrivals(batches, 1)
    assert third.content == second.content


# --- when it is complete -----------------------------------------------------------------------------------------


async def test_a_file_still_being_written_is_not_announced(root: Path) -> None:
    path = root / "slow.fits"
    async with watch(root).batches() as batches:
        with path.open("wb", buffering=0) as stream:
            for _ in range(6):
                stream.write(b"part of it")
                await assert_silent(batches, 2 * QUIET)
            stream.write(END)
        [item] = await arrivals(batches, 1)
    assert item.size == 60 + len(END)


async def test_a_whole_file_that_still_changes_is_not_announced(root: Path) -> None:
    """A writer may make the file as long as it will be and then fill it."""
    asked: list[Path] = []

    def whole(path: Path) -> bool:
        asked.append(path)
        return True

    async with watch(root, complete=whole, quiet=0.6).batches() as batches:
        path = root / "filled.fits"
        begun = time.monotonic()
        while time.monotonic() < begun + 1.5:
            path.write_bytes(b"0" * 100)
            await asyncio.sleep(0.01)
        assert asked == []
        [item] = await arrivals(batches, 1)
    assert item.content == f"100-{path.stat().st_mtime_ns}"


@pytest.mark.parametrize("body", [b"", b"SIMPLE  = T, and then nothing", b"garbage", gzip.compress(END, mtime=0)])
async def test_a_file_that_is_not_whole_is_announced_when_it_is_given_up(root: Path, body: bytes) -> None:
    write(root, "broken.fits", body)
    begun = time.monotonic()
    async with watch(root).batches() as batches:
        [item] = await arrivals(batches, 1)
    assert time.monotonic() - begun >= GIVE_UP - 0.2  # it was written a moment before
    assert item.size == len(body)


async def test_a_file_is_looked_into_once_for_each_content(root: Path) -> None:
    asked: Counter[bytes] = Counter()

    def incomplete(path: Path) -> bool:
        asked[path.read_bytes()] += 1
        return False

    async with watch(root, complete=incomplete).batches() as batches:
        path = write(root, "a.fits", b"one")
        await until(lambda: asked[b"one"])
        path.write_bytes(b"two and more")
        await arrivals(batches, 1)
    assert asked == {b"one": 1, b"two and more": 1}


async def test_an_old_archive_is_announced_without_looking_into_its_files(root: Path) -> None:
    for number in range(120):
        write(root, f"{number:03d}.fits", b"never whole", age=3600 - number)
    begun = time.monotonic()
    async with watch(root, complete=lambda _: pytest.fail("looked into an old file")).batches() as batches:
        items = await arrivals(batches, 120)
    assert [item.key for item in items] == [f"{number:03d}.fits" for number in range(120)]
    assert time.monotonic() - begun < SOON / 2


async def test_a_file_that_vanishes_is_not_announced(root: Path) -> None:
    async with watch(root).batches() as batches:
        await _listening(root, batches)
        path = write(root, "gone.fits", b"not whole")
        await assert_silent(batches, 2 * QUIET)
        path.unlink()
        write(root, "stays.fits")
        assert [item.key for item in await arrivals(batches, 1)] == ["stays.fits"]
        await assert_silent(batches, GIVE_UP + QUIET)


async def test_a_file_that_vanished_unheard_is_told_of_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "Ear", DeafEar)
    path = write(root, "gone.fits", b"not whole")
    with structlog.testing.capture_logs() as logs:
        async with watch(root).batches() as batches:
            await assert_silent(batches, QUIET)
            path.unlink()
            await assert_silent(batches, GIVE_UP + QUIET)
    told = [entry for entry in logs if entry["event"] == "file vanished before it was announced"]
    assert [entry["key"] for entry in told] == ["gone.fits"]


async def test_a_real_raw_is_announced_when_its_last_byte_is_there(root: Path, shared_data: Path) -> None:
    body = gzip.decompress((shared_data / "obs_lsst_raws/latiss/3018092000065-det000.fits").read_bytes())
    async with watch(root, complete=is_complete).batches() as batches:
        with (root / "real.fits").open("wb", buffering=0) as stream:
            for start in range(0, len(body), len(body) // 3):
                await assert_silent(batches, 2 * QUIET)
                stream.write(body[start : start + len(body) // 3])
        [item] = await arrivals(batches, 1)
    assert item.size == len(body)


# --- what cannot be used -----------------------------------------------------------------------------------------


async def test_what_cannot_be_used_is_rejected_once_and_disturbs_nobody(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "outside.fits")
    write(root, b"not-utf8-\xff.fits")
    write(root, "two\nlines.fits")
    (root / "link.fits").symlink_to(tmp_path / "outside.fits")
    os.mkfifo(root / "pipe.fits")
    write(root, "good.fits", age=60)
    async with watch(root, rescan=0.2).batches() as batches:
        items = await items_of(batches, 5)
        await assert_silent(batches, 1.0)
    rejected = {item.subject: item for item in items if isinstance(item, Rejected)}
    assert set(rejected) == {"not-utf8-\\udcff.fits", "two\\nlines.fits", "link.fits", "pipe.fits"}
    assert rejected["not-utf8-\\udcff.fits"].body == b"not-utf8-\xff.fits"
    assert "expected printable characters" in rejected["two\\nlines.fits"].reason
    assert "a link leads out of the directory" in rejected["link.fits"].reason
    assert "expected a regular file" in rejected["pipe.fits"].reason
    assert all(item.source == "directory" and item.subject.isprintable() for item in rejected.values())
    assert [item.key for item in items if isinstance(item, FileArrived)] == ["good.fits"]


async def test_a_name_that_ends_the_kernels_watch_does_not_end_ours(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """watchfiles gives up on a name that is not UTF-8."""
    monkeypatch.setattr(listening, "PAUSE", timedelta(seconds=0.1))
    async with watch(root).batches() as batches:
        await _listening(root, batches)
        write(root, b"not-utf8-\xff.fits")
        [rejected] = await items_of(batches, 1)
        assert isinstance(rejected, Rejected)
        for number in range(3):
            write(root, f"after{number}.fits")
            [item] = await arrivals(batches, 1)
            assert item.key == f"after{number}.fits"


# --- when little is heard ----------------------------------------------------------------------------------------


class DeafEar:
    """An ear that hears nothing, as on a network file system."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def start(self) -> None:
        pass

    def stop(self, timeout: float) -> bool:
        return True


async def test_what_the_kernel_did_not_tell_is_found_by_looking_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "Ear", DeafEar)
    async with watch(root, rescan=0.2).batches() as batches:
        write(root, "first.fits")
        await arrivals(batches, 1)
        path = write(root, "night/second.fits", b"not yet whole")
        await assert_silent(batches, 4 * QUIET)
        path.write_bytes(END)
        write(root, "old.fits", age=86400)
        items = await arrivals(batches, 2)
    assert {(item.key, item.live) for item in items} == {("night/second.fits", True), ("old.fits", False)}


async def test_polling_finds_what_comes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "PAUSE", timedelta(seconds=0.1))
    monkeypatch.setattr(listening, "watch", lambda *_, **__: pytest.fail("the kernel was asked"))
    async with watch(root, force_polling=True).batches() as batches:
        for number in range(3):
            write(root, f"{number}/a.fits")
            [item] = await arrivals(batches, 1)
            assert (item.key, item.live) == (f"{number}/a.fits", True)


async def test_without_watches_left_it_polls_and_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(listening, "PAUSE", timedelta(seconds=0.1))
    monkeypatch.setattr(listening, "watch", refuse)
    with structlog.testing.capture_logs() as logs:
        async with watch(root).batches() as batches:
            for number in range(2):
                write(root, f"{number}.fits")
                assert [item.key for item in await arrivals(batches, 1)] == [f"{number}.fits"]
    told = [entry for entry in logs if entry["event"] == "cannot hear what changes, looking instead"]
    assert told
    assert told[0]["error"] == "OS file watch limit reached"
    assert len(told) == 1


async def test_more_changes_than_are_remembered_are_found_by_one_look(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "INBOX_LIMIT", 10)
    async with watch(root).batches() as batches:
        await _listening(root, batches)
        for number in range(300):
            write(root, f"{number}.fits")
        items = await arrivals(batches, 300)
    assert len({item.key for item in items}) == len(items) == 300


async def test_a_long_look_everywhere_delays_no_live_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it brings home is older than what was announced meanwhile, and changes nothing."""
    write(root, "changing.fits", age=60)
    looks: list[float] = []

    def slow(place: Path, known: set[str]) -> Look:
        found = look_everywhere(place, known)
        if looks:
            time.sleep(1.5)
        looks.append(time.monotonic())
        return found

    monkeypatch.setattr(directory, "look_everywhere", slow)
    async with watch(root, rescan=0.5).batches() as batches:
        await arrivals(batches, 1)
        await until(lambda: len(looks) >= 1)
        await asyncio.sleep(0.7)
        write(root, "changing.fits", b"changed" + END)
        write(root, "live.fits")
        items = await arrivals(batches, 2)
        announced_at = time.monotonic()
        assert {item.key for item in items} == {"changing.fits", "live.fits"}
        await until(lambda: len(looks) >= 2)
        assert announced_at < looks[1]
        await assert_silent(batches, 4 * QUIET)


# --- a directory that comes and goes -----------------------------------------------------------------------------


async def test_a_directory_that_is_not_there_yet_is_waited_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "PAUSE", timedelta(seconds=0.05))
    root.rmdir()
    with structlog.testing.capture_logs() as logs:
        async with watch(root).batches() as batches:
            await assert_silent(batches, 0.5)
            write(root, "night/a.fits")
            assert [item.key for item in await arrivals(batches, 1)] == ["night/a.fits"]
            write(root, "night/b.fits")
            assert [item.key for item in await arrivals(batches, 1)] == ["night/b.fits"]
    events = [entry["event"] for entry in logs if entry["event"].startswith(("waiting for", "the directory is back"))]
    assert events == ["waiting for the directory", "the directory is back"]


async def test_a_directory_that_vanishes_is_waited_for_and_taken_up_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "PAUSE", timedelta(seconds=0.05))
    write(root, "same.fits", age=60)
    with structlog.testing.capture_logs() as logs:
        async with watch(root).batches() as batches:
            await arrivals(batches, 1)
            away = root.rename(root.parent / "unmounted")
            await until(lambda: any(entry["event"] == "waiting for the directory" for entry in logs))
            shutil.copytree(away, root)
            write(root, "new.fits")
            assert [item.key for item in await arrivals(batches, 1)] == ["new.fits"]
            await asyncio.sleep(2 * listening.TICK.total_seconds())
            write(root, "live.fits")
            [live] = await arrivals(batches, 1)
            assert (live.key, live.live) == ("live.fits", True)
    events = [entry["event"] for entry in logs]
    assert events.count("waiting for the directory") == 1
    assert events.count("the directory is back") == 1


async def test_a_directory_exchanged_for_another_is_watched_like_the_first(root: Path, tmp_path: Path) -> None:
    """``mv new root`` while nobody looks: the kernel still watches what is no longer there."""
    async with watch(root).batches() as batches:
        await _listening(root, batches)
        write(tmp_path, "next/in-it.fits")
        root.rename(tmp_path / "before")
        (tmp_path / "next").rename(root)
        items = {item.key for item in await arrivals(batches, 1)}
        await asyncio.sleep(2 * listening.PAUSE.total_seconds())
        write(root, "after.fits")
        items |= {item.key for item in await arrivals(batches, 1)}
    assert items == {"in-it.fits", "after.fits"}


# --- failures ----------------------------------------------------------------------------------------------------


async def test_a_fault_of_ours_is_raised_where_the_batches_are_read(root: Path) -> None:
    write(root, "a.fits")

    def broken(path: Path) -> bool:
        raise ZeroDivisionError(path.name)

    async with watch(root, complete=broken).batches() as batches:
        with pytest.raises(ZeroDivisionError, match=r"a\.fits"):
            await asyncio.wait_for(anext(batches), SOON)


async def test_a_slow_look_is_told_of_and_waited_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "SLOW", 0.05)
    write(root, "a.fits")

    def slow(path: Path) -> bool:
        time.sleep(0.3)
        return True

    with structlog.testing.capture_logs() as logs:
        async with watch(root, complete=slow).batches() as batches:
            assert [item.key for item in await arrivals(batches, 1)] == ["a.fits"]
    assert any(entry["event"] == "the directory is slow to answer" for entry in logs)
