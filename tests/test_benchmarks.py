"""`make bench`: what is on standard output is JSON, one figure a line."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import GROUPS, Figure, percentile, seconds_of

ROOT = Path(__file__).resolve().parent.parent

FAKE = """
from benchmarks import Figure

def figures():
    yield Figure("bus.tiny_p50", 0.25, "s", n=4)
    yield {"name": "bus.tiny_p95", "value": 0.5, "unit": "s", "n": 4, "peer": "sleep(0.25)", "ratio": 2.0}
    yield Figure("core.tiny", 7, "", n=1)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with the runner and no benchmarks."""
    (tmp_path / "benchmarks").mkdir()
    for name in ("__init__.py", "__main__.py"):
        (tmp_path / "benchmarks" / name).write_text((ROOT / "benchmarks" / name).read_text())
    return tmp_path


def bench(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    environment = os.environ | {"COLUMNS": "120"}
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_each_figure_is_one_line_of_json_and_the_table_goes_elsewhere(place: Path) -> None:
    (place / "benchmarks/tiny.py").write_text(FAKE)
    done = bench(place)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"name": "bus.tiny_p50", "value": 0.25, "unit": "s", "n": 4},
        {"name": "bus.tiny_p95", "value": 0.5, "unit": "s", "n": 4, "peer": "sleep(0.25)", "ratio": 2.0},
        {"name": "core.tiny", "value": 7, "unit": "", "n": 1},
    ]
    assert "bus.tiny_p95" in done.stderr
    assert "ratio" in done.stderr


def test_one_group_is_run_alone(place: Path) -> None:
    (place / "benchmarks/tiny.py").write_text(FAKE)
    (place / "benchmarks/bus_only.py").write_text("raise SystemExit('must not be imported')")
    (place / "benchmarks/_shared.py").write_text("raise SystemExit('is no benchmark')")
    done = bench(place, "--only", "core")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["core.tiny"]


def test_a_group_without_figures_is_said_and_fails(place: Path) -> None:
    (place / "benchmarks/tiny.py").write_text(FAKE)
    done = bench(place, "--only", "verify")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "nothing is measured yet in verify" in done.stderr


def test_an_unknown_group_is_refused_with_the_known_ones(place: Path) -> None:
    done = bench(place, "--only", "spin")
    assert done.returncode == 2
    assert "invalid choice: 'spin'" in done.stderr
    for group in GROUPS:
        assert group in done.stderr


def test_make_passes_the_group_on() -> None:
    said = subprocess.run(
        ["make", "-n", "bench", "ONLY=spine"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "-m benchmarks --only spine" in said.stdout


def test_an_error_ends_the_run_after_what_was_measured(place: Path) -> None:
    (place / "benchmarks/tiny.py").write_text(FAKE + "    raise RuntimeError('no broker')\n")
    done = bench(place)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 3
    assert "no broker" in done.stderr


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"name": "spine"}, "expected a name like spine.seconds"),
        ({"name": "spoon.seconds"}, "of one of spine, core, bus"),
        ({"value": math.nan}, "expected a finite value, found nan"),
        ({"n": 0}, "expected at least one measurement"),
        ({"peer": "somebody"}, "a peer and the ratio to it come together"),
        ({"ratio": 2.0}, "a peer and the ratio to it come together"),
    ],
)
def test_a_figure_nobody_can_use_is_refused(faults: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Figure(**{"name": "spine.seconds", "value": 1.0, "unit": "s", "n": 1} | faults)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 100))
def test_a_percentile_is_numpys(values: list[float], percent: float) -> None:
    import numpy as np

    assert percentile(values, percent) == pytest.approx(np.percentile(values, percent), rel=1e-9, abs=1e-6)
    assert percentile(values, 0) == min(values)
    assert percentile(values, 100) == max(values)


def test_warming_up_is_not_counted() -> None:
    calls = []
    seconds = seconds_of(lambda: calls.append(1), n=5, warm_up=2)
    assert len(calls) == 7
    assert len(seconds) == 5
    assert all(each >= 0 for each in seconds)
