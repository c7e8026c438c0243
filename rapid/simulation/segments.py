"""The cards of the segments, which are the same in every exposure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from rapid.processing.geometry import Amplifier, Detector
from rapid.simulation.hdus import Cards, Value, card_text

__all__ = ["segment_cards"]


@cache
def segment_cards(detector: Detector, amplifier: Amplifier) -> bytes:
    """Write the cards of one segment: names, sections and the seven linear coordinate systems of the camera.

    Of detectors in the corner rafts only the systems of amplifier and CCD are written: how the camera sets out the others
    is not known.
    """
    place = _Place.of(detector, amplifier)
    cards: list[tuple[str, Value, str]] = [
        ("CHANNEL", amplifier.hdu, "Amplifier channel"),
        ("EXTNAME", amplifier.extname, "Name of the extension"),
        ("CCDSUM", "1 1", "Binning"),
        *_sections(detector, amplifier, place),
        *_coordinate_systems(detector, place),
        ("BSCALE", 1.0, "Scale of the pixel values"),
        ("BZERO", 0.0, "Zero of the pixel values"),
        ("INHERIT", True, "Extension inherits values from primary header"),
    ]
    return card_text(cards)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an amplifier is in its detector, as the camera's own coordinates count.

    Attributes
    ----------
    upper
        Whether it is in the half that is read upwards in these coordinates: C10 to C17.
    backwards
        Whether its serial register runs against them.
    first, last
        Columns of the detector [pixel], from 1.
    height, prescan
        Rows, and columns before the first of the imaging area.
    full
        Rows of the whole CCD: a half of a wavefront sensor counts as the whole.
    """

    upper: bool
    backwards: bool
    first: int
    last: int
    height: int
    prescan: int
    full: int

    @classmethod
    def of(cls, detector: Detector, amplifier: Amplifier) -> _Place:
        box = amplifier.bbox
        column = box.x0 // box.width
        return cls(
            upper=amplifier.flip_y,
            backwards=amplifier.flip_x,
            first=column * box.width + 1,
            last=(column + 1) * box.width,
            height=box.height,
            prescan=amplifier.data.x0,
            full=_FULL_HEIGHT.get(detector.type, detector.height),
        )

    def serial(self, first: int, last: int) -> int:
        """Return the origin along the serial direction of an amplifier that takes up these columns."""
        return last + self.prescan + 1 if self.backwards else first - 1 - self.prescan


_FULL_HEIGHT = {"ITL_WF": 4000}


def _sections(detector: Detector, amplifier: Amplifier, place: _Place) -> Cards:
    """Sections of the segment; DETSEC is upside down, as in the real files."""
    width, height = amplifier.bbox.width, amplifier.bbox.height
    columns = f"{place.last}:{place.first}" if place.backwards else f"{place.first}:{place.last}"
    rows = f"1:{height}" if place.upper else f"{place.full}:{height + 1}"
    x0, y0 = amplifier.data.x0, amplifier.data.y0
    return [
        ("DATASEC", f"[{x0 + 1}:{x0 + width},{y0 + 1}:{y0 + height}]", ""),
        ("DETSEC", f"[{columns},{rows}]", ""),
        ("DETSIZE", f"[1:{detector.width},1:{place.full}]", ""),
        ("DTV1", place.serial(place.first, place.last), "detector transformation vector"),
        ("DTV2", 0 if place.upper else place.full + 1, "detector transformation vector"),
        ("DTM1_1", -1.0 if place.backwards else 1.0, "detector transformation matrix"),
        ("DTM2_2", 1.0 if place.upper else -1.0, "detector transformation matrix"),
        ("DTM1_2", 0.0, "detector transformation matrix"),
        ("DTM2_1", 0.0, "detector transformation matrix"),
    ]


_System = tuple[str, str, str, str, tuple[float, float], tuple[str, bool]]
_IN_CAMERA = ("camera", True)
_IN_ORDER_OF_READING = ("serial-parallel", False)


def _coordinate_systems(detector: Detector, place: _Place) -> Cards:
    """Seven systems: letter, name, axes, origin along the serial and along the parallel direction.

    In the systems of the camera the axes are exchanged against those of the read-out.
    """
    rows = place.full + 1 if place.upper else 0
    amplifier = (place.serial(1, place.last - place.first + 1), place.height + 1 if place.upper else 0)
    ccd = (place.serial(place.first, place.last), rows)
    systems: list[_System] = [
        ("A", "AMPLIFIER", "Seg_X", "Seg_Y", amplifier, _IN_CAMERA),
        ("C", "CCD", "CCD_X", "CCD_Y", ccd, _IN_CAMERA),
        ("B", "CCD_SERPAR", "CCD_S", "CCD_P", ccd, _IN_ORDER_OF_READING),
    ]
    if detector.slot[1:].isdecimal():
        raft, plane = _origins(detector, ccd)
        systems[2:2] = [
            ("R", "RAFT", "RAFT_X", "RAFT_Y", raft, _IN_CAMERA),
            ("F", "FOCAL_PLANE", "FP_X", "FP_Y", plane, _IN_CAMERA),
            ("E", "FP_SERPAR", "FP_S", "FP_P", plane, _IN_ORDER_OF_READING),
        ]
        systems.append(("Q", "RAFT_SERPAR", "RAFT_S", "RAFT_P", raft, _IN_ORDER_OF_READING))
    return [card for system in systems for card in _system(system, place)]


def _origins(detector: Detector, ccd: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the origin (serial, parallel) in raft and focal plane: the first digit of a name counts along the columns."""
    slot = int(detector.slot[2]), int(detector.slot[1])
    # LATISS calls its raft R00, but counts it as the second along the columns.
    raft = (0, 1) if detector.instrument == "LATISS" else (int(detector.raft[2]), int(detector.raft[1]))
    edges = _EDGES[detector.vendor]
    in_raft = tuple(ccd[i] + edges[i] + _CCD_PITCH * slot[i] for i in (0, 1))
    in_plane = tuple(in_raft[i] + _RAFT_PITCH * raft[i] for i in (0, 1))
    return (in_raft[0], in_raft[1]), (in_plane[0], in_plane[1])


_EDGES = {"E2V": (77.0, 122.5), "ITL": (89.0, 125.0)}
"""Pixels from the edge of the raft to its first CCD, along the serial and the parallel direction."""

_CCD_PITCH, _RAFT_PITCH = 4225.0, 12700.0  # pixels


def _system(system: _System, place: _Place) -> Cards:
    letter, name, x_axis, y_axis, origin, (meaning, exchanged) = system
    along = -1.0 if place.backwards else 1.0
    up = -1.0 if place.upper else 1.0
    matrix = (0.0, up, along, 0.0) if exchanged else (along, 0.0, 0.0, up)
    first, second = (origin[1], origin[0]) if exchanged else origin
    names = ("PC1_1", "PC1_2", "PC2_1", "PC2_2")
    return [
        (f"WCSNAME{letter}", name, "Name of coordinate system"),
        (f"CTYPE1{letter}", x_axis, f"In the {meaning} coordinate system"),
        (f"CTYPE2{letter}", y_axis, f"In the {meaning} coordinate system"),
        *((f"{key}{letter}", value, "") for key, value in zip(names, matrix, strict=True)),
        (f"CDELT1{letter}", 1.0, ""),
        (f"CDELT2{letter}", 1.0, ""),
        (f"CRPIX1{letter}", 0.0, ""),
        (f"CRPIX2{letter}", 0.0, ""),
        (f"CRVAL1{letter}", float(first), ""),
        (f"CRVAL2{letter}", float(second), ""),
    ]
