"""Stars of a reference catalogue, as a value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.refcat.places import moved

__all__ = ["NUMBERS", "References", "concatenate"]

Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]

NUMBERS: Final[Mapping[str, np.dtype[Any]]] = MappingProxyType(
    {
        "id": np.dtype(np.int64),
        "ra": np.dtype(np.float64),
        "dec": np.dtype(np.float64),
        "epoch": np.dtype(np.float64),
        "pm_ra": np.dtype(np.float32),
        "pm_dec": np.dtype(np.float32),
        "ra_error": np.dtype(np.float32),
        "dec_error": np.dtype(np.float32),
    }
)
"""The columns that every catalogue has, and their types."""


_BAND: Final = re.compile(r"(?!error_)[a-z][a-z0-9]*(_[a-z0-9]+)*")
"""What a band may be called; ``error_`` in front would be taken for the errors of another."""


@dataclass(frozen=True, slots=True)
class References:
    """Stars of a reference catalogue; every column has one entry a star and is read-only.

    Attributes
    ----------
    id
        Number in the catalogue it came from.
    ra, dec
        ICRS place [deg] at `epoch`.
    epoch
        Julian year, star by star.
    pm_ra, pm_dec
        Proper motion [mas/yr], that in right ascension with the factor cos dec; NaN where it is not known.
    ra_error, dec_error
        Standard error of the place [mas], that in right ascension with the factor cos dec; NaN where it is not known.
    magnitudes, magnitude_errors
        AB magnitudes and their standard errors by band, as ``gaia_g`` or ``latiss_r``; NaN where not measured. Both have
        the same bands.

    Raises
    ------
    InputError
        If columns differ in length, a place or epoch is not finite or off the sphere, a band's name is not snake_case, or
        the bands of the two do not agree.
    """

    id: NDArray[np.int64]
    ra: Doubles
    dec: Doubles
    epoch: Doubles
    pm_ra: Singles
    pm_dec: Singles
    ra_error: Singles
    dec_error: Singles
    magnitudes: Mapping[str, Singles] = field(default_factory=lambda: MappingProxyType({}))
    magnitude_errors: Mapping[str, Singles] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, kind in NUMBERS.items():
            object.__setattr__(self, name, _column(getattr(self, name), kind, len(self.id), name))
        for name in ("magnitudes", "magnitude_errors"):
            bands: Mapping[str, Any] = getattr(self, name)
            _check_bands(bands)
            kept = {band: _column(bands[band], np.dtype(np.float32), len(self.id), band) for band in sorted(bands)}
            object.__setattr__(self, name, MappingProxyType(kept))
        if self.magnitudes.keys() != self.magnitude_errors.keys():
            expected, found = (", ".join(bands) or "none" for bands in (self.magnitudes, self.magnitude_errors))
            raise InputError("magnitudes and their errors are of different bands", expected=expected, found=found)
        _check_places(self)

    def __len__(self) -> int:
        return len(self.id)

    @property
    def nbytes(self) -> int:
        """Memory of the columns [byte]."""
        return sum(column.nbytes for column in self.columns().values())

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return all columns by name; the magnitudes as ``mag_{band}`` and ``mag_error_{band}``."""
        columns: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in NUMBERS}
        for band in self.magnitudes:
            columns[f"mag_{band}"] = self.magnitudes[band]
            columns[f"mag_error_{band}"] = self.magnitude_errors[band]
        return columns

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> References:
        """Keep some of the stars, by truth value or by index."""
        numbers = {name: getattr(self, name)[which] for name in NUMBERS}
        magnitudes = {band: values[which] for band, values in self.magnitudes.items()}
        errors = {band: values[which] for band, values in self.magnitude_errors.items()}
        return References(**numbers, magnitudes=magnitudes, magnitude_errors=errors)

    def at(self, year: float) -> References:
        """Move every star to where it is at an epoch [Julian year]; a star of unknown motion stays."""
        pm_ra, pm_dec = self.pm_ra.astype(np.float64), self.pm_dec.astype(np.float64)
        ra, dec = moved(self.ra, self.dec, pm_ra=pm_ra, pm_dec=pm_dec, years=year - self.epoch)
        numbers = {name: getattr(self, name) for name in NUMBERS} | {"ra": ra, "dec": dec}
        numbers["epoch"] = np.full(len(self), year)
        return References(**numbers, magnitudes=self.magnitudes, magnitude_errors=self.magnitude_errors)

    def brightness(self) -> Singles:
        """Return one magnitude for every star, to rank them: that of the band which most stars have, or the next best.

        NaN where no band has one. Bands differ by a magnitude or so, which does no harm to an order.
        """
        best = np.full(len(self), np.nan, dtype=np.float32)
        for values in sorted(self.magnitudes.values(), key=lambda values: -int(np.isfinite(values).sum())):
            best = np.where(np.isfinite(best), best, values)
        return best


def concatenate(parts: Sequence[References]) -> References:
    """Put catalogues one behind the other; a band that one of them lacks is NaN there."""
    bands = sorted({band for part in parts for band in part.magnitudes})
    numbers = {
        name: np.concatenate([np.empty(0, kind), *(getattr(part, name) for part in parts)])
        for name, kind in NUMBERS.items()
    }
    magnitudes, errors = (
        {band: np.concatenate([_band(getattr(part, which), band, len(part)) for part in parts]) for band in bands}
        for which in ("magnitudes", "magnitude_errors")
    )
    return References(**numbers, magnitudes=magnitudes, magnitude_errors=errors)


def _band(bands: Mapping[str, Singles], band: str, n: int) -> Singles:
    return bands[band] if band in bands else np.full(n, np.nan, dtype=np.float32)


def _column(values: object, kind: np.dtype[Any], n: int, name: str) -> NDArray[Any]:
    column = np.ascontiguousarray(values, dtype=kind).view()
    if column.shape != (n,):
        raise InputError(f"the column {name} is not one number a star", expected=f"({n},)", found=str(column.shape))
    column.flags.writeable = False
    return column


def _check_bands(bands: Mapping[str, Any]) -> None:
    bad = [band for band in bands if not _BAND.fullmatch(band)]
    if bad:
        raise InputError("not a name for a band", expected="snake_case, as gaia_g", found=repr(bad[0]))


def _check_places(stars: References) -> None:
    bad = ~(np.isfinite(stars.ra) & np.isfinite(stars.epoch) & (np.abs(stars.dec) <= 90.0))
    if bad.any():
        raise InputError(
            "stars without a place on the sphere at an epoch",
            expected="finite numbers",
            found=f"{int(bad.sum())} others",
        )
