"""Crosstalk: what an amplifier picks up from those that are read at the same moment.

An amplifier (the target) shows ``O_t = T_t + sum_s (c_ts T_s + q_ts T_s^2)`` for the signals T_s of all others (the
sources) at the same place of the read-out; the quadratic term is that of the LSST Camera (Snyder et al. 2021,
doi:10.1117/1.JATIS.7.4.048002).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid.errors import BadCalibration, InputError
from rapid.processing.isr.coefficients import check_stack, finite_array
from rapid.processing.jit import compiled

__all__ = ["Crosstalk", "correct_crosstalk"]

_LARGEST: Final = 0.1
"""A coefficient as large is a wrong unit: those of both cameras are below 0.001."""


@dataclass(frozen=True, slots=True, eq=False)
class Crosstalk:
    """Coefficients within one detector.

    Attributes
    ----------
    linear
        Dimensionless, shape (n, n): target first, source second; the diagonal is zero.
    quadratic
        Per unit of the signal, same shape; zero when left out.
    identity
        Provenance, told in the recipe of every frame it was used on.

    Raises
    ------
    BadCalibration
        If a matrix is not square, finite and small, has a diagonal, or they differ in size.
    """

    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    identity: str = ""

    def __post_init__(self) -> None:
        linear = _square(self.linear, "linear crosstalk")
        none = np.ndim(self.quadratic) == 0 and not np.any(self.quadratic)
        quadratic = _square(np.zeros_like(linear) if none else self.quadratic, "quadratic crosstalk")
        if quadratic.shape != linear.shape:
            raise BadCalibration(
                "the matrices are of different detectors",
                subject="crosstalk",
                expected=f"{linear.shape}",
                found=f"{quadratic.shape}",
            )
        object.__setattr__(self, "linear", linear)
        object.__setattr__(self, "quadratic", quadratic)

    def scaled(self, gains: ArrayLike) -> Crosstalk:
        """Turn coefficients for adu into those for electrons; `gains` [electron/adu] has one value an amplifier."""
        gain = finite_array(gains, subject="gains for crosstalk", ndim=1)
        if gain.shape != self.linear.shape[:1] or not (gain > 0).all():
            raise BadCalibration(
                "there is not one gain for each amplifier",
                subject="crosstalk",
                expected=f"{self.linear.shape[0]} positive",
                found=f"{gain}",
            )
        ratio = gain[:, None] / gain
        return Crosstalk(self.linear * ratio, self.quadratic * ratio / gain, self.identity)


def correct_crosstalk(
    stack: NDArray[np.float32], crosstalk: Crosstalk, *, alive: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Take the crosstalk out of all amplifiers at once, **in place**.

    The linear part is inverted exactly (sources are themselves targets), the quadratic part to the first order: what is
    left is below 1e-7 of the source for coefficients of 3e-4.

    Parameters
    ----------
    stack
        Overscan-subtracted amplifiers in the unit of the coefficients, as they were read (flips not undone: the first
        pixel read is [0, 0]), float32, shape (n, ny, nx). Pixels that are not finite give nothing to others.
    alive
        False for amplifiers that neither give nor take, shape (n,); all do when left out.

    Returns
    -------
    array
        Largest absolute correction of each amplifier, shape (n,).

    Raises
    ------
    InputError
        If the stack is not of as many amplifiers, or not float32 that may be written to.
    """
    n = crosstalk.linear.shape[0]
    check_stack(stack, n, subject="crosstalk")
    taking = np.ones(n, np.bool_) if alive is None else np.asarray(alive, np.bool_)
    if taking.shape != (n,):
        raise InputError(
            "alive is not of these amplifiers", subject="crosstalk", expected=f"({n},)", found=f"{taking.shape}"
        )
    linear, quadratic = _inverted(crosstalk, taking)
    largest = np.zeros(n, np.float32)
    _subtract(stack, linear.astype(np.float32), quadratic.astype(np.float32), largest)
    return largest.astype(np.float64)


def _square(values: ArrayLike, subject: str) -> NDArray[np.float64]:
    matrix = finite_array(values, subject=subject, ndim=2)
    if matrix.shape[0] != matrix.shape[1]:
        raise BadCalibration("the matrix is not square", subject=subject, expected="(n, n)", found=f"{matrix.shape}")
    if np.diagonal(matrix).any():
        raise BadCalibration("an amplifier is a source of itself", subject=subject, expected="a diagonal of zeros")
    if np.abs(matrix).max() > _LARGEST:
        largest = f"{np.abs(matrix).max():.3g}"
        raise BadCalibration(
            "a coefficient is too large", subject=subject, expected=f"at most {_LARGEST}", found=largest
        )
    return matrix


def _inverted(crosstalk: Crosstalk, alive: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return C' and Q' of ``T = O - C' O - Q' O^2``."""
    both = alive[:, None] & alive
    one = np.eye(alive.size)
    inverse = np.asarray(np.linalg.inv(one + np.where(both, crosstalk.linear, 0.0)), np.float64)
    return one - inverse, inverse @ np.where(both, crosstalk.quadratic, 0.0)


@compiled
def _subtract(
    stack: NDArray[np.float32],
    linear: NDArray[np.float32],
    quadratic: NDArray[np.float32],
    largest: NDArray[np.float32],
) -> None:
    """Correct row by row; the sum of a few terms of at most some electrons is exact to 1e-6 electron in float32."""
    n, ny, nx = stack.shape
    seen = np.empty((n, nx), np.float32)
    excess = np.empty(nx, np.float32)
    zero = np.float32(0.0)
    for y in range(ny):
        for source in range(n):
            for x in range(nx):
                value = stack[source, y, x]
                seen[source, x] = value if np.isfinite(value) else zero
        for target in range(n):
            excess[:] = zero
            for source in range(n):
                c, q = linear[target, source], quadratic[target, source]
                if q != zero:
                    for x in range(nx):
                        excess[x] += seen[source, x] * (c + q * seen[source, x])
                elif c != zero:
                    for x in range(nx):
                        excess[x] += seen[source, x] * c
            most = largest[target]
            for x in range(nx):
                stack[target, y, x] -= excess[x]
                most = max(most, abs(excess[x]))
            largest[target] = most
