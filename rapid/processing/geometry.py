"""Where the pixels of a camera are: amplifiers, flips, overscans, focal plane.

The tables are package data made from the observatory's published camera descriptions. Boxes are 0-based,
x along the serial register (NAXIS1), y along the columns (NAXIS2).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from rapid.errors import UnknownInstrument

__all__ = ["Amplifier", "Box", "Detector", "detectors", "instruments"]

_TABLES = {"LATISS": "latiss.json"}


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels: lower left corner and size."""

    x0: int
    y0: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an array of shape (ny, nx)."""
        return slice(self.y0, self.y0 + self.height), slice(self.x0, self.x0 + self.width)


@dataclass(frozen=True, slots=True)
class Amplifier:
    """One read-out channel.

    Attributes
    ----------
    name, extname, hdu
        ``C10``, ``Segment10``, 1: position of its image HDU in the raw file.
    raw
        Size of the image on disk (nominal; overscans may be wider).
    data, serial_overscan, parallel_overscan
        Boxes in the image on disk.
    flip_x, flip_y
        How the data are turned before they are put in place.
    bbox
        Place in the assembled, trimmed detector.
    gain, read_noise, saturation
        Nominal, in electron/adu, electron, and as tabulated.
    """

    name: str
    extname: str
    hdu: int
    raw: Box
    data: Box
    serial_overscan: Box
    parallel_overscan: Box
    flip_x: bool
    flip_y: bool
    bbox: Box
    gain: float
    read_noise: float
    saturation: float


@dataclass(frozen=True, slots=True)
class Detector:
    """One CCD: ``shape`` of its trimmed image is (height, width).

    ``refpos`` [pixel], ``offset`` [mm] and ``yaw`` [deg] place it in the focal plane;
    ``plate_scale`` is in arcsec/mm, ``pixel_size`` in mm.
    """

    instrument: str
    number: int
    name: str
    serial: str
    vendor: str
    width: int
    height: int
    amplifiers: tuple[Amplifier, ...]
    pixel_size: float
    refpos: tuple[float, float]
    offset: tuple[float, float]
    yaw: float
    plate_scale: float
    parity: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (ny, nx) of the assembled, trimmed image."""
        return self.height, self.width

    @property
    def pixel_scale(self) -> float:
        """Arcsec per pixel at the centre of the field."""
        return self.plate_scale * self.pixel_size


def instruments() -> tuple[str, ...]:
    """List the cameras whose geometry is known."""
    return tuple(_TABLES)


@cache
def detectors(instrument: str) -> dict[str, Detector]:
    """Return the detectors of a camera by name (``R00_S00``).

    Raises
    ------
    UnknownInstrument
        If there is no table for this camera.
    """
    if instrument not in _TABLES:
        raise UnknownInstrument("no geometry for this camera", expected=" or ".join(_TABLES), found=repr(instrument))
    text = files("rapid.processing").joinpath("data", _TABLES[instrument]).read_text(encoding="utf-8")
    table = json.loads(text)
    return {entry["name"]: _detector(table, entry) for entry in table["detectors"]}


def _detector(table: dict[str, Any], entry: dict[str, Any]) -> Detector:
    kind = table["types"][entry["type"]]
    return Detector(
        instrument=table["instrument"],
        number=entry["number"],
        name=entry["name"],
        serial=entry["serial"],
        vendor=entry["vendor"],
        width=kind["width"],
        height=kind["height"],
        amplifiers=tuple(_amplifier(kind, entry, row) for row in kind["amplifiers"]),
        pixel_size=entry["pixel_size_mm"],
        refpos=(entry["refpos_pix"][0], entry["refpos_pix"][1]),
        offset=(entry["offset_mm"][0], entry["offset_mm"][1]),
        yaw=entry["yaw_deg"],
        plate_scale=table["plate_scale_arcsec_per_mm"],
        parity=table["focal_plane_parity"],
    )


def _amplifier(kind: dict[str, Any], entry: dict[str, Any], row: list[Any]) -> Amplifier:
    name, extname, hdu, flip_x, flip_y, bbox = row
    gain, read_noise, saturation = entry["amplifiers"][name]
    return Amplifier(
        name=name,
        extname=extname,
        hdu=hdu,
        raw=Box(*kind["raw"]),
        data=Box(*kind["data"]),
        serial_overscan=Box(*kind["serial_overscan"]),
        parallel_overscan=Box(*kind["parallel_overscan"]),
        flip_x=flip_x,
        flip_y=flip_y,
        bbox=Box(*bbox),
        gain=gain,
        read_noise=read_noise,
        saturation=saturation,
    )
