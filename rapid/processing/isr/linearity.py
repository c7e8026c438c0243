"""Linearity: what the signal chain of an amplifier adds to a signal, or takes from it.

Every curve gives the correction as a function of the signal as it was read; it is subtracted: ``T = O - S(O)``. Curves
of one amplifier are applied one after the other (a *double spline* is two). Outside its range a correction is that of
the nearest end, never extrapolated: below (noise about zero) that is what continuity asks for, above nobody knows, and
the pixels are counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import Akima1DInterpolator

from rapid.errors import BadCalibration
from rapid.processing.isr.coefficients import check_stack, finite_array
from rapid.processing.jit import compiled

__all__ = ["Linearity", "Spline", "Table", "correct_linearity"]


@dataclass(frozen=True, slots=True, eq=False)
class Spline:
    """Correction as an Akima spline (Akima 1970, doi:10.1145/321607.321609) through nodes.

    Attributes
    ----------
    nodes
        Signals, ascending, shape (n,), at least two.
    values
        Correction at each node, same unit and shape.
    coefficients
        Polynomial of each interval in the distance from its node, highest power first, shape (n - 1, 4).

    Raises
    ------
    BadCalibration
        If the nodes do not ascend, or two signals would be corrected to the same value (slope of the correction of 1 or
        more), so that no order of brightness was left.
    """

    nodes: NDArray[np.float64]
    values: NDArray[np.float64]
    coefficients: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        nodes = finite_array(self.nodes, subject="linearity nodes", ndim=1)
        values = finite_array(self.values, subject="linearity values", ndim=1)
        if nodes.size < 2 or nodes.shape != values.shape or not (np.diff(nodes) > 0).all():
            raise BadCalibration(
                "these are no nodes of a curve",
                subject="linearity",
                expected="two or more ascending nodes, and a value for each",
                found=f"{nodes.size} nodes, {values.size} values",
            )
        coefficients = np.ascontiguousarray(Akima1DInterpolator(nodes, values).c.T)
        _check_steepest(_steepest(coefficients, np.diff(nodes)))
        coefficients.flags.writeable = False
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "coefficients", coefficients)

    def scaled(self, gain: float) -> Self:
        """Turn a curve for adu into the one for electrons."""
        return type(self)(self.nodes * gain, self.values * gain)

    def correct(self, image: NDArray[np.float32]) -> int:
        """Correct an image, shape (ny, nx), **in place**; return how many pixels were above the range."""
        return int(_subtract_spline(image, self.nodes, self.coefficients))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Correction as a table, linear between its entries.

    Attributes
    ----------
    values
        Correction at ``first``, ``first + step`` ..., shape (n,), at least two. The observatory's look-up tables hold what
        is added: the negative of this.

    Raises
    ------
    BadCalibration
        If the step is not positive, or two signals would be corrected to the same value.
    """

    values: NDArray[np.float64]
    first: float = 0.0
    step: float = 1.0

    def __post_init__(self) -> None:
        values = finite_array(self.values, subject="linearity table", ndim=1)
        if values.size < 2 or not 0 < self.step < np.inf or not np.isfinite(self.first):
            raise BadCalibration(
                "this is no table of corrections",
                subject="linearity",
                expected="two or more values at a positive step",
                found=f"{values.size} values from {self.first} at {self.step}",
            )
        _check_steepest(float(np.diff(values).max()) / self.step)
        object.__setattr__(self, "values", values)

    def scaled(self, gain: float) -> Self:
        """Turn a curve for adu into the one for electrons."""
        return type(self)(self.values * gain, self.first * gain, self.step * gain)

    def correct(self, image: NDArray[np.float32]) -> int:
        """Correct an image, shape (ny, nx), **in place**; return how many pixels were above the range."""
        return int(_subtract_table(image, self.values, self.first, 1.0 / self.step))


