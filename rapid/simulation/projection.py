"""Where stars fall on the detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Detector
from rapid.simulation.optics import focal_plane

__all__ = ["Projection", "aim"]

Values = NDArray[np.float64]

_UNDISTORTED = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Projection:
    """Tangent-plane projection about the boresight (ICRS), turned by the rotator; angles in degrees.

    The rules are those of the observatory's initial WCS: focal plane [mm] = offset + turn(yaw) (pixel - refpos) * pixel size,
    its x negated for a camera with parity, the radius stretched by the polynomial of the field angle, and
    (xi, eta) = [[-cos r, sin r], [sin r, cos r]] (x, y) times the plate scale. Nothing is approximated: this is the truth
    against which a fitted WCS is held.
    """

    detector: Detector
    ra: float
    dec: float
    rotator: float

    def pixels(self, ra: Values, dec: Values) -> tuple[Values, Values]:
        """Return pixel positions (x, y), 0-based in the assembled detector, of places less than 90 degrees away."""
        xi, eta = _gnomonic(ra, dec, self.ra, self.dec)
        sin, cos = np.sin(np.radians(self.rotator)), np.cos(np.radians(self.rotator))
        field_x, field_y = -cos * xi + sin * eta, sin * xi + cos * eta
        scale = np.degrees(1.0) * 3600.0 / self.detector.plate_scale
        plane_x, plane_y = self._shrunk((-field_x if self.detector.parity else field_x) * scale, field_y * scale)
        plane_x, plane_y = plane_x - self.detector.offset[0], plane_y - self.detector.offset[1]
        yaw = np.radians(self.detector.yaw)
        x = (np.cos(yaw) * plane_x + np.sin(yaw) * plane_y) / self.detector.pixel_size + self.detector.refpos[0]
        y = (-np.sin(yaw) * plane_x + np.cos(yaw) * plane_y) / self.detector.pixel_size + self.detector.refpos[1]
        return x, y

    def sky(self, x: Values, y: Values) -> tuple[Values, Values]:
        """Return the ICRS places (ra, dec) [deg] of pixel positions."""
        plane_x, plane_y = focal_plane(self.detector, x, y)
        plane_x, plane_y = self._stretched(plane_x, plane_y)
        scale = self.detector.plate_scale / (np.degrees(1.0) * 3600.0)
        field_x, field_y = (-plane_x if self.detector.parity else plane_x) * scale, plane_y * scale
        sin, cos = np.sin(np.radians(self.rotator)), np.cos(np.radians(self.rotator))
        return _inverse_gnomonic(-cos * field_x + sin * field_y, sin * field_x + cos * field_y, self.ra, self.dec)

    def _stretched(self, x: Values, y: Values) -> tuple[Values, Values]:
        """Move places in the focal plane [mm] to where they would be if the plate scale were the same everywhere."""
        if self.detector.field_angle == _UNDISTORTED:
            return x, y
        radius = np.hypot(x, y)
        stretch = np.polynomial.polynomial.polyval(radius, self.detector.field_angle[1:])
        return x * stretch, y * stretch

    def _shrunk(self, x: Values, y: Values) -> tuple[Values, Values]:
        """Undo `_stretched`, by Newton's method to rounding."""
        if self.detector.field_angle == _UNDISTORTED:
            return x, y
        curve = np.polynomial.Polynomial(self.detector.field_angle)
        slope, wanted = curve.deriv(), np.hypot(x, y)
        radius = wanted
        for _ in range(6):
            radius = radius - (curve(radius) - wanted) / slope(radius)
        shrink = np.divide(radius, wanted, out=np.ones_like(wanted), where=wanted > 0.0)
        return x * shrink, y * shrink


def aim(
    detector: Detector, ra: float, dec: float, *, pixel: tuple[float, float], rotator: float
) -> tuple[float, float]:
    """Return the boresight (ra, dec) [deg] for which a place on the sky falls on a pixel."""
    boresight = (ra, dec)
    for _ in range(4):
        seen = Projection(detector, *boresight, rotator).sky(np.array(pixel[0]), np.array(pixel[1]))
        east = (ra - float(seen[0]) + 180.0) % 360.0 - 180.0
        boresight = ((boresight[0] + east) % 360.0, boresight[1] + dec - float(seen[1]))
    return boresight


def _gnomonic(ra: Values, dec: Values, ra0: float, dec0: float) -> tuple[Values, Values]:
    """Project onto the tangent plane at (ra0, dec0): xi to the east, eta to the north, in radians."""
    delta = np.radians(ra - ra0)
    sin, cos = np.sin(np.radians(dec)), np.cos(np.radians(dec))
    sin0, cos0 = np.sin(np.radians(dec0)), np.cos(np.radians(dec0))
    depth = sin0 * sin + cos0 * cos * np.cos(delta)
    return cos * np.sin(delta) / depth, (cos0 * sin - sin0 * cos * np.cos(delta)) / depth


def _inverse_gnomonic(xi: Values, eta: Values, ra0: float, dec0: float) -> tuple[Values, Values]:
    sin0, cos0 = np.sin(np.radians(dec0)), np.cos(np.radians(dec0))
    depth = cos0 - eta * sin0
    ra = ra0 + np.degrees(np.arctan2(xi, depth))
    dec = np.degrees(np.arctan2(sin0 + eta * cos0, np.hypot(xi, depth)))
    return np.asarray(ra % 360.0), np.asarray(dec)
