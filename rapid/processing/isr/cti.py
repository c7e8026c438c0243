"""Charge that arrives late: its measurement from the overscan, and its return.

At each transfer a part `rate` of a pixel's charge stays behind and follows in the next pixels, fewer and fewer with the
distance (e-folding `decay`). The pixels after the last one of a flat show it: *extended pixel edge response* (EPER;
Janesick 2001, Scientific Charge-Coupled Devices, chapter 5). Arrays are as they were read, transfers along the last
axis: give the transposed image for the parallel direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from rapid.errors import BadCalibration, InputError
from rapid.processing.isr.coefficients import check_stack, finite_array
from rapid.processing.jit import compiled

__all__ = ["Cti", "CtiMeasurement", "correct_cti", "measure_cti"]

_LARGEST: Final = 1e-3
"""A part lost as large is none of a working CCD; the specification of the LSST Camera is 5e-6."""

_TRAIL: Final = 8
"""Pixels after the last one in which a trail is looked for; those behind them are the level."""

_LEVEL: Final = 8
"""Fewest pixels for the level."""

_GROUPS: Final = 25
"""Groups of rows of which one after the other is left out, for the uncertainties."""

_SIGNIFICANT: Final = 5.0
"""The first trailed pixel must be so many of its errors for the length of the trail to mean something."""

_STEEPEST: Final = 0.02
_FLATTEST: Final = 0.9
"""Ratio of neighbouring trailed pixels: e-folding from 0.26 to 9.5 pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Cti:
    """How much charge stays behind in each amplifier.

    Attributes
    ----------
    rate
        Part of the charge at each transfer, shape (n,).
    decay
        e-folding of the trail [pixel], shape (n,).
    register
        Pixels of the register, prescan and data: a pixel of the overscan goes through all of them.
    identity
        Provenance, told in the recipe of every frame it was used on.

    Raises
    ------
    BadCalibration
        If a rate is negative or above 0.001, a decay not positive, or they differ in length.
    """

    rate: NDArray[np.float64]
    decay: NDArray[np.float64]
    register: int
    identity: str = ""

    def __post_init__(self) -> None:
        rate = finite_array(self.rate, subject="CTI rate", ndim=1)
        decay = finite_array(self.decay, subject="CTI decay", ndim=1)
        if rate.min() < 0 or rate.max() > _LARGEST:
            found = f"{rate.min():.3g} to {rate.max():.3g}"
            raise BadCalibration("a rate is impossible", subject="CTI", expected=f"0 to {_LARGEST}", found=found)
        if decay.min() <= 0 or decay.shape != rate.shape or self.register < 1:
            raise BadCalibration(
                "the trails are impossible",
                subject="CTI",
                expected=f"{rate.size} positive decays and a register of some pixels",
                found=f"{decay.size} from {decay.min():.3g}, register of {self.register}",
            )
        object.__setattr__(self, "rate", rate)
        object.__setattr__(self, "decay", decay)


@dataclass(frozen=True, slots=True)
class CtiMeasurement:
    """What the trail after a flat's last pixel shows, with standard errors; NaN where `reason` says why.

    ``eper`` is the usual figure: charge of the first two trailed pixels over that of the last one, for each of
    ``register + 1`` transfers. ``rate`` and ``decay`` [pixel] are those of `Cti`; they need a trail that stands out.
    """

    eper: float
    eper_error: float
    rate: float
    rate_error: float
    decay: float
    decay_error: float
    n_rows: int
    reason: str = ""


def measure_cti(flat: NDArray[np.floating], register: int) -> CtiMeasurement:
    """Measure the charge left behind from the rows of a flat.

    Parameters
    ----------
    flat
        One overscan-subtracted amplifier as it was read, shape (ny, nx): data up to column `register`, then at least 16
        pixels of overscan. Use rows of even light only. Rows with a pixel that is not finite are left out.
    register
        Pixels of the register, prescan and data.

    Returns
    -------
    CtiMeasurement
        Errors are those of a jackknife over 25 groups of rows. All NaN, with a reason, when there are too few rows or no
        light; ``rate`` and ``decay`` alone when the trail does not stand out by five of its errors.

    Raises
    ------
    InputError
        If there is not enough overscan.
    """
    if flat.ndim != 2 or not 0 < register <= flat.shape[1] - _TRAIL - _LEVEL:
        raise InputError(
            "there is not enough overscan to see a trail",
            subject="CTI",
            expected=f"shape (ny, {register + _TRAIL + _LEVEL} or more)",
            found=f"{flat.shape}",
        )
    tail = np.asarray(flat[:, register - 1 :], np.float64)
    tail = tail[np.isfinite(tail).all(axis=1)]
    if len(tail) < 2 * _GROUPS:
        return _not_measured(f"only {len(tail)} rows have a number in every pixel", len(tail))
    rows = tail[:, : _TRAIL + 1] - tail[:, _TRAIL + 1 :].mean(axis=1, keepdims=True)
    last = rows[:, 0]
    if not last.mean() > 10.0 * last.std():
        return _not_measured("no even light in the last column", len(tail))
    return _measured(rows, register)


