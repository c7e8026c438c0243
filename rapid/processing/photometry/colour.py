"""Colour terms: from the magnitudes that a catalogue has to those that a band would measure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from rapid.errors import InputError

__all__ = ["ColourTerm", "choose_colour_term", "colour_terms"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ColourTerm:
    """Magnitude of a band = base + polynomial of (blue - red - pivot), for colours blue - red from `low` to `high`.

    Attributes
    ----------
    instruments, band
        What it is good for; no instruments for any.
    base, blue, red
        Columns of the catalogue; without coefficients only `base` counts.
    coefficients
        mag, of powers 0, 1, 2 ... of the colour beyond `pivot` [mag].
    pivot
        Colour [mag] at which the base magnitude is off by the first coefficient; not 0 where the polynomial is of another
        system of magnitudes than the columns.
    source
        Where the coefficients come from.
    """

    band: str
    base: str
    source: str
    blue: str = ""
    red: str = ""
    coefficients: tuple[float, ...] = ()
    pivot: float = 0.0
    low: float = -np.inf
    high: float = np.inf
    instruments: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """Columns that the catalogue must have."""
        return frozenset({self.base, self.blue, self.red} - {""})

    def apply(self, magnitudes: Mapping[str, Values], errors: Mapping[str, Values]) -> tuple[Values, Values]:
        """Return magnitudes of the band and their errors [mag], shape (n,); NaN outside the range of colours.

        Errors of the columns count as independent of each other; the term itself has none.

        Raises
        ------
        InputError
            If a column is missing.
        """
        lacking = sorted(column for column in self.columns if column not in magnitudes or column not in errors)
        if lacking:
            raise InputError(
                f"no magnitudes for band {self.band}",
                expected=f"columns {', '.join(sorted(self.columns))}",
                found=f"no {', '.join(lacking)}",
            )
        if not self.coefficients:
            return magnitudes[self.base].astype(np.float64), errors[self.base].astype(np.float64)
        colour = magnitudes[self.blue].astype(np.float64) - magnitudes[self.red]
        inside = (colour >= self.low) & (colour <= self.high)
        result = magnitudes[self.base] + polynomial.polyval(colour - self.pivot, self.coefficients)
        variance = sum((self._slope(column, colour) * errors[column]) ** 2 for column in self.columns)
        return np.where(inside, result, np.nan), np.where(inside, np.sqrt(variance), np.nan)

    def _slope(self, column: str, colour: Values) -> Values:
        """Change of the result with one column."""
        steepness = polynomial.polyval(colour - self.pivot, polynomial.polyder(self.coefficients))
        return np.asarray(
            (column == self.base) + steepness * (int(column == self.blue) - int(column == self.red)), np.float64
        )


def choose_colour_term(instrument: str, band: str, columns: Collection[str]) -> ColourTerm | None:
    """Choose the best way from the columns of a catalogue to a band, or None.

    A column that is called as the band itself needs no term; else it is the first of `colour_terms` that fits.
    """
    if band in columns:
        return ColourTerm(band, band, f"the catalogue's own {band}")
    for term in colour_terms():
        fits = term.band == band and (not term.instruments or instrument in term.instruments)
        if fits and term.columns <= set(columns):
            return term
    return None


@cache
def colour_terms() -> tuple[ColourTerm, ...]:
    """Return the terms that come with the package, best first."""
    table = json.loads(files("rapid.processing").joinpath("data", "colour_terms.json").read_text())
    return tuple(
        ColourTerm(
            **{
                **row,
                "coefficients": tuple(row.get("coefficients", ())),
                "instruments": tuple(row.get("instruments", ())),
            }
        )
        for row in table["terms"]
    )
