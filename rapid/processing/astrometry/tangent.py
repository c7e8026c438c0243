"""The plane that touches the sky at a place, and the turns of the sphere that move one such plane onto another."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.refcat.places import unit_vectors

__all__ = ["ARCSEC", "deproject", "directions", "frame_at", "places", "project", "rotation", "turn_between"]

Values = NDArray[np.float64]

ARCSEC: Final = np.radians(1.0) / 3600.0

directions = unit_vectors


def places(vectors: Values) -> tuple[Values, Values]:
    """Return right ascension (0 to 360) and declination [deg] of directions, shape (..., 3)."""
    ra = np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) % 360.0
    return ra, np.degrees(np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1])))


def frame_at(ra: float, dec: float) -> Values:
    """Return the directions of east, north and up at a place [deg] as the rows of a matrix, shape (3, 3)."""
    sin_ra, cos_ra = np.sin(np.radians(ra)), np.cos(np.radians(ra))
    sin_dec, cos_dec = np.sin(np.radians(dec)), np.cos(np.radians(dec))
    return np.array(
        [
            [-sin_ra, cos_ra, 0.0],
            [-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec],
            [cos_dec * cos_ra, cos_dec * sin_ra, sin_dec],
        ]
    )


def project(vectors: Values, frame: Values) -> Values:
    """Project directions onto the tangent plane of a frame.

    Parameters
    ----------
    vectors
        Unit vectors, shape (n, 3).
    frame
        Of `frame_at`.

    Returns
    -------
    ndarray
        xi to the east and eta to the north [arcsec], shape (n, 2); NaN for directions 90 degrees away and more.

    Notes
    -----
    Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3 (TAN).
    """
    east, north, up = frame @ vectors.T
    depth = np.where(up > 0.0, up, np.nan)
    return np.asarray(np.stack([east / depth, north / depth], axis=-1) / ARCSEC)


def deproject(plane: Values, frame: Values) -> Values:
    """Return the unit vectors, shape (n, 3), of points of the tangent plane [arcsec], shape (n, 2)."""
    points = np.column_stack([plane * ARCSEC, np.ones(len(plane))])
    points /= np.sqrt((points**2).sum(axis=1))[:, None]
    return np.asarray(points @ frame)


def rotation(angle: float) -> Values:
    """Return the matrix, shape (2, 2), of a counter-clockwise rotation [rad] of the plane."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def turn_between(frame: Values, shift: tuple[float, float], angle: float) -> Values:
    """Return the turn of the sphere that looks like a shift and a rotation in the tangent plane of a frame.

    Parameters
    ----------
    shift
        Where the point of touch goes [arcsec].
    angle
        Counter-clockwise rotation about it [rad], from east to north.

    Returns
    -------
    ndarray
        Matrix, shape (3, 3); a direction v goes to matrix @ v.
    """
    up = deproject(np.array([shift]), frame)[0]
    north = frame[1] - (frame[1] @ up) * up
    north /= np.sqrt((north**2).sum())
    east = np.cross(north, up)
    cos, sin = np.cos(angle), np.sin(angle)
    target = np.stack([cos * east + sin * north, -sin * east + cos * north, up])
    return np.asarray(target.T @ frame)
