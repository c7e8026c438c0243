"""What one LSSTCam detector costs from compressed raw to picture and numbers: us, two peers, and the least it could cost.

Each runs in a process of its own, on one core, round by round in turns, so that what changes on the machine meanwhile
changes for all. CPU time decides; wall time and memory stand beside it. The detector is an E2V one with stars on the sky,
and has a bias, a dark and a flat.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import Figure, percentile
from benchmarks._chain import RAW, WHO
from benchmarks._chain_rapid import load, stages, warm
from rapid.processing.fits import open_raw
from rapid.processing.geometry import detectors
from rapid.processing.pixels import StoredSegments
from rapid.simulation.single import simulate_detector

DETECTOR = "R22_S11"
TURNS = 3
ROUNDS = {"rapid": 3, "fitsio": 3, "astropy": 1}
REPEATS = 7
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def figures() -> Iterator[Figure]:
    """Compare the whole chain with the peers', and its stages with what they must cost at least."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        _prepare(place)
        yield from _compared(place)
        yield from _stages(place)


def _prepare(place: Path) -> None:
    """Write the raw file, and calibrations that every chain reads."""
    (place / RAW).write_bytes(simulate_detector("LSSTCam", DETECTOR, seed=1).files().fits)
    chance, shape = np.random.default_rng(1), detectors("LSSTCam")[DETECTOR].shape
    for kind, level, scatter in (("bias", 0.0, 1.0), ("dark", 0.02, 0.01), ("flat", 1.0, 0.003)):
        np.save(place / f"{kind}.npy", chance.normal(level, scatter, shape).astype(np.float32))


def _compared(place: Path) -> Iterator[Figure]:
    taken: dict[str, list[dict[str, Any]]] = {who: [] for who in WHO}
    for _ in range(TURNS):
        for who in WHO:
            taken[who].append(_in_own_process(who, place))
    cpu = {who: percentile([s for one in runs for s in one["cpu"]], 50) for who, runs in taken.items()}
    wall = {who: percentile([s for one in runs for s in one["wall"]], 50) for who, runs in taken.items()}
    peak = {who: max(one["peak_mb"] for one in runs) for who, runs in taken.items()}
    n = {who: sum(len(one["cpu"]) for one in runs) for who, runs in taken.items()}
    yield Figure("core.cpu_s", cpu["rapid"], "s", n=n["rapid"])
    yield Figure("core.wall_s", wall["rapid"], "s", n=n["rapid"])
    yield Figure("core.visit_core_s", 189 * cpu["rapid"], "s", n=n["rapid"])
    yield Figure("core.peak_mb", peak["rapid"], "Mbyte", n=TURNS)
    for who in WHO[1:]:
        ratio = cpu[who] / cpu["rapid"]
        yield Figure(f"core.ratio_{who}", ratio, "", n=n[who])
        yield Figure(f"core.{who}.cpu_s", cpu[who], "s", n=n[who])
        yield Figure(f"core.{who}.wall_s", wall[who], "s", n=n[who])
        yield Figure(f"core.{who}.peak_mb", peak[who], "Mbyte", n=TURNS)


def _in_own_process(who: str, place: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks._chain", who, str(place), str(ROUNDS[who])]
    ended = subprocess.run(
        command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, check=True, timeout=600, text=True
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _stages(place: Path) -> Iterator[Figure]:
    """Give each stage, and what it must cost: decoding, the detection itself, and bytes at the speed of memory."""
    warm()
    calibrations = load(place)
    stages(place / RAW, calibrations)
    runs = [stages(place / RAW, calibrations) for _ in range(REPEATS)]
    seconds = {stage: percentile([run[stage] for run in runs], 50) for stage in runs[0]}
    pixels, speed = math.prod(detectors("LSSTCam")[DETECTOR].shape), _bytes_per_second()
    least = {
        "calibrate": _decoding(place / RAW) + (4 + 2 + 3 * 2 + 4) * pixels / speed,
        "background": (4 + 2) * pixels / speed,
        "detect": seconds["detect"],
        "psf": seconds["psf"],
        "picture": (4 + 2) * pixels / speed,
    }
    for stage, cost in seconds.items():
        yield Figure(f"core.stage.{stage}", cost, "s", n=REPEATS, peer="its limit", ratio=cost / least[stage])
    whole, limit = sum(seconds.values()), sum(least.values())
    yield Figure("core.limit_s", limit, "s", n=REPEATS)
    yield Figure("core.ratio_limit", whole / limit, "", n=REPEATS)


def _decoding(path: Path) -> float:
    """CPU seconds to decode all segments into one buffer."""
    segments = open_raw(path, name=path.name).segments
    assert isinstance(segments, StoredSegments)
    buffer = np.empty(segments.shape_of(0), np.int32)

    def decode() -> None:
        for index in range(len(segments)):
            segments.read_into(index, buffer)

    return _cpu(decode)


def _bytes_per_second() -> float:
    """Speed of memory, read and write together, by a copy that no cache holds."""
    source, target = np.ones(2**25), np.ones(2**25)
    return 2 * source.nbytes / _cpu(lambda: np.copyto(target, source))


def _cpu(work: Any) -> float:
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return percentile(seconds, 50)
