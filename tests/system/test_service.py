"""The daemon as systemd and Prometheus see it: a real process, a real notification socket, real pages."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.system

RAPID = Path(sysconfig.get_path("scripts")) / "rapid"
START = 240.0
"""Longest start [s]: on a fresh machine it compiles the core."""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(START)
        yield listening


@contextmanager
def service(tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("RAPID_", "WATCHDOG_"))}
    environment = own | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    with (tmp_path / f"{arguments[0]}.log").open("w") as log:
        running = subprocess.Popen([RAPID, *arguments], env=environment, stderr=log, stdout=log, text=True)
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()
            running.wait(30)


def heard(systemd: socket.socket, word: str) -> str:
    """Wait for a notification that begins with a word."""
    while not (message := systemd.recv(4096).decode()).startswith(word):
        assert message.startswith(("WATCHDOG=1", "STATUS=")), message
    return message


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def fetched_well(url: str) -> tuple[int, str]:
    """Fetch until the answer is good: the first look through the directory comes soon after the page is up."""
    end = time.monotonic() + 20
    while (answer := fetch(url))[0] != 200 and time.monotonic() < end:
        time.sleep(0.1)
    return answer


@pytest.mark.parametrize("place", ["raw", "state/gallery"])
def test_a_directory_that_is_not_there_makes_the_service_not_ready(
    tmp_path: Path, systemd: socket.socket, place: str
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "rapid.toml").write_text('[archive]\nrescan = "1s"\n')
    words = ("--state", str(tmp_path / "state"), "--port", "0", "--config", str(tmp_path / "rapid.toml"))
    with service(tmp_path, "run", str(tmp_path / "raw"), *words, "--workers", "1") as daemon:
        page = heard(systemd, "READY=1").partition("STATUS=page at ")[2].rstrip("/")
        assert fetched_well(f"{page}/readyz")[0] == 200
        (tmp_path / place).rmdir()
        end = time.monotonic() + 20
        while fetch(f"{page}/readyz")[0] == 200 and time.monotonic() < end:
            time.sleep(0.1)
        status, body = fetch(f"{page}/readyz")
        assert status == 503
        assert str(tmp_path / place) in body
        assert fetch(f"{page}/livez")[0] == 200
        (tmp_path / place).mkdir()
        assert fetched_well(f"{page}/readyz")[0] == 200
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0


def test_the_daemon_and_a_display_beside_it_tell_how_they_are(tmp_path: Path, systemd: socket.socket) -> None:
    (tmp_path / "raw").mkdir()
    state = ("--state", str(tmp_path / "state"), "--port", "0")
    with service(tmp_path, "run", str(tmp_path / "raw"), *state, "--workers", "1") as daemon:
        page = heard(systemd, "READY=1").partition("STATUS=page at ")[2].rstrip("/")
        assert heard(systemd, "WATCHDOG=1")
        for question in ("livez", "readyz"):
            status, body = fetched_well(f"{page}/{question}")
            assert status == 200, body
            parts = {part["name"] for part in json.loads(body)["components"]}
            assert parts >= {"loop", "ledger", "workers", "source"}
        values = {
            sample.name: sample.value
            for family in text_string_to_metric_families(fetch(f"{page}/metrics")[1])
            for sample in family.samples
        }
        assert values["rapid_workers"] == 1
        assert values["rapid_in_flight"] == 0

        with service(tmp_path, "tv", *state) as display:
            other = heard(systemd, "READY=1").partition("STATUS=page at ")[2].rstrip("/")
            assert other != page
            assert fetch(f"{other}/livez")[0] == 200
            display.send_signal(signal.SIGTERM)
            heard(systemd, "STOPPING=1")
            assert display.wait(30) == 0

        daemon.send_signal(signal.SIGTERM)
        heard(systemd, "STOPPING=1")
        assert daemon.wait(60) == 0
    said = [json.loads(line) for line in (tmp_path / "run.log").read_text().splitlines() if line.startswith("{")]
    assert said[-1]["event"] == "service has stopped"
    assert not [line for line in said if line["level"] in {"warning", "error", "critical"}]


def test_a_wrong_setting_ends_with_the_code_that_systemd_does_not_restart(tmp_path: Path) -> None:
    (tmp_path / "rapid.toml").write_text("[pipeline]\natempts = 3\n")
    command = [RAPID, "run", "--config", str(tmp_path / "rapid.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "pipeline.atempts" in done.stderr
    assert "Traceback" not in done.stderr
