"""Where the pixels of a camera are: on disk, on the sensor, in the focal plane and in the field.

Boxes are 0-based, x along the serial register (NAXIS1), y along the columns (NAXIS2). Pixel (0, 0) is the centre of the
lower left pixel of the assembled, trimmed detector.
"""

from rapid.processing.geometry.assembly import assemble, disassemble
from rapid.processing.geometry.detector import Amplifier, Box, Detector, DetectorKind, ReadCorner
from rapid.processing.geometry.focal_plane import (
    field_to_focal_plane,
    focal_plane_corners,
    focal_plane_to_field,
    focal_plane_to_pixel,
    pixel_to_focal_plane,
)
from rapid.processing.geometry.tables import detector, detectors, instruments

__all__ = [
    "Amplifier",
    "Box",
    "Detector",
    "DetectorKind",
    "ReadCorner",
    "assemble",
    "detector",
    "detectors",
    "disassemble",
    "field_to_focal_plane",
    "focal_plane_corners",
    "focal_plane_to_field",
    "focal_plane_to_pixel",
    "instruments",
    "pixel_to_focal_plane",
]
