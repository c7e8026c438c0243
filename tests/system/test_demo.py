"""`rapid demo`, as a newcomer starts it and as it may end."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest

from tests.support.daemon import start

pytestmark = pytest.mark.system

PLAN = """
name: two
description: A bias and a field.
begins: 2026-06-24T22:30:00
sequences:
  - {kind: bias, count: 1}
  - kind: science
    count: 40
    exposure_time: 5
    filter: SDSSr_65mm
    overhead: 3
    seeing: 1.0
    program: survey
    target: {name: field, hour_angle: 0.3, dec: -35.0}
"""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[Popen[str], Path]]:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN, encoding="utf-8")
    place = tmp_path / "demo"
    process = start("demo", "--dir", place, "--night", plan, "--port", "0", "--workers", "1")
    try:
        yield process, place
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def page_of(process: Popen[str]) -> str:
    """Read until the demo says where its page is."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"http://127\.0\.0\.1:\d+", said):
            return found[0]
    pytest.fail(f"the demo ended without a page: {said}")


def rows(page: str) -> list[dict[str, Any]]:
    try:
        with urlopen(f"{page}/api/v1/nights", timeout=20) as answer:
            nights = json.load(answer)["nights"]
        if not nights:
            return []
        with urlopen(f"{page}/api/v1/nights/auxtel/{nights[0]['day_obs']}", timeout=20) as answer:
            return list(json.load(answer)["rows"])
    except URLError:
        return []


def within(seconds: float, what: Any) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.3)
    return found


def cameras(place: Path) -> list[psutil.Process]:
    """Simulated cameras that write into this demo."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "simulate" in words and str(place / "raw") in words:
            found.append(process)
    return found


def test_a_night_arrives_with_pointing_and_depth_and_ends_with_the_demo(demo: tuple[Popen[str], Path]) -> None:
    process, place = demo
    page = page_of(process)

    def pointed() -> list[dict[str, Any]]:
        return [row for row in rows(page) if row["cells"].get("pointing_ra") is not None]

    seen = within(120, pointed)
    assert seen, rows(page)
    cells = seen[0]["cells"]
    truth = json.loads(next(place.glob(f"raw/truth/LATISS/*/{seen[0]['obs_id']}*.json")).read_text(encoding="utf-8"))
    east, north = truth["sky"]["pointing_error_arcsec"]
    assert (cells["pointing_ra"], cells["pointing_dec"]) == pytest.approx((east, north), abs=0.1)
    assert cells["zero_point"] == pytest.approx(truth["sky"]["zero_point"], abs=0.1)
    assert cameras(place), "the camera is at work"
    process.kill()
    assert within(20, lambda: not cameras(place)), "a demo that is killed leaves no camera behind"