@dataclass(frozen=True, slots=True)
class Linearity:
    """Curves of every amplifier of a detector, in the order in which they are applied; none for a linear one.

    ``identity`` is the provenance, told in the recipe of every frame it was used on.
    """

    amplifiers: tuple[tuple[Spline | Table, ...], ...]
    identity: str = ""

    def scaled(self, gains: ArrayLike) -> Linearity:
        """Turn curves for adu into those for electrons; `gains` [electron/adu] has one value an amplifier."""
        factors = finite_array(gains, subject="gains for linearity", ndim=1)
        if factors.size != len(self.amplifiers) or not (factors > 0).all():
            raise BadCalibration(
                "there is not one gain for each amplifier",
                subject="linearity",
                expected=f"{len(self.amplifiers)} positive",
                found=f"{factors}",
            )
        pairs = zip(self.amplifiers, factors.tolist(), strict=True)
        return Linearity(tuple(tuple(curve.scaled(gain) for curve in curves) for curves, gain in pairs), self.identity)


def correct_linearity(stack: NDArray[np.float32], linearity: Linearity) -> NDArray[np.int64]:
    """Correct every amplifier, **in place**.

    Parameters
    ----------
    stack
        Overscan-subtracted amplifiers in the unit of the curves, float32, shape (n, ny, nx). NaN stays NaN.

    Returns
    -------
    array
        Pixels of each amplifier that were above the range of a curve, shape (n,): their value is not to be trusted.

    Raises
    ------
    InputError
        If the stack is not of as many amplifiers, or not float32 that may be written to.
    """
    check_stack(stack, len(linearity.amplifiers), subject="linearity")
    pairs = zip(stack, linearity.amplifiers, strict=True)
    return np.array([max((curve.correct(image) for curve in curves), default=0) for image, curves in pairs], np.int64)


def _steepest(coefficients: NDArray[np.float64], widths: NDArray[np.float64]) -> float:
    """Find the largest slope: at an end of an interval, or where the second derivative vanishes inside."""
    a, b, c, _ = coefficients.T
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = np.nan_to_num(-b / (3.0 * a), nan=0.0, posinf=0.0, neginf=0.0)
    places = np.stack([np.zeros_like(widths), widths, np.clip(vertex, 0.0, widths)])
    return float((c + places * (2.0 * b + 3.0 * a * places)).max())


def _check_steepest(slope: float) -> None:
    if slope >= 1.0:
        raise BadCalibration(
            "the curve turns back: two signals have one corrected value",
            subject="linearity",
            expected="a correction that grows slower than the signal",
            found=f"a slope of {slope:.3g}",
        )


@compiled
def _subtract_spline(image: NDArray[np.float32], nodes: NDArray[np.float64], coefficients: NDArray[np.float64]) -> int:
    """Neighbours are mostly in one interval: the search begins where the last one ended."""
    last: int = coefficients.shape[0] - 1
    above, k = 0, 0
    low, high = nodes[0], nodes[-1]
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            signal = np.float64(image[y, x])
            above += int(signal > high)
            inside = min(max(signal, low), high)
            while k < last and inside >= nodes[k + 1]:
                k += 1
            while k > 0 and inside < nodes[k]:
                k -= 1
            t = inside - nodes[k]
            c = coefficients[k]
            image[y, x] = np.float32(signal - (((c[0] * t + c[1]) * t + c[2]) * t + c[3]))
    return above


@compiled
def _subtract_table(image: NDArray[np.float32], values: NDArray[np.float64], first: float, scale: float) -> int:
    last: int = values.size - 1
    above = 0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            signal = np.float64(image[y, x])
            place = (signal - first) * scale
            above += int(place > last)
            if np.isfinite(place):
                inside = min(max(place, 0.0), np.float64(last))
                k = min(int(inside), last - 1)
                image[y, x] = np.float32(signal - (values[k] + (inside - k) * (values[k + 1] - values[k])))
    return above
