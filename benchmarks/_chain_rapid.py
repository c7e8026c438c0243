"""The chain as the service runs it, without the repair of cosmic rays, which no peer does either."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
from PIL import Image

from rapid.analyses.overview import frame_panel
from rapid.processing.background import measure_background
from rapid.processing.buffers import let_go
from rapid.processing.fits import open_raw
from rapid.processing.frame import Frame, Study
from rapid.processing.geometry import detectors
from rapid.processing.headers import translate
from rapid.processing.isr import CalibrationImage, Calibrations, calibrate
from rapid.processing.measure import measure
from rapid.processing.psf import measure_psf
from rapid.processing.sources import detect
from rapid.processing.warm import warm as warm_core

SIDE = 1024


def warm() -> None:
    """Compile, and keep nothing of the memory that took: all that a run needs is counted as its own."""
    warm_core()
    let_go()


def load(place: Path) -> Calibrations:
    none = np.zeros(16)
    images = {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in ("bias", "dark", "flat")}
    return Calibrations(
        bias=CalibrationImage.bias(images["bias"], variance=none, identity="bias"),
        dark=CalibrationImage.dark(images["dark"], variance=none, identity="dark"),
        flat=CalibrationImage.flat(images["flat"], variance=none, identity="flat"),
    )


def run(path: Path, calibrations: Calibrations) -> dict[str, float]:
    seen = measure(frame_of(path, calibrations))
    picture = draw(seen)
    if seen.psf is None or seen.background is None or seen.sources is None:
        raise SystemExit(f"nothing was measured: {seen.why_not}")
    return {
        "fwhm": seen.psf.fwhm,
        "sky": seen.background.level,
        "sources": len(seen.sources),
        "picture": len(picture),
    }


def stages(path: Path, calibrations: Calibrations) -> dict[str, float]:
    """Return CPU seconds of each stage of one run."""
    began, seconds = time.process_time(), {}

    def ended(stage: str) -> None:
        nonlocal began
        now = time.process_time()
        seconds[stage], began = now - began, now

    frame = frame_of(path, calibrations)
    ended("calibrate")
    background = measure_background(frame)
    ended("background")
    sources = detect(frame, background)
    ended("detect")
    psf = measure_psf(frame, background, sources)
    ended("psf")
    draw(Study(frame, background, sources, psf, "", {}))
    ended("picture")
    return seconds


def frame_of(path: Path, calibrations: Calibrations) -> Frame:
    raw = open_raw(path, name=path.name)
    info = translate(raw.header, name=path.name)
    return calibrate(raw, info, detectors(info.instrument)[info.detector_name], calibrations, repair=False)


def draw(seen: Study) -> bytes:
    panel, limits = frame_panel(seen.frame, title="", longest_side=SIDE)
    value = panel.offset + panel.step * np.arange(int(panel.pixels.max()) + 1, dtype=np.float32)
    grey_of = np.clip((value - limits.low) * (255 / (limits.high - limits.low)), 0, 255).astype(np.uint8)
    grey = grey_of[panel.pixels]
    stream = io.BytesIO()
    Image.fromarray(grey[::-1]).save(stream, "JPEG", quality=90)
    return stream.getvalue()
