"""What the core costs per LATISS exposure, stage by stage, and its reader against astropy's.

CPU time, so that a busy machine does not decide; what is compared takes turns, so that what changes meanwhile changes for
both. The file is an exposure of the simulated short night.
"""

from __future__ import annotations

import io
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits

from benchmarks import Figure, percentile
from rapid.processing.background import measure_background
from rapid.processing.fits import read_raw
from rapid.processing.frame import Frame
from rapid.processing.geometry import detectors
from rapid.processing.headers import translate
from rapid.processing.isr import calibrate
from rapid.processing.measure import study
from rapid.processing.psf import measure_psf
from rapid.processing.sources import detect
from rapid.processing.warm import warm
from rapid.simulation.night import SimulatedExposure, simulate
from rapid.simulation.plan import builtin_plan

TURNS = 11


def figures() -> Iterator[Figure]:
    """Time every stage, the whole, and the reader against its peer; say how well the seeing was measured."""
    warm()
    with tempfile.TemporaryDirectory() as place:
        exposures = simulate(builtin_plan("short"), Path(place), seed=1)
        chosen = next(exposure for exposure in exposures if exposure.kind == "science" and not exposure.incidents)
        content = chosen.path.read_bytes()
        yield from _stages(content, chosen.path.name)
        yield from _reader(content, chosen.path.name)
        yield _seeing([exposure for exposure in exposures if exposure.kind == "science"])


def _stages(content: bytes, name: str) -> Iterator[Figure]:
    raw = read_raw(content, name=name)
    info = translate(raw.header, name=name)
    detector = detectors(info.instrument)[info.detector_name]
    frame: Frame = calibrate(raw, info, detector)
    background = measure_background(frame)
    sources = detect(frame, background)
    stages: dict[str, Callable[[], object]] = {
        "read": lambda: read_raw(content, name=name),
        "translate": lambda: translate(raw.header, name=name),
        "calibrate": lambda: calibrate(raw, info, detector),
        "background": lambda: measure_background(frame),
        "detect": lambda: detect(frame, background),
        "psf": lambda: measure_psf(frame, background, sources),
    }
    for stage, seconds in _in_turns(stages).items():
        yield Figure(f"core.latiss.{stage}", percentile(seconds, 50), "s", n=TURNS)
    whole = _in_turns({"study": lambda: study(content, name=name)})["study"]
    yield Figure("core.exposure_cpu_p50", percentile(whole, 50), "s", n=TURNS)
    yield Figure("core.exposure_cpu_p95", percentile(whole, 95), "s", n=TURNS)


def _reader(content: bytes, name: str) -> Iterator[Figure]:
    """Read all sixteen segments; the peers read the same bytes."""

    def by_astropy() -> list[np.ndarray]:
        with fits.open(io.BytesIO(content)) as hdus:
            return [np.asarray(hdus[i].data) for i in range(1, 17)]

    seconds = _in_turns({"ours": lambda: read_raw(content, name=name), "astropy": by_astropy})
    ours, theirs = (percentile(seconds[who], 50) for who in ("ours", "astropy"))
    yield Figure("core.read_raw", ours, "s", n=TURNS, peer="astropy", ratio=ours / theirs)


def _seeing(exposures: list[SimulatedExposure]) -> Figure:
    """Largest relative error of the FWHM over the exposures of the night that can be read."""
    errors = []
    for exposure in exposures:
        true = json.loads(exposure.truth.read_text())["sky"]["fwhm_px"]
        if "truncated_file" not in exposure.incidents:
            found = study(exposure.path, name=exposure.path.name).psf
            errors.append(abs(found.fwhm / true - 1) if found else math.inf)
    return Figure("core.seeing_error_largest", max(errors), "", n=len(errors))


def _in_turns(works: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return CPU seconds of each, taken in turns, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(TURNS + 1):
        for name, work in works.items():
            started = time.process_time()
            work()
            if turn:
                seconds[name].append(time.process_time() - started)
    return seconds