def correct_cti(stack: NDArray[np.float32], cti: Cti) -> None:
    """Bring late charge back to where it belongs, **in place**.

    The trail of every pixel is built from its corrected charge, beginning with the first one read, and taken from those
    that follow. What the pixels of a row lose together is what the trails lose beyond its end: the sum is kept otherwise.
    Exact for the model to the first order of (rate x transfers), 0.001 or less for the LSST Camera.

    Parameters
    ----------
    stack
        Overscan-subtracted amplifiers as they were read, prescan and overscan included, float32, shape (n, ny, nx). A
        pixel that is not finite stays so and leaves no trail.

    Raises
    ------
    InputError
        If the stack is not of as many amplifiers, or not float32 that may be written to.
    """
    check_stack(stack, cti.rate.size, subject="CTI")
    for image, rate, decay in zip(stack, cti.rate.tolist(), cti.decay.tolist(), strict=True):
        if rate > 0.0:
            _return_charge(image, rate, math.exp(-1.0 / decay), cti.register)


def _not_measured(reason: str, n_rows: int) -> CtiMeasurement:
    return CtiMeasurement(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, n_rows, reason)


def _measured(rows: NDArray[np.float64], register: int) -> CtiMeasurement:
    n = len(rows)
    groups = np.array([part.sum(axis=0) for part in np.array_split(rows, _GROUPS)])
    total = groups.sum(axis=0)
    without = total - groups
    eper, eper_error = _jackknife([_eper(sums, register) for sums in (total, *without)])
    first, first_error = _jackknife([sums[1] / sums[0] for sums in (total, *without)])
    if first < _SIGNIFICANT * first_error:
        reason = f"the trail does not stand out: {first:.2g} +- {first_error:.1g} of the last pixel"
        return CtiMeasurement(eper, eper_error, math.nan, math.nan, math.nan, math.nan, n, reason)
    fits = np.array([_fit_trail(sums) for sums in (total, *without)])
    # what the first stages hold back of the last pixel's neighbours is less: they were passed by none of those before
    transfers = register - fits[:, 1] / (1.0 - fits[:, 1])
    rate, rate_error = _jackknife(fits[:, 0] / transfers)
    decay, decay_error = _jackknife(-1.0 / np.log(fits[:, 1]))
    return CtiMeasurement(eper, eper_error, rate, rate_error, decay, decay_error, n)


def _eper(sums: NDArray[np.float64], register: int) -> float:
    return float((sums[1] + sums[2]) / sums[0]) / (register + 1)


def _fit_trail(sums: NDArray[np.float64]) -> tuple[float, float]:
    """Fit the first trailed pixel, relative to the last one, and the ratio from one to the next."""
    trail = sums[1:] / sums[0]
    places = np.arange(trail.size)

    def explained(ratio: float) -> float:
        return float((trail @ ratio**places) ** 2 / np.sum(ratio ** (2 * places)))

    best = minimize_scalar(lambda ratio: -explained(ratio), bounds=(_STEEPEST, _FLATTEST), method="bounded")
    ratio = float(best.x)
    return float(trail @ ratio**places / np.sum(ratio ** (2 * places))), ratio


def _jackknife(values: ArrayLike) -> tuple[float, float]:
    """Return the first of the values, and its standard error from the others, each without one group."""
    whole, *parts = np.asarray(values, np.float64)
    n = len(parts)
    return float(whole), float(np.sqrt((n - 1) * np.var(parts)))


@compiled
def _return_charge(image: NDArray[np.float32], rate: float, ratio: float, register: int) -> None:
    """Go along many rows at once, so that the steps of one need not wait for those before it."""
    ny, nx = image.shape
    block = 16
    late = np.empty(block, np.float64)
    for y0 in range(0, ny, block):
        rows = min(block, ny - y0)
        late[:] = 0.0
        for x in range(nx):
            lost = rate * min(x + 1, register)
            gain, share = 1.0 / (1.0 - lost), (1.0 - ratio) * lost
            for i in range(rows):
                seen = np.float64(image[y0 + i, x])
                if np.isfinite(seen):
                    charge = (seen - late[i]) * gain
                    image[y0 + i, x] = np.float32(charge)
                    late[i] = late[i] * ratio + share * charge
                else:
                    late[i] *= ratio
