"""What only flats tell: how amplifiers compare, and from two of them gain and read noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calib_verify.measurements.clipping import lsst_statistics
from calib_verify.measurements.quantities import QUANTITIES
from calib_verify.measurements.values import Measurement, measured, not_measured
from rapid.processing.frame import Frame, Mask
from rapid.processing.geometry import Amplifier
from rapid.processing.jit import compiled

__all__ = ["detector_levels", "measure_pair", "pair_gain", "saturated"]

_CLIP: Final = 5.5
"""Standard deviations of the difference of two flats beyond which pixels do not count, as in cp_pipe."""

_NOT_PAIRED: Final = int(Mask.BAD | Mask.NO_DATA | Mask.SATURATED | Mask.COSMIC_RAY | Mask.EDGE)
_FEWEST: Final = 10_000
"""Pixels an amplifier must have for a pair to be of use, as in cp_pipe."""


def detector_levels(means: Sequence[Measurement]) -> Iterator[Measurement]:
    """Compare the means of the amplifiers: level of the detector, scatter, and each over the level.

    Amplifiers without a mean are left out, as the software of the observatory leaves out what is no number.
    """
    detector = means[0].detector
    values = np.array([each.value for each in means if each.value is not None])
    n = values.size
    level = float(values.mean()) if n else math.nan
    spread = float(values.std(ddof=1)) if n > 1 else math.nan
    errors = [each.uncertainty or 0.0 for each in means if each.value is not None]
    error = math.hypot(*errors) / n if n else None
    yield measured(QUANTITIES["detector_mean"], level, error, n, detector=detector)
    scatter_error = spread / math.sqrt(2 * (n - 1)) if n > 1 else None
    yield measured(QUANTITIES["detector_scatter"], spread, scatter_error, n, detector=detector)
    for each in means:
        if each.value is None or not level > 0:
            yield not_measured(
                QUANTITIES["relative_level"],
                each.reason or "the detector shows no light",
                detector=detector,
                amplifier=each.amplifier,
            )
            continue
        yield measured(
            QUANTITIES["relative_level"],
            each.value / level,
            None if each.uncertainty is None else each.uncertainty / level,
            each.n,
            detector=detector,
            amplifier=each.amplifier,
        )


def saturated(frame: Frame) -> Iterator[Measurement]:
    """Count the pixels that are full."""
    for amplifier, seen in zip(frame.detector.amplifiers, frame.amplifiers, strict=True):
        n = amplifier.bbox.width * amplifier.bbox.height
        yield measured(
            QUANTITIES["saturated_pixels"],
            seen.n_saturated,
            n=n,
            detector=frame.info.detector_name,
            amplifier=amplifier.name,
        )


def measure_pair(first: Frame, second: Frame, gains: Sequence[float]) -> tuple[Measurement, ...]:
    """Measure gain and noise of every amplifier on two flats of one level.

    Parameters
    ----------
    first, second
        Flats [electron] that were not divided by a flat.
    gains
        electron/adu they were made with, by amplifier in the order of the detector's.

    Returns
    -------
    tuple
        ``pair_gain``, ``pair_read_noise``, ``pair_noise`` and ``pair_predicted_noise`` of every amplifier. On a million pixels
        the gain has a standard error of 0.15 %.
    """
    return tuple(
        measurement
        for index, gain in enumerate(gains)
        for measurement in _of_amplifier(first, second, first.detector.amplifiers[index], index, gain)
    )


def pair_gain(level: float, k: float, noise: float) -> float:
    """Return the gain [electron/adu] from k, the mean of (I1-I2)^2/(I1+I2) [adu], at a level [adu] and read noise [adu].

    The full solution of cp_pipe, which knows that noise without light is part of the scatter; NaN where there is none.
    """
    root = level**2 - 2.0 * level * k + 2.0 * noise**2
    below = 2.0 * k * level - 2.0 * noise**2
    if not (root >= 0 and below > 0):
        return math.nan
    return (level + math.sqrt(root)) / below


def _of_amplifier(first: Frame, second: Frame, amplifier: Amplifier, index: int, gain: float) -> Iterator[Measurement]:
    detector = first.info.detector_name
    part = amplifier.bbox.slices
    mask = first.mask[part] | second.mask[part]
    one = lsst_statistics(first.image[part], mask, _NOT_PAIRED, clip=_CLIP)
    other = lsst_statistics(second.image[part], mask, _NOT_PAIRED, clip=_CLIP)
    names = ("pair_gain", "pair_read_noise", "pair_noise", "pair_predicted_noise")
    if min(one.n, other.n) < _FEWEST or not min(one.mean_clipped, other.mean_clipped) > 0:
        reason = f"too few pixels: {min(one.n, other.n)}" if min(one.n, other.n) < _FEWEST else "no light"
        yield from (not_measured(QUANTITIES[q], reason, detector=detector, amplifier=amplifier.name) for q in names)
        return
    level = 0.5 * (one.mean_clipped + other.mean_clipped)
    images = [
        image[part] * np.float32(level / found.mean_clipped)
        for image, found in ((first.image, one), (second.image, other))
    ]
    values = _pair_values(images, mask, level, gain, [_Dark.of(frame, index) for frame in (first, second)])
    for name, (value, error, n) in zip(names, values, strict=True):
        yield measured(QUANTITIES[name], value, error, n, detector=detector, amplifier=amplifier.name)


def _pair_values(
    images: list[NDArray[np.float32]],
    mask: NDArray[np.uint16],
    level: float,
    gain: float,
    seen: list[_Dark],
) -> Iterator[tuple[float, float, int]]:
    """Give value, uncertainty and number of pixels of the four quantities, in their order."""
    difference = images[0] - images[1]
    spread = lsst_statistics(difference, mask, _NOT_PAIRED, clip=_CLIP)
    n, k, k_scatter = _ratios(
        difference, images[0], images[1], mask, np.uint16(_NOT_PAIRED), _CLIP * spread.stdev_clipped
    )
    overscan = math.sqrt(0.5 * sum(each.overscan_noise**2 for each in seen))
    overscan_error = math.hypot(*(each.read_noise_error for each in seen)) / (2.0 * gain)
    added = 0.5 * sum(each.added for each in seen)
    found = pair_gain(level / gain, k / gain, math.sqrt(added) / gain)
    relative = k_scatter / (k * math.sqrt(n)) if n and k else math.nan
    yield found, abs(found) * relative, n
    yield found * overscan, math.hypot(found * overscan * relative, found * overscan_error), n
    noise = spread.stdev_clipped / math.sqrt(2.0)
    kept = spread.n - spread.n_clipped
    yield noise, noise / math.sqrt(2.0 * kept), kept
    expected = math.sqrt(level + added)
    yield expected, overscan * overscan_error * gain**2 / expected, n


@dataclass(frozen=True, slots=True)
class _Dark:
    """What an amplifier scatters by without light: its overscan [adu], the error of that [electron], a pixel [electron^2]."""

    overscan_noise: float
    read_noise_error: float
    added: float

    @classmethod
    def of(cls, frame: Frame, index: int) -> _Dark:
        seen = frame.amplifiers[index]
        added = seen.read_noise**2 if frame.noise is None else float(frame.noise.added[index])
        return cls(seen.overscan_noise, seen.read_noise_error, added)


@compiled
def _ratios(  # noqa: PLR0917 - compiled functions take their arguments by position
    difference: NDArray[np.float32],
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    mask: NDArray[np.uint16],
    excluded: np.uint16,
    half: float,
) -> tuple[int, float, float]:
    """Return number, mean and scatter of the squared differences over the sums, of pixels that differ by no more."""
    n, first, second = 0, 0.0, 0.0
    for y in range(difference.shape[0]):
        for x in range(difference.shape[1]):
            d = np.float64(difference[y, x])
            total = np.float64(one[y, x]) + np.float64(other[y, x])
            if abs(d) <= half and total > 0.0 and not (mask[y, x] & excluded):
                ratio = d * d / total
                n += 1
                first += ratio
                second += ratio * ratio
    if n < 2:
        return n, np.nan, np.nan
    mean = first / n
    return n, mean, math.sqrt(max(second / n - mean * mean, 0.0))
