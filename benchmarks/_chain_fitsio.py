"""The chain by fitsio, numpy, sep and Pillow, written with care: float32, no copies that can be avoided."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import fitsio
import numpy as np
import sep
from PIL import Image

from rapid.processing.geometry import Detector, detectors

RADII = (3.0, 5.0, 8.0, 12.0, 17.0, 25.0)
"""Circles whose light is measured [pixel]; ours go about as far."""

Arrays = dict[str, Any]


def warm() -> None:
    pass


def load(place: Path) -> Arrays:
    return {name: np.load(place / f"{name}.npy") for name in ("bias", "dark", "flat")}


def run(path: Path, calibrations: Arrays) -> dict[str, float]:
    detector = detectors("LSSTCam")["R22_S11"]
    image = _calibrate(path, detector, calibrations)
    noises = [_clipped(image[amplifier.bbox.slices])[2] for amplifier in detector.amplifiers]
    sky = sep.Background(image, bw=128, bh=128)
    image -= sky.back()
    sep.set_extract_pixstack(1_000_000)
    found = sep.extract(image, 5.0, err=sky.globalrms, minarea=5)
    for radius in RADII:
        sep.sum_circle(image, found["x"], found["y"], radius, err=sky.globalrms)
    sep.sum_circann(image, found["x"], found["y"], RADII[3], RADII[4], err=sky.globalrms)
    sep.winpos(image, found["x"], found["y"], np.maximum(found["a"], 0.5))
    fwhm = _fwhm(image, found)
    picture = _draw(image)
    return {
        "fwhm": fwhm,
        "sky": float(sky.globalback),
        "sources": len(found),
        "picture": len(picture),
        "noise": float(np.median(noises)),
    }


def _calibrate(path: Path, detector: Detector, calibrations: Arrays) -> Any:
    image = np.empty(detector.shape, np.float32)
    with fitsio.FITS(path) as file:
        dark_time = file[0].read_header()["DARKTIME"]
        for amplifier in detector.amplifiers:
            segment = file[amplifier.hdu].read()
            data = amplifier.data
            rows = np.median(segment[:, data.x0 + data.width + 3 : -3], axis=1).astype(np.float32)
            part = segment[amplifier.data.slices].astype(np.float32)
            part -= rows[amplifier.data.slices[0], None]
            below = segment[data.y0 + data.height + 3 :, data.x0 : data.x0 + data.width]
            part -= np.median(below - rows[data.y0 + data.height + 3 :, None], axis=0).astype(np.float32)
            part *= np.float32(amplifier.gain)
            image[amplifier.bbox.slices] = part[amplifier.turn]
    image -= calibrations["bias"]
    image -= calibrations["dark"] * np.float32(dark_time)
    image /= calibrations["flat"]
    return image


def _clipped(values: Any) -> tuple[float, float, float]:
    kept = values.ravel()
    for _ in range(3):
        median, sigma = np.median(kept), kept.std(dtype=np.float64)
        kept = kept[np.abs(kept - median) < 4 * sigma]
    return float(kept.mean(dtype=np.float64)), float(np.median(kept)), float(kept.std(dtype=np.float64))


def _fwhm(image: Any, found: Any) -> float:
    """Take the median over stars of the width that holds half of the light: 2 r for a Gaussian."""
    stars = found[(found["flag"] == 0) & (found["npix"] > 20) & (found["a"] < 1.5 * found["b"])]
    radius, flag = sep.flux_radius(image, stars["x"], stars["y"], 6 * stars["a"], 0.5, normflux=stars["flux"], subpix=5)
    return float(2 * np.median(radius[flag == 0]))


def _draw(image: Any) -> bytes:
    ny, nx = (size // 4 * 4 for size in image.shape)
    small = image[:ny, :nx].reshape(ny // 4, 4, nx // 4, 4).mean(axis=(1, 3))
    low, high = np.percentile(small, (1, 99))
    grey = np.clip((small - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(grey[::-1]).save(stream, "JPEG", quality=90)
    return stream.getvalue()
