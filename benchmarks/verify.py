"""What a verdict costs: from the file of a calibration frame to PASS or FAIL, and a whole run, on one core.

CPU time, so that a busy machine does not decide. Frames are simulated; no calibrations are applied.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import Figure, percentile
from calib_verify import FrameMeasurements, judge_frame, judge_run, load_policy, measure_file, verify
from calib_verify.measurements import measure_raw
from rapid.processing.frame import RawDetector
from rapid.processing.geometry import DetectorKind, detectors
from rapid.processing.headers import translate
from rapid.processing.isr import calibrate
from rapid.simulation.single import simulate_detector

TURNS = 7
RUN = 20

_MEMORY = """
import resource, sys
from pathlib import Path
from calib_verify import verify
verify(Path(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def figures() -> Iterator[Figure]:
    """Time one frame of each kind, a detector of LSSTCam beyond its calibration, and whole runs; say what memory one takes."""
    policy = load_policy("standard")
    with tempfile.TemporaryDirectory() as place:
        files = [_written(Path(place), "bias", number) for number in range(1, RUN + 1)]
        for kind in ("bias", "dark", "flat"):
            content = _content(kind)
            seconds = _seconds(
                lambda content=content: judge_frame(measure_file(content, name="it").measurements, policy)
            )
            yield Figure(f"verify.latiss_{kind}_s", percentile(seconds, 50), "s", n=TURNS)
        yield Figure("verify.latiss_run20_cpu_s", _seconds(lambda: verify(files), turns=1)[0], "s", n=1)
        used = subprocess.run(
            [sys.executable, "-c", _MEMORY, place], capture_output=True, text=True, check=True, timeout=600
        )
        yield Figure("verify.latiss_run20_peak_mb", float(used.stdout), "Mbyte", n=1)
    raw = simulate_detector("LSSTCam", "R22_S11", kind="bias").raw()
    yield _beyond_calibration(raw)
    yield _focal_plane(measure_raw(raw, translate(raw.header, name=raw.name)).measurements)


def _beyond_calibration(raw: RawDetector) -> Figure:
    """Take turns, so that what changes meanwhile changes for both."""
    info = translate(raw.header, name=raw.name)
    detector = detectors(info.instrument)[info.detector_name]
    beyond = []
    for _ in range(TURNS):
        (whole,) = _seconds(lambda: measure_raw(raw, info), turns=1)
        (calibration,) = _seconds(lambda: calibrate(raw, info, detector, repair=False), turns=1)
        beyond.append(whole - calibration)
    return Figure("verify.lsstcam_detector_cpu_s", percentile(beyond, 50), "s", n=TURNS)


def _focal_plane(frame: FrameMeasurements) -> Figure:
    """Judge a bias of 189 detectors that were measured: what is left to do when the last one has arrived."""
    science = [name for name, one in detectors("LSSTCam").items() if one.kind is DetectorKind.SCIENCE]
    frames = [
        replace(
            frame,
            subject=replace(frame.subject, detector=name),
            measurements=tuple(replace(each, detector=name) for each in frame.measurements),
        )
        for name in science
    ]
    policy = load_policy("standard")
    seconds = _seconds(lambda: judge_run(frames, policy), turns=3)
    return Figure("verify.lsstcam_exposure_judge_cpu_s", percentile(seconds, 50), "s", n=3)


def _content(kind: str) -> bytes:
    return simulate_detector("LATISS", "R00_S00", kind=kind, number=90).files().fits


def _written(place: Path, kind: str, number: int) -> Path:
    readout = simulate_detector("LATISS", "R00_S00", kind=kind, number=number)
    path = place / readout.raw().name
    path.write_bytes(readout.files().fits)
    return path


def _seconds(work: Callable[[], object], *, turns: int = TURNS) -> list[float]:
    """Return CPU seconds, after one run that is not counted."""
    seconds = []
    for turn in range(turns + 1):
        started = time.process_time()
        work()
        if turn:
            seconds.append(time.process_time() - started)
    return seconds
