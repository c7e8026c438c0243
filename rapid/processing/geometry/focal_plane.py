"""From pixels to millimetres in the focal plane, to angles in the field, and back.

The focal plane [mm] is common to all detectors of a camera, its origin on the optical axis. Field angles [deg] are
coordinates in the plane tangent to the sky at the boresight, not yet turned by the rotator. All functions take arrays of
any one shape, or numbers, and return arrays of float64; NaN stays NaN.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray

from rapid.processing.geometry.detector import Detector

__all__ = [
    "field_to_focal_plane",
    "focal_plane_corners",
    "focal_plane_to_field",
    "focal_plane_to_pixel",
    "pixel_to_focal_plane",
]

Values = NDArray[np.float64]

_ARCSEC: Final = 3600.0
"""In a degree."""

_STEPS: Final = 8
"""Of Newton's method for the radius: distortion is a part in a thousand, and each step squares what is left of it."""


def pixel_to_focal_plane(x: ArrayLike, y: ArrayLike, detector: Detector) -> tuple[Values, Values]:
    """Return places in the focal plane [mm] of pixel positions (0-based)."""
    cos, sin = _turn(detector)
    dx = (np.asarray(x, np.float64) - detector.refpos[0]) * detector.pixel_size
    dy = (np.asarray(y, np.float64) - detector.refpos[1]) * detector.pixel_size
    return cos * dx - sin * dy + detector.offset[0], sin * dx + cos * dy + detector.offset[1]


def focal_plane_to_pixel(x: ArrayLike, y: ArrayLike, detector: Detector) -> tuple[Values, Values]:
    """Return pixel positions (0-based), also beyond the edges of the detector, of places in the focal plane [mm]."""
    cos, sin = _turn(detector)
    dx = (np.asarray(x, np.float64) - detector.offset[0]) / detector.pixel_size
    dy = (np.asarray(y, np.float64) - detector.offset[1]) / detector.pixel_size
    return cos * dx + sin * dy + detector.refpos[0], -sin * dx + cos * dy + detector.refpos[1]


def focal_plane_to_field(x: ArrayLike, y: ArrayLike, detector: Detector) -> tuple[Values, Values]:
    """Return field angles [deg] of places in the focal plane [mm]: radial distortion, then parity."""
    plane_x, plane_y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    scale = _stretch(np.hypot(plane_x, plane_y), detector) * (detector.plate_scale / _ARCSEC)
    return (-plane_x if detector.parity else plane_x) * scale, plane_y * scale


def field_to_focal_plane(x: ArrayLike, y: ArrayLike, detector: Detector) -> tuple[Values, Values]:
    """Return places in the focal plane [mm] of field angles [deg]."""
    scale = _ARCSEC / detector.plate_scale
    wanted_x, wanted_y = np.asarray(x, np.float64) * scale, np.asarray(y, np.float64) * scale
    radius = _radius(np.hypot(wanted_x, wanted_y), detector)
    factor = 1.0 / _stretch(radius, detector)
    return (-wanted_x if detector.parity else wanted_x) * factor, wanted_y * factor


def focal_plane_corners(detector: Detector) -> Values:
    """Return the outer corners of a detector's imaging area in the focal plane [mm], shape (4, 2).

    They go around from the pixel (0, 0) along its row.
    """
    right, top = detector.width - 0.5, detector.height - 0.5
    x, y = pixel_to_focal_plane((-0.5, right, right, -0.5), (-0.5, -0.5, top, top), detector)
    return np.stack((x, y), axis=1)


def _turn(detector: Detector) -> tuple[float, float]:
    """Cosine and sine of the yaw, exact for quarter turns."""
    quarters = detector.yaw / 90.0
    if quarters == round(quarters):
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[detector.orientation]
    return float(np.cos(np.radians(detector.yaw))), float(np.sin(np.radians(detector.yaw)))


def _stretch(radius: Values, detector: Detector) -> Values:
    """Field angle over radius, in units of the plate scale: 1 on the axis."""
    return np.asarray(Polynomial(detector.field_angle[1:])(radius), np.float64)


def _radius(angle: Values, detector: Detector) -> Values:
    """Solve ``sum(c[i] * r**i) = angle`` for r, all in mm."""
    curve = Polynomial(detector.field_angle)
    slope = curve.deriv()
    radius = angle.copy()
    for _ in range(_STEPS):
        radius = radius - (curve(radius) - angle) / slope(radius)
    return radius
