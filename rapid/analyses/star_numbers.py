"""The numbers of an examined star: one value behind the text on the picture, the sidecar and the row of the table."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.analyses.aperture import energy_radius_error
from rapid.analyses.examination import FRACTIONS, Examination
from rapid.analyses.profiles import Profile
from rapid.processing.findings import Finding, Quality, missing
from rapid.processing.frame import Mask

__all__ = ["Number", "Quantity", "missing_findings", "star_findings", "star_numbers", "text_rows", "written"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What can be said of a star: ``decimals`` is how its text is rounded, ``in_row`` whether the table has a column of it."""

    name: str
    label: str
    unit: str
    decimals: int
    description: str
    in_row: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A quantity with its value in the quantity's unit, NaN where `reason` says why there is none.

    ``doubt`` says why this number is suspect, when others of the star are not.
    """

    quantity: Quantity
    value: float
    uncertainty: float | None = None
    reason: str = ""
    doubt: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return math.isfinite(self.value)

    @property
    def text(self) -> str:
        """The value as it is read: rounded to where its uncertainty begins, with that and the unit."""
        if not self.known:
            return "-"
        decimals, spread = self.quantity.decimals, ""
        if self.uncertainty is not None and self.uncertainty > 0:
            decimals = min(max(decimals, -math.floor(math.log10(self.uncertainty))), decimals + 2)
            spread = f" ± {self.uncertainty:,.{decimals}f}"
        unit = {"pixel": "px", "electron": "e-"}.get(self.quantity.unit, self.quantity.unit)
        return f"{self.value:,.{decimals}f}{spread} {unit}".rstrip()


QUANTITIES = (
    Quantity("x", "x", "pixel", 2, "Column of the brightest star's centre", in_row=True),
    Quantity("y", "y", "pixel", 2, "Row of the brightest star's centre", in_row=True),
    Quantity("fwhm", "FWHM", "arcsec", 3, "FWHM of the brightest star, from a Moffat profile", in_row=True),
    Quantity(
        "fwhm_gaussian", "FWHM, Gaussian", "arcsec", 3, "FWHM of the brightest star, from a Gaussian core", in_row=True
    ),
    Quantity("moffat_beta", "Moffat beta", "", 2, "Exponent of the Moffat profile"),
    Quantity("ellipticity", "ellipticity", "", 3, "(a² - b²) / (a² + b²) of the second moments"),
    Quantity(
        "ee50", "EE50 diameter", "arcsec", 3, "Diameter that holds half of the brightest star's light", in_row=True
    ),
    Quantity(
        "ee80", "EE80 diameter", "arcsec", 3, "Diameter that holds 80 % of the brightest star's light", in_row=True
    ),
    Quantity("ee90", "EE90 diameter", "arcsec", 3, "Diameter that holds 90 % of the brightest star's light"),
    Quantity("flux", "flux", "electron", 0, "Light of the brightest star above the sky", in_row=True),
    Quantity("peak", "peak", "electron", 0, "Brightest pixel of the brightest star above the sky", in_row=True),
    Quantity("sky", "sky", "electron", 1, "Sky around the star"),
    Quantity("sky_noise", "sky noise", "electron", 1, "Pixel-to-pixel noise of the sky around the star"),
    Quantity("n_at_maximum", "pixels at the maximum", "pixel", 0, "Pixels that share the largest value of the cut-out"),
    Quantity("n_saturated", "saturated pixels", "pixel", 0, "Saturated pixels in the cut-out"),
    Quantity("n_bad", "bad pixels", "pixel", 0, "Bad pixels in the cut-out"),
    Quantity("clipped_mean", "clipped mean", "electron", 1, "Mean of the cut-out, clipped twice at 5 sigma"),
    Quantity("clipped_sigma", "clipped sigma", "electron", 1, "Scatter of the cut-out, clipped twice at 5 sigma"),
    Quantity("percentile_99", "99 %", "electron", 1, "99th percentile of the cut-out"),
    Quantity("percentile_9999", "99.99 %", "electron", 1, "99.99th percentile of the cut-out"),
)

_PAIRS = (
    ("centre", ("x", "y")),
    ("saturated, bad pixels", ("n_saturated", "n_bad")),
    ("clipped mean, sigma", ("clipped_mean", "clipped_sigma")),
    ("99 %, 99.99 %", ("percentile_99", "percentile_9999")),
)
_OF_PROFILES = frozenset({"fwhm", "fwhm_gaussian", "moffat_beta"})
"""What means nothing when the profile is not the star's."""

_TOGETHER = {name: (label, names) for label, names in _PAIRS for name in names}


def star_numbers(exam: Examination, scale: float) -> tuple[Number, ...]:
    """Return every quantity of a star, lengths on the sky at `scale` [arcsec/pixel]."""
    values = {**_shape(exam, scale), **_light(exam, scale), **_pixels(exam)}
    return tuple(
        Number(quantity, *values[quantity.name], doubt=exam.misfit if quantity.name in _OF_PROFILES else "")
        for quantity in QUANTITIES
    )


def star_findings(numbers: tuple[Number, ...], doubt: str) -> tuple[Finding, ...]:
    """Return the findings for the table; with a doubt about the star, or the number itself, they are suspect."""
    return tuple(_finding(number, doubt) for number in numbers if number.quantity.in_row)


def missing_findings(reason: str) -> tuple[Finding, ...]:
    """Return the same findings for a frame without a star."""
    return tuple(_finding(Number(quantity, math.nan, reason=reason), "") for quantity in QUANTITIES if quantity.in_row)


