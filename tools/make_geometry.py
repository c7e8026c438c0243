"""Make the geometry tables of the package from descriptions of the cameras.

    python tools/make_geometry.py DESCRIPTIONS [TABLES]

DESCRIPTIONS is a directory with ``latiss.json``, ``lsstcam.json`` and ``lsstcomcam.json``, each with the boxes, flips and
focal-plane positions that the observatory's obs_lsst package gives for all its detectors. TABLES is where the package
keeps its data. What detectors of one type share is written once; a description that contradicts itself is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_CAMERAS = ("latiss", "lsstcam", "lsstcomcam")
_TABLES = Path(__file__).resolve().parent.parent / "rapid/processing/data"

_SATURATION_UNIT = {"LATISS": "adu", "LSSTComCam": "adu", "LSSTCam": "electron"}
"""The descriptions leave it open. One value for all amplifiers, 142857 = 100 000 / 0.7, is in adu; those measured amplifier
by amplifier for LSSTCam are in electron: their medians, 140 000 (E2V) and 126 000 (ITL), are the ends of linearity and of
the photon transfer curve published for it (SITCOMTN-148), and in adu they would be beyond both."""

_NAMES = {"RXX_S00": "R00_S00"}
"""What the files and the headers of LATISS call its only detector."""


def main(arguments: Sequence[str]) -> None:
    """Write one table for each camera."""
    source = Path(arguments[0])
    target = Path(arguments[1]) if len(arguments) > 1 else _TABLES
    for camera in _CAMERAS:
        description = json.loads((source / f"{camera}.json").read_text(encoding="utf-8"))
        (target / f"{camera}.json").write_text(table_text(description), encoding="utf-8")


def table_text(description: Mapping[str, Any]) -> str:
    """Turn the description of a camera into its table, one line for each amplifier of a type and for each detector."""
    rows = sorted(description["detectors"], key=lambda row: int(row["id"]))
    types = {name: _type(name, entry, rows) for name, entry in description["physical_types"].items()}
    head = {
        "source": "Camera description published with the observatory's obs_lsst package (policy), 2026-04",
        "instrument": description["instrument"],
        "plate_scale_arcsec_per_mm": description["plate_scale_arcsec_per_mm"],
        "focal_plane_parity": description["focal_plane_parity"],
        "field_angle": description["field_angle"]["coeffs"],
        "saturation_unit": _SATURATION_UNIT[description["instrument"]],
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    return "\n".join(["{", *lines, *_types_text(types), *_detectors_text(rows, types), "}", ""])


def _types_text(types: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield ' "types": {'
    for number, (name, entry) in enumerate(types.items(), start=1):
        yield f"  {json.dumps(name)}: {{"
        yield from (
            f"   {json.dumps(key)}: {json.dumps(value)}," for key, value in entry.items() if key != "amplifiers"
        )
        yield '   "amplifiers": ['
        yield ",\n".join(f"    {json.dumps(row)}" for row in entry["amplifiers"])
        yield "   ]"
        yield "  }" + ("," if number < len(types) else "")
    yield " },"


def _detectors_text(rows: Sequence[Mapping[str, Any]], types: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield ' "detectors": ['
    yield ",\n".join(f"  {json.dumps(_row(row, types), separators=(',', ':'))}" for row in rows)
    yield " ]"


def _type(name: str, entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    own = [row for row in rows if row["physical_type"] == name]
    return {
        "kind": _same(name, {row["detector_type"].lower() for row in own}),
        "vendor": _same(name, {row["vendor"] for row in own}),
        "width": entry["width"],
        "height": entry["height"],
        "pixel_size_mm": _same(name, {size for row in own for size in row["pixel_size_mm"]}),
        "refpos_pix": list(_same(name, {tuple(row["refpos_pix"]) for row in own})),
        "raw": _box(entry["raw"]["full"]),
        "data": _box(entry["raw"]["data"]),
        "serial_overscan": _box(entry["raw"]["serial_overscan"]),
        "parallel_overscan": _box(entry["raw"]["parallel_overscan"]),
        "amplifiers": [_amplifier(amplifier) for amplifier in sorted(entry["amps"], key=lambda one: int(one["hdu"]))],
    }


def _amplifier(entry: Mapping[str, Any]) -> list[Any]:
    corner = ("U" if entry["flip_y"] else "L") + ("R" if entry["flip_x"] else "L")
    if entry["assembled_read_corner"] != corner:
        raise ValueError(f"{entry['name']} is read from {entry['assembled_read_corner']}, its flips say {corner}")
    return [entry["name"], entry["extname"], entry["hdu"], entry["flip_x"], entry["flip_y"], _box(entry["bbox"])]


def _row(row: Mapping[str, Any], types: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    order = [amplifier[0] for amplifier in types[row["physical_type"]]["amplifiers"]]
    if sorted(row["amps"]) != sorted(order):
        raise ValueError(f"{row['name']} has the amplifiers {sorted(row['amps'])}, its type {sorted(order)}")
    return {
        "number": row["id"],
        "name": _NAMES.get(row["name"], row["name"]),
        "type": row["physical_type"],
        "serial": row["serial"],
        "yaw_deg": float(row["yaw_deg"]) % 360.0,
        "offset_mm": row["offset_mm"],
        **{key: [row["amps"][name][key] for name in order] for key in ("gain", "read_noise", "saturation")},
    }


def _box(box: Mapping[str, int]) -> list[int]:
    return [box["x0"], box["y0"], box["w"], box["h"]]


def _same(name: str, values: set[Any]) -> Any:
    if len(values) != 1:
        raise ValueError(f"detectors of type {name} differ where they should not: {sorted(values, key=str)}")
    return values.pop()


if __name__ == "__main__":
    main(sys.argv[1:])
