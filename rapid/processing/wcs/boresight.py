"""Where a detector looks when nothing is known but where the telescope points: the first guess of astrometry."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.geometry import Detector, focal_plane_to_pixel
from rapid.processing.wcs.polynomial import Coefficients
from rapid.processing.wcs.value import Wcs

__all__ = ["boresight_wcs"]

_ARCSEC: Final = 3600.0
"""In a degree."""


def boresight_wcs(detector: Detector, ra: float, dec: float, rotator_angle: float) -> Wcs:
    """Make the system of a detector from where the camera points.

    It is exact: the optical distortion grows with odd powers of the radius, and these are polynomials of the pixels. Against
    the system that imSim writes for LSSTCam it is right to 1 arcsec; on the sky the pointing decides.

    Parameters
    ----------
    ra, dec
        Boresight, ICRS degrees.
    rotator_angle
        Position angle of the focal plane on the sky (ROTPA) [deg].

    Raises
    ------
    InputError
        If the place is impossible, or the distortion of the camera has even powers of the radius.
    """
    x0, y0 = focal_plane_to_pixel(0.0, 0.0, detector)
    stretch = _stretch(detector)
    terms = (np.pad(stretch, ((1, 0), (0, 1))), np.pad(stretch, ((0, 1), (1, 0))))  # u times it, and v times it
    return Wcs(ra % 360.0, dec, float(x0), float(y0), _matrix(detector, rotator_angle), detector.shape, *terms)


def _matrix(detector: Detector, rotator_angle: float) -> NDArray[np.float64]:
    """Pixels to (xi, eta) [deg] on the optical axis: mounting, parity, plate scale, rotator."""
    yaw, angle = np.radians(detector.yaw), np.radians(rotator_angle)
    mounting = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    parity = np.diag([-1.0 if detector.parity else 1.0, 1.0])
    rotator = np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    scale = detector.field_angle[1] * detector.plate_scale * detector.pixel_size / _ARCSEC
    return np.asarray(scale * rotator @ parity @ mounting, np.float64)


def _stretch(detector: Detector) -> Coefficients:
    """Return how much field angles grow beyond proportion, as a polynomial of the pixels from the axis: 0 on the axis.

    The factor of each even power of the radius is a power of u**2 + v**2.
    """
    c = np.array(detector.field_angle)
    if c[0] != 0.0 or np.any(c[2::2] != 0.0):
        raise InputError(
            f"the distortion of {detector.instrument} is no polynomial of its pixels",
            expected="odd powers of the radius only",
            found=str(c.tolist()),
        )
    total = np.zeros((len(c) - 1, len(c) - 1))
    for power in range(2, len(c) - 1, 2):
        total += c[power + 1] / c[1] * detector.pixel_size**power * _radius_power(power // 2, len(total))
    return total


def _radius_power(half: int, size: int) -> Coefficients:
    """Coefficients of ``(u**2 + v**2)**half``, shape (size, size)."""
    square = np.zeros((size, size))
    row = np.array([1.0])
    for _ in range(half):
        row = np.convolve(row, (1.0, 1.0))
    for k, value in enumerate(row):
        square[2 * k, 2 * (half - k)] = value
    return square
