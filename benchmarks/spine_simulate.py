"""What it costs to make a simulated exposure, files and all, on one core."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
from astropy.io import fits

from benchmarks import Figure, seconds_of
from rapid.simulation.camera import latiss
from rapid.simulation.exposure import warm_up
from rapid.simulation.hdus import compressed_image
from rapid.simulation.night import simulate
from rapid.simulation.plan import builtin_plan


def figures() -> Iterator[Figure]:
    """Time the short night, exposure by exposure, and the compression of one amplifier against astropy's."""
    warm_up(latiss())
    with tempfile.TemporaryDirectory() as scratch:
        night = simulate(builtin_plan("short"), Path(scratch), seed=1)
    seconds = [exposure.seconds for exposure in night]
    yield Figure("spine.simulate_s", median(seconds), "s", len(seconds))
    yield Figure("spine.simulate_slowest_s", max(seconds), "s", len(seconds))
    pixels = np.rint(np.random.default_rng(1).normal(15000.0, 8.0, (2048, 576))).astype(np.int32)
    ours = seconds_of(lambda: compressed_image(pixels, b""), n=16)
    theirs = seconds_of(lambda: _with_astropy(pixels), n=16)
    yield Figure(
        "spine.simulate_compress_s",
        median(ours),
        "s",
        len(ours),
        peer="astropy CompImageHDU",
        ratio=median(ours) / median(theirs),
    )


def _with_astropy(pixels: np.ndarray) -> bytes:
    """Compress an amplifier and add its sums, as the same file would be written with astropy."""
    hdu = fits.CompImageHDU(pixels, compression_type="RICE_1", tile_shape=(1, pixels.shape[1]))
    body = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(body, checksum=True)
    return body.getvalue()
