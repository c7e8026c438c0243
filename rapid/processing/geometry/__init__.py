"""Where the pixels of a camera are: on disk, on the sensor, in the focal plane and in the field.

Boxes are 0-based, x along the serial register (NAXIS1), y along the columns (NAXIS2). Pixel (0, 0) is the centre of the
lower left pixel of the assembled, trimmed detector.
"""

from rapid.processing.geometry.assembly import assemble, disassemble
from rapid.processing.geometry.detector import Amplifier, Box, Detector, DetectorKind, ReadCorner
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
    "instruments",
]
