"""What every value of calibration coefficients asks of its arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rapid.errors import BadCalibration, InputError

__all__ = ["check_stack", "finite_array"]


def finite_array(values: ArrayLike, *, subject: str, ndim: int) -> NDArray[np.float64]:
    """Return a read-only copy as float64.

    Raises
    ------
    BadCalibration
        If it is not numeric, has another number of axes, is empty, or holds NaN or infinity.
    """
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise BadCalibration("the coefficients are no array of numbers", subject=subject, found=str(error)) from error
    if array.ndim != ndim or not array.size:
        raise BadCalibration(
            "the coefficients have a wrong shape", subject=subject, expected=f"{ndim} axes", found=f"{array.shape}"
        )
    if not np.isfinite(array).all():
        n = int(array.size - np.isfinite(array).sum())
        raise BadCalibration(
            "some coefficients are no numbers", subject=subject, expected="finite", found=f"{n} of {array.size} are not"
        )
    array.flags.writeable = False
    return array


def check_stack(stack: NDArray[np.float32], n: int, *, subject: str) -> None:
    """Refuse what is not the images of `n` amplifiers, float32, shape (n, ny, nx), that may be written to.

    Raises
    ------
    InputError
        If it is not.
    """
    if stack.ndim != 3 or stack.shape[0] != n or stack.dtype != np.float32 or not stack.flags.writeable:
        state = "writeable" if stack.flags.writeable else "read-only"
        raise InputError(
            "these are not the amplifiers that the coefficients are for",
            subject=subject,
            expected=f"({n}, ny, nx) float32, writeable",
            found=f"{stack.shape} {stack.dtype.name}, {state}",
        )
