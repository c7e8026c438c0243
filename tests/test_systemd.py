"""systemd's notifications, received on a real datagram socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rapid.errors import ConfigError
from rapid.systemd import Notifier, keep_watchdog, watchdog_interval


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "notify"


@pytest.fixture
def listener(place: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(place))
        listening.settimeout(5)
        yield listening


@pytest.fixture
def notifier(place: Path, listener: socket.socket) -> Notifier:
    return Notifier.from_environment({"NOTIFY_SOCKET": str(place)})


def test_every_word_arrives_as_systemd_reads_it(notifier: Notifier, listener: socket.socket) -> None:
    assert notifier.ready("2 workers, following the bus")
    assert listener.recv(4096) == b"READY=1\nSTATUS=2 workers, following the bus"
    assert notifier.watchdog()
    assert listener.recv(4096) == b"WATCHDOG=1"
    assert notifier.status("seq 42 published")
    assert listener.recv(4096) == b"STATUS=seq 42 published"
    assert notifier.stopping()
    assert listener.recv(4096) == b"STOPPING=1"


def test_a_status_cannot_smuggle_another_key_in(notifier: Notifier, listener: socket.socket) -> None:
    notifier.status("first\nMAINPID=1\r\n second")
    assert listener.recv(4096) == b"STATUS=first MAINPID=1 second"


def test_an_empty_status_is_not_sent(notifier: Notifier) -> None:
    assert not notifier.status(" \n")


def test_the_abstract_namespace_is_reached() -> None:
    name = f"rapid-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(5)
        assert Notifier.from_environment({"NOTIFY_SOCKET": "@" + name}).ready()
        assert listening.recv(4096) == b"READY=1"


def test_without_systemd_nothing_is_sent() -> None:
    notifier = Notifier.from_environment({})
    assert not notifier.ready("up")
    assert not notifier.watchdog()


def test_a_listener_that_is_gone_does_no_harm(notifier: Notifier, listener: socket.socket, place: Path) -> None:
    place.unlink()
    assert not notifier.watchdog()


def test_a_listener_that_does_not_read_does_not_hold_us_up(notifier: Notifier, listener: socket.socket) -> None:
    sent = [notifier.watchdog() for _ in range(5000)]
    assert sent[0]
    assert not sent[-1]  # its queue is full, and we went on


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"NOTIFY_SOCKET: expected a path or @name; found 'vsock:2:1'"):
        Notifier.from_environment({"NOTIFY_SOCKET": "vsock:2:1"})


def test_the_interval_is_half_of_what_systemd_allows() -> None:
    assert watchdog_interval({"WATCHDOG_USEC": "30000000"}) == timedelta(seconds=15)
    assert watchdog_interval({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}) == timedelta(seconds=15)


def test_there_is_no_interval_when_nobody_watches_or_another_is_meant() -> None:
    assert watchdog_interval({}) is None
    assert watchdog_interval({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, pid=8) is None


@pytest.mark.parametrize("value", ["soon", "-5", "0", "1.5", "²"])
def test_an_impossible_interval_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="WATCHDOG_USEC: expected a positive number of microseconds"):
        watchdog_interval({"WATCHDOG_USEC": value})


async def test_the_watchdog_is_fed_while_the_service_is_alive_and_no_longer(
    notifier: Notifier, listener: socket.socket
) -> None:
    alive = True
    listener.setblocking(False)
    task = asyncio.create_task(keep_watchdog(notifier, lambda: alive, every=timedelta(milliseconds=5)))
    loop = asyncio.get_running_loop()
    for _ in range(3):
        assert await asyncio.wait_for(loop.sock_recv(listener, 100), 5) == b"WATCHDOG=1"
    alive = False
    with contextlib.suppress(BlockingIOError):
        while listener.recv(100):
            pass
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(loop.sock_recv(listener, 100), 0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
