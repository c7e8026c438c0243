"""After the warm-up nothing is compiled or loaded any more."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import importlib, json, pkgutil, sys
import rapid.processing
from rapid.processing.measure import study
from rapid.processing.warm import warm

modules = [
    importlib.import_module(found.name) for found in pkgutil.walk_packages(rapid.processing.__path__, "rapid.processing.")
]

def loaded():
    functions = {f for module in modules for f in vars(module).values() if hasattr(f, "overloads")}
    return {f.__module__ + "." + f.__name__: len(f.overloads) for f in functions}

before = sum(loaded().values())
warm()
warmed = loaded()
with open(sys.argv[1], "rb") as stream:
    content = stream.read()
found = study(content, name=sys.argv[2], offsets=True)

import dataclasses
import numpy as np
from rapid.processing.frame import RawDetector
from rapid.processing.geometry import Box, detectors
from rapid.processing.isr import CalibrationImage, Calibrations, calibrate
from rapid.processing.isr.brighter_fatter import BrighterFatterKernel
from rapid.processing.isr.crosstalk import Crosstalk
from rapid.processing.isr.cti import Cti
from rapid.processing.isr.defects import Defects
from rapid.processing.isr.linearity import Linearity, Spline, Table

done = {}
segment = np.random.default_rng(1).normal(20_000, 8, (2048, 576)).astype(np.int32)
for name in ("R22_S11", "R04_SW0"):
    detector = detectors("LSSTCam")[name]
    n = len(detector.amplifiers)
    variance, values = np.ones(n), np.ones(detector.shape)
    kernel = -1e-8 * np.outer([1, 4, 1], [1, 4, 1])
    repaired = name != "R22_S11"  # once is enough: it takes seconds
    calibrations = Calibrations(
        bias=CalibrationImage.bias(values, variance=variance, identity="1"),
        dark=CalibrationImage.dark(values, variance=variance, identity="1"),
        flat=CalibrationImage.flat(values, variance=variance, identity="1"),
        defects=Defects((Box(5, 5, 2, 900),)),
        crosstalk=Crosstalk(np.full((n, n), 1e-4) - np.diag(np.full(n, 1e-4))),
        linearity=Linearity(((Table(np.zeros(100), step=1e3),), (Spline(np.arange(3) * 5e4, np.zeros(3)),)) * (n // 2)),
        cti=Cti(np.full(n, 1e-6), np.ones(n), detector.amplifiers[0].data.x0 + detector.amplifiers[0].data.width),
        brighter_fatter=BrighterFatterKernel(kernel) if repaired else None,
        bad_amplifiers=frozenset({"C00"}) & {a.name for a in detector.amplifiers},
    )
    info = dataclasses.replace(found.frame.info, instrument="LSSTCam", detector_name=name, detector_serial=detector.serial)
    frame = calibrate(RawDetector("x", {}, (segment,) * n), info, detector, calibrations, repair=repaired)
    done[name] = [step.name for step in frame.recipe if not step.done]
more = sorted(name for name, count in loaded().items() if count > warmed[name])
print(json.dumps({"before": before, "warmed": sum(warmed.values()), "more": more, "stars": found.psf.n_stars, "done": done}))
"""


def test_a_worker_that_is_warm_compiles_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.support.frames import NAME, Field, as_file, draw, latiss, read_out

    detector = latiss()
    light = draw(Field(stars=30, fluxes=(5e4, 5e5)), detector.shape).light
    light[1000:1005, 300:305] = 1e6
    path = tmp_path_factory.mktemp("warm") / NAME
    path.write_bytes(as_file(read_out(light, detector).segments, tile_rows=512))
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path), NAME], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["stars"] > 5
    assert found["before"] == 0
    assert found["warmed"] > 10
    assert found["more"] == []
    assert found["done"] == {"R22_S11": ["brighter-fatter", "cosmic rays", "interpolation"], "R04_SW0": []}
