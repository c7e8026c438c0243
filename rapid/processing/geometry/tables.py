"""The cameras' tables: package data made by ``tools/make_geometry.py`` from the observatory's camera descriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from rapid.errors import UnknownInstrument
from rapid.processing.geometry.detector import Amplifier, Box, Detector, DetectorKind

__all__ = ["detector", "detectors", "instruments"]

_TABLES: Final[Mapping[str, str]] = {
    "LATISS": "latiss.json",
    "LSSTCam": "lsstcam.json",
    "LSSTComCam": "lsstcomcam.json",
}


def instruments() -> tuple[str, ...]:
    """List the cameras whose geometry is known."""
    return tuple(_TABLES)


@cache
def detectors(instrument: str) -> Mapping[str, Detector]:
    """Return the detectors of a camera by name (``R22_S11``), in the order of their numbers.

    Raises
    ------
    UnknownInstrument
        If there is no table for this camera.
    """
    if instrument not in _TABLES:
        raise UnknownInstrument("no geometry for this camera", expected=" or ".join(_TABLES), found=repr(instrument))
    text = files("rapid.processing").joinpath("data", _TABLES[instrument]).read_text(encoding="utf-8")
    table = json.loads(text)
    kinds = {name: _Type(name, entry) for name, entry in table["types"].items()}
    return MappingProxyType({row["name"]: _detector(table, row, kinds[row["type"]]) for row in table["detectors"]})


def detector(instrument: str, which: int | str) -> Detector:
    """Return one detector of a camera, by number (94) or name (``R22_S11``).

    Raises
    ------
    UnknownInstrument
        If there is no table for this camera, or no such detector in it.
    """
    named = detectors(instrument)
    found = _by_number(instrument).get(which) if isinstance(which, int) else named.get(which)
    if found is None:
        names = list(named)
        expected = f"{names[0]} to {names[-1]}, 0 to {len(names) - 1}" if len(names) > 1 else f"{names[0]} or 0"
        raise UnknownInstrument(f"{instrument} has no such detector", expected=expected, found=repr(which))
    return found


@cache
def _by_number(instrument: str) -> Mapping[int, Detector]:
    return {one.number: one for one in detectors(instrument).values()}


class _Type:
    """What all detectors of one type share; its boxes are made once."""

    def __init__(self, name: str, entry: dict[str, Any]) -> None:
        self.name = name
        self.entry = entry
        self.kind = DetectorKind(entry["kind"])
        self.boxes = {key: Box(*entry[key]) for key in ("raw", "data", "serial_overscan", "parallel_overscan")}
        self.amplifiers = [
            {
                "name": amplifier,
                "extname": extname,
                "hdu": hdu,
                "flip_x": flip_x,
                "flip_y": flip_y,
                "bbox": Box(*bbox),
                **self.boxes,
            }
            for amplifier, extname, hdu, flip_x, flip_y, bbox in entry["amplifiers"]
        ]


def _detector(table: dict[str, Any], row: dict[str, Any], kind: _Type) -> Detector:
    x, y, z = row["offset_mm"]
    return Detector(
        instrument=table["instrument"],
        number=row["number"],
        name=row["name"],
        serial=row["serial"],
        vendor=kind.entry["vendor"],
        width=kind.entry["width"],
        height=kind.entry["height"],
        amplifiers=_amplifiers(row, kind, in_electron=table["saturation_unit"] == "electron"),
        pixel_size=kind.entry["pixel_size_mm"],
        refpos=(kind.entry["refpos_pix"][0], kind.entry["refpos_pix"][1]),
        offset=(x, y),
        yaw=row["yaw_deg"],
        plate_scale=table["plate_scale_arcsec_per_mm"],
        parity=table["focal_plane_parity"],
        kind=kind.kind,
        type=kind.name,
        height_offset=z,
        field_angle=tuple(table["field_angle"]),
    )


def _amplifiers(row: dict[str, Any], kind: _Type, *, in_electron: bool) -> tuple[Amplifier, ...]:
    """Put the detector's own numbers on the amplifiers of its type; a saturation in electron becomes one in adu."""
    rows = zip(kind.amplifiers, row["gain"], row["read_noise"], row["saturation"], strict=True)
    return tuple(
        Amplifier(**shared, gain=gain, read_noise=noise, saturation=full / gain if in_electron else full)
        for shared, gain, noise, full in rows
    )
