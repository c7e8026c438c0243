"""The cards of the sixteen segments, which are the same in every exposure."""

from __future__ import annotations

from functools import cache

from rapid.processing.geometry import Amplifier, Detector
from rapid.simulation.hdus import Cards, Value, card_text

__all__ = ["segment_cards"]


@cache
def segment_cards(detector: Detector, amplifier: Amplifier) -> bytes:
    """Write the cards of one segment: names, sections and the seven linear coordinate systems of the camera."""
    column, upper = amplifier.bbox.x0 // amplifier.bbox.width, amplifier.bbox.y0 > 0
    cards: list[tuple[str, Value, str]] = [
        ("CHANNEL", amplifier.hdu, "Amplifier channel"),
        ("EXTNAME", amplifier.extname, "Name of the extension"),
        ("CCDSUM", "1 1", "Binning"),
        *_sections(detector, amplifier, column=column, upper=upper),
        *_coordinate_systems(detector, amplifier, column=column, upper=upper),
        ("BSCALE", 1.0, "Scale of the pixel values"),
        ("BZERO", 0.0, "Zero of the pixel values"),
        ("INHERIT", True, "Extension inherits values from primary header"),
    ]
    return card_text(cards)


def _sections(detector: Detector, amplifier: Amplifier, *, column: int, upper: bool) -> Cards:
    """Sections of the segment; DETSEC is upside down, as in the real files."""
    width, height = amplifier.bbox.width, amplifier.bbox.height
    first, last = column * width + 1, (column + 1) * width
    rows = f"1:{height}" if upper else f"{detector.height}:{height + 1}"
    x0, y0 = amplifier.data.x0, amplifier.data.y0
    return [
        ("DATASEC", f"[{x0 + 1}:{x0 + width},{y0 + 1}:{y0 + height}]", ""),
        ("DETSEC", f"[{last}:{first},{rows}]", ""),
        ("DETSIZE", f"[1:{detector.width},1:{detector.height}]", ""),
        ("DTV1", last + x0 + 1, "detector transformation vector"),
        ("DTV2", 0 if upper else detector.height + 1, "detector transformation vector"),
        ("DTM1_1", -1.0, "detector transformation matrix"),
        ("DTM2_2", 1.0 if upper else -1.0, "detector transformation matrix"),
        ("DTM1_2", 0.0, "detector transformation matrix"),
        ("DTM2_1", 0.0, "detector transformation matrix"),
    ]


_IN_CAMERA = ("camera", True)
_IN_ORDER_OF_READING = ("serial-parallel", False)


def _coordinate_systems(detector: Detector, amplifier: Amplifier, *, column: int, upper: bool) -> Cards:
    """Seven systems: letter, name, axes, origin along the serial and along the parallel direction.

    In the systems of the camera the axes are exchanged against those of the read-out.
    """
    serial = amplifier.bbox.width + amplifier.data.x0 + 1
    across = serial + column * amplifier.bbox.width
    edge, gap, rafts = (
        89,
        125,
        12700,
    )  # pixels from the edge of the raft to the CCD, and to the centre raft of a camera of 5x5
    systems = (
        ("A", "AMPLIFIER", "Seg_X", "Seg_Y", serial, amplifier.bbox.height + 1 if upper else 0, _IN_CAMERA),
        ("C", "CCD", "CCD_X", "CCD_Y", across, detector.height + 1 if upper else 0, _IN_CAMERA),
        ("R", "RAFT", "RAFT_X", "RAFT_Y", across + edge, gap + (detector.height + 1 if upper else 0), _IN_CAMERA),
        (
            "F",
            "FOCAL_PLANE",
            "FP_X",
            "FP_Y",
            across + edge,
            gap + rafts + (detector.height + 1 if upper else 0),
            _IN_CAMERA,
        ),
        (
            "E",
            "FP_SERPAR",
            "FP_S",
            "FP_P",
            across + edge,
            gap + rafts + (detector.height + 1 if upper else 0),
            _IN_ORDER_OF_READING,
        ),
        ("B", "CCD_SERPAR", "CCD_S", "CCD_P", across, detector.height + 1 if upper else 0, _IN_ORDER_OF_READING),
        (
            "Q",
            "RAFT_SERPAR",
            "RAFT_S",
            "RAFT_P",
            across + edge,
            gap + (detector.height + 1 if upper else 0),
            _IN_ORDER_OF_READING,
        ),
    )
    cards: list[tuple[str, Value, str]] = []
    for letter, name, x_axis, y_axis, along, parallel, (meaning, exchanged) in systems:
        turn = -1.0 if upper else 1.0
        matrix = (0.0, turn, -1.0, 0.0) if exchanged else (-1.0, 0.0, 0.0, turn)
        origin = (parallel, along) if exchanged else (along, parallel)
        cards += _system(
            letter, name, (x_axis, y_axis), matrix=matrix, origin=origin, meaning=f"In the {meaning} coordinate system"
        )
    return cards


def _system(
    letter: str,
    name: str,
    axes: tuple[str, str],
    *,
    matrix: tuple[float, float, float, float],
    origin: tuple[int, int],
    meaning: str,
) -> Cards:
    names = ("PC1_1", "PC1_2", "PC2_1", "PC2_2")
    return [
        (f"WCSNAME{letter}", name, "Name of coordinate system"),
        (f"CTYPE1{letter}", axes[0], meaning),
        (f"CTYPE2{letter}", axes[1], meaning),
        *((f"{key}{letter}", value, "") for key, value in zip(names, matrix, strict=True)),
        (f"CDELT1{letter}", 1.0, ""),
        (f"CDELT2{letter}", 1.0, ""),
        (f"CRPIX1{letter}", 0.0, ""),
        (f"CRPIX2{letter}", 0.0, ""),
        (f"CRVAL1{letter}", float(origin[0]), ""),
        (f"CRVAL2{letter}", float(origin[1]), ""),
    ]
