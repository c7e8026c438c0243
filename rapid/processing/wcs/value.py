"""A world coordinate system: where on the sky the pixels of one detector are.

`astropy.wcs` reads the same cards to the same places. It is not used here because it cannot be made of a fit but through a
header, can be changed by whoever holds it, and its way back raises when one of many points has no solution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid.errors import InputError
from rapid.processing.wcs.cards import TanSip, read_cards, write_cards
from rapid.processing.wcs.polynomial import Coefficients, Values, evaluate, fit_inverse, shifted, solve
from rapid.processing.wcs.tangent import plane_to_sky, sky_to_plane

__all__ = ["Wcs"]


def _nothing() -> Coefficients:
    return np.zeros((1, 1))


@dataclass(frozen=True, slots=True, eq=False)
class Wcs:
    """Pixels to sky by a polynomial distortion and a gnomonic projection: the TAN-SIP of FITS files, in 0-based pixels.

    With u = x - x0 and v = y - y0 the place in the tangent plane is (xi, eta) = cd (u + a(u, v), v + b(u, v)). What is
    written is the way from pixels to sky; the way back is solved to 1e-9 pixel, so both agree. All angles are ICRS degrees.
    (Shupe et al. 2005, ASP Conf. Ser. 347, 491.)

    Attributes
    ----------
    ra0, dec0
        The point where the plane touches the sky, shown at the pixel (`x0`, `y0`), which may lie far outside of the image.
    cd
        deg/pixel, shape (2, 2), rows xi and eta, columns u and v.
    shape
        (ny, nx) of the image.
    a, b
        Coefficients [pixel] of ``u**i * v**j``, shape (n, n), both alike.
    """

    ra0: float
    dec0: float
    x0: float
    y0: float
    cd: NDArray[np.float64]
    shape: tuple[int, int]
    a: Coefficients = field(default_factory=_nothing)
    b: Coefficients = field(default_factory=_nothing)

    def __post_init__(self) -> None:
        for name in ("cd", "a", "b"):
            array = np.array(getattr(self, name), np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        _check(self)

    @classmethod
    def from_polynomials(
        cls,
        *,
        tangent: tuple[float, float],
        origin: tuple[float, float],
        xi: ArrayLike,
        eta: ArrayLike,
        shape: tuple[int, int],
    ) -> Self:
        """Make the system of which the tangent-plane coordinates are polynomials of the pixels, as a fit gives them.

        Parameters
        ----------
        tangent
            (ra, dec) of the tangent point. The polynomials are followed to it: after a fit of high degree it should be on the
            image or not far away.
        origin
            Pixel (x, y) from which the variables of the polynomials are counted.
        xi, eta
            Coefficients [deg] of ``(x - x_origin)**i * (y - y_origin)**j``, shape (n, n) with n of 2 or more; constants too.

        Raises
        ------
        InputError
            If the polynomials are not alike, have no linear part that can be inverted, or do not reach the tangent point.
        """
        p, q = np.array(xi, np.float64), np.array(eta, np.float64)
        if p.shape != q.shape or p.ndim != 2 or p.shape[0] != p.shape[1] or len(p) < 2:
            raise InputError(
                "not a pair of polynomials",
                expected="two arrays of shape (n, n), n > 1",
                found=f"{p.shape} and {q.shape}",
            )
        du, dv = _zero(p, q)
        p, q = shifted(p, du, dv), shifted(q, du, dv)
        cd = np.array([[p[1, 0], p[0, 1]], [q[1, 0], q[0, 1]]])
        _check_matrix(cd)
        p[0, 0] = q[0, 0] = p[1, 0] = p[0, 1] = q[1, 0] = q[0, 1] = 0.0
        a, b = np.tensordot(np.linalg.inv(cd), np.stack((p, q)), axes=1)
        return cls(*tangent, origin[0] + du, origin[1] + dv, cd, shape, a, b)

    @classmethod
    def from_header(cls, header: Mapping[str, object], *, name: str = "", shape: tuple[int, int] | None = None) -> Self:
        """Read the cards of a TAN or TAN-SIP system; `shape` is that of NAXIS1 and NAXIS2 where none is given.

        Raises
        ------
        BadHeader
            If a card is missing or impossible, or it is another kind of system.
        """
        found, size = read_cards(header, name=name, shape=shape)
        return cls(found.ra0, found.dec0, found.x0, found.y0, found.cd, size, found.a, found.b)

    def to_header(self) -> dict[str, object]:
        """Write the standard cards, TAN or TAN-SIP, with the polynomials for the way back fitted over the image."""
        ny, nx = self.shape
        low, high = (-self.x0, -self.y0), (nx - 1 - self.x0, ny - 1 - self.y0)
        inverse = fit_inverse(self.a, self.b, low, high) if self.is_distorted else (_nothing(), _nothing())
        return write_cards(TanSip(self.ra0, self.dec0, self.x0, self.y0, self.cd, self.a, self.b), inverse)

    # --- there and back ---------------------------------------------------------------------------------------------

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Values, Values]:
        """Return (ra, dec) of pixel positions; ra from 0 to 360."""
        return plane_to_sky(*self.pixel_to_plane(x, y), self.ra0, self.dec0)

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Values, Values]:
        """Return pixel positions (x, y) of places on the sky; NaN for those that the system does not reach."""
        return self.plane_to_pixel(*sky_to_plane(ra, dec, self.ra0, self.dec0))

    def pixel_to_plane(self, x: ArrayLike, y: ArrayLike) -> tuple[Values, Values]:
        """Return tangent-plane coordinates (xi, eta) [deg] of pixel positions."""
        u, v = np.broadcast_arrays(np.asarray(x, np.float64) - self.x0, np.asarray(y, np.float64) - self.y0)
        big_u, big_v = u + evaluate(self.a, u, v), v + evaluate(self.b, u, v)
        (xi_u, xi_v), (eta_u, eta_v) = self.cd
        return xi_u * big_u + xi_v * big_v, eta_u * big_u + eta_v * big_v

    def plane_to_pixel(self, xi: ArrayLike, eta: ArrayLike) -> tuple[Values, Values]:
        """Return pixel positions (x, y) of tangent-plane coordinates [deg]."""
        east, north = np.broadcast_arrays(np.asarray(xi, np.float64), np.asarray(eta, np.float64))
        (u_xi, u_eta), (v_xi, v_eta) = np.linalg.inv(self.cd)
        big_u, big_v = u_xi * east + u_eta * north, v_xi * east + v_eta * north
        u, v = solve(self.a, self.b, big_u, big_v)
        return u + self.x0, v + self.y0

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """Tell which places on the sky fall on a pixel of the image."""
        x, y = self.sky_to_pixel(ra, dec)
        ny, nx = self.shape
        return np.asarray((x >= -0.5) & (x < nx - 0.5) & (y >= -0.5) & (y < ny - 0.5))

    # --- another one ------------------------------------------------------------------------------------------------

    def moved(self, ra0: float, dec0: float, *, rotation: float = 0.0, scale: float = 1.0) -> Self:
        """Return this system with another tangent point, its sky turned about that from north to east, and stretched.

        Parameters
        ----------
        rotation
            Degrees by which the position angle of everything in the image grows.
        scale
            Factor of the pixel scale.
        """
        cos, sin = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
        return replace(self, ra0=ra0, dec0=dec0, cd=scale * np.array([[cos, sin], [-sin, cos]]) @ self.cd)

    # --- what it is like --------------------------------------------------------------------------------------------

    @property
    def is_distorted(self) -> bool:
        """Whether it is more than a linear system."""
        return bool(np.any(self.a) or np.any(self.b))

    @property
    def centre(self) -> tuple[float, float]:
        """(ra, dec) of the middle of the image."""
        ra, dec = self.pixel_to_sky((self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2)
        return float(ra), float(dec)

    @property
    def footprint(self) -> NDArray[np.float64]:
        """(ra, dec) of the outer corners of the image, shape (4, 2), from that of the pixel (0, 0) along its row."""
        right, top = self.shape[1] - 0.5, self.shape[0] - 0.5
        return np.stack(self.pixel_to_sky((-0.5, right, right, -0.5), (-0.5, -0.5, top, top)), axis=1)

    @property
    def pixel_scale(self) -> float:
        """Arcsec per pixel in the middle of the image: the square root of what a pixel covers there."""
        return 3600.0 * float(np.sqrt(abs(np.linalg.det(self._middle()))))

    @property
    def orientation(self) -> float:
        """Position angle of the direction of y in the middle of the image, from north to east [deg, -180 to 180]."""
        east, north = self._middle()[:, 1]
        return float(np.degrees(np.arctan2(east, north)))

    @property
    def is_mirrored(self) -> bool:
        """Whether the sky is seen as from outside of the sphere: east is right of north."""
        return bool(np.linalg.det(self.cd) > 0.0)

    def local_matrix(self, x: float, y: float) -> NDArray[np.float64]:
        """Return how far east and north [deg] a step of a pixel leads at (x, y): shape (2, 2), rows east and north."""
        ra, dec = self.pixel_to_sky(x, y)
        steps_x, steps_y = np.array((0.5, -0.5, 0.0, 0.0)), np.array((0.0, 0.0, 0.5, -0.5))
        east, north = sky_to_plane(*self.pixel_to_sky(x + steps_x, y + steps_y), float(ra), float(dec))
        return np.array([[east[0] - east[1], east[2] - east[3]], [north[0] - north[1], north[2] - north[3]]])

    def _middle(self) -> NDArray[np.float64]:
        return self.local_matrix((self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2)


def _zero(p: Coefficients, q: Coefficients) -> tuple[float, float]:
    """Find where both polynomials are zero, beginning with their linear parts."""
    matrix = np.array([[p[1, 0], p[0, 1]], [q[1, 0], q[0, 1]]])
    _check_matrix(matrix)
    inverse = np.linalg.inv(matrix)
    a, b = np.tensordot(inverse, np.stack((p, q)), axes=1)
    a[1, 0] = b[0, 1] = a[0, 1] = b[1, 0] = 0.0
    u, v = solve(a, b, np.zeros(1), np.zeros(1))
    if np.isnan(u[0]):
        raise InputError("these polynomials do not reach the tangent point", expected="a zero", found="none nearby")
    return float(u[0]), float(v[0])


def _check(wcs: Wcs) -> None:
    place = (wcs.ra0, wcs.dec0, wcs.x0, wcs.y0)
    if not np.all(np.isfinite(place)) or abs(wcs.dec0) > 90.0:
        raise InputError(
            "an impossible reference point", expected="four numbers, dec within 90 degrees", found=str(place)
        )
    if wcs.a.shape != wcs.b.shape or wcs.a.ndim != 2 or wcs.a.shape[0] != wcs.a.shape[1]:
        found = f"{wcs.a.shape} and {wcs.b.shape}"
        raise InputError("impossible distortion", expected="two arrays of shape (n, n)", found=found)
    if not (np.all(np.isfinite(wcs.a)) and np.all(np.isfinite(wcs.b))):
        raise InputError("impossible distortion", expected="finite coefficients", found="NaN or infinity")
    _check_matrix(wcs.cd)


def _check_matrix(cd: NDArray[np.float64]) -> None:
    if cd.shape != (2, 2) or not np.all(np.isfinite(cd)) or abs(np.linalg.det(cd)) <= 1e-12 * float((cd**2).sum()):
        raise InputError(
            "a matrix that cannot be inverted", expected="two by two, not singular", found=str(cd.tolist())
        )
