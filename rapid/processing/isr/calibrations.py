"""What is known about a detector before the night: the calibrations its recipe may use.

All of them are optional. Images are kept in 16 bits: three of a detector of 16 million pixels take 98 MB instead of 197,
and moving them costs half the time, which is what a fused pass over memory spends most of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from rapid.errors import BadCalibration
from rapid.processing.geometry import Detector
from rapid.processing.isr.brighter_fatter import BrighterFatterKernel
from rapid.processing.isr.crosstalk import Crosstalk
from rapid.processing.isr.cti import Cti
from rapid.processing.isr.defects import Defects
from rapid.processing.isr.linearity import Linearity

__all__ = ["UNUSABLE", "CalibrationImage", "Calibrations"]

UNUSABLE: Final = -32768
"""Count of a pixel without a usable value; the recipe masks it BAD."""

_LARGEST: Final = 32767

_BIAS_STEP: Final = 2.0**-6
"""Electron: rounding adds 0.0045 electron to the noise; a bias pixel beyond 512 electron is a defect."""

_DARK_STEP: Final = 2.0**-10
"""Electron per second: rounding adds 0.0003; a pixel beyond 32 electron per second is a defect (the observatory masks from 5)."""

_FLAT_STEP: Final = 2.0**-15
"""Rounding adds a hundred-thousandth, a tenth of what the photons of 100 flats leave; a pixel beyond twice the mean is a defect."""

_MOST_GAIN: Final = 100.0
"""electron/adu: those of the cameras are 0.5 to 2; a hundred times more is another unit, and some more would overflow."""

_FLAT_LEAST: Final = 0.05
"""A pixel with less than this part of the mean response says nothing about the sky."""


@dataclass(frozen=True, slots=True)
class CalibrationImage:
    """A combined calibration image: value = `zero` + `step` * `counts`.

    Attributes
    ----------
    counts
        int16, shape (ny, nx) as the trimmed detector, read-only; `UNUSABLE` where there is no value.
    variance
        Of a pixel's value, one number for each amplifier in the order of the detector's, read-only.
    identity
        Provenance: what a finding made with it has to name.
    n_unusable
        Number of pixels without a value, counted when it is made: every exposure asks for it.
    """

    counts: NDArray[np.int16]
    zero: float
    step: float
    variance: NDArray[np.float64]
    identity: str
    n_unusable: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_unusable", int(np.count_nonzero(self.counts == UNUSABLE)))

    @classmethod
    def bias(cls, values: NDArray[np.floating], *, variance: NDArray[np.float64], identity: str) -> Self:
        """Keep a bias [electron] that is left after the overscans are taken off."""
        return cls._packed(values, 0.0, _BIAS_STEP, variance, identity)

    @classmethod
    def dark(cls, values: NDArray[np.floating], *, variance: NDArray[np.float64], identity: str) -> Self:
        """Keep a dark [electron/s]; it is scaled with the dark time of each exposure."""
        return cls._packed(values, 0.0, _DARK_STEP, variance, identity)

    @classmethod
    def flat(cls, values: NDArray[np.floating], *, variance: NDArray[np.float64], identity: str) -> Self:
        """Keep a flat, relative to a mean of about 1; pixels of next to no response are unusable."""
        usable = np.where(values >= _FLAT_LEAST, values, np.nan)
        return cls._packed(usable, 1.0, _FLAT_STEP, variance, identity)

    @property
    def values(self) -> NDArray[np.float32]:
        """The image itself, float32; NaN where it has no value."""
        return self.part((slice(None), slice(None)))

    def part(self, slices: tuple[slice, slice]) -> NDArray[np.float32]:
        """Return a part of the image, float32; NaN where it has no value."""
        counts = self.counts[slices]
        image = np.float32(self.zero) + np.float32(self.step) * counts.astype(np.float32)
        image[counts == UNUSABLE] = np.nan
        return image

    @classmethod
    def _packed(
        cls,
        values: NDArray[np.floating],
        zero: float,
        step: float,
        variance: NDArray[np.float64],
        identity: str,
    ) -> Self:
        if values.ndim != 2:
            raise BadCalibration("not an image", subject=identity, expected="two axes", found=f"shape {values.shape}")
        spread = np.array(variance, np.float64)
        if spread.ndim != 1 or not (np.isfinite(spread) & (spread >= 0)).all():
            raise BadCalibration(
                "the variance is none",
                subject=identity,
                expected="one number >= 0 for each amplifier",
                found=str(variance),
            )
        scaled = np.rint((values - zero) / step)
        inside = np.abs(scaled) <= _LARGEST
        counts = np.where(inside, scaled, UNUSABLE).astype(np.int16)
        counts.flags.writeable = spread.flags.writeable = False
        return cls(counts, zero, step, spread, identity)


@dataclass(frozen=True, slots=True)
class Calibrations:
    """The calibrations of one detector; what is None or empty is not there, and its step does not run.

    Attributes
    ----------
    bias, dark, flat
        Combined images in electron, electron/s and relative to 1.
    defects
        Pixels that are known to be bad.
    crosstalk, linearity
        Coefficients for the signal above the overscan in adu, amplifiers in the order of the detector's.
    cti
        Charge left behind at each transfer of the serial register.
    brighter_fatter
        Kernel for an image in electron.
    bad_amplifiers
        Names of amplifiers that are not to be used at all.
    gains, saturations
        electron/adu, and adu above the overscan, by the amplifier's name; they go before the nominal values.
    """

    bias: CalibrationImage | None = None
    dark: CalibrationImage | None = None
    flat: CalibrationImage | None = None
    defects: Defects | None = None
    crosstalk: Crosstalk | None = None
    linearity: Linearity | None = None
    cti: Cti | None = None
    brighter_fatter: BrighterFatterKernel | None = None
    bad_amplifiers: frozenset[str] = frozenset()
    gains: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    saturations: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def check(self, detector: Detector) -> None:
        """Compare them with the detector they are to be used on.

        Raises
        ------
        BadCalibration
            If an image has another shape, coefficients are of another number of amplifiers or another register, a table has an
            amplifier that is not the detector's, or a gain or saturation is not a positive number or a gain above 100.
        """
        for kind, image in (("bias", self.bias), ("dark", self.dark), ("flat", self.flat)):
            if image is not None:
                _check_shape(f"{kind} {image.identity}", image.counts.shape, detector)
                _check_amplifiers(f"{kind} {image.identity}", len(image.variance), detector)
        for what, number in self._sizes():
            _check_amplifiers(what, number, detector)
        _check_names("bad amplifiers", self.bad_amplifiers, detector)
        for what, table in (("gains", self.gains), ("saturations", self.saturations)):
            _check_names(what, table, detector)
            _check_positive(what, table, detector)
        for name, gain in self.gains.items():
            if gain > _MOST_GAIN:
                raise _unfit(f"gains of {name}", f"at most {_MOST_GAIN:g} electron/adu", str(gain), detector)
        if self.cti is not None:
            _check_register(self.cti, detector)

    def _sizes(self) -> Iterator[tuple[str, int]]:
        """Number of amplifiers of what has coefficients for each."""
        if self.crosstalk is not None:
            yield "crosstalk", len(self.crosstalk.linear)
        if self.linearity is not None:
            yield "linearity", len(self.linearity.amplifiers)
        if self.cti is not None:
            yield "CTI", self.cti.rate.size


def _check_shape(what: str, shape: tuple[int, ...], detector: Detector) -> None:
    if shape != detector.shape:
        raise _unfit(what, f"shape {detector.shape}", f"shape {shape}", detector)


def _check_amplifiers(what: str, number: int, detector: Detector) -> None:
    if number != len(detector.amplifiers):
        raise _unfit(what, f"{len(detector.amplifiers)} amplifiers", str(number), detector)


def _check_names(what: str, names: frozenset[str] | Mapping[str, float], detector: Detector) -> None:
    strangers = sorted(set(names) - {amplifier.name for amplifier in detector.amplifiers})
    if strangers:
        raise _unfit(what, "amplifiers of this detector", ", ".join(strangers), detector)


def _check_positive(what: str, table: Mapping[str, float], detector: Detector) -> None:
    for name, value in table.items():
        if not 0 < value < np.inf:
            raise _unfit(f"{what} of {name}", "a positive number", str(value), detector)


def _check_register(cti: Cti, detector: Detector) -> None:
    """Refuse traps that were measured on a register of another length: they hold back at each of its transfers."""
    registers = sorted({amplifier.data.x0 + amplifier.data.width for amplifier in detector.amplifiers})
    if registers != [cti.register]:
        raise _unfit("CTI", f"a register of {registers[0]} pixels", f"one of {cti.register}", detector)


def _unfit(what: str, expected: str, found: str, detector: Detector) -> BadCalibration:
    return BadCalibration(
        "does not fit the detector",
        subject=f"{detector.instrument} {detector.name} {what}",
        expected=expected,
        found=found,
    )
