"""One LSSTCam detector from its compressed raw to picture and numbers, by us and by two peers.

``python -m benchmarks._chain WHO PLACE ROUNDS`` runs one of them in a process of its own and prints a JSON line: CPU and wall
seconds of each round, and the most memory above what the imports left [MB]: the calibrations count, making them does not.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import re
import sys
import time
from pathlib import Path
from types import ModuleType

WHO = ("rapid", "astropy", "fitsio")
RAW = "raw.fits"
PIXEL_SCALE = 0.2


def measure(who: str, place: Path, rounds: int) -> dict[str, object]:
    """Run the chain of one of them; the first round, which fills caches, is not counted."""
    chain: ModuleType = importlib.import_module(f"benchmarks._chain_{who}")
    chain.warm()
    _return_memory()
    before = _status("VmRSS")
    calibrations = chain.load(place)
    _forget_peak()
    found = chain.run(place / RAW, calibrations)
    peak = _status("VmHWM") - before
    cpu, wall = [], []
    for _ in range(rounds):
        cpu_began, began = time.process_time(), time.perf_counter()
        found = chain.run(place / RAW, calibrations)
        cpu.append(time.process_time() - cpu_began)
        wall.append(time.perf_counter() - began)
    return {"cpu": cpu, "wall": wall, "peak_mb": peak, "found": found}


def _return_memory() -> None:
    """Give back to the system what the C library holds free: used again by the chain, it would not be counted."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def _forget_peak() -> None:
    """Let the kernel count the peak of memory from here."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _status(field: str) -> float:
    """Read a figure of this process's memory [MB]."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    if match is None:
        raise SystemExit(f"/proc/self/status has no {field}: the peak of memory cannot be measured on this system")
    return int(match[1]) / 1000


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
