"""TAN and TAN-SIP systems as the cards of a FITS header (Calabretta & Greisen 2002; Shupe et al. 2005)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rapid.errors import BadHeader
from rapid.processing.wcs.polynomial import Coefficients

__all__ = ["TanSip", "read_cards", "write_cards"]

_LARGEST_ORDER: Final = 9
"""Of the SIP convention."""


_LARGEST_NUMBER: Final = 1e9
"""No angle, pixel or coefficient is larger; the ninth power of it can still be counted with."""

_FRAMES: Final = frozenset({"ICRS", "FK5"})
"""Frames that are read as ICRS: they differ by 0.02 arcsec."""


class TanSip(NamedTuple):
    """The numbers of a system, as in `Wcs`: pixels are 0-based."""

    ra0: float
    dec0: float
    x0: float
    y0: float
    cd: NDArray[np.float64]
    a: Coefficients
    b: Coefficients


def write_cards(system: TanSip, inverse: tuple[Coefficients, Coefficients]) -> dict[str, object]:
    """Write a system; the inverse polynomials are left out where there is no distortion."""
    distorted = bool(np.any(system.a) or np.any(system.b))
    suffix = "-SIP" if distorted else ""
    cards: dict[str, object] = {
        "WCSAXES": 2,
        "CTYPE1": f"RA---TAN{suffix}",
        "CTYPE2": f"DEC--TAN{suffix}",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRVAL1": system.ra0,
        "CRVAL2": system.dec0,
        "CRPIX1": system.x0 + 1.0,
        "CRPIX2": system.y0 + 1.0,
        **{f"CD{i + 1}_{j + 1}": float(system.cd[i, j]) for i in (0, 1) for j in (0, 1)},
        "RADESYS": "ICRS",
        "LONPOLE": 180.0,
    }
    if distorted:
        for letter, c in zip(("A", "B", "AP", "BP"), (system.a, system.b, *inverse), strict=True):
            cards |= _polynomial_cards(letter, c)
    return cards


def read_cards(
    header: Mapping[str, object], *, name: str, shape: tuple[int, int] | None
) -> tuple[TanSip, tuple[int, int]]:
    """Read a system, and the shape of its image.

    Raises
    ------
    BadHeader
        If a card is missing or impossible, or it is another kind of system.
    """
    kinds = tuple(str(header.get(f"CTYPE{axis}", "")).strip() for axis in (1, 2))
    if kinds not in {("RA---TAN", "DEC--TAN"), ("RA---TAN-SIP", "DEC--TAN-SIP")}:
        expected = "RA---TAN and DEC--TAN, with -SIP or without"
        raise BadHeader("not a system we read", subject=name, expected=expected, found=" and ".join(map(repr, kinds)))
    _check_usual(header, name)
    ra0, dec0, x, y = (_number(header, key, name) for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"))
    if abs(dec0) > 90.0:
        raise BadHeader("impossible CRVAL2", subject=name, expected="-90 to 90", found=str(dec0))
    none = np.zeros((1, 1))
    sip = "SIP" in kinds[0]
    a, b = _same_size(_polynomial(header, "A", name), _polynomial(header, "B", name)) if sip else (none, none)
    return TanSip(ra0 % 360.0, dec0, x - 1.0, y - 1.0, _matrix(header, name), a, b), shape or _shape(header, name)


def _polynomial_cards(letter: str, c: Coefficients) -> dict[str, object]:
    cards: dict[str, object] = {f"{letter}_ORDER": max(len(c) - 1, 1)}
    for (i, j), value in np.ndenumerate(c):
        if value:
            cards[f"{letter}_{i}_{j}"] = float(value)
    return cards


def _polynomial(header: Mapping[str, object], letter: str, name: str) -> Coefficients:
    order = _number(header, f"{letter}_ORDER", name, default=0.0)
    if order != int(order) or not 0 <= order <= _LARGEST_ORDER:
        raise BadHeader(f"impossible {letter}_ORDER", subject=name, expected=f"0 to {_LARGEST_ORDER}", found=str(order))
    size = int(order) + 1
    c = np.zeros((size, size))
    for i in range(size):
        for j in range(size - i):
            c[i, j] = _number(header, f"{letter}_{i}_{j}", name, default=0.0)
    return c


def _same_size(a: Coefficients, b: Coefficients) -> tuple[Coefficients, Coefficients]:
    size = max(len(a), len(b))
    return np.pad(a, (0, size - len(a))), np.pad(b, (0, size - len(b)))


def _matrix(header: Mapping[str, object], name: str) -> NDArray[np.float64]:
    """CD; or PC and CDELT; or CDELT and CROTA2."""
    pairs = [(i, j) for i in (1, 2) for j in (1, 2)]
    if any(f"CD{i}_{j}" in header for i, j in pairs):
        matrix = np.array([_number(header, f"CD{i}_{j}", name, default=0.0) for i, j in pairs]).reshape(2, 2)
    else:
        scale = np.array([_number(header, f"CDELT{axis}", name) for axis in (1, 2)])
        if any(f"PC{i}_{j}" in header for i, j in pairs):
            turn = np.array([_number(header, f"PC{i}_{j}", name, default=float(i == j)) for i, j in pairs]).reshape(
                2, 2
            )
            matrix = scale[:, None] * turn
        else:
            angle = math.radians(_number(header, "CROTA2", name, default=0.0))
            cos, sin = math.cos(angle), math.sin(angle)
            matrix = np.array([[scale[0] * cos, -scale[1] * sin], [scale[0] * sin, scale[1] * cos]])
    if abs(float(np.linalg.det(matrix))) <= 1e-12 * float((matrix**2).sum()):
        raise BadHeader(
            "the matrix cannot be inverted", subject=name, expected="CD or CDELT", found=str(matrix.tolist())
        )
    return matrix


def _check_usual(header: Mapping[str, object], name: str) -> None:
    """Refuse systems in another frame, turned in a way we do not follow, or not in degrees."""
    frame = str(header.get("RADESYS") or "ICRS").strip().upper()
    if frame not in _FRAMES or _number(header, "EQUINOX", name, default=2000.0) != 2000.0:
        found = f"{frame}, {header.get('EQUINOX', 'no equinox')}"
        raise BadHeader("unusual RADESYS or EQUINOX", subject=name, expected="ICRS, or FK5 of 2000", found=found)
    pole = _number(header, "LONPOLE", name, default=180.0)
    if pole != 180.0:
        raise BadHeader("unusual LONPOLE", subject=name, expected="180", found=str(pole))
    for axis in (1, 2):
        unit = str(header.get(f"CUNIT{axis}") or "deg").strip().lower()
        if unit not in {"deg", "degree", "degrees"}:
            raise BadHeader(f"unusual CUNIT{axis}", subject=name, expected="deg", found=repr(unit))


def _shape(header: Mapping[str, object], name: str) -> tuple[int, int]:
    height, width = (int(_number(header, f"NAXIS{axis}", name)) for axis in (2, 1))
    if min(height, width) < 1:
        raise BadHeader("impossible NAXIS1, NAXIS2", subject=name, expected="1 or more", found=f"{width}, {height}")
    return height, width


def _number(header: Mapping[str, object], keyword: str, name: str, *, default: float | None = None) -> float:
    value = header.get(keyword, default)
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.nan
    if not abs(number) <= _LARGEST_NUMBER:
        found = "none" if value is None else repr(value)[:40]
        raise BadHeader(f"{keyword} is missing or impossible", subject=name, expected="a number", found=found)
    return number
