"""How much each pixel of a calibrated image scatters, from what was done to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Detector
from rapid.processing.isr.calibrations import CalibrationImage
from rapid.processing.jit import compiled

__all__ = ["NoiseModel"]


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """The variance of a pixel, given its value.

    With the value I [electron], the flat F, the dark D [electron/s] and the dark time t::

        V = (I F + t D + added) / F^2 + relative I^2 / F^2

    where ``I F + t D`` is the charge that was collected, photons and dark current, whose variance is itself; where a
    calibration was not applied F is 1, D is 0. The charge is not cut at zero: around it, the mean would be too high. Only
    the sum with `added` has a floor, a quarter of `added`, far below what noise alone does. It holds for pixels that
    collected charge of their own: not for interpolated ones.

    Attributes
    ----------
    added
        Of the read noise, the levels subtracted, bias and dark, electron^2, one value an amplifier.
    relative
        Of the flat's own noise, its variance, one value an amplifier.
    dark, dark_time, flat
        Calibrations that were applied; None for those that were not.
    """

    added: NDArray[np.float64]
    relative: NDArray[np.float64]
    dark: CalibrationImage | None
    dark_time: float
    flat: CalibrationImage | None

    def plane(self, image: NDArray[np.float32], detector: Detector) -> NDArray[np.float32]:
        """Return the variance of every pixel [electron^2], float32 of the image's shape; NaN where the image is."""
        result = np.empty(image.shape, np.float32)
        for amplifier, added, relative in zip(detector.amplifiers, self.added, self.relative, strict=True):
            part = amplifier.bbox.slices
            flat = _values(self.flat, 1.0, part)
            _fill(image[part], flat, _values(self.dark, self.dark_time, part), added, relative, result[part])
        result.flags.writeable = False
        return result


def _values(calibration: CalibrationImage | None, factor: float, part: tuple[slice, slice]) -> NDArray[np.float32]:
    """Values of a part of a calibration, or nothing at all."""
    if calibration is None:
        return np.empty((0, 0), np.float32)
    return calibration.part(part) * np.float32(factor)


@compiled
def _fill(  # noqa: PLR0917 - compiled functions take their arguments by position
    image: NDArray[np.float32],
    flat: NDArray[np.float32],
    dark: NDArray[np.float32],
    added: float,
    relative: float,
    result: NDArray[np.float32],
) -> None:
    least = 0.25 * added
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            response = np.float64(flat[y, x]) if flat.size else 1.0
            if not np.isfinite(response):
                response = 1.0
            value = np.float64(image[y, x]) * response
            current = np.float64(dark[y, x]) if dark.size else 0.0
            charge = value + (current if np.isfinite(current) else 0.0)
            collected: float = charge + added
            collected = least if collected < least else collected  # noqa: FURB136 - max() may take NaN for a number
            result[y, x] = (collected + relative * (value / response) ** 2) / response**2
