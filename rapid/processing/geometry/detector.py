"""A detector and its amplifiers, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Amplifier", "Box", "Detector", "DetectorKind", "ReadCorner"]


class DetectorKind(StrEnum):
    """What a detector is there for."""

    SCIENCE = "science"
    GUIDER = "guider"
    WAVEFRONT = "wavefront"


class ReadCorner(StrEnum):
    """Corner of an amplifier's place in the assembled detector where its first pixel is."""

    LOWER_LEFT = "LL"
    LOWER_RIGHT = "LR"
    UPPER_LEFT = "UL"
    UPPER_RIGHT = "UR"


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
        Size of the image on disk (nominal; overscans may be narrower or wider).
    data, serial_overscan, parallel_overscan
        Boxes in the image on disk; its first pixel, the lower left one, is the first that is read.
    flip_x, flip_y
        How the data are turned before they are put in place.
    bbox
        Place in the assembled, trimmed detector.
    gain, read_noise, saturation
        Nominal, in electron/adu, electron, and adu above the bias level.
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

    @property
    def serial_prescan(self) -> Box:
        """Columns read before the first pixel of the imaging area, in the image on disk."""
        return Box(0, self.data.y0, self.data.x0, self.data.height)

    @property
    def read_corner(self) -> ReadCorner:
        """Corner of `bbox` at which reading begins."""
        return ReadCorner(("U" if self.flip_y else "L") + ("R" if self.flip_x else "L"))

    @property
    def turn(self) -> tuple[slice, slice]:
        """Index that turns pixels from the order of reading into that of the assembled detector, and back."""
        return slice(None, None, -1 if self.flip_y else 1), slice(None, None, -1 if self.flip_x else 1)


@dataclass(frozen=True, slots=True)
class Detector:
    """One CCD: ``shape`` of its trimmed image is (height, width).

    Attributes
    ----------
    instrument, number, name, serial, vendor
        ``LSSTCam``, 94, ``R22_S11``, ``E2V-CCD250-367``, ``E2V``.
    width, height
        Of the assembled, trimmed image [pixel].
    amplifiers
        In the order of the raw file.
    pixel_size
        mm.
    refpos, offset, yaw
        The pixel ``refpos`` lies at ``offset`` [mm] in the focal plane; the detector is turned there by ``yaw`` [deg,
        counter-clockwise, 0 to 360].
    plate_scale
        arcsec/mm at the centre of the field.
    parity
        Whether x of the focal plane runs against x of the field.
    kind
        What it is there for.
    type
        Of the sensor: ``E2V``, ``ITL``, ``ITL_G`` (guider), ``ITL_WF`` (half of a wavefront sensor).
    height_offset
        Height above the focal surface [mm]: -1.5 and +1.5 for the halves of a wavefront sensor, 0 for all others.
    field_angle
        Coefficients c of the field angle as a function of the radius r [mm] in the focal plane: ``plate_scale * sum(c[i] * r**i)``.
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
    kind: DetectorKind = DetectorKind.SCIENCE
    type: str = ""
    height_offset: float = 0.0
    field_angle: tuple[float, ...] = (0.0, 1.0)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (ny, nx) of the assembled, trimmed image."""
        return self.height, self.width

    @property
    def pixel_scale(self) -> float:
        """Arcsec per pixel at the centre of the field."""
        return self.plate_scale * self.pixel_size

    @property
    def orientation(self) -> int:
        """Quarter turns, counter-clockwise, by which the detector is mounted in the focal plane: 0 to 3."""
        return round(self.yaw / 90.0) % 4

    @property
    def raft(self) -> str:
        """``R22``."""
        return self.name.partition("_")[0]

    @property
    def slot(self) -> str:
        """``S11``, ``SG0`` or ``SW1``."""
        return self.name.partition("_")[2]
