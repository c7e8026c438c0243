"""How the image changes over a wide field: vignetting, width and ellipticity of the PSF."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Detector
from rapid.processing.jit import compiled

__all__ = ["FieldOptics", "field_optics", "focal_plane", "vignetting"]

Values = NDArray[np.float64]

_EDGE_MM = 317.0  # radius of the round field of LSSTCam
_MESH = 64  # pixels between the places at which vignetting is computed


@dataclass(frozen=True, slots=True)
class FieldOptics:
    """What the optics add to the seeing, growing with the square of the radius in the focal plane.

    Attributes
    ----------
    growth
        Relative growth of the FWHM from the centre to the edge of the field.
    astigmatism
        Ellipticity at the edge, along the radius.
    """

    growth: float
    astigmatism: float

    def shapes(self, x_mm: Values, y_mm: Values) -> tuple[Values, Values, Values]:
        """Return the factor on the FWHM and what is added to e1 and e2 at places in the focal plane [mm].

        e1 and e2 refer to the axes of the focal plane.
        """
        across = (x_mm**2 - y_mm**2) / _EDGE_MM**2
        diagonal = 2.0 * x_mm * y_mm / _EDGE_MM**2
        radius2 = (x_mm**2 + y_mm**2) / _EDGE_MM**2
        return 1.0 + self.growth * radius2, self.astigmatism * across, self.astigmatism * diagonal


_OPTICS = {
    "LSSTCam": FieldOptics(growth=0.08, astigmatism=0.04),
    "LSSTComCam": FieldOptics(growth=0.08, astigmatism=0.04),
}


def field_optics(instrument: str) -> FieldOptics | None:
    """Return the optics of a camera; None where the field is so small that nothing changes over it."""
    return _OPTICS.get(instrument)


def focal_plane(detector: Detector, x: Values, y: Values) -> tuple[Values, Values]:
    """Return where pixels, 0-based in the assembled detector, are in the focal plane [mm]."""
    yaw, size = np.radians(detector.yaw), detector.pixel_size
    dx, dy = (x - detector.refpos[0]) * size, (y - detector.refpos[1]) * size
    return (
        np.cos(yaw) * dx - np.sin(yaw) * dy + detector.offset[0],
        np.sin(yaw) * dx + np.cos(yaw) * dy + detector.offset[1],
    )


def vignetting(detector: Detector) -> NDArray[np.float32]:
    """Return the light that reaches each pixel of an LSST camera, relative to the centre of the field; shape (ny, nx).

    It is computed on a mesh and interpolated linearly, which is good to 1e-4 but at the kink 310 mm from the centre.
    """
    ny, nx = detector.shape
    ys, xs = np.arange(0.0, ny + _MESH, _MESH), np.arange(0.0, nx + _MESH, _MESH)
    x_mm, y_mm = focal_plane(detector, xs[None, :], ys[:, None])
    radii, relative = _vignetting_curve()
    mesh = np.interp(np.hypot(x_mm, y_mm), radii, relative)
    out = np.empty((ny, nx), dtype=np.float32)
    _interpolate(mesh, _MESH, out)
    return out


@cache
def _vignetting_curve() -> tuple[Values, Values]:
    text = files("rapid.simulation").joinpath("data", "lsstcam_vignetting.json").read_text(encoding="utf-8")
    table = json.loads(text)
    return np.array(table["radius_mm"]), np.array(table["relative"])


@compiled
def _interpolate(mesh: Values, step: int, out: NDArray[np.float32]) -> None:
    ny, nx = out.shape
    row = np.empty(mesh.shape[1])
    for y in range(ny):
        j, v = y // step, (y % step) / step
        for i in range(mesh.shape[1]):
            row[i] = mesh[j, i] * (1.0 - v) + mesh[j + 1, i] * v
        for x in range(nx):
            i, u = x // step, (x % step) / step
            out[y, x] = np.float32(row[i] * (1.0 - u) + row[i + 1] * u)
