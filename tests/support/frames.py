"""Raw detectors of which everything is known, made from the camera's geometry and nothing else of the project.

They test the core alone: what is drawn here must be found by it. Stars are Moffat profiles sampled at pixel centres,
noise is that of photons and of the amplifiers.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from rapid.processing.exposure import ExposureInfo
from rapid.processing.frame import RawDetector
from rapid.processing.geometry import Box, Detector, detectors
from rapid.processing.headers import translate

NAME = "AT_O_20260315_000051_R00_S00.fits"
ORDER = (*range(10, 18), *range(7, -1, -1))
CARDS: dict[str, object] = {
    "INSTRUME": "LATISS",
    "OBSID": "AT_O_20260315_000051",
    "CONTRLLR": "O",
    "DAYOBS": "20260315",
    "SEQNUM": 51,
    "IMGTYPE": "OBJECT",
    "DATE-BEG": "2026-03-16T03:12:44.123",
    "DATE-END": "2026-03-16T03:13:14.345",
    "EXPTIME": 30.0,
    "DARKTIME": 30.25,
    "FILTER": "SDSSr_65mm",
    "GRATING": "empty_1",
    "VIGN_MIN": "NO",
}


@dataclass(frozen=True)
class Field:
    """What is on the sky: ``fwhm`` [pixel], axis ratio ``q`` and angle [rad] of the long axis, ``sky`` [electron]."""

    fwhm: float = 10.0
    beta: float = 3.5
    q: float = 1.0
    angle: float = 0.0
    sky: float = 300.0
    stars: int = 150
    fluxes: tuple[float, float] = (3e3, 8e5)
    seed: int = 1

    @property
    def ellipticity(self) -> tuple[float, float]:
        e = (1 - self.q**2) / (1 + self.q**2)
        return e * math.cos(2 * self.angle), e * math.sin(2 * self.angle)


@dataclass(frozen=True)
class Drawn:
    """Expected light [electron] on a detector, and its stars."""

    light: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]


def latiss() -> Detector:
    return detectors("LATISS")["R00_S00"]


def small_detector(amplifiers: Sequence[int] = (2, 3, 12, 13)) -> Detector:
    """Make a quarter of LATISS: four neighbouring amplifiers, two above and two below."""
    whole = latiss()
    chosen = [whole.amplifiers[i] for i in amplifiers]
    left = min(amplifier.bbox.x0 for amplifier in chosen)
    moved = tuple(
        replace(amplifier, hdu=i + 1, bbox=replace(amplifier.bbox, x0=amplifier.bbox.x0 - left))
        for i, amplifier in enumerate(chosen)
    )
    width = max(amplifier.bbox.x0 + amplifier.bbox.width for amplifier in moved)
    return replace(whole, width=width, amplifiers=moved)


def draw(field: Field, shape: tuple[int, int]) -> Drawn:
    chance = np.random.default_rng(field.seed)
    ny, nx = shape
    x, y = chance.uniform(0, nx - 1, field.stars), chance.uniform(0, ny - 1, field.stars)
    low, high = field.fluxes
    flux = low * (high / low) ** chance.uniform(0, 1, field.stars)
    light = np.full(shape, float(field.sky))
    for star in zip(x, y, flux, strict=True):
        add_star(light, *star, field)
    return Drawn(light, x, y, flux)


def add_star(light: NDArray[np.float64], x: float, y: float, flux: float, field: Field) -> None:
    """Add an elliptical Moffat profile; the geometric mean of its axes has the field's FWHM."""
    alpha = field.fwhm / (2 * math.sqrt(2 ** (1 / field.beta) - 1))
    reach = int(10 * field.fwhm)
    y0, y1 = max(0, int(y) - reach), min(light.shape[0], int(y) + reach)
    x0, x1 = max(0, int(x) - reach), min(light.shape[1], int(x) + reach)
    v, u = np.mgrid[y0:y1, x0:x1] - np.array([y, x])[:, None, None]
    c, s, stretch = math.cos(field.angle), math.sin(field.angle), math.sqrt(field.q)
    along, across = (c * u + s * v) * stretch, (c * v - s * u) / stretch
    profile = (1 + (along**2 + across**2) / alpha**2) ** -field.beta
    light[y0:y1, x0:x1] += flux * (field.beta - 1) / (math.pi * alpha**2) * profile


def bias_level(index: int) -> float:
    return 12_000.0 + 700.0 * index


def read_out(
    light: NDArray[np.float64],
    detector: Detector,
    *,
    seed: int = 1,
    size: tuple[int, int] = (2048, 576),
    **cards: object,
) -> RawDetector:
    """Expose and read a detector: segments of `size` (ny, nx), each with a bias level and pattern of its own."""
    chance = np.random.default_rng(seed)
    return read_charge(chance.poisson(light).astype(np.float64), detector, chance=chance, size=size, **cards)


def read_charge(
    electrons: NDArray[np.float64],
    detector: Detector,
    *,
    chance: np.random.Generator,
    size: tuple[int, int] = (2048, 576),
    transfer: Callable[[NDArray[np.float64]], NDArray[np.float64]] = np.asarray,
    **cards: object,
) -> RawDetector:
    """Read what a detector has collected; `transfer` is what happens to the charge of a segment on its way out."""
    segments = []
    for index, amplifier in enumerate(detector.amplifiers):
        ny, nx = size
        counts = chance.normal(bias_level(index), amplifier.read_noise / amplifier.gain, size)
        counts += 5 * np.exp(-np.arange(ny) / 100)[:, None] + 3 * np.cos(np.arange(nx) / 150)[None, :]
        part = electrons[amplifier.bbox.slices]
        part = part[:: -1 if amplifier.flip_y else 1, :: -1 if amplifier.flip_x else 1]
        charge = np.zeros(size)
        charge[amplifier.data.slices] = part
        counts += transfer(charge) / amplifier.gain
        segment = np.clip(np.round(counts), 0, 262143).astype(np.int32)
        segment.flags.writeable = False
        segments.append(segment)
    return RawDetector(NAME, CARDS | cards, tuple(segments))


def info_of(raw: RawDetector) -> ExposureInfo:
    return translate(raw.header, name=raw.name)


def with_overscan(detector: Detector, width: int) -> tuple[int, int]:
    """Size of a segment with this many overscan columns."""
    data: Box = detector.amplifiers[0].data
    return 2048, data.x0 + data.width + width


def as_file(
    segments: Sequence[NDArray[np.integer]],
    *,
    compression: str | None = "RICE_1",
    tile_rows: int = 500,
    **cards: object,
) -> bytes:
    """Write segments as the camera does: primary, 16 image HDUs by name, and two empty tables.

    The camera's tiles are single rows; larger ones are written sooner.
    """
    primary = fits.PrimaryHDU()
    for keyword, value in (CARDS | cards).items():
        primary.header[keyword] = value
    hdus = fits.HDUList([primary])
    for number, segment in zip(ORDER, segments, strict=False):
        name = f"Segment{number:02d}"
        if compression is None:
            hdus.append(fits.ImageHDU(segment, name=name))
        else:
            hdus.append(
                fits.CompImageHDU(
                    segment, name=name, compression_type=compression, tile_shape=(tile_rows, segment.shape[1])
                )
            )
    hdus += [fits.BinTableHDU(name="REB_COND"), fits.BinTableHDU(name="CONFIG_COND")]
    for hdu in hdus[1:]:
        if hdu.name.startswith("SEGMENT"):
            hdu.header["EXTNAME"] = hdu.name.title()
    stream = io.BytesIO()
    hdus.writeto(stream)
    return stream.getvalue()
