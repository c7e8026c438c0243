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
found = study(content, name=sys.argv[2])
more = sorted(name for name, count in loaded().items() if count > warmed[name])
print(json.dumps({"before": before, "warmed": sum(warmed.values()), "more": more, "stars": found.psf.n_stars}))
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