def text_rows(numbers: tuple[Number, ...], doubt: str) -> tuple[tuple[str, str], ...]:
    """Write the numbers to be read, related ones in one row, and below them why they are suspect."""
    texts = {number.quantity.name: number.text for number in numbers}
    rows = []
    for quantity in (number.quantity for number in numbers):
        label, names = _TOGETHER.get(quantity.name, (quantity.label, (quantity.name,)))
        if quantity.name == names[0]:
            rows.append((label, ", ".join(texts[name] for name in names)))
    doubts = dict.fromkeys(reason for reason in (doubt, *(number.doubt for number in numbers)) if reason)
    return (*rows, *(("", f"Suspect: {reason}.") for reason in doubts))


def written(numbers: tuple[Number, ...]) -> dict[str, object]:
    """Return the numbers unrounded, under names that end in their unit; the reason where there is none."""
    sidecar: dict[str, object] = {}
    for number in numbers:
        key = f"{number.quantity.name}_{number.quantity.unit}".rstrip("_")
        if number.known:
            sidecar[key] = number.value
        else:
            sidecar[f"{number.quantity.name}_missing"] = number.reason
        if number.known and number.uncertainty is not None:
            sidecar[f"{key}_error"] = number.uncertainty
    return sidecar


_Entry = tuple[float, float | None, str]


def _finding(number: Number, doubt: str) -> Finding:
    quantity = number.quantity
    name, label = f"imexam_{quantity.name}", f"Star {quantity.label}"
    if not number.known:
        return missing(name, number.reason, unit=quantity.unit, description=quantity.description, label=label)
    doubt = doubt or number.doubt
    quality = Quality.SUSPECT if doubt else Quality.GOOD
    return Finding(
        name,
        number.value,
        quantity.unit,
        quantity.description,
        label,
        number.uncertainty,
        quality=quality,
        reason=doubt,
    )


def _shape(exam: Examination, scale: float) -> dict[str, _Entry]:
    beta, why = (exam.moffat.beta, "") if isinstance(exam.moffat, Profile) else (math.nan, exam.moffat)
    return {
        "x": (exam.x, exam.center_error[0] if exam.center_error else None, ""),
        "y": (exam.y, exam.center_error[1] if exam.center_error else None, ""),
        "fwhm": _width(exam.moffat, scale),
        "fwhm_gaussian": _width(exam.gaussian, scale),
        "moffat_beta": (beta, None, why),
        "ellipticity": (exam.ellipticity, None, "the second moments of the star are not positive"),
    }


def _width(fit: Profile | str, scale: float) -> _Entry:
    return (math.nan, None, fit) if isinstance(fit, str) else (fit.fwhm * scale, fit.fwhm_error * scale, "")


def _light(exam: Examination, scale: float) -> dict[str, _Entry]:
    flux, flux_error = _flux(exam)
    energy: dict[str, _Entry] = {
        f"ee{round(100 * fraction)}": (2 * radius * scale, _radius_error(exam, fraction, radius, scale), exam.no_energy)
        for fraction, radius in zip(FRACTIONS, exam.energy_radii, strict=True)
    }
    return energy | {
        "flux": (flux, flux_error, exam.no_energy),
        "peak": (exam.peak, math.sqrt(max(exam.peak, 0.0) + exam.sky.noise**2 + exam.sky.error**2), ""),
        "sky": (exam.sky.level, exam.sky.error, ""),
        "sky_noise": (exam.sky.noise, None, ""),
    }


def _flux(exam: Examination) -> tuple[float, float | None]:
    """Return the light within the last radius, with the error of its photons, the noise under it and the sky's level."""
    if not len(exam.growth):
        return math.nan, None
    flux, area = float(exam.growth[-1]), math.pi * float(exam.radii[-1]) ** 2
    return flux, math.sqrt(flux + area * exam.sky.noise**2 + (area * exam.sky.error) ** 2)


def _radius_error(exam: Examination, fraction: float, radius: float, scale: float) -> float | None:
    """Return the error of a diameter [arcsec]: that of the fraction within it, over the slope of the curve of growth."""
    error = energy_radius_error(exam.radii, exam.growth, fraction=fraction, radius=radius, sky=exam.sky)
    return None if error is None else 2 * error * scale


def _pixels(exam: Examination) -> dict[str, _Entry]:
    pixels, mask = exam.cutout.pixels, exam.cutout.mask
    finite = pixels[np.isfinite(pixels)]
    mean, sigma = _clipped(finite)
    high, highest = (float(value) for value in np.percentile(finite, (99, 99.99)))
    return {
        "n_at_maximum": (int(np.count_nonzero(finite == finite.max())), None, ""),
        "n_saturated": (int(np.count_nonzero(mask & np.uint16(Mask.SATURATED))), None, ""),
        "n_bad": (int(np.count_nonzero(mask & np.uint16(Mask.BAD))), None, ""),
        "clipped_mean": (mean, None, ""),
        "clipped_sigma": (sigma, None, ""),
        "percentile_99": (high, None, ""),
        "percentile_9999": (highest, None, ""),
    }


def _clipped(values: NDArray[np.float64]) -> tuple[float, float]:
    for _ in range(2):
        mean, sigma = float(np.mean(values)), float(np.std(values))
        values = values[np.abs(values - mean) <= 5 * sigma]
    return float(np.mean(values)), float(np.std(values))
