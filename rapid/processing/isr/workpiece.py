"""A detector on the bench: what the steps of the recipe hand on, and change in place, until it is a frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rapid.processing.exposure import ExposureInfo
from rapid.processing.frame import RawDetector
from rapid.processing.geometry import Amplifier, Detector
from rapid.processing.isr.calibrations import Calibrations
from rapid.processing.isr.placement import Electronics
from rapid.processing.isr.products import Plan
from rapid.processing.isr.readout import Readout

__all__ = ["Workpiece"]


@dataclass(slots=True)
class Workpiece:
    """One detector while it is worked on.

    Attributes
    ----------
    plan
        For every step why it is not done; empty for one that is.
    image, mask
        Of the whole detector: electron, float32, and `Mask` bits, uint16; nobody else's yet.
    readouts, saturated
        For every amplifier that was read: its levels, and how many of its pixels are full.
    notes
        By step, what is to be said about how it went.
    """

    raw: RawDetector
    info: ExposureInfo
    detector: Detector
    calibrations: Calibrations
    plan: Plan
    image: NDArray[np.float32]
    mask: NDArray[np.uint16]
    readouts: list[Readout] = field(default_factory=list)
    saturated: list[int] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def does(self, step: str) -> bool:
        """Whether a step is done."""
        return not self.plan[step]

    def gain(self, amplifier: Amplifier) -> float:
        """Gain of an amplifier [electron/adu]: measured, or else nominal."""
        return self.calibrations.gains.get(amplifier.name, amplifier.gain)

    def saturation(self, amplifier: Amplifier) -> float:
        """Level above the overscan [adu] from which an amplifier's pixels are full: measured, or else nominal."""
        return self.calibrations.saturations.get(amplifier.name, amplifier.saturation)

    def electronics(self, amplifier: Amplifier) -> Electronics:
        """What the pixels of an amplifier are corrected with while they are placed.

        The flat waits when charge is to be moved back between pixels before: that happened before it was read.
        """
        known = self.calibrations
        return Electronics(
            self.gain(amplifier),
            known.bias if self.does("bias") else None,
            known.dark if self.does("dark") else None,
            self.info.dark_time,
            known.flat if self.does("flat") and not self.does("brighter-fatter") else None,
        )
